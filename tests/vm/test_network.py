# SPDX-License-Identifier: Apache-2.0
"""What the agent finds in networks that others made: rules that take long, and
encryption.

    VM n1, agent with --source file:
    a .10    b .11    r .12, rxe    h0 .20  h1 .21  h2 .22
    |        |        |             sidecars with CAP_NET_ADMIN
  --+-- br0 -+--------+-------------+-------+-------+--   10.244.1.0/16
"""
import time

import pytest

from smclab import Vm, topo
from smclab.agents import Agent
from smclab.flows import become, ends, serve
from smclab.mesh import Mesh

SMCD = ("smcd", "smcd")
HOSTILE = ("h0", "h1", "h2")
LOOK = 1    # seconds that a look may take (user/node/helper.h)

# The table that is ours, filled so that a look at it takes seconds.
FILLED = "table inet smcmesh { set s { type ipv4_addr; elements = { %s }; }; }" % \
    ",".join(f"10.0.{i // 256}.{i % 256}" for i in range(8000))


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        self.a = self.mesh.add(topo.pod(vm, "a", "10.244.1.10/16"))
        self.b = self.mesh.add(topo.pod(vm, "b", "10.244.1.11/16"),
                               enabled=None)
        self.r = self.mesh.add(topo.pod(vm, "r", "10.244.1.12/16", rdma=True))
        self.hostile = [
            self.mesh.add(topo.pod(vm, name, f"10.244.1.{20 + i}/16"),
                          enabled=None, containers=("app", "istio-proxy"))
            for i, name in enumerate(HOSTILE)]
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        become(lambda: self.armed("a", "r"), True, 30)

    def armed(self, *names):
        return all(self.agent.pod(n).get("armed") for n in names)

    def slowest(self, seconds):
        """Ask for the status for so long: the longest that an answer took."""
        longest, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            self.agent.get("/v1/status")
            longest = max(longest, time.monotonic() - began)
        return longest

    def warnings(self):
        return [w for w in self.agent.get("/v1/status")["warnings"]
                if "RDMA" in w]

    def transports(self):
        """(the node's, what r may use)"""
        return (self.agent.get("/v1/status")["transports"],
                self.agent.pod("r")["transports"])


@pytest.fixture(scope="module")
def lab():
    with Vm("n1") as vm:
        yield Lab(vm)


# ---- rules that take long --------------------------------------------------------

def test_rules_that_take_long_hold_up_nobody(lab):
    quiet = lab.slowest(3)
    for h in lab.hostile:
        h.run("nft -f -", stdin=FILLED)
    wanted = {name: {"enabled": "true"} for name in HOSTILE}
    lab.mesh.apply(**wanted)
    busy = lab.slowest(12)
    told = [lab.agent.pod(name) for name in HOSTILE]
    assert {p["reason"] for p in told} == {"owner-rule"}, told
    assert all("came to no end" in p["sentence"] for p in told), told
    # another pod is armed meanwhile
    lab.mesh.apply(**wanted, b={"enabled": "true"})
    began = time.monotonic()
    become(lambda: lab.armed("b"), True, 10)
    print(f"status: {quiet:.1f} s, {busy:.1f} s; armed after "
          f"{time.monotonic() - began:.1f} s")
    # one look at a time, and then an answer
    assert busy < quiet + 2 * LOOK, (quiet, busy)


def test_then_they_are_armed(lab):
    """The control: the same pods, without that table."""
    for h in lab.hostile:
        h.run("nft delete table inet smcmesh")
    become(lambda: lab.armed("a", "b", "r", *HOSTILE), True, 60)
    serve(lab.b, 7000)
    assert ends(lab.a, lab.b) == SMCD


# ---- encryption ------------------------------------------------------------------

def test_no_rdma_past_ipsec(lab):
    assert lab.transports() == (["smcr", "smcd"], ["smcr", "smcd"])
    assert not lab.warnings()
    lab.vm.run("ip xfrm policy add src 10.8.0.0/16 dst 10.9.0.0/16 dir out "
               "tmpl src 192.0.2.1 dst 192.0.2.2 proto esp mode tunnel")
    become(lab.transports, (["smcd"], ["smcd"]), 20)
    said, = lab.warnings()
    assert "an IPsec policy" in said and "allowUnencrypted" in said
    assert said in lab.agent.cli("status").out
    assert "an IPsec policy" in lab.agent.cli("doctor").out
    assert "an IPsec policy" in lab.agent.proc.err
    # shared memory does not leave the node
    assert ends(lab.a, lab.b) == SMCD


def test_allowed(lab):
    both = ["smcr", "smcd"], ["smcr", "smcd"]
    with lab.mesh.changed(spec={"allowUnencrypted": True},
                          b={"enabled": "true"}):
        become(lab.transports, both, 20)
        assert not lab.warnings()
    become(lab.transports, (["smcd"], ["smcd"]), 20)
    lab.vm.run("ip xfrm policy flush")
    become(lab.transports, both, 20)

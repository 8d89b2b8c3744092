# SPDX-License-Identifier: Apache-2.0
"""The selector synfilter: on a kernel that has hs_ctrl by an agent that knows
none (make synfilter), on one without it by the agent as it is.

    VM n1, agent with --source file:
    a .10    b .11    s .30 stranger, SMC of its own     10.244.1.0/16
    |        |        |
  --+-- br0 -+--------+--

What there is of tests for the other selector runs with this one, too:
SMCLAB_BINARY=/build/synfilter/smcmesh tests/run -k flip vm
"""
import contextlib
import signal

import pytest

from smclab import Vm, topo, wait_for
from smclab.agents import Agent, has_smc, selecting
from smclab.crowd import hammer, hammering, parrot, stop
from smclab.flows import agreed, become, held, reason, serve
from smclab.mesh import two_pods
from smclab.pins import PINS

pytestmark = pytest.mark.kernels

BINARY = "/build/synfilter/smcmesh"
GUARDED = 64    # SMC_POD_GUARDED
BOTH, NEITHER = (True, True), (False, False)
# Where an agent dies: of a first start, and of what a look and a List bring.
POINTS = ["attach:dev_made", "attach:dev_moved", "attach:sockproto", "look:2",
          "maps:half"]


class Lab:
    def __init__(self, vm):
        self.vm = vm
        self.mesh, self.a, self.b = two_pods(vm)
        self.s = topo.pod(vm, "s", "10.244.1.30/16")
        self.parrot = parrot(self.s, "10.9.0.0/24", "always")
        self.a.run("ip route add 10.9.0.0/24 via 10.244.1.30")
        self.agent = Agent(vm, self.mesh.objects(),
                           **(selecting(vm) or {"binary": BINARY}))
        self.mesh.agents.append(self.agent)
        self.start()
        self.server = serve(self.b, 7000)
        serve(self.s, 7000, native=True)

    def start(self):
        self.agent.start()
        become(lambda: [self.agent.pod(n).get("armed") for n in "ab"],
               [True, True], 30)
        self.wait_guarded(2)

    def guarded(self):
        """How many namespaces are."""
        rows = self.vm.run("bpftool -j map dump name smc_netns").json()
        return sum(bool(r["formatted"]["value"]["flags"] & GUARDED) for r in rows)

    def wait_guarded(self, count):
        wait_for(lambda: self.guarded() == count, 20, f"{count} to be guarded")

    def agree(self, client, server, protocol=None):
        """Do both ends of a new connection say that SMC was agreed upon?"""
        with held(client, server.v4, 7000, protocol=protocol) as h:
            (ours, theirs), = h.ports()
            return (agreed(client.diag(), ours, theirs),
                    agreed(server.diag(), theirs, ours))


@pytest.fixture(scope="module")
def lab():
    with Vm("n1") as vm:
        if not has_smc(vm):
            pytest.skip(f"{vm.kernel} has no IPPROTO_SMC")
        yield Lab(vm)


def test_this_is_the_selector(lab):
    assert lab.agent.get("/v1/status")["selector"] == "synfilter"


def test_endpoints_agree_and_strangers_do_not(lab):
    assert lab.agree(lab.a, lab.b) == BOTH
    assert lab.agree(lab.a, lab.s) == NEITHER
    become(lambda: reason(lab.agent, lab.a, 7000), "not-endpoint")
    # an offer of its own: the listener of an armed pod answers no stranger
    assert lab.agree(lab.s, lab.b, protocol="smc") == NEITHER


def test_who_answers_what_was_not_asked_harms_nobody(lab):
    """Control: with the memory of our own "no" emptied all the time its answers
    pass, and break connections."""
    assert hammer(lab.a, "10.9.0.1+200:80", count=200)["errors"] == 0
    forget = lab.vm.spawn(["python3", "-c", FORGET, PINS + "smc_refused"])
    try:
        wait_for(lambda: "ready" in forget.out, 20, "smc_refused to be emptied")
        told = hammer(lab.a, "10.9.0.1+200:80", count=200, threads=8)
        assert told["errors"] > 0, told
    finally:
        forget.kill()


# empties a map of any kind, over and over
FORGET = """
import ctypes, os, sys
libbpf = ctypes.CDLL("libbpf.so.1")
fd = libbpf.bpf_obj_get(sys.argv[1].encode())
assert fd >= 0, sys.argv[1]
key = ctypes.create_string_buffer(64)
print("ready", flush=True)
while True:
    while not libbpf.bpf_map_get_next_key(fd, None, key):
        libbpf.bpf_map_delete_elem(fd, key)
"""


def test_a_new_device_is_covered(lab):
    """In the pod while the agent does not run, and while it does."""
    lab.agent.stop()
    lab.a.run("ip link add d0 type dummy")
    assert lab.guarded() == 1
    # no socket is converted there, so that none can offer by that device
    with held(lab.a, lab.b.v4, 7000) as h:
        assert h.protocols() == [6]
        assert h.client_ends() == ["plain"]
    lab.start()
    assert lab.agree(lab.a, lab.b) == BOTH
    lab.a.run("ip link add d1 type dummy")
    lab.wait_guarded(2)
    assert lab.agree(lab.a, lab.b) == BOTH


def test_what_is_open_and_the_filters_outlive_the_agent(lab):
    lab.agent.stop()
    assert lab.agree(lab.a, lab.b) == BOTH
    assert lab.agree(lab.a, lab.s) == NEITHER
    lab.start()


@contextlib.contextmanager
def traffic(lab):
    """All the time, from armed pod to armed pod, to a stranger and from it."""
    procs = [hammering(lab.a, f"{to}:7000", count=0, pace=20000)
             for to in (lab.b.v4, lab.s.v4)]
    procs.append(hammering(lab.s, f"{lab.b.v4}:7000", count=0, pace=20000,
                           smc=True))
    try:
        yield
    finally:
        told = [stop(p) for p in procs]
    assert [t["errors"] for t in told] == [0] * 3, told
    assert all(t["connections"] > 0 for t in told), told


@pytest.mark.long
@pytest.mark.parametrize("point", POINTS)
def test_killed_agent_harms_nobody_and_heals(lab, point):
    if "faults" not in lab.agent.binary:
        pytest.skip("this build has no points at which it dies")
    with traffic(lab):
        lab.agent.stop()
        lab.agent.cli("cleanup", "--force")
        lab.agent.start(wait=False, env={"SMCMESH_FAULT": point})
        got = lab.agent.proc.wait(60)
        assert got.rc == -signal.SIGKILL, (point, got.rc, got.err[-2000:])
        lab.start()
    assert lab.agree(lab.a, lab.b) == BOTH
    assert lab.agree(lab.a, lab.s) == NEITHER
    assert lab.agree(lab.s, lab.b, protocol="smc") == NEITHER


def test_filters_stay_denying_while_sockets_do(lab):
    """cleanup leaves them in a namespace with SMC sockets: without them these
    would answer anybody. --force takes them too."""
    lab.agent.stop()
    told = lab.agent.cli("cleanup", check=False)
    assert told.rc == 1 and "left" in told.out, told.out + told.err
    assert lab.agree(lab.s, lab.b, protocol="smc") == NEITHER
    lab.server.kill()
    told = lab.agent.cli("cleanup", "--force")
    assert "Nothing of smcmesh is left" in told.out, told.out
    assert not lab.vm.run("ls /sys/fs/bpf").out.strip()

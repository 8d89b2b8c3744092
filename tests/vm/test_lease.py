# SPDX-License-Identifier: Apache-2.0
"""The lease: an agent that is dead does not hear to whom an address was given.

           VM lease, agent (killed)
    v         s         t -> x
  client    server    its address goes to a stranger
  armed     armed     armed     10.244.1.12         10.244.1.0/16
    |         |         |
  --+---------+-- br0 --+--

While the lease lasts nothing changes; when it is over v offers nobody SMC, and
open connections and answers go on.
"""
import signal

import pytest

from smclab import Vm, progs, topo, wait_for
from smclab.agents import Agent
from smclab.crowd import ready, watch
from smclab.flows import become, ends, held, reason, serve
from smclab.mesh import Mesh

SMCD, TCP = ("smcd", "smcd"), ("tcp", "tcp")
NO_END = 2**64 - 1
LEASE = 15    # seconds: the shortest
BEFORE = f"{LEASE}s"

# one connection; for each line an echo, and SO_PROTOCOL
TALK = """
import socket, sys
s = socket.socket()
s.connect(("10.244.1.11", 7000))
s.settimeout(20)
print("ready", flush=True)
for line in sys.stdin:
    s.sendall(b"x" * 1000)
    got = 0
    while got < 1000:
        got += len(s.recv(1000))
    print("echoed", s.getsockopt(socket.SOL_SOCKET, 38), flush=True)
"""


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh(lease=BEFORE)
        topo.bridge(vm, "10.244.1.1/16")
        for name, host in zip("vst", (10, 11, 12)):
            setattr(self, name, self.mesh.add(
                topo.pod(vm, name, f"10.244.1.{host}/16"), enabled="true"))
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        self.server = serve(self.s, 7000)

    def until(self):
        config, = self.agent.map("smc_config")
        return config["formatted"]["value"]["offers_until_ns"]

    def lease(self):
        return self.agent.get("/v1/status")["lease"]

    def kill(self):
        self.agent.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def lab():
    with Vm("lease", mem=768) as vm:
        yield Lab(vm)


def test_lease_is_moved_on(lab):
    first = lab.until()
    wait_for(lambda: lab.until() > first, 20, "the lease to be moved")
    assert 0 < lab.lease()["left_seconds"] <= LEASE, lab.lease()
    assert lab.lease()["held"] and lab.lease()["knowledge_age_seconds"] == 0
    assert 0 < lab.agent.metric("smcmesh_offers_left_seconds") <= LEASE
    assert "s left" in lab.agent.cli("status").out
    assert "lease" not in lab.vm.run("/build/smcmesh doctor").out


def test_lease_of_0_outlives_a_dead_agent(lab):
    """Control: with a lease of 0 a dead agent changes nothing, ever."""
    with lab.mesh.changed(spec={"lease": 0}):
        become(lab.until, NO_END)
        assert lab.lease()["left_seconds"] is None and lab.lease()["held"]
        assert lab.agent.metric("smcmesh_offers_left_seconds") == float("inf")
        assert "no end" in lab.agent.cli("status").out
        lab.kill()
        assert ends(lab.v, lab.s) == SMCD
        assert lab.until() == NO_END
        lab.agent.start()
    become(lambda: lab.until() < NO_END, True)


def echo(proc):
    """One more message on an open connection; the socket's protocol."""
    before = proc.out.count("echoed")
    proc.stdin("next\n")
    wait_for(lambda: proc.out.count("echoed") > before, 20, "an echo")
    return int(proc.out.split()[-1])


def stranger(lab):
    """t's address, and another pod there: no part of the mesh, speaks SMC by
    itself."""
    topo.delete_pod(lab.t)
    x = topo.pod(lab.vm, "x", "10.244.1.12/16")
    lab.vm.run(f"ip -n {lab.v.name} neigh flush all;"
               f"ip -n {lab.s.name} neigh flush all")
    serve(x, 7000, native=True)
    return x


def offered(pod, x):
    """Do SYNs from @pod to @x carry the option? And what came of it?"""
    with watch(x) as seen:
        pod.run([progs.path("hold"), f"{x.v4}:7000"], stdin="", timeout=30)
    syns = [p for p in seen.packets if p.dport == 7000 and not p.ack]
    assert syns
    return any(p.smc for p in syns)


def answers(x, pod):
    """Is an offer of @x answered by @pod?"""
    with watch(x) as seen:
        x.run([progs.path("hold"), "--protocol", "smc", f"{pod.v4}:7000"],
              stdin="", timeout=30)
    first, = [p for p in seen.packets if p.dport == 7000 and not p.ack
              and p.sent][:1]
    assert first.smc
    return any(p.smc for p in seen.packets if p.sport == 7000 and p.ack)


def test_agent_dead_beyond_the_lease_offers_nothing(lab):
    talk = ready(lab.v.spawn(["python3", "-c", TALK]), "the open connection")
    assert echo(talk) == 256
    lab.kill()
    # an agent that is away for seconds is missed by nobody
    assert ends(lab.v, lab.s) == SMCD
    x = stranger(lab)
    # ...and until the lease is over its address is who it was: the limit
    assert offered(lab.v, x)
    become(lambda: ends(lab.v, lab.s), TCP, LEASE + 15)
    assert not offered(lab.v, x)
    with watch(lab.v) as seen, held(lab.v, lab.s.v4, 7000, count=5):
        pass
    assert not [p for p in seen.packets if p.sent and p.smc], seen.packets
    # what was, goes on; and others, whose agents live, are answered
    assert echo(talk) == 256
    assert answers(x, lab.s)
    assert "for longer than the lease" in lab.vm.run("/build/smcmesh doctor").out
    talk.stdin(None)
    assert talk.wait().rc == 0


def test_agent_that_is_back_offers_again(lab):
    """SMC again with its first reconcile; and why it was not is known."""
    lab.agent.start()
    become(lambda: ends(lab.v, lab.s), SMCD)
    assert "agent-silent" in {f["reason"] for f in lab.agent.flows()
                              if f["pod"] == "v"}
    with lab.mesh.changed(t={"enabled": None}):
        become(lambda: "10.244.1.12" in [
            e["address"] for e in lab.agent.get("/v1/endpoints")["endpoints"]],
            False)
        assert ends(lab.v, lab.s) == SMCD
    assert reason(lab.agent, lab.v, 7000) == "none"

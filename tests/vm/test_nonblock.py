# SPDX-License-Identifier: Apache-2.0
"""Impatient programs: non-blocking sockets on which connect() is called again
and again until it stops saying that it is under way.

            VM nonblock
     c       s        t                  p
   armed   armed    stranger           stranger
    .10     .11      .20                .21
     |       |        |   10.244.4.1+50  |   10.9.0.0/24: parrots, which put
   --+-------+-- br0 -+------------------+   the option in every SYN-ACK

The kernel sets its "offer SMC" flag on every call of connect(), also when its
own handshake is long under way and the peer has said no. A plain IPPROTO_SMC
socket breaks on that (the control); a converted one must not, and nothing of
it may reach a stranger.
"""
import pytest

from smclab import Vm, manifest, topo
from smclab.agents import Agent, has_smc, selecting
from smclab.crowd import addresses, hammer, parrot, stop, watch
from smclab.flows import serve

pytestmark = pytest.mark.kernels

COUNT = 1000
THREADS = 8


class Lab:
    def __init__(self, vm):
        self.vm = vm
        topo.bridge(vm)
        self.c, self.s, self.t, self.p = (
            topo.pod(vm, name, f"10.244.1.{host}/16")
            for name, host in zip("cstp", (10, 11, 20, 21)))
        addresses(self.t, "10.244.4.1", 50)
        self.parrot = parrot(self.p, "10.9.0.0/24", "always")
        self.c.run("ip route add 10.9.0.0/24 via 10.244.1.21")
        self.t.run("ip route add 10.9.0.0/24 via 10.244.1.21")
        self.agent = Agent(vm, [manifest.mesh(), manifest.of(self.c),
                                manifest.of(self.s)],
                           **selecting(vm)).start()
        self.server = serve(self.s, 7000)
        self.plain = serve(self.t, 7000)
        self.native = serve(self.t, 7001, native=True)
        self.victim = serve(self.p, 7000)


@pytest.fixture(scope="module")
def lab():
    with Vm("nonblock", mem=1536) as vm:
        if not has_smc(vm):
            pytest.skip(f"{vm.kernel} has no IPPROTO_SMC")
        yield Lab(vm)


def impatient(pod, to, count, **kw):
    """A hammer that really asked again, more often than it connected."""
    told = hammer(pod, to, count=count, threads=THREADS, again=True, **kw)
    assert told["connections"] == count
    assert told["repeats"] > count, told
    return told


def test_impatient_connects_to_endpoints_are_smc(lab):
    with watch(lab.c) as seen:
        told = impatient(lab.c, "10.244.1.11:7000", COUNT)
    assert told["errors"] == 0, told
    assert told["smc" if lab.vm.kernel.shares else "tcp"] == COUNT, told
    offers = {(p.sport, p.seq) for p in seen.packets if p.sent and p.smc}
    assert len(offers) == COUNT


@pytest.mark.parametrize("what,to", [
    ("plain", "10.244.4.1+50:7000"),
    ("native", "10.244.4.1+50:7001"),
    ("parrot", "10.9.0.1+200:80"),
])
def test_impatient_connects_to_strangers_are_tcp(lab, what, to):
    """1,000 each: TCP servers, SMC servers, and servers that answer without
    having been asked."""
    with watch(lab.c) as seen:
        told = impatient(lab.c, to, COUNT)
    assert told["errors"] == 0, told
    assert told["tcp"] == COUNT, told
    syns = [p for p in seen.packets if p.sent and not p.ack]
    assert len({(p.sport, p.seq) for p in syns}) == COUNT
    assert [p for p in syns if p.smc] == []
    if what == "parrot":
        answers = {p.sport for p in seen.packets if not p.sent and p.smc}
        assert answers == {80}, "the parrots did not put the option in"


def test_the_kernel_bug_is_real(lab):
    """Control: sockets that ask for SMC themselves, in a namespace that is not
    ours, fail against a TCP server, or hang, when connect() is called again."""
    def broken():
        told = hammer(lab.t, "10.244.1.21:7000", count=100, threads=THREADS,
                      again=True, smc=True, patience=2)
        return told["errors"]

    # how often a connect() comes at the wrong moment is a matter of luck
    assert any(broken() for _ in range(50)), "has the kernel been mended?"
    assert stop(lab.victim)["clc"] > 0


def test_a_refusal_arrives(lab):
    """A closed port: every client learns it, none waits for ever."""
    told = hammer(lab.c, "10.244.1.11:9", count=50, threads=5, again=True,
                  patience=5)
    assert told["errors"] == 50
    assert told["talk"].count("Connection refused") == 50, told["talk"]


def test_no_handshake_message_reached_an_application(lab):
    for server in lab.server, lab.plain, lab.native:
        told = stop(server)
        assert told["clc"] == 0 and told["broken"] == 0, told
    assert stop(lab.parrot)["clc"] == 0

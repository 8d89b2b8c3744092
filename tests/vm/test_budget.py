# SPDX-License-Identifier: Apache-2.0
"""What open SMC connections may hold: so many of a pod, and so much memory for
their buffers, which the kernel charges to no cgroup. Beyond it is plain TCP, and
nobody fails.

            VM budget
     c       s       v       x       all armed
    .10     .11     .12     .13
   --+-------+-------+-------+-- br0
"""
import pytest

from smclab import Vm, topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, ends, held, reason, serve
from smclab.mesh import Mesh

MIB = 1 << 20
SMCD, TCP = ("smcd", "smcd"), ("tcp", "tcp")
WIDE = {"memoryPercent": 50, "connectionsPerPod": 65536}


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        for name, host in zip("csvx", (10, 11, 12, 13)):
            setattr(self, name, self.mesh.add(
                topo.pod(vm, name, f"10.244.1.{host}/16")))
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        for pod in self.s, self.x:
            serve(pod, 7000)

    def held(self, pod=None):
        where = self.agent.pod(pod.name) if pod else self.agent.get("/v1/status")
        return where["held"]

    def open(self, pod=None):
        return self.held(pod)["connections"]

    def idle(self):
        wait_for(lambda: not self.open(), 10, "every connection to end")
        assert self.held()["buffer_bytes"] == 0
        for pod in self.c, self.s, self.v, self.x:
            assert self.open(pod) == self.held(pod)["buffer_bytes"] == 0

    def limits(self, recorder="smc", **limits):
        return self.mesh.changed(spec={"limits": limits, "recorder": recorder})


@pytest.fixture(scope="module")
def lab():
    with Vm("budget", mem=1024) as vm:
        yield Lab(vm)


@pytest.mark.parametrize("recorder", ["smc", "sockops"])
def test_connections_beyond_a_pods_bound_are_tcp(lab, recorder):
    """Those beyond the bound are TCP, and say why; others' are not touched."""
    with lab.limits(recorder, connectionsPerPod=8):
        wait_for(lambda: lab.held(lab.c)["connections_max"] == 8, 10,
                 "the limit")
        become(lambda: lab.agent.get("/v1/status")["recorder"], recorder)
        with held(lab.c, lab.s.v4, 7000, count=20) as h:
            kinds = h.ends(lab.s)
            assert kinds == [SMCD] * 8 + [TCP] * 12
            assert reason(lab.agent, lab.c, 7000) == "budget"
            assert lab.open(lab.c) == lab.open(lab.s) == 8
            assert lab.open() == 16
            assert "8 SMC connections that it may have" in \
                lab.agent.cli("pods").out
            # a server's bound is a bound, too; and so is a client's
            assert ends(lab.v, lab.s) == TCP
            assert ends(lab.c, lab.x) == TCP
            assert ends(lab.v, lab.x) == SMCD
        lab.idle()
        assert ends(lab.c, lab.s) == SMCD
    lab.idle()


def burst(lab, buffer, count=100):
    """Open connections with such buffers: what the kernel has allocated for
    them, what it had before, what client and server were told to have, how many
    of them were SMC's, and what a neighbour's was."""
    before = lab.vm.call("smcnl", "allocated")
    with held(lab.c, lab.s.v4, 7000, count=count, buffer=buffer) as h:
        kinds = h.ends(lab.s)
        told = [lab.held(pod)["buffer_bytes"] for pod in (lab.c, lab.s)]
        most = max(told), lab.held()["buffer_bytes_max"] / 8
        grown = lab.vm.call("smcnl", "allocated") - before
        neighbour = ends(lab.v, lab.x)
    lab.idle()
    assert kinds.count(SMCD) + kinds.count(TCP) == count, kinds
    # the connection that reaches the bound still passes
    assert most[0] < most[1] + 2 * buffer, most
    return grown, before, sum(told), kinds.count(SMCD), neighbour


def test_connections_beyond_a_pods_memory_are_tcp(lab):
    """A pod with large buffers gets its eighth; then its connections are TCP,
    and its neighbours are not touched. Control: without the bound it pins ten
    times as much, which no cgroup of its own would notice."""
    most = lab.held()["buffer_bytes_max"] / 8
    grown, before, told, smc, neighbour = burst(lab, MIB // 2)
    assert neighbour == SMCD
    assert 0 < smc < 100
    # the kernel's count, but for what was there to be used again
    assert grown < 1.05 * told and told < 1.05 * (grown + before)
    with lab.limits(**WIDE):
        wait_for(lambda: lab.held()["buffer_bytes_max"] > 70 * most, 10,
                 "the wide limit")
        # another size: what the group has kept of the first is of no use to it
        control, _, _, all_smc, neighbour = burst(lab, MIB)
    assert neighbour == SMCD
    assert all_smc > smc
    assert control > 5 * grown, (control, grown)


def test_buffers_that_groups_keep_shrink_the_limit(lab):
    """The kernel keeps the buffers of connections that have ended. They count,
    above as much as the open ones may have: there is then less for those."""
    kept = lab.vm.call("smcnl", "allocated")
    limit = lab.vm.run("awk '/MemTotal/ { print $2 }' /proc/meminfo").out
    limit = int(limit) * 1024 // 100 * 5
    assert kept > 1.2 * limit, "the test before has left too little behind"
    become(lambda: lab.held()["buffer_bytes_beside"], kept)
    expected = max(0, 2 * limit - kept)
    wait_for(lambda: lab.held()["buffer_bytes_max"] == pytest.approx(
        expected, rel=0.01), 10, "what is left of the limit")
    if not expected:
        assert ends(lab.v, lab.x) == TCP
        assert reason(lab.agent, lab.v, 7000) == "budget"
    with lab.limits(**WIDE):
        become(lambda: ends(lab.v, lab.x), SMCD)

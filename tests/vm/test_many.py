# SPDX-License-Identifier: Apache-2.0
"""More pods on a node than the agent looks at in one go, each with a listener
that was there before it was armed.

    VM n1, agent with --source file:
    p0 .10 ... p8 .18      10.244.1.0/16
    |          |
  --+-- br0 ---+--
"""
import pytest

from smclab import crowd, topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, ends, serve
from smclab.mesh import Mesh

COUNT = 9
LATE, PORT = 7100, 7000
PACE = 40000    # microseconds: the agents have the rest of the one processor
SMCD = ("smcd", "smcd")


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        self.pods = [
            self.mesh.add(topo.pod(vm, f"p{i}", f"10.244.1.{10 + i}/16"))
            for i in range(COUNT)]
        self.names = sorted(p.name for p in self.pods)
        nobody = {name: {"enabled": None} for name in self.names}
        self.agent = Agent(vm, self.mesh.objects(**nobody)).start()
        self.mesh.agents.append(self.agent)
        for pod in self.pods:
            serve(pod, LATE)
        self.mesh.apply()
        become(self.armed, self.names, 60)
        self.server = serve(self.pods[-1], PORT)

    def those(self, fact):
        return sorted(p["name"] for p in self.agent.get("/v1/pods")["pods"]
                      if p[fact])

    def armed(self):
        return self.those("armed")


@pytest.fixture(scope="module")
def lab(vm):
    return Lab(vm)


def test_every_late_listener_is_named(lab):
    become(lambda: lab.those("late_listeners"), lab.names, 30)
    for name in lab.names:
        assert lab.agent.pod(name)["late_listeners"] == [f"0.0.0.0:{LATE}"]


def test_a_restart_disarms_none(lab):
    """Nor does it show one as not armed: each is looked at before anything is
    decided. Connections are made all the while."""
    client, server = lab.pods[-2:]
    load = crowd.hammering(client, f"{server.v4}:{PORT}", threads=2, count=0,
                           pace=PACE)
    for _ in range(3):
        lab.agent.stop()
        lab.agent.start()
        told = lab.agent.proc.output
        assert f"adopted armed pods, number={COUNT}" in told, told
        assert "is not armed" not in told, told
        assert lab.armed() == lab.names
    got = crowd.stop(load)
    assert got["errors"] == 0 and got["tcp"] == 0 and got["smc"] > 0, got
    become(lambda: lab.those("late_listeners"), lab.names, 30)


def test_selectors_of_earlier_agents_are_gone(lab):
    """However much there is to be diagnosed."""
    def selectors():
        maps = lab.vm.run("bpftool -j map list").json()
        return len([m for m in maps if m["type"] == "struct_ops"])

    wait_for(lambda: selectors() == 1, 30, "one selector to be left")
    assert ends(lab.pods[0], lab.pods[-1], PORT) == SMCD

# SPDX-License-Identifier: Apache-2.0
"""Tenants: one pod does its worst, without any capability, and its neighbours
notice nothing (SECURITY.md).

                         VM tenants
     c      u      e      v      s      t      p
   armed    not  armed  armed  armed   not   forwards nothing: 10.9.0.0/24,
    .10    .30    .12    .13    .11    .20    .21    where nobody answers
     |      |      |      |      |      |      |
   --+------+------+------+- br0 +------+------+--

c and u attack, some of it by way of e. v, s and t are the neighbours: v to s is
SMC, t to s a plain client of an SMC listener, v to t an SMC client of a plain
listener; blocking and not. Control: the same attack with the mesh off, in the
same VM just before. With it on nobody may fail, and nobody wait longer than the
longest of the control and a second more.
"""
import time

import pytest

from smclab import Vm, topo, wait_for
from smclab.agents import Agent
from smclab.mesh import Mesh
from smclab.neighbours import attack, serving, suffering, tell, unharmed

SECONDS, LONG_SECONDS = 5, 60
SMCD, PLAIN = ("smcd", "smcd"), ("plain", "plain")
DEAD = "10.9.0.1+200:1000"
EVIL = "10.244.1.12"

# {name: [(pod, mode, options)]}: what runs at once
ATTACKS = {
    "dead": [("c", "dead", {"to": DEAD, "count": 1200, "pin": 0})],
    "own": [("u", "dead", {"to": DEAD, "count": 700, "protocol": "smc"}),
            ("u", "dead", {"to": DEAD, "count": 700, "protocol": "af_smc"})],
    "storm": [("e", "flap", {"to": f"{EVIL}:7100"}),
              ("c", "storm", {"to": f"{EVIL}:7100", "count": 4, "threads": 4}),
              ("c", "refuse", {"to": f"{EVIL}:7000", "count": 2,
                               "threads": 2})],
    "buffers": [("c", "buffers", {"to": f"{EVIL}:7000", "count": 200})],
}
LONG_ATTACKS = {
    **ATTACKS,
    "spread": [("c", "dead", {"to": DEAD, "count": 1600, "threads": 4})],
    "half-open": [("c", "dead", {"to": DEAD, "count": 8000, "threads": 2})],
    "flap": [("e", "flap", {"to": f"{EVIL}:7100"}),
             ("c", "storm", {"to": f"{EVIL}:7100", "count": 8, "threads": 8}),
             ("c", "buffers", {"to": f"{EVIL}:7100", "count": 8})],
    "all": [("c", "dead", {"to": DEAD, "count": 600}),
            ("u", "dead", {"to": DEAD, "count": 600, "protocol": "af_smc"}),
            ("c", "refuse", {"to": f"{EVIL}:7000", "count": 2, "threads": 2}),
            ("c", "buffers", {"to": f"{EVIL}:7000", "count": 100})],
}
HOSTS = {"c": 10, "s": 11, "e": 12, "v": 13, "t": 20, "p": 21, "u": 30}


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        for name, host in HOSTS.items():
            setattr(self, name, self.mesh.add(
                topo.pod(vm, name, f"10.244.1.{host}/16"),
                enabled="true" if name in "csev" else None))
        for pod in self.c, self.u:
            pod.run("ip route add 10.9.0.0/24 via 10.244.1.21")
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)

    def serving(self, becomes):
        return serving(self.agent, 4 * (becomes == SMCD),
                       (self.s, self.t, self.e), self.v, becomes)

    def suffer(self, what, seconds):
        """What the neighbours notice of an attack: {name: result of hammer}."""
        attackers = []
        try:
            attackers = [attack(getattr(self, name), mode, opts)
                         for name, mode, opts in what]
            with suffering((self.v, self.t), self.s.v4, self.t.v4) as found:
                time.sleep(seconds)    # the length of the attack, not a wait
            tell(attackers)
            return found
        finally:
            for proc in attackers:
                if proc.alive:
                    proc.kill(9)

    def calm(self):
        """What the attack has left behind is over."""
        wait_for(lambda: self.vm.run("ss -Htan state syn-sent | wc -l").out
                 .strip() == "0", 30, "the attack's connections to end")


@pytest.fixture(scope="module", params=[1])
def lab(request):
    with Vm("tenants", mem=1536, cpus=request.param, lifetime=2 * 3600) as vm:
        yield Lab(vm)


def compare(lab, name, what, seconds):
    with lab.mesh.changed(spec={"enabled": False}), lab.serving(PLAIN):
        control = lab.suffer(what, seconds)
    lab.calm()
    with lab.serving(SMCD):
        found = lab.suffer(what, seconds)
    lab.calm()
    unharmed(name, control, found)


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_of_a_tenant_harms_no_neighbour(lab, name):
    compare(lab, name, ATTACKS[name], SECONDS)


@pytest.mark.long
@pytest.mark.parametrize("lab", [1, 2], indirect=True, ids=["1cpu", "2cpus"])
@pytest.mark.parametrize("name", LONG_ATTACKS)
def test_attack_of_a_tenant_harms_no_neighbour_long(lab, name):
    compare(lab, name, LONG_ATTACKS[name], LONG_SECONDS)

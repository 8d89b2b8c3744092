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
import contextlib
import time

import pytest

from smclab import Vm, progs, topo, wait_for
from smclab.agents import Agent
from smclab.crowd import hammering, options, ready, result, stop
from smclab.flows import become, ends, serve
from smclab.mesh import Mesh

SECONDS, LONG_SECONDS = 5, 60
SMCD, PLAIN = ("smcd", "smcd"), ("plain", "plain")
DEAD = "10.9.0.1+200:1000"
EVIL = "10.244.1.12"
UNPRIVILEGED = ["prlimit", "--nofile=8192:8192", "setpriv", "--reuid=65534",
                "--regid=65534", "--clear-groups", "--bounding-set=-all",
                "--inh-caps=-all"]
MOST_MORE_MS = 1000

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
# {name: (pod, to, options of hammer)}
NEIGHBOURS = {
    "smc": ("v", "10.244.1.11:7000", {}),
    "smc, not blocking": ("v", "10.244.1.11:7000", {"again": True}),
    "plain in": ("t", "10.244.1.11:7000", {}),
    "plain in, not blocking": ("t", "10.244.1.11:7000", {"again": True}),
    "plain out": ("v", "10.244.1.20:7000", {}),
    "plain out, not blocking": ("v", "10.244.1.20:7000", {"again": True}),
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

    @contextlib.contextmanager
    def serving(self, becomes):
        """Servers that were started as the mesh is now."""
        become(lambda: self.agent.get("/v1/status")["pods"]["armed"],
               4 * (becomes == SMCD))
        servers = [serve(pod, 7000) for pod in (self.s, self.t, self.e)]
        try:
            become(lambda: ends(self.v, self.s), becomes)
            yield
        finally:
            for server in servers:
                server.kill()

    def attack(self, name, mode, opts):
        argv = [*UNPRIVILEGED, progs.path("badpod"), mode, *options(opts)]
        return ready(getattr(self, name).spawn(argv), mode)

    def suffer(self, attack, seconds):
        """What the neighbours notice of an attack: {name: result of hammer}."""
        attackers, neighbours = [], {}
        try:
            attackers = [self.attack(*one) for one in attack]
            neighbours = {
                name: hammering(getattr(self, pod), to, count=0, pace=20000,
                                tell=1, **opts)
                for name, (pod, to, opts) in NEIGHBOURS.items()}
            wait_for(lambda: all(p.out for p in neighbours.values()), 60,
                     "a first connection of each neighbour")
            time.sleep(seconds)    # the length of the attack, not a wait
            found = {name: stop(proc) for name, proc in neighbours.items()}
            for proc in attackers:
                proc.kill()
                print(proc.cmd[-8:], result(proc))
            return found
        finally:
            for proc in [*attackers, *neighbours.values()]:
                if proc.alive:
                    proc.kill(9)

    def calm(self):
        """What the attack has left behind is over."""
        wait_for(lambda: self.vm.run("ss -Htan state syn-sent | wc -l").out
                 .strip() == "0", 30, "the attack's connections to end")


@pytest.fixture(scope="module", params=[1])
def lab(request):
    with Vm("tenants", mem=1536, cpus=request.param) as vm:
        yield Lab(vm)


def compare(lab, name, attack, seconds):
    with lab.mesh.changed(spec={"enabled": False}), lab.serving(PLAIN):
        control = lab.suffer(attack, seconds)
    lab.calm()
    with lab.serving(SMCD):
        found = lab.suffer(attack, seconds)
    lab.calm()
    longest = max(r["own_ms"] for r in control.values())
    for who, r in found.items():
        print(f"{name}, {who}: {r['ok']} (control {control[who]['ok']}), "
              f"median {r['p50_ms']} ({control[who]['p50_ms']}) ms, longest "
              f"{r['own_ms']} ({control[who]['own_ms']}) ms, SMC {r['smc']}")
    bad = {who: r for who, r in found.items()
           if r["errors"] or r["own_ms"] > longest + MOST_MORE_MS}
    assert not bad, (longest, bad)
    assert found["smc"]["smc"], found["smc"]


@pytest.mark.parametrize("name", ATTACKS)
def test_tenants(lab, name):
    compare(lab, name, ATTACKS[name], SECONDS)


@pytest.mark.long
@pytest.mark.parametrize("lab", [1, 2], indirect=True, ids=["1cpu", "2cpus"])
@pytest.mark.parametrize("name", LONG_ATTACKS)
def test_tenants_long(lab, name):
    compare(lab, name, LONG_ATTACKS[name], LONG_SECONDS)

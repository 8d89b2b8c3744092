# SPDX-License-Identifier: Apache-2.0
"""A node dies while pods of another hold 2,000 non-blocking connects to it.

     v      s      t      c1 .. c4                          d
   armed  armed    not     armed                       its listener is full:
    .12    .11    .20    .30 .. .33                     no SYN is answered
     |      |      |      |      |                          |
   --+------+------+------+------+-- br0 - eth0 == eth0 - br0
     n1: agent, one processor                 n2: 10.244.2.10, dies

Each of these connects would hold one of the 1,024 workers that every accept()
of an SMC listener needs, and no answer comes any more. To c1 and c2 the address
of d stays known, as where a router stands between: theirs hang on. For c3 and
c4 the kernel finds nobody at the address after some seconds and their connects
fail; each is made anew. The neighbours on n1 notice neither.

Without RDMA devices; and with one in each pod but t, d armed by an agent of n2:
then d's connections with v are SMC-R until it dies.
"""
import time

import pytest

from smclab import Link, Vm, topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, ends, serve
from smclab.mesh import Mesh
from smclab.neighbours import attack, serving, suffering, tell, unharmed

SMCD, SMCR, PLAIN = ("smcd", "smcd"), ("smcr", "smcr"), ("plain", "plain")
DEAD_FOR = 12    # seconds: longer than it takes to find that nobody is there
EACH, PORT, TALK = 500, 7009, 7010
HOSTS = {"v": 12, "s": 11, "t": 20, "c1": 30, "c2": 31, "c3": 32, "c4": 33}
ATTACKERS = ("c1", "c2", "c3", "c4")
MAC = "02:00:0a:f4:02:0a"
FULL = f"""
import signal, socket
s = socket.create_server(("10.244.2.10", {PORT}), backlog=0)
signal.pause()
"""


class Lab:
    def __init__(self, link, rdma):
        self.link, self.mesh, self.rdma = link, Mesh(), rdma
        self.n1 = Vm("n1", nics=[link.ends[0]], mem=1536).wait_boot()
        topo.bridge(self.n1, nic="eth0")
        for name, host in HOSTS.items():
            setattr(self, name, self.mesh.add(
                topo.pod(self.n1, name, f"10.244.1.{host}/16",
                         rdma=rdma and name != "t"),
                enabled=None if name == "t" else "true"))
        for name in ("c1", "c2"):
            self.keep_address(name)
        if rdma:    # its pod comes with its node
            self.mesh.add(topo.Pod(None, "d", "10.244.2.10", None, "n2"))
        self.agent = Agent(self.n1, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        self.n2 = None

    def keep_address(self, name):
        """That of d, for this pod."""
        self.n1.run(f"ip -n {name} neigh replace 10.244.2.10 lladdr {MAC} "
                    "dev eth0 nud permanent")

    def boot(self, on):
        """Node n2 and its pod d; what it listens with answers nobody."""
        self.n2 = Vm("n2", nics=[self.link.ends[1]]).wait_boot()
        topo.bridge(self.n2, nic="eth0")
        d = topo.pod(self.n2, "d", "10.244.2.10/16")
        self.n2.run(f"ip -n d link set eth0 address {MAC}")
        if self.rdma:
            topo.rxe(d)
            Agent(self.n2, self.mesh.objects(spec={"enabled": on})).start()
        if self.rdma and on:
            serve(d, TALK)
            become(lambda: ends(self.v, d, TALK), SMCR, 30)
        d.spawn(["python3", "-c", FULL])
        d.wait_listen(PORT)

    def under_way(self):
        return sum(int(getattr(self, name).run(
            "ss -Htn state syn-sent dst 10.244.2.10 | wc -l").out)
            for name in ATTACKERS)

    def connects(self):
        """2,000 connects that nobody answers; returns who made them."""
        attackers = [attack(getattr(self, name), "dead", {
            "to": f"10.244.2.10:{PORT}", "count": EACH}) for name in ATTACKERS]
        # what the full listener had room for is connected
        wait_for(lambda: self.under_way() > len(ATTACKERS) * EACH - 8, 60,
                 "2,000 connects to be under way")
        return attackers

    def death(self, becomes):
        """What the neighbours notice of it: {name: result of hammer}."""
        attackers = []
        try:
            with serving(self.agent, 6 * (becomes == SMCD), (self.s, self.t),
                         self.v, becomes):
                self.boot(becomes == SMCD)
                with suffering((self.v, self.t), self.s.v4, self.t.v4) as found:
                    attackers = self.connects()
                    self.n2.crash()
                    time.sleep(DEAD_FOR)    # the length of the trial, not a wait
                tell(attackers)
            return found
        finally:
            for proc in attackers:
                if proc.alive:
                    proc.kill(9)
            if self.n2:
                self.n2.stop()


@pytest.fixture(scope="module", params=[
    False, pytest.param(True, marks=pytest.mark.long)], ids=["tcp", "rdma"])
def lab(request):
    link = Link()
    made = None
    try:
        made = Lab(link, request.param)
        yield made
    finally:
        if made:
            made.n1.stop()
        link.close()


@pytest.fixture(scope="module")
def control(lab):
    """The same with the mesh off."""
    with lab.mesh.changed(spec={"enabled": False}):
        return lab.death(PLAIN)


def test_neighbours_of_2000_dead_connects_are_unharmed(lab, control):
    unharmed("dead node", control, lab.death(SMCD))
    assert lab.agent.metric("smcmesh_sockets_rationed_total",
                            kind="converted") >= 2000 - 4 * 128


@pytest.mark.long
def test_unrationed_connects_harm_neighbours(lab, control):
    """The same where nothing is counted, and all connects hang on: 2,000 works for
    1,024 workers. The neighbours do notice."""
    for name in ("c3", "c4"):
        lab.keep_address(name)
    with lab.agent.nothing_counted():
        found = lab.death(SMCD)
    with pytest.raises(AssertionError):
        unharmed("no ration", control, found)

# SPDX-License-Identifier: Apache-2.0
"""Clients that are killed with SMC-R connections open, and their servers: the limit
that deploy/docs/limits.md names and what helps (stranded.py says why).

     a        s                        c        t
    .1.10    .1.20                    .2.10    .2.20      all have an RDMA device
     |        |                        |        |
   --+- br0 --+-- eth0 ==== eth0 ------+- br0 --+--
     n1: agent                        n2: agent

a and c are annotated, and have room for 256 messages on a link; s and t are
strangers with the kernel's own SMC sockets and the 16 that it has by default.
"""
import time

import pytest

from smclab import topo, wait_for
from smclab.account import at_odds
from smclab.agents import Agent
from smclab.crowd import hammer, hammering, stop
from smclab.flows import become, ends, serve
from smclab.mesh import Mesh
from smclab.stranded import Left, left

pytestmark = pytest.mark.long
KILL, USR1 = 9, 10    # no hammer handles either
PORT, MANY, FEW = 7000, 60, 10
SMCR = ("smcr", "smcr")
NOTHING = Left(set(), set())
ROOM = {"smcr_max_send_wr": 256, "smcr_max_recv_wr": 768}
PODS = {"a": ("n1", "1.10"), "s": ("n1", "1.20"),
        "c": ("n2", "2.10"), "t": ("n2", "2.20")}


class Lab:
    def __init__(self, pair):
        self.mesh = Mesh(sysctls=ROOM, limits={"memoryPercent": 50})
        self.agents = {}
        for vm in pair:
            topo.bridge(vm, nic="eth0")
        for name, (node, host) in PODS.items():
            pod = topo.pod(getattr(pair, node), name, f"10.244.{host}/16",
                           rdma=True)
            pod.run("sysctl -qw net.smc.smcr_max_links_per_lgr=1")
            setattr(self, name, self.mesh.add(
                pod, enabled="true" if name in "ac" else None))
        for vm in pair:
            self.agents[vm.name] = Agent(vm, self.mesh.objects()).start()
            self.mesh.agents.append(self.agents[vm.name])
        for pod in self.a, self.c:
            wait_for(lambda p=pod: self.has_room(p), 20, f"{pod.name}'s settings")
        serve(self.c, PORT)
        self.server = serve(self.t, PORT, native=True)
        become(lambda: ends(self.a, self.c), SMCR, 60)    # the links are there
        become(lambda: ends(self.s, self.t, protocol="smc"), SMCR, 60)
        self.native = {"smc": True}

    def has_room(self, pod):
        told = self.agents[pod.node].pod(pod.name)
        return told.get("armed") and \
            ROOM.items() <= told["settings"]["sysctls"].items()


@pytest.fixture(scope="module")
def lab(pair):
    return Lab(pair)


def opened(client, server, count, **how):
    """A program that holds so many connections, all of them SMC-R."""
    proc = hammering(client, f"{server.v4}:{PORT}", count=count, threads=2,
                     hold=True, **how)
    wait_for(lambda: '"connections"' in proc.out, 60, "the connections")
    modes = client.modes(PORT)
    if modes != ["smcr"] * count:
        proc.kill(9)
        raise AssertionError(modes)
    return proc


def killed(client, server, count, signal, **how):
    """What stays of them when everything has ended that ends."""
    opened(client, server, count, **how).kill(signal)
    become(lambda: left(client, server, PORT).others, set(), 20)
    return left(client, server, PORT).stranded


def test_program_that_ends_by_itself_leaves_nothing(lab):
    """The first control: the message waits for its place."""
    proc = opened(lab.s, lab.t, MANY, **lab.native)
    proc.stdin(None)
    assert proc.wait(30).rc == 0
    become(lambda: left(lab.s, lab.t, PORT), NOTHING, 20)


def test_few_connections_of_a_killed_program_all_end(lab):
    """The second: each message finds one."""
    assert killed(lab.s, lab.t, FEW, KILL, **lab.native) == set()


@pytest.mark.parametrize("signal", [KILL, USR1], ids=["SIGKILL", "SIGUSR1"])
def test_none_strands_where_the_link_has_room_for_all(lab, signal):
    """What helps, in armed pods: spec.sysctls."""
    assert killed(lab.a, lab.c, MANY, signal) == set()
    for pod in lab.a, lab.c:
        become(lambda p=pod: at_odds(lab.agents[p.node], [p]), [], 20)


@pytest.mark.parametrize("signal", [KILL, USR1], ids=["SIGKILL", "SIGUSR1"])
def test_many_connections_of_a_killed_program_strand(lab, signal):
    """The limit, without anything of ours. A server that closes ends what its
    client's kernel keeps; its own keeps its ends."""
    kept = lab.t.linked()
    stranded = killed(lab.s, lab.t, MANY, signal, **lab.native)
    assert MANY // 4 < len(stranded) < MANY, stranded
    told = hammer(lab.s, f"{lab.t.v4}:{PORT}", count=10, **lab.native)
    assert told["smc"] == 10, told    # on the same link
    become(lambda: left(lab.s, lab.t, PORT), Left(stranded, set()), 20)
    assert lab.s.linked() == len(stranded)
    stop(lab.server)
    become(lambda: left(lab.s, lab.t, PORT), NOTHING, 20)
    become(lambda: lab.s.linked(), 0, 20)
    assert lab.t.linked() == kept + len(stranded)
    lab.server = serve(lab.t, PORT, native=True)


def test_stranded_ends_go_with_the_link(lab):
    """As where a pod is deleted: its interface goes, and its RDMA device."""
    stranded = killed(lab.s, lab.t, MANY, KILL, **lab.native)
    lab.s.vm.run("ip link del v-s")
    begin = time.monotonic()
    become(lambda: lab.t.linked(), 0, 60)
    print(f"{len(stranded)} ended {time.monotonic() - begin:.0f} s later")
    become(lambda: left(lab.s, lab.t, PORT), NOTHING, 20)

# SPDX-License-Identifier: Apache-2.0
"""`smcmesh flows -f` and `smcmesh top` beside connections that are SMC.

           VM n1, agent
    a         b         c
  armed     armed     armed         10.244.1.0/16
    |         |         |
  --+---------+-- br0 --+--

Their options, and terminals: net/test_flows_native.py. Here is what only a kernel
with SMC has: events from its ring, and bytes that it counts.
"""
import contextlib
import json
import re

import pytest

from smclab import topo, wait_for
from smclab.agents import Agent
from smclab.crowd import hammer
from smclab.flows import become, ends, serve
from smclab.mesh import two_pods

PORT, BUSY = 7000, 7001
SMCD = ("smcd", "smcd")
# on a busy machine a quick reader is a slow one, too
pytestmark = pytest.mark.long
# so many bytes go there and come back, over one connection, in pieces
ROUND_TRIPS, PIECE = 400, 20000
PUMP = f"""
import socket
s = socket.create_connection(("10.244.1.11", {PORT}))
for _ in range({ROUND_TRIPS}):
    s.sendall(bytes({PIECE}))
    left = {PIECE}
    while left:
        left -= len(s.recv(left))
print("done", flush=True)
s.recv(1)    # until it is killed
"""
USE_FOLLOWED = 4    # in smc_config: include/smcmesh/abi.h


class Lab:
    def __init__(self, vm):
        self.vm = vm
        self.mesh, self.a, self.b = two_pods(vm)
        self.c = self.mesh.add(topo.pod(vm, "c", "10.244.1.12/16"))
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        become(lambda: [self.agent.pod(n).get("armed") for n in "abc"], [True] * 3)
        self.server = serve(self.b, PORT, BUSY)

    def start(self, *args):
        """A command that goes on until it is killed."""
        return self.vm.spawn([self.agent.binary, *args])

    def followed(self):
        return self.agent.row("smc_config", 0)["uses"] & USE_FOLLOWED

    @contextlib.contextmanager
    def followers(self, count):
        """So many, and nobody else before and after them."""
        wait_for(lambda: not self.followed(), 20, "no follower")
        procs = [self.start("flows", "-f") for _ in range(count)]

        def all_read():
            assert ends(self.a, self.b) == SMCD
            return all(" closed " in f.out for f in procs)
        try:
            wait_for(all_read, 60, "all of them to read")
            yield procs
        finally:
            for proc in procs:
                proc.kill(9)

    def signal(self, sig, pid=None):
        """The agent's process, or another."""
        pid = pid or self.agent.get("/v1/status")["pid"]
        self.vm.run(f"kill -{sig} {pid}")
        return pid

    def lost(self):
        """Events for which the ring had no room, of all slots and CPUs."""
        return self.agent.get("/v1/flows?last=1")["lost"]["events"]


def events(follower):
    """How many of the busy port's it printed."""
    return len(re.findall(rf"(?m)^\S+ +(?!lost).*:{BUSY}\b", follower.out))


@pytest.fixture(scope="module")
def lab(vm):
    return Lab(vm)


# ---- flows -f -----------------------------------------------------------------

def test_ring_overrun_is_told_to_followers_and_below_the_list(lab):
    """The agent stands still while connections come and go; their records are
    there all the same."""
    with lab.followers(1) as (follower,):
        before = lab.lost()
        pid = lab.signal("STOP")
        try:
            made = hammer(lab.a, f"{lab.b.v4}:{BUSY}", timeout=300, count=2500,
                          threads=4)
        finally:
            lab.signal("CONT", pid)
        assert made["errors"] == 0, made
        wait_for(lambda: lab.lost() > before, 20, "losses")
        lost = lab.lost() - before

        def told():
            return sum(int(n) for n in re.findall(
                r" lost     (\d+) events: the ring buffer was full", follower.out))
        wait_for(lambda: told() == lost, 30, f"{lost} events to be said as lost")
        assert events(follower) > 100
        assert f"has missed {lost + before} events" in lab.agent.cli("flows").out
        # what happens from now on is told again
        seen = follower.out.count(" closed ")
        assert ends(lab.a, lab.b) == SMCD
        wait_for(lambda: follower.out.count(" closed ") > seen, 20, "the next events")
        assert lab.lost() == lost + before


def test_slow_reader_misses_events_and_the_agent_is_not_slowed(lab):
    """A follower that stands still. Beside it another one gets every event: the
    agent waits for nobody."""
    with lab.followers(2) as (slow, quick):
        pid = lab.vm.run(["pgrep", "-o", "-f", "^[^ ]*smcmesh flows -f"]).out.strip()
        before = lab.lost()
        lab.signal("STOP", pid)
        try:
            made = hammer(lab.a, f"{lab.b.v4}:{BUSY}", timeout=300, count=1500,
                          threads=4, pace=20000)
            assert made["errors"] == 0, made
            wait_for(lambda: events(quick) >= 4 * 1500, 60, "both ends of all")
        finally:
            lab.signal("CONT", pid)
        assert events(quick) == 4 * 1500 and " lost " not in quick.out
        assert lab.lost() == before

        def missed():
            return sum(int(n) for n in re.findall(
                r" lost     (\d+) events: they were read too slowly", slow.out))
        assert ends(lab.a, lab.b) == SMCD    # with what comes next it is told
        wait_for(lambda: missed() and events(slow) + missed() == events(quick), 60,
                 "each event to be read or missed")


# ---- top ----------------------------------------------------------------------

def lines_of(top):
    return [json.loads(x) for x in top.out.rpartition("\n")[0].splitlines()]


def pod_in(line, name):
    return next((p for p in line["pods"] if p["pod"] == name), None)


def moved(lines, name, key):
    """Bytes, by what each line says of a second and how long it was."""
    return sum((pod_in(x, name)[key] or 0) * x["seconds"] for x in lines)


def test_top_adds_up_to_the_bytes_that_went(lab):
    """Both ways, at both ends; and how many connections are open."""
    top = lab.start("top", "-d", "1", "-o", "json")
    wait_for(lambda: lines_of(top), 20, "its first line")
    pump = lab.a.spawn(["python3", "-c", PUMP])
    wait_for(lambda: "done" in pump.out, 120, "the bytes to go")
    n = len(lines_of(top))
    wait_for(lambda: len(lines_of(top)) > n + 2, 30, "what came after")
    lines = lines_of(top)
    went = ROUND_TRIPS * PIECE
    for name in "ab":
        for key in "rx", "tx":
            told = moved(lines, name, f"smcd_{key}_bytes_per_second")
            assert abs(told - went) < went / 10, (name, key, told, went)
            assert moved(lines, name, f"smcr_{key}_bytes_per_second") == 0
        last = pod_in(lines[-1], name)
        assert (last["smcd"], last["smcr"], last["tcp"]) == (1, 0, 0), last
        assert last["smcd_tx_bytes_per_second"] == 0 and last["buffer_bytes"] > 0
    # the one that talked comes first, in a table as well; c did nothing
    busiest = max(lines, key=lambda x: pod_in(x, "a")["smcd_tx_bytes_per_second"] or 0)
    assert busiest["pods"][-1]["pod"] == "c", busiest
    table = lab.agent.cli("top", "-b", "-d", "0.2", "-n", "2").out
    row = next(x for x in table.splitlines() if x.startswith("default/a "))
    assert row.split()[1:3] == ["1", "0"], table
    pump.kill()
    become(lambda: pod_in(lines_of(top)[-1], "a")["smcd"], 0)
    top.kill()


def test_pods_vanish_while_they_are_watched(lab):
    """One of the three goes, with a connection; the others' rows go on, and what it had
    is still told, without its name."""
    top = lab.start("top", "-d", "0.1", "-o", "json")
    proc = lab.c.spawn(["python3", "-c", PUMP])
    wait_for(lambda: lines_of(top) and
             (pod_in(lines_of(top)[-1], "c") or {}).get("smcd"), 30, "c's connection")
    proc.kill(9)
    topo.delete_pod(lab.c)
    lab.mesh.apply(without=("c",))
    wait_for(lambda: pod_in(lines_of(top)[-1], "c") is None, 30, "c to be gone")
    assert {p["pod"] for p in lines_of(top)[-1]["pods"]} == {"a", "b"}
    assert ends(lab.a, lab.b) == SMCD
    listed = lab.agent.cli("flows", "--last", "all").out
    assert re.search(r"^- +client +10\.244\.1\.12:", listed, re.M), listed
    n = len(lines_of(top))
    wait_for(lambda: len(lines_of(top)) > n, 20, "it to go on")
    assert not top.err, top.err
    top.kill()
    lab.mesh.pods = [p for p in lab.mesh.pods if p[0] is not lab.c]

# SPDX-License-Identifier: Apache-2.0
"""SIGKILL of the agent at every step that it takes, under traffic.

                 VM kill, the agent with fault points (make faults)
     a  <=======>  b         x  stranger        c      and 100 pods of another
    .10           .11       .20                .12     node, others for each
     |             |         |                  |      start: the kills inside
   --+------------ br0 ------+------------------+--    `maps` have maps to fill

First from nothing: each start dies one step further than the last, on what that
one left behind; nobody is armed yet, traffic is TCP and must not notice.

Then with everybody armed: start after start dies, each somewhere else; in the
dead time someone takes things away from c; the next start lives, finds
everything again and puts that back. a, b and x never stop talking: between a and b every
connection is SMC, between them and x none.

The VM has one CPU: the emulator's second one may go on executing the int3 that
the kernel puts into its own code for a moment while it attaches a program.
"""
import json
import os
import signal
import time

import pytest

from smclab import Vm, manifest, paths, topo, wait_for
from smclab.agents import Agent
from smclab.crowd import hammer, hammering, stop
from smclab.flows import serve
from smclab.pins import PINS

MAPS = PINS
CONNECTIONS = 10000
SMC_CONNECTIONS = 4000
FAR = 100
PEERNOSMC = 0x03010000
# No connection may take longer, milliseconds, without the times in which the
# whole VM stood still: its host may be busy (tests/progs/hammer.c)
LONGEST = 1000
PACE = 40000    # between two connections of a thread, microseconds

LINKS = ["smc_fallback", "smc_connected", "smc_declined", "smc_accepted",
         "smc_link_down", "smc_link_up", "smc_link_gone", "sock_listens", "sock_gone",
         "sock_made_af", "sock_undone", "sock_made", "smc_closed",
         "connect_guard", "syn_waits", "sockproto", "flow_passive"]
# Each point is passed before and after its step. What follows one step is what
# comes before the next.
ATTACH = ["attach:selector"] + [f"attach:{name}" for name in LINKS] + \
    ["attach:flow_passive:2"]
# The moments between attach, pin and rename: of the selector (1), of a link in
# the middle (4), of those that are pinned together the first (15) and the
# converter (17).
PINNED = [f"pin:{at}:{n}" for n in (1, 4, 15, 17) for at in ("before", "fresh")]
MAP_POINTS = ["maps:quarter", "maps:half", "maps:three-quarters"]
POINTS = ATTACH + PINNED + ["look:2"] + MAP_POINTS
# attached only where a pod has an SMC listener
LISTENER = "attach:syn_waits"
POD_LISTENS = 16    # a mark that BPF sets


class Lab:
    def __init__(self, vm):
        self.vm, self.round = vm, 0
        self.starts = []    # (seconds since 1970, where it died)
        topo.bridge(vm, "10.244.1.1/16")
        self.a, self.b, self.c, self.x = (
            topo.pod(vm, name, f"10.244.1.{host}/16")
            for name, host in zip("abcx", (10, 11, 12, 20)))
        self.agent = Agent(vm, None, binary="/build/faults/smcmesh")
        self.next_list()

    def next_list(self):
        """The same pods here, and another hundred elsewhere."""
        self.round += 1
        first = self.round % 3 * FAR
        self.agent.set(manifest.mesh(), *map(manifest.of,
                                             (self.a, self.b, self.c)),
                       *(manifest.pod(f"far{i}", "elsewhere",
                                      f"10.77.{i // 100}.{i % 100 + 1}")
                         for i in range(first, first + FAR)))

    def die_at(self, point):
        """Start the agent; it ends there, by SIGKILL."""
        self.next_list()
        self.starts.append((round(time.time(), 1), point))
        self.agent.start(wait=False, env={"SMCMESH_FAULT": point})
        got = self.agent.proc.wait(60)
        assert got.rc == -signal.SIGKILL, (point, got.rc, got.err[-2000:])

    def live(self):
        """Start it, and wait until everything is as the List says."""
        self.starts.append((round(time.time(), 1), "nowhere"))
        self.agent.start()
        far = {f"10.77.{self.round % 3}.{i + 1}" for i in range(FAR)}
        want = far | {p.v4 for p in (self.a, self.b, self.c)}
        wait_for(lambda: self.look().endpoints == want, 20, "the endpoints")

    def look(self):
        return Look(self)


class Look:
    """What the kernel has, in one go: an emulated machine is slow to start
    programs."""

    def __init__(self, lab):
        maps = ["smc_endpoint", "smc_netns", "smc_port"]
        out = lab.vm.run(
            "bpftool -j batch file - ;"
            "for n in a b c; do nsenter --net=/run/netns/$n "
            "cat /proc/sys/net/smc/hs_ctrl; done;"
            f"cd {MAPS} && ls . links",
            stdin="".join(f"map dump pinned {MAPS}{m}\n" for m in maps)).out
        batch, _, rest = out.partition("\n")
        # at the end of its input bpftool 7.1 complains of a bad descriptor
        rows = [[r["formatted"] for r in step["output"]]
                for step in json.loads(batch) if "output" in step]
        self.endpoints = {".".join(map(str, r["key"]["ip"][12:]))
                          for r in rows[0]}
        self.netns = {r["key"]: r["value"] for r in rows[1]}
        for row in self.netns.values():
            row["flags"] &= ~POD_LISTENS
        self.ports = rows[2]
        *self.ctrls, listing = rest.split("\n", 3)
        here, links = listing.split("links:\n")
        self.pins, self.links = set(here.split()), set(links.split())


@pytest.fixture(scope="module")
def lab():
    path = os.path.join(paths.build(), "faults/smcmesh")
    assert os.path.exists(path), "make faults builds it"
    with Vm("kill", mem=1536) as vm:
        yield Lab(vm)


def assert_none_waited(told):
    assert told["own_ms"] < LONGEST, told
    # a measure that excuses everything measures nothing
    assert told["stood_ms"] < told["seconds"] * 1000 * 3 / 4, told


# ---- from nothing ---------------------------------------------------------------

def test_first_start_killed_at_any_step_fails_no_connection(lab):
    server = serve(lab.b, 7001)
    traffic = hammering(lab.a, "10.244.1.11:7001", threads=2, pace=PACE)
    for point in ATTACH + PINNED[:2] + MAP_POINTS:
        if point != LISTENER:
            lab.die_at(point)
    lab.live()
    told, heard = stop(traffic), stop(server)
    assert told["errors"] == 0, told
    assert_none_waited(told)
    assert told["connections"] > 500, told
    assert heard["broken"] == 0 and heard["clc"] == 0, heard


# ---- armed ------------------------------------------------------------------------

def take_endpoint(lab):
    key = " ".join(map(str, [0] * 10 + [255, 255, 10, 244, 1, 12]))
    lab.vm.run(f"bpftool map delete pinned {MAPS}smc_endpoint key {key}")


def add_endpoint(lab):
    key = " ".join(map(str, [0] * 10 + [255, 255, 10, 66, 6, 6]))
    lab.vm.run(f"bpftool map update pinned {MAPS}smc_endpoint key {key} "
               "value 3 0 0 0 1 0 0 0 0 0 0 0 0 0 0 0")


def clear_selector(lab):
    lab.c.run("echo > /proc/sys/net/smc/hs_ctrl")
    assert not lab.c.run("cat /proc/sys/net/smc/hs_ctrl").out.strip()


def disarm(lab):
    key = " ".join(map(str, lab.cookies["c"].to_bytes(8, "little")))
    lab.vm.run(f"bpftool map delete pinned {MAPS}smc_netns key {key}")


def delete_link_pin(lab):
    lab.vm.run(f"rm {MAPS}links/smc_accepted")


def delete_another(lab):
    lab.vm.run(f"rm {MAPS}links/smc_declined")


def exclude_port(lab):
    """A rule that nobody made, for c's port: a and b do not meet it."""
    port = f"{7002 // 256} {7002 % 256}"
    lab.vm.run(f"bpftool map update pinned {MAPS}smc_port key 64 0 0 0 "
               f"0 0 0 0 1 0 {port} value 90 27 90 27")


# made together, in the dead time after a third of the points
CHANGES = {"endpoints": (take_endpoint, add_endpoint, clear_selector),
           "links": (delete_link_pin, delete_another),
           "rows": (disarm, exclude_port)}


def expected_rows(lab, changes, now):
    """smc_netns as it was, and with it the pods' numbers: counters and flows
    keep their owner. Only a row that someone took away is lost with its
    number: the pod gets a new one, and no other pod's."""
    c = lab.cookies["c"]
    if disarm in changes and now.get(c, {}).get("pod_id") not in {
            row["pod_id"] for row in lab.rows.values()}:
        lab.rows[c]["pod_id"] = now[c]["pod_id"]
    return lab.rows


def assert_healed(lab, changes):
    """Everything is there once more, and only that."""
    now = lab.look()
    assert set(now.ctrls) == {lab.agent.get("/v1/status")["hs_ctrl"]}, now.ctrls
    assert now.netns == expected_rows(lab, changes, now.netns)
    assert now.ports == []
    assert now.links == set(LINKS)
    assert now.pins >= {"smc_endpoint", "smc_netns", "smc_usage"}
    told = [hammer(lab.a, "10.244.1.12:7002", count=3),
            hammer(lab.c, "10.244.1.11:7000", count=3)]
    assert [t["smc"] for t in told] == [3, 3], told


def client_flows(lab):
    return lab.agent.metric("smcmesh_flows_total", pod="a", role="client",
                            outcome="smcd")


@pytest.fixture(scope="module")
def armed(lab):
    """Everybody armed; servers that are SMC; traffic that does not stop."""
    if lab.agent.proc is None or not lab.agent.proc.alive:
        lab.live()
    lab.cookies = {p["name"]: p["netns_cookie"]
                   for p in lab.agent.get("/v1/pods")["pods"]}
    lab.rows = lab.look().netns
    assert set(lab.rows) == set(map(lab.cookies.get, "abc"))
    servers = [serve(lab.a, 7000), serve(lab.b, 7000), serve(lab.c, 7002)]
    wait_for(lambda: lab.look().links == set(LINKS), 20, "syn_waits")
    native = serve(lab.x, 7000, native=True)
    between = {"tell": 100, "pace": PACE}
    traffic = [
        hammering(lab.a, "10.244.1.11:7000", **between),
        hammering(lab.b, "10.244.1.10:7000", again=True, **between),
        hammering(lab.a, "10.244.1.20:7000", **between),
        hammering(lab.x, "10.244.1.11:7000", smc=True, **between),
    ]
    yield servers, native, traffic
    for proc in [*traffic, *servers, native]:
        if proc.alive:
            proc.kill(9)


def so_far(traffic):
    return sum(json.loads(p.out.splitlines()[-1])["so_far"] if p.out else 0
               for p in traffic)


@pytest.mark.parametrize("third", CHANGES)
def test_killed_agent_heals_when_started_again(lab, armed, third):
    before = client_flows(lab)
    lab.agent.stop(signal.SIGKILL)
    for point in POINTS[list(CHANGES).index(third)::len(CHANGES)]:
        lab.die_at(point)
    for change in CHANGES[third]:
        change(lab)
    lab.live()
    assert_healed(lab, CHANGES[third])
    assert client_flows(lab) >= before
    assert all(proc.alive for proc in armed[2])


def test_traffic_did_not_notice(lab, armed):
    servers, native, traffic = armed
    wait_for(lambda: so_far(traffic) >= CONNECTIONS and
             so_far(traffic[:2]) >= SMC_CONNECTIONS, 300,
             "the rest of the connections")
    told = [stop(proc) for proc in traffic]
    with open(paths.log_file("kill-figures.txt"), "w", encoding="ascii") as f:
        f.writelines(json.dumps(t) + "\n" for t in told)
    for t in told:
        assert t["errors"] == 0, t
        assert_none_waited(t | {"starts": lab.starts})
    for t in told[:2]:
        assert t["smc"] == t["connections"], t
    for t in told[2:]:
        assert t["tcp"] == t["connections"], t
    # the kernel's own statistics: nobody fell back for any other reason than
    # that one end did not say "SMC"
    for pod in lab.a, lab.b:
        assert {row["reason"] for row in pod.smcnl("fback")} <= {PEERNOSMC}
    for server in servers:
        heard = stop(server)
        assert heard["broken"] == heard["clc"] == 0, heard
    heard = stop(native)
    assert heard["smc"] == heard["broken"] == heard["clc"] == 0, heard


def test_map_that_lost_its_pin_is_filled_anew(lab, armed):
    """Its rows went with it, a and b's among them: no change that flows do not
    notice, but it heals."""
    lab.agent.stop(signal.SIGKILL)
    lab.vm.run(f"rm {MAPS}smc_endpoint")
    lab.live()
    servers = [serve(lab.c, 7002), serve(lab.b, 7000)]
    assert_healed(lab, ())
    for server in servers:
        stop(server)


def test_nothing_is_left_of_the_dead(lab, armed):
    """One of each program, one selector: the earlier generations have gone."""
    def not_once():
        progs = lab.vm.run("bpftool -j prog").json()
        names = [p.get("name") for p in progs]
        return {n: names.count(n[:15])
                for n in LINKS + ["syn_option", "synack_option"]
                if names.count(n[:15]) != 1}

    try:
        wait_for(lambda: not not_once(), 20, "the earlier programs to go")
    except AssertionError:
        links = lab.vm.run("bpftool link; bpftool struct_ops; ls -lR " + MAPS)
        raise AssertionError(f"{not_once()}\n{links.out}") from None
    dead = [n for n in lab.vm.run(f"ls {MAPS} {MAPS}links").out.split()
            if n.endswith("_new")]
    assert dead == []

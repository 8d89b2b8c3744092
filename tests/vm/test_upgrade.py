# SPDX-License-Identifier: Apache-2.0
"""From one ABI of the maps to the next, and back, while everybody talks.

            VM upgrade: c, s, r armed; t is not annotated
     c       s       r       t
    .10     .11     .12     .20          10.244.1.0/16
   --+-------+-- br0-+-------+--

ABI 1 is what commit 2f2934b makes, ABI 3 is this tree with another number. Four
hammers run through each change of agents; none of their connections may fail,
and between endpoints each must be SMC.
"""
import collections
import contextlib
import json

import pytest

from smclab import Vm, oldtree, progs, topo, wait_for
from smclab.agents import Agent
from smclab.crowd import clock, hammer, hammering, ready, stop
from smclab.flows import become, ends, held, serve
from smclab.mesh import Mesh
from smclab.pins import ROOT

ABI1 = "2f2934b"
SMCD = ("smcd", "smcd")
PORT = 7000
RATE = 100    # new connections a second, on the average of a run
# Between two of a thread, microseconds: eight threads then make twice the rate,
# and leave the one emulated CPU to the agents that change places.
PACE = 40000
BINARIES = {2: "/build/smcmesh", 3: "/build/abi3/smcmesh"}


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        for name, host in zip("csrt", (10, 11, 12, 20)):
            setattr(self, name, self.mesh.add(
                topo.pod(vm, name, f"10.244.1.{host}/16"),
                enabled=None if name == "t" else "true"))
        self.rates = []    # new connections a second, of each traffic()
        self.agent = Agent(vm, self.mesh.objects())
        self.mesh.agents.append(self.agent)

    def run(self, binary):
        """The agent of that binary in place of the one that runs."""
        if self.agent.proc:
            self.agent.stop()
        self.agent.binary = binary
        self.agent.start()

    def pins(self):
        """{ABI: names of its pins}"""
        out = {}
        found = self.vm.run(f"find {ROOT} -type f -printf '%P\\n'",
                            check=False).out.split()
        for path in found:
            first, _, rest = path.partition("/")
            new = first[0] == "v" and first[1:].isdigit()
            out.setdefault(int(first[1:]) if new else 1, set()).add(
                rest if new else path)
        return out

    def links(self):
        """Links of our programs in the kernel, by program."""
        rows = json.loads(self.vm.run("bpftool -j prog show").out)
        names = {r["id"]: r.get("name") for r in rows}
        found = json.loads(self.vm.run("bpftool -j link show").out or "[]")
        return sorted(names.get(x["prog_id"]) for x in found)

    def upgraded(self, abi):
        become(lambda: set(self.pins()), {abi}, 60)


def why_tcp(lab):
    """{(pod, role, reason): flows that are TCP}"""
    return collections.Counter(
        (f["pod"], f["role"], f["reason"])
        for f in lab.agent.flows() if f["outcome"] == "tcp")


@contextlib.contextmanager
def traffic(lab, tcp=False):
    """Four hammers between endpoints run through the block: none of their
    connections fails, and all are SMC (@tcp: or TCP)."""
    start = clock(lab.vm)
    runs = [hammering(a, f"{b.v4}:{PORT}", threads=2, pace=PACE)
            for a, b in ((lab.c, lab.s), (lab.s, lab.c)) * 2]
    try:
        yield
    finally:
        told = [stop(p) for p in runs]
        # without the times in which the whole machine stood still
        stood = max(t["stood_ms"] for t in told) / 1e3
        seconds = (clock(lab.vm) - start) / 1e9 - stood
    made = sum(t["ok"] for t in told)
    print(f"{made} connections, {made / seconds:.0f} a second, the longest "
          f"{max(t['own_ms'] for t in told)} ms, stood {stood:.1f} s")
    assert [t["errors"] for t in told] == [0] * 4, told
    if not tcp and any(t["tcp"] for t in told):
        print(why_tcp(lab), lab.agent.proc.output[-4000:])
    assert tcp or [t["tcp"] for t in told] == [0] * 4, told
    lab.rates.append(made / seconds)


@pytest.fixture(scope="module")
def lab():
    # twenty times there and back take longer than a VM commonly lives
    with Vm("upgrade", mem=1536, lifetime=2 * 3600) as vm:
        yield Lab(vm)


def flow_of(lab, held_one, pod):
    """The record of the first connection that is held."""
    mine, theirs = held_one.ports()[0]
    return [f for f in lab.agent.flows()
            if f["pod"] == pod.name and f["remote_port"] == theirs
            and f["local_port"] in (mine, 0)]


@contextlib.contextmanager
def listening(lab):
    servers = [serve(pod, PORT) for pod in (lab.c, lab.s, lab.t)]
    try:
        yield
    finally:
        for server in servers:
            server.kill()


def refuse(lab, pod):
    """The kernel refuses the pod a converted socket, once."""
    deny = ready(lab.vm.spawn([progs.path("denysmc"),
                               f"/sys/fs/cgroup/{pod.cgroup}"]), "denysmc")
    hammer(pod, f"{lab.s.v4}:{PORT}", count=5)
    deny.stdin(None)
    deny.wait()
    become(lambda: lab.agent.pod(pod.name)["reason"], "refused", 20)


def counters_of(lab):
    return {o: lab.agent.metric("smcmesh_flows_total", pod="c", role="client",
                                outcome=o) for o in ("smcd", "tcp")}


def upgraded_under_load(lab, smc, tcp):
    """From ABI 1 to 2, with these connections open; they are kept."""
    ids = {p["name"]: p["pod_id"] for p in lab.agent.get("/v1/pods")["pods"]}
    before = counters_of(lab)
    with traffic(lab):
        lab.run(BINARIES[2])
        lab.upgraded(2)
    for one, outcome in (smc, "smcd"), (tcp, "tcp"):
        row, = flow_of(lab, one, lab.c)
        assert row["noted"] == "before-upgrade", row
        assert "opened before the upgrade" in row["sentence"], row
        assert row["outcome"] == outcome and not row["closed"], row
    assert smc.ends(lab.s) == [SMCD]
    now = counters_of(lab)
    assert now["tcp"] == before["tcp"] and now["smcd"] > before["smcd"], now
    pod = lab.agent.pod("r")
    assert not pod["armed"] and pod["reason"] == "refused", pod
    assert ids == {p["name"]: p["pod_id"] for p in
                   lab.agent.get("/v1/pods")["pods"]}
    assert ends(lab.c, lab.s) == SMCD


def abi_1():
    old = oldtree.agent(ABI1, "abi1")
    if not old:
        pytest.skip(f"a git history with commit {ABI1}")
    return old


def test_upgrade_from_abi_1_keeps_flows_and_marks(lab):
    """Live: open flows, counters, refused marks and numbers are kept, and of
    what was ABI 1's nothing is left."""
    lab.run(abi_1())
    with listening(lab):
        refuse(lab, lab.r)
        hammer(lab.c, f"{lab.s.v4}:{PORT}", count=50)
        hammer(lab.c, f"{lab.t.v4}:{PORT}", count=20)
        become(lambda: counters_of(lab), {"smcd": 50, "tcp": 20})
        with held(lab.c, lab.s.v4, PORT) as smc, \
                held(lab.c, lab.t.v4, PORT) as tcp:
            upgraded_under_load(lab, smc, tcp)
            ports = [smc.ports()[0][0], tcp.ports()[0][0]]

        # what has ended is told by diagnosis
        def open_ones():
            return [f["local_port"] for f in lab.agent.flows()
                    if f["local_port"] in ports and not f["closed"]]
        become(open_ones, [], 60)


def test_back_to_abi_1_fails_no_connection(lab):
    """ABI 1 knows nothing of the others: what is ABI 2's is taken away first.
    Connections are TCP meanwhile, and none fails."""
    old = abi_1()
    lab.run(BINARIES[2])
    with listening(lab):
        with traffic(lab, tcp=True):
            lab.agent.stop()
            gone = lab.vm.run([BINARIES[2], "cleanup", "--abi", "2"],
                              check=False)
            # SMC sockets are open: a selector that denies stays, and is named
            assert gone.rc in (0, 1), gone
            lab.run(old)
            wait_for(lambda: lab.agent.pod("c")["armed"], 30, "arming")
        lab.run(BINARIES[2])
        lab.upgraded(2)
        become(lambda: ends(lab.c, lab.s), SMCD)


def to_and_fro(lab, times):
    lab.run(BINARIES[2])
    lab.upgraded(2)
    lab.rates.clear()
    with listening(lab):
        for abi in [3, 2] * times:
            with held(lab.c, lab.s.v4, PORT) as old:
                with traffic(lab):
                    lab.run(BINARIES[abi])
                    lab.upgraded(abi)
                assert old.ends(lab.s) == [SMCD]
                row, = flow_of(lab, old, lab.c)
                assert row["noted"] == "before-upgrade", row
    assert lab.agent.metric("smcmesh_flows_lost_total") == 0
    rate = sum(lab.rates) / len(lab.rates)
    print(f"{rate:.0f} new connections a second, on the average")
    assert rate >= RATE


def test_next_abi_and_back_interrupt_nothing(lab):
    to_and_fro(lab, 2)


@pytest.mark.long
def test_next_abi_and_back_twenty_times_interrupt_nothing(lab):
    to_and_fro(lab, 20)


def test_unknown_newer_abi_is_left_alone(lab):
    """One that does not say that we can read it: we do not start, and change
    nothing of it."""
    lab.run(BINARIES[2])
    lab.upgraded(2)
    lab.agent.stop()
    lab.vm.run(f"mkdir {ROOT}v9 && bpftool map create {ROOT}v9/smc_config "
               "type array key 4 value 16 entries 1 name smc_config && "
               f"bpftool map update pinned {ROOT}v9/smc_config key 0 0 0 0 "
               "value 9 0 0 0 9 0 0 0 1 0 0 0 0 0 0 0")
    links = lab.links()
    lab.agent.start(wait=False)
    got = lab.agent.proc.wait(30)
    assert got.rc == 1, got
    assert "ABI" in got.err and "cleanup --abi 9" in got.err, got.err
    assert set(lab.pins()) == {2, 9} and lab.links() == links
    gone = lab.vm.run([BINARIES[2], "cleanup", "--abi", "9"], check=False)
    assert gone.rc == 0 and set(lab.pins()) == {2}, gone
    assert lab.links() == links
    lab.agent.start()

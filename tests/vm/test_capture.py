# SPDX-License-Identifier: Apache-2.0
"""Five thousand connections, endpoints that come and go, and every SYN and
SYN-ACK of the armed pods read on the wire.

                              VM capture
     a       b       f0    f1      g0    g1            x               p
    .10     .11      .12   .13     .14   .15          .20             .21
   always armed     annotated     in the List     10.244.8.1+200  10.9.0.0/24 and
                    or not        or not in it                    10.9.1.0/24
     |       |       |     |       |     |             |               |
   --+-------+-------+-----+-- br0 +-----+-------------+---------------+--

x: 200 strangers, each with an IPPROTO_SMC socket of its own that offers to the
armed listeners, and each with an SMC listener that answers whoever offers.
p: 200 servers that put the option in every SYN-ACK (10.9.0.0/24), and 200 that
send a SYN's options back (10.9.1.0/24).

The List is rewritten all the time: f and g come and go, and with them hundreds
of pods of another node that nobody talks to. Who is an endpoint is known
between two changes, each confirmed by the agent and by the maps; a packet is
judged by the time at which it was seen. What is never an endpoint is judged
all the time.
"""
import contextlib
from collections import Counter, namedtuple

import pytest

from smclab import Vm, manifest, topo, wait_for
from smclab.agents import Agent, has_smc, selecting
from smclab.crowd import (addresses, clock, hammer, hammering, packet, parrot,
                          result, stop, watch)
from smclab.flows import serve

pytestmark = pytest.mark.kernels

STRANGERS = 200
PHASES = 8
CONNECTS = 5000
NOISE = 300

# From @since on, until the next one: the addresses that are endpoints. None:
# a change is under way.
Phase = namedtuple("Phase", "since endpoints")


# ---- the judge --------------------------------------------------------------------

def phase_at(phases, at):
    found = None
    for phase in phases:
        if phase.since > at:
            break
        found = phase
    return found


class Judge:
    """Every packet that armed pods sent, against what it should be."""

    def __init__(self, phases, changing, always):
        self.phases, self.changing, self.always = phases, changing, always
        self.wrong, self.counts = [], Counter()
        self.first, self.offered = {}, set()

    def endpoint(self, address, at):
        """Is it one? None: cannot be told at that moment."""
        if address in self.always:
            return True
        if address not in self.changing:
            return False
        phase = phase_at(self.phases, at)
        if phase is None or phase.endpoints is None:
            return None
        return address in phase.endpoints

    def expected(self, p):
        """Must it carry the option? None: cannot be told."""
        ends = {self.endpoint(p.src, p.at), self.endpoint(p.dst, p.at)}
        if False in ends:
            return False
        if None in ends:
            return None
        # an answer only to an offer
        return not p.ack or (p.dst, p.dport, p.src) in self.offered

    def complain(self, what, p):
        self.wrong.append(f"{what}: {p}")

    def sent(self, p):
        kind = "synack" if p.ack else "syn"
        flow = (kind, p.src, p.sport, p.dst, p.dport, p.seq)
        if flow in self.first:
            if p.smc != self.first[flow]:
                self.complain("the repeat differs", p)
            return
        self.first[flow] = p.smc
        want = self.expected(p)
        if want is None:
            self.counts[kind, "not judged"] += 1
            return
        if want == p.smc and {p.src, p.dst} & self.changing:
            self.counts["changing", "smc" if p.smc else "tcp"] += 1
        if want != p.smc:
            self.complain("the option is missing" if want else
                          "the option was sent to a non-endpoint", p)
        else:
            self.counts[kind, "smc" if p.smc else "tcp"] += 1

    def judge(self, packets):
        """The packets of one namespace, in the order of the tap."""
        for p in packets:
            if p.sent:
                self.sent(p)
            elif not p.ack and p.smc:
                self.offered.add((p.src, p.sport, p.dst))
        return self


def test_the_judge_can_tell():
    """It is not a judge that finds everything in order."""
    phases = [Phase(0, {"f"}), Phase(100, None), Phase(200, set())]

    def wrong(*lines):
        judge = Judge(phases, {"f"}, {"a", "b"})
        return judge.judge([packet(line) for line in lines]).wrong

    assert not wrong("1 sent syn a 1 b 2 9 smc", "1 sent syn a 1 x 2 9 -")
    assert wrong("1 sent syn a 1 x 2 9 smc")
    assert wrong("1 sent syn a 1 b 2 9 -")
    assert wrong("1 sent synack a 2 x 1 9 smc")
    assert wrong("1 got syn x 1 a 2 9 smc", "2 sent synack a 2 x 1 9 smc")
    assert not wrong("1 got syn b 1 a 2 9 smc", "2 sent synack a 2 b 1 9 smc")
    assert wrong("1 got syn b 1 a 2 9 smc", "2 sent synack a 2 b 1 9 -")
    assert wrong("1 got syn b 1 a 2 9 -", "2 sent synack a 2 b 1 9 smc")
    # comes and goes: an endpoint before 100, not one after 200
    assert not wrong("50 sent syn a 1 f 2 9 smc", "250 sent syn a 1 f 2 8 -",
                     "150 sent syn a 1 f 2 7 smc", "160 sent syn a 1 f 2 6 -")
    assert wrong("50 sent syn a 1 f 2 9 -")
    assert wrong("250 sent syn a 1 f 2 9 smc")
    # a repeat is as the first was, whatever has changed
    assert not wrong("50 sent syn a 1 f 2 9 smc", "250 sent syn a 1 f 2 9 smc")
    assert wrong("50 sent syn a 1 f 2 9 smc", "250 sent syn a 1 f 2 9 -")


# ---- the laboratory ---------------------------------------------------------------

class Lab:
    def __init__(self, vm):
        self.vm = vm
        topo.bridge(vm, "10.244.1.1/16")
        pods = {name: topo.pod(vm, name, f"10.244.1.{10 + i}/16")
                for i, name in enumerate(("a", "b", "f0", "f1", "g0", "g1"))}
        self.armed = list(pods.values())
        self.a, self.b, *self.changing = self.armed
        self.x = topo.pod(vm, "x", "10.244.1.20/16")
        self.p = topo.pod(vm, "p", "10.244.1.21/16")
        addresses(self.x, "10.244.8.1", STRANGERS)
        self.parrots = [parrot(self.p, "10.9.0.0/24", "always", "tun0"),
                        parrot(self.p, "10.9.1.0/24", "echo", "tun1")]
        for pod in self.armed + [self.x]:
            pod.run("ip route add 10.9.0.0/16 via 10.244.1.21")
        self.agent = Agent(vm, self.objects(self.changing, 0),
                           **selecting(vm)).start()
        self.confirm(self.changing)
        self.phases = [Phase(clock(vm), {p.v4 for p in self.changing})]
        self.servers = [serve(p, 7000) for p in self.armed]
        self.servers.append(serve(self.x, 7000, native=True,
                                  address=f"10.244.8.1+{STRANGERS}"))

    def objects(self, present, round_):
        """The List with @present of the pods that come and go."""
        items = [manifest.mesh(), manifest.of(self.a), manifest.of(self.b),
                 manifest.of(self.x, enabled=None), manifest.of(self.p, enabled=None)]
        for pod in self.changing:
            if pod in present:
                items.append(manifest.of(pod))
            elif pod.name.startswith("f"):
                items.append(manifest.of(pod, enabled="false"))
        first = round_ % 3 * NOISE // 3
        items += [manifest.pod(f"far{i}", "elsewhere",
                               f"10.77.{i // 250}.{i % 250 + 1}")
                  for i in range(first, first + NOISE)]
        return items

    def confirm(self, present):
        """Wait until the agent and the maps say that it is so."""
        want = {p.v4 for p in present}
        every = {p.v4 for p in self.changing}

        def told():
            names = {e["address"] for e in
                     self.agent.get("/v1/endpoints")["endpoints"]}
            pods = {p["name"] for p in self.agent.get("/v1/pods")["pods"]
                    if p["armed"]}
            return names & every == want and \
                pods >= {p.name for p in present} | {"a", "b"} and \
                not pods & {p.name for p in self.changing if p not in present}

        wait_for(told, 40, f"{sorted(want)} to be the endpoints")
        rows = {".".join(str(b) for b in r["formatted"]["key"]["ip"][12:])
                for r in self.agent.map("smc_endpoint")}
        assert rows & every == want

    def change(self, present, round_):
        self.phases.append(Phase(clock(self.vm), None))
        self.agent.set(*self.objects(present, round_))
        self.confirm(present)
        self.phases.append(Phase(clock(self.vm), {p.v4 for p in present}))


@pytest.fixture(scope="module")
def lab():
    with Vm("capture", mem=2048) as vm:
        if not has_smc(vm):
            pytest.skip(f"{vm.kernel} has no IPPROTO_SMC")
        yield Lab(vm)


def steady_traffic(lab):
    """What goes on all the time, in the background."""
    armed = "10.244.1.10+2:7000"
    strangers = f"10.244.8.1+{STRANGERS}"
    return [
        hammering(lab.a, "10.244.1.11:7000", count=1200, threads=2),
        hammering(lab.a, f"{strangers}:7000", count=800),
        hammering(lab.a, "10.9.0.1+200:80", count=800),
        hammering(lab.b, "10.9.1.1+200:80", count=600),
        hammering(lab.x, armed, count=1000, smc=True, **{"from": strangers}),
        hammering(lab.a, "10.244.1.12+4:7000", count=600),
    ]


def between_changes(lab):
    """Connections from and to those that come and go, while it is known what
    they are. Returns what went wrong."""
    told = [hammer(lab.a, "10.244.1.12+4:7000", count=24, threads=2)]
    told += [hammer(pod, "10.244.1.10+2:7000", count=6)
             for pod in lab.changing]
    return [t for t in told if t["errors"]]


def rounds(lab, background):
    """Rewrite the List until the background has had its connections."""
    f0, f1, g0, g1 = lab.changing
    sets = [[f0, g0], [f1, g1], [], [f0, f1], [g0, g1], lab.changing]
    failed, i = [], 0
    while i < PHASES or any(proc.alive for proc in background):
        lab.change(sets[i % len(sets)], i + 1)
        failed += between_changes(lab)
        i += 1
    return failed


@pytest.fixture(scope="module")
def capture(lab):
    """The whole experiment: (Judge, the hammers' results, failures between
    changes, taps)."""
    with contextlib.ExitStack() as stack:
        taps = [stack.enter_context(watch(pod)) for pod in lab.armed]
        background = steady_traffic(lab)
        failed = rounds(lab, background)
        results = [{**result(proc), "talk": proc.err} for proc in background]
    judge = Judge(lab.phases, {p.v4 for p in lab.changing},
                  {lab.a.v4, lab.b.v4})
    for tap in taps:
        judge.judge(tap.packets)
    return judge, results, failed, taps


def flows(taps):
    """Distinct connection attempts that the armed pods sent or received."""
    return {(p.src, p.sport, p.dst, p.dport, p.seq)
            for tap in taps for p in tap.packets if not p.ack}


def test_no_option_to_a_non_endpoint(capture):
    judge = capture[0]
    assert judge.wrong == [], f"{len(judge.wrong)}: {judge.wrong[:10]}"


def test_there_were_connections_enough(capture):
    judge, _, _, taps = capture
    assert len(flows(taps)) >= CONNECTS
    assert judge.counts["syn", "smc"] >= 500
    assert judge.counts["synack", "smc"] >= 500
    assert judge.counts["syn", "tcp"] >= 1000
    assert judge.counts["synack", "tcp"] >= 500
    # of those that come and go, at times when it is known what they are
    assert judge.counts["changing", "smc"] >= 150
    assert judge.counts["changing", "tcp"] >= 150


def test_strangers_offered_and_parrots_answered(capture):
    """The temptation was real, two hundred times each way."""
    got = [p for tap in capture[3] for p in tap.packets
           if p.smc and not p.sent]
    offers = {p.src for p in got if not p.ack and p.src.startswith("10.244.8.")}
    answers = {p.src for p in got if p.ack and p.src.startswith("10.9.0.")}
    assert len(offers) >= 200 and len(answers) >= 200
    dialled = {p.dst for tap in capture[3] for p in tap.packets
               if p.sent and not p.ack}
    for net in "10.244.8.", "10.9.0.", "10.9.1.":
        assert len({d for d in dialled if d.startswith(net)}) >= 200, net


def test_no_connection_failed(capture, lab):
    _, results, failed, _ = capture
    assert failed == []
    assert [r for r in results if r["errors"]] == []
    steady, natives, always, echo, strangers, _ = results
    assert steady["tcp"] == 0 or not lab.vm.kernel.shares
    assert natives["smc"] == always["smc"] == echo["smc"] == 0
    assert strangers["smc"] == 0
    for server in lab.servers:
        told = stop(server)
        assert told["broken"] == 0 and told["clc"] == 0, told


def test_the_parrots_repeat_the_option(lab):
    """Control: a socket that offers to them, in a namespace without us, is
    broken by either kind."""
    for to in "10.9.0.1:80", "10.9.1.1:80":
        assert hammer(lab.x, to, count=3, smc=True)["errors"] == 3
    for proc in lab.parrots:
        told = stop(proc)
        assert told["offers"] == 3 and told["clc"] == 3, told

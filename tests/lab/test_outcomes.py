# SPDX-License-Identifier: Apache-2.0
"""Everything that can become of a connection, made for real (outcomes.py, which has
the picture): each is told once, by its word, in flows, metrics and explain; and
the sums are those that the kernel counts in the pods' own namespaces (account.py).
build/log/outcomes.txt has the table.
"""
import collections
import time
import urllib.parse

import pytest

from smclab import istio, paths, wait_for
from smclab.account import Account, Bytes, at_odds, flow_reasons, \
    kernel_labels
from smclab.crowd import hammer, hammering, result, stop
from smclab.flows import at, become, ends, held
from smclab.outcomes import CAUSES, EXCLUDED, FIRST_PORT, IPSEC, SMCR, VIP, \
    Lab, port_of
from smclab.stranded import Left, left

# ---- what is told of each ---------------------------------------------------

def word(flow):
    """POD ROLE OUTCOME WHY"""
    why = {"tcp": flow["reason"], "fallback": flow["kernel_label"],
           "failed": flow["kernel_label"]}.get(flow["outcome"], "")
    return f"{flow['pod']} {flow['role']} {flow['outcome']} {why}".strip()


def is_as(expected, got):
    head, _, last = expected.rpartition(" ")
    begin, _, end_of = got.rpartition(" ")
    return head == begin and (last == "any" or end_of in last.split("|"))


def left_over(expects, rows):
    """(the expected that are not there, the records that nobody expects)"""
    rows, missing = list(rows), []
    for e in expects:
        found = next((r for r in rows if is_as(e, r)), None)
        if found:
            rows.remove(found)
        else:
            missing.append(e)
    return missing, rows


def served_at(flow):
    """The server's end; behind the redirect of a sidecar that is the proxy's."""
    port = flow["local_port" if flow["role"] == "server" else "remote_port"]
    return port_of("other-uid") if port == istio.OUT else port


class Looks:
    """All causes, one after the other, and what was told of them."""

    def __init__(self, lab):
        self.lab, self.explained = lab, {}
        self.accounts = {n: Account(lab.agent_of(n), p)
                         for n, p in lab.pods.items() if n != "x"}
        for c in CAUSES:
            begin = time.monotonic()
            with c.make(lab, c.port):
                self.explained[c.name] = self.explain(c)
            TOOK[c.name] = time.monotonic() - begin
        try:
            wait_for(self.all_there, 20, "the records")
        except AssertionError as e:
            print(e)    # the tests of the causes say it better
        beside = next(c for c in CAUSES if c.name == "etimedout")
        self.explained[beside.name] = self.explain(beside)

    def records(self):
        """{port: [word]}, as `smcmesh flows` has them."""
        found = collections.defaultdict(list)
        for agent in self.lab.agents.values():
            told = agent.cli("flows", "--last", "all", "-o", "json").json()
            for flow in told["flows"]:
                if served_at(flow) >= FIRST_PORT:
                    found[served_at(flow)].append(word(flow))
        return found

    def all_there(self):
        self.found = self.records()
        return all(left_over(shown(c.expects), self.found[c.port]) == ([], [])
                   for c in CAUSES)

    def peer(self, c, role, name):
        """Of whom that end is asked about."""
        others = [e.split()[0] for e in c.expects
                  if e.split()[:2] != [name, role]]
        if c.name == "mixed-service" and role == "client":
            return VIP
        if c.name == "excluded-cidr" and role == "client":
            return EXCLUDED
        pods = {"not-endpoint": "x", "not-endpoint of a server": "x",
                "loopback": "a", "other-uid": "b" if role == "client" else "m"}
        other = self.lab.pods[pods.get(c.name) or others[-1]]
        return other.v6 if c.name == "no-common-transport" else other.v4

    def explain(self, c):
        """{(pod, role): what explain says of that end}"""
        told = {}
        for name, role in {tuple(e.split()[:2]) for e in c.expects}:
            peer = self.peer(c, role, name)
            query = {"pod": "default/" + name, "peer": at(peer, c.port)}
            if role == "server":
                query["server"] = "1"
            told[name, role] = self.lab.agent_of(name).get(
                "/v1/explain?" + urllib.parse.urlencode(query))
        return told


def shown(expects):
    """Those that have a record: the rest are counted only."""
    return [e for e in expects if " lost " not in e]


@pytest.fixture(scope="module")
def lab(pair):
    made = Lab(pair)
    yield made
    made.cuts.close()


@pytest.fixture(scope="module")
def looks(lab):
    return Looks(lab)


TOOK = {}    # seconds that it took to make each


@pytest.fixture(scope="module", autouse=True)
def table():
    yield
    with open(paths.log_file("outcomes.txt"), "w", encoding="utf-8") as f:
        f.writelines(f"{c.port} {TOOK.get(c.name, -1):5.1f} s {c.name}: "
                     f"{'; '.join(c.expects)}\n" for c in CAUSES)


@pytest.mark.parametrize("c", CAUSES, ids=lambda c: c.name)
def test_outcome_is_told_once_by_its_word(looks, c):
    """In flows, and the newest connection that explain tells of."""
    assert left_over(shown(c.expects), looks.found[c.port]) == ([], [])
    for (name, role), told in looks.explained[c.name].items():
        mine = [e for e in shown(c.expects) if e.split()[:2] == [name, role]]
        newest = told["peer"]["newest_flow"]
        if not mine or name == "m":    # the application's peer is its proxy
            continue
        assert newest and any(is_as(e, word(newest)) for e in mine), told
        if newest["outcome"] in ("fallback", "failed") and told["accelerated"]:
            assert f"({newest['kernel_label']})" in told["sentence"], told


# The verdict is as it was when explain was asked; of a pod of its node that is no
# endpoint it tells why.
STANDING = {"excluded-port", "excluded-cidr", "loopback", "not-endpoint",
            "path-unproven", "no-common-transport", "mixed-service", "rationed",
            "budget", "path-bad", "econnreset, quarantined"}
WHY = {"not-endpoint": "not-annotated"}


@pytest.mark.parametrize("c", [c for c in CAUSES if c.name in STANDING],
                         ids=lambda c: c.name)
def test_explain_names_the_reason_that_stands(looks, c):
    newest = [e.split() for e in c.expects if " client tcp " in e][-1]
    told = looks.explained[c.name][newest[0], "client"]
    if c.name != "rationed":    # the socket is plain: no verdict's word
        assert told["peer"]["reason"] == newest[3], told
    assert told["reason"] == WHY.get(newest[3], newest[3]), told
    assert not told["accelerated"], told


def test_every_reason_and_many_codes_were_made(looks):
    said = {e.split()[-1] for c in CAUSES for e in c.expects if " tcp " in e
            or " lost " in e}
    assert said == flow_reasons() - {"none"}
    codes = {r.split()[-1] for rows in looks.found.values() for r in rows
             if " fallback " in r}
    assert len(codes & set(kernel_labels().values())) >= 8, codes
    print(sorted(codes))


def counted(rows):
    """As account.of_metrics() has it."""
    out = collections.Counter()
    for row in rows:
        _, role, outcome, *why = row.split()
        outcome = "tcp" if outcome == "lost" else outcome
        out["flows", role, outcome] += 1
        if outcome == "tcp":
            out["bypassed", why[0]] += 1
        elif why:
            out["code", why[0]] += 1
    return out


def test_metrics_count_what_flows_show(looks):
    rows = [r for rows in looks.found.values() for r in rows]
    rows += [e for c in CAUSES for e in c.expects if " lost " in e]
    for name, account in looks.accounts.items():
        mine = counted(r for r in rows if r.split()[0] == name)
        assert account.agent_now() == mine, name
    lost = looks.lab.agents["n1"].metric("smcmesh_flows_lost_total")
    assert lost == 1    # that of map-full


def test_sums_are_the_kernels(looks):
    for account in looks.accounts.values():
        account.wait_balance()


def test_flows_filters_find_each(looks):
    """By pod, reason or code, and port: as many as were made."""
    for port, rows in looks.found.items():
        words = collections.Counter((r.split()[0], r.split()[3]) for r in rows
                                    if len(r.split()) == 4)
        for (name, why), count in words.items():
            if name == "m":    # its redirect has another port
                continue
            told = looks.lab.agent_of(name).get(
                f"/v1/flows?pod={name}&reason={why}&port={port}")
            assert told["matched"] == count == len(told["flows"]), (name, why)
            assert told["total"] > count


def odds(lab):
    """Between the open records and the kernels, in all pods that were armed."""
    return [odd for node, agent in lab.agents.items() for odd in at_odds(
        agent, [p for n, p in lab.pods.items() if n != "x" and p.node == node])]


def test_records_are_open_as_long_as_their_sockets(looks):
    """Also of a handshake that failed, whose socket no program ever had."""
    become(lambda: odds(looks.lab), looks.lab.kept, 20)


def test_record_that_is_lost_or_stays_is_found(looks):
    """The control: a row that is taken from the agent's map, and one that is put
    there when its connection has ended."""
    lab, a, agent = looks.lab, looks.lab.pods["a"], looks.lab.agents["n1"]

    def odd():
        return [o for o in odds(lab) if o not in lab.kept]

    with held(a, lab.pods["c"].v4, 7000) as h:
        (port, _), = h.ports()
        row = next(r for r in agent.map("smc_flow")
                   if r["formatted"]["value"]["local_port"] == port)
        key = [int(b, 16) for b in row["key"]]
        words = agent.raw_row("smc_flow", key)
        become(odd, [], 20)
        agent.delete_row("smc_flow", key)
        assert odd() == ["a: 0 SMC-R records, 1 on links",
                         f"a {(port, 7000)}: no record"]
        agent.write_row("smc_flow", key, *words)
        assert odd() == []
    become(odd, [], 20)
    agent.write_row("smc_flow", key, *words)
    assert odd() == ["a: 1 SMC-R records, 0 on links",
                     f"a {(port, 7000)}: no socket"]
    agent.delete_row("smc_flow", key)
    assert odd() == []


# ---- sums ---------------------------------------------------------------------

MESSAGE = 64    # bytes that the hammer sends, and gets back
KINDS = {    # client, server, port, connections, threads
    "SMC-R": ("a", "c", 7000, 110, 4), "SMC-R back": ("c", "a", 7000, 60, 2),
    "SMC-D": ("a", "b", 7000, 110, 4), "stranger": ("a", "x", 7000, 40, 2),
    "falls back": ("a", "c", port_of("peer-no-smc"), 40, 2),
    "refused": ("a", "c", 9, 60, 2)}
IPSEC_EACH, IDLE, KILLED, DOWN = 10, 40, 30, 10


class Sums:
    """Connections of every kind, and both sides' numbers of them."""

    def __init__(self, lab, times):
        self.lab, self.times, self.made = lab, times, 0
        self.pods = {n: lab.pods[n] for n in "abc"}
        self.accounts = {n: Account(lab.agent_of(n), p)
                         for n, p in self.pods.items()}
        self.bytes = {n: Bytes(lab.agent_of(n), p)
                      for n, p in self.pods.items()}
        self.records_then = self.records()

    def start(self, kind, times):
        client, server, port, count, threads = KINDS[kind]
        self.made += count * times
        proc = hammering(self.lab.pods[client], self.lab.to(server, port),
                         count=count * times, threads=threads)
        proc.stdin(None)
        return proc

    def path_is_good(self):
        """Or much of what follows would be TCP for a bad one."""
        become(lambda: ends(self.pods["a"], self.pods["c"]), SMCR, 60)

    def of_each_kind(self):
        """{kind: what the hammer counted}, some declined. Those over RDMA first:
        beside all others an emulated node takes its paths for dead."""
        rdma = [kind for kind in KINDS if kind.startswith("SMC-R")]
        told = self.at_once(*rdma)
        assert all(told[kind]["smc"] for kind in rdma), told
        told.update(self.at_once(*(k for k in KINDS if k not in rdma)))
        self.made += IPSEC_EACH * self.times
        self.pods["a"].run(["python3", "-c", IPSEC, self.pods["c"].v4, "7000",
                            str(IPSEC_EACH * self.times)], timeout=300)
        return told

    def at_once(self, *kinds):
        told, procs = {}, {kind: self.start(kind, self.times) for kind in kinds}
        for kind, proc in procs.items():
            proc.wait(300)
            told[kind] = result(proc)
            failed = told[kind]["errors"]
            assert failed == (told[kind]["connections"] if kind == "refused"
                              else 0), (kind, told[kind], proc.err)
        return told

    def kill_a_client(self):
        """With connections open and under way: by SIGKILL. Returns the ports of
        those that both kernels hold on to (stranded.py); all others must end."""
        a, c = self.pods["a"], self.pods["c"]
        self.path_is_good()
        wait_for(lambda: not left(a, c, 7000).others, 30, "nothing to be open")
        idle = hammering(a, self.lab.to("c", 7000), count=IDLE, hold=True)
        busy = hammering(a, self.lab.to("c", 7000), count=0, threads=8, tell=10)
        far = KILLED * self.times // 10
        wait_for(lambda: busy.out.count("so_far") >= far and
                 '"connections"' in idle.out, 100, "both clients")
        for proc in busy, idle:
            proc.kill(9)
        self.made += IDLE + KILLED * self.times
        become(lambda: left(a, c, 7000).others, set(), 30)
        return left(a, c, 7000).stranded

    def server_ends(self, stranded):
        """And with it the clients' ends of what was stranded, and no others. Its
        own kernel keeps the servers' ends, of which no socket is left."""
        a, c = self.pods["a"], self.pods["c"]
        assert left(a, c, 7000) == Left(stranded, set())
        stop(self.lab.served["c"])
        become(lambda: left(a, c, 7000), Left(set(), set()), 30)
        self.lab.kept = sorted([*self.lab.kept, *(
            f"c {(7000, port)}: no socket" for port in stranded)])
        self.lab.served["c"] = self.lab.serve("c")

    def restart(self):
        """The agent of n1, while programs connect. What may fall back begins when
        it has gone: its own count of codes ends with it."""
        n1 = self.lab.agents["n1"]
        procs = [self.start("SMC-D", self.times)]
        for name in "ab":
            self.accounts[name].agent_ends()
        n1.stop()
        procs.append(self.start("SMC-R", self.times))
        told = hammer(self.pods["a"], self.lab.to("c", port_of("peer-no-smc")),
                      count=DOWN)
        assert told["errors"] == 0, told
        self.made += DOWN
        n1.start()
        for proc in procs:
            proc.wait(300)
            assert result(proc)["errors"] == 0, proc.output

    def records(self):
        return collections.Counter(
            (f["pod"], "flows", f["role"], f["outcome"])
            for agent in self.lab.agents.values() for f in agent.flows()
            if f["pod"] in self.pods)


def bytes_are(sums, before, told):
    """Of what became SMC, to the byte; programs told how many that were."""
    moved = {k: MESSAGE * t["smc"] for k, t in told.items()}
    smcr = moved["SMC-R"] + moved["SMC-R back"]
    more = {"a": {"smcr": smcr, "smcd": moved["SMC-D"]},
            "b": {"smcr": 0, "smcd": moved["SMC-D"]},
            "c": {"smcr": smcr, "smcd": 0}}
    for name, x in sums.bytes.items():
        wanted = {(t, way): n + more[name][t]
                  for (t, way), n in before[name].items()}
        wait_for(lambda x=x, w=wanted: x.kernel() == w, 10, name)
        assert x.top() == wanted, name


def settled(sums, timeout):
    """No record is lost or left over, and the sums agree."""
    become(lambda: odds(sums.lab), sums.lab.kept, timeout)
    for account in sums.accounts.values():
        account.wait_balance()


def sums_agree(lab, connections, times, timeout):
    sums = Sums(lab, times)
    sums.path_is_good()
    before = {name: x.kernel() for name, x in sums.bytes.items()}
    told = sums.of_each_kind()
    bytes_are(sums, before, told)
    stranded = sums.kill_a_client()
    settled(sums, timeout)
    sums.restart()
    settled(sums, timeout)
    sums.server_ends(stranded)
    settled(sums, timeout)
    counts = collections.Counter(
        {(name, *key): n for name, account in sums.accounts.items()
         for key, n in account.agent_now().items() if key[0] == "flows"})
    assert sums.records() - sums.records_then == counts
    assert sums.made >= connections, sums.made
    for agent in lab.agents.values():
        assert agent.metric("smcmesh_events_lost_total") == 0
    write_sums(sums, told, stranded)


def write_sums(sums, told, stranded):
    """What was counted by whom: build/log/sums-N.txt."""
    rows = [f"{sums.made} connections were made; after the client was killed "
            f"{len(stranded)} stayed until their server closed"]
    rows += [f"{kind}: the program counted {t['smc']} SMC, {t['tcp']} TCP, "
             f"{t['errors']} failed" for kind, t in told.items()]
    for name, account in sums.accounts.items():
        agent, kernel = account.agent_now(), account.kernel_now()
        rows += [f"{name} {' '.join(key)}: agent {agent[key]}, "
                 f"kernel {kernel[key] if key in kernel else '-'}"
                 for key in sorted({*agent, *kernel})]
    with open(paths.log_file(f"sums-{sums.made}.txt"), "w",
              encoding="utf-8") as f:
        f.write("\n".join(rows) + "\n")


@pytest.mark.long    # make check has the sums over all causes
def test_sums_of_500_connections(looks):
    sums_agree(looks.lab, 500, 1, 30)


@pytest.mark.long
def test_sums_of_10000_connections(looks):
    sums_agree(looks.lab, 10000, 15, 120)

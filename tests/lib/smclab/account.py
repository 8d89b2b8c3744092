# SPDX-License-Identifier: Apache-2.0
"""What an agent counts of a pod's connections, held against what the kernel counts
in the pod's own network namespace; and both against the test's own count.

    accounts = [Account(agent, pod)]     # from now on
    ...
    for a in accounts:
        a.wait_balance()

The kernel says how many connections became SMC (GET_STATS) and how many fell back
for which reason (GET_FBACK_STATS). It counts each SMC socket that is TCP as a
fall-back, also where our own verdict kept the option out: PEERNOSMC. Sockets that
never were SMC's it does not count.
"""
import re
from collections import Counter

from . import paths
from .machine import wait_for

PEERNOSMC = "peer-no-smc"
# why a socket is no SMC socket at all
PLAIN = ("not-converted", "other-uid", "rationed")
SMC_OUTCOMES = ("smcd", "smcr", "failed")
FALLBACK_ROW = re.compile(r'^\tX\(\w+, (0x[0-9a-f]{8}), "([a-z0-9-]+)"', re.M)
REASON_ROW = re.compile(r'^\tX\(\w+, "([a-z0-9-]+)"', re.M)


def at_odds(agent, pods):
    """What the agent's open records of these pods and their kernel do not agree
    on: a record of no socket (Pod.held()), a socket that has no record, and how
    many connections RDMA links have. For pods whose every socket is recorded,
    where nothing is under way."""
    flows, found = agent.flows(), []
    for pod in pods:
        held = pod.held()
        told = {(f["local_port"], f["remote_port"]): f["outcome"]
                for f in flows if f["pod"] == pod.name and not f["closed"]}
        smcr, linked = [*told.values()].count("smcr"), pod.linked()
        if smcr != linked:
            found.append(f"{pod.name}: {smcr} SMC-R records, {linked} on links")
        found += [f"{pod.name} {p}: no socket" for p in sorted({*told} - {*held})]
        found += [f"{pod.name} {p}: no record" for p in sorted({*held} - {*told})]
    return found


def _read(path):
    with open(f"{paths.TREE}/{path}", encoding="utf-8") as f:
        return f.read()


def kernel_labels():
    """{SMC_CLC_DECL_*: the word that metrics and flows have for it}"""
    found = FALLBACK_ROW.findall(_read("user/telemetry/fallback.h"))
    return {int(code, 16): label for code, label in found}


def flow_reasons():
    """Every word that a verdict can have."""
    text = _read("include/smcmesh/reasons.h")
    part = text[text.index("#define SMC_REASONS_FLOW"):
                text.index("#define SMC_REASONS_POD")]
    return set(REASON_ROW.findall(part))


def of_metrics(samples, pod):
    """What the agent counted of the pod: {("flows", role, outcome),
    ("bypassed", reason), ("code", label): number}"""
    out = Counter()
    for (name, labels), value in samples.items():
        got = dict(labels)
        if got.get("pod") != pod:
            continue
        if name == "smcmesh_flows_total":
            out["flows", got["role"], got["outcome"]] += int(value)
        elif name == "smcmesh_flows_bypassed_total":
            out["bypassed", got["reason"]] += int(value)
        elif name == "smcmesh_fallbacks_total":
            out["code", got["code"]] += int(value)
    return out


def of_kernel(pod, labels):
    """What the kernel counted in its namespace: {("flows", role, outcome),
    ("code", label): number}"""
    out = Counter()
    stats = pod.smcnl("stats")
    for role in "client", "server":
        for outcome in SMC_OUTCOMES:
            out["flows", role, outcome] = stats[role][outcome]
    for row in pod.smcnl("fback"):
        out["code", labels.get(row["reason"], hex(row["reason"]))] += row["count"]
    return out


def expected_of(agent, declines):
    """What the kernel must have counted, if the agent counted @agent. @declines:
    the words of the kernel's own codes; all others are errors."""
    out = Counter()
    for role in "client", "server":
        for outcome in SMC_OUTCOMES:
            out["flows", role, outcome] = agent["flows", role, outcome]
        out["code", PEERNOSMC] += agent["flows", role, "tcp"]
    out["code", PEERNOSMC] -= sum(agent["bypassed", r] for r in PLAIN)
    for (kind, *what), n in agent.items():
        if kind == "code" and what[0] in declines:
            out["code", what[0]] += n
    return out


class Bytes:
    """What each who counts bytes says of a pod, by (transport, direction)."""

    def __init__(self, agent, pod):
        self.agent, self.pod = agent, pod

    def top(self):
        row = next(p for p in self.agent.get("/v1/top")["pods"]
                   if p["pod"] == self.pod.name)
        return {(t, way): row["traffic"][t][way + "_bytes"]
                for t in ("smcr", "smcd") for way in ("rx", "tx")}

    def kernel(self):
        return {(t, way): n for t, ways in
                self.pod.smcnl("stats")["bytes"].items()
                for way, n in ways.items()}

    def metrics(self):
        """These come up to 20 s late; with TCP, of connections that ended."""
        now = self.agent.metrics()
        return {(t, way): sum(
                    v for (name, labels), v in now.items()
                    if name == "smcmesh_bytes_total" and
                    {("pod", self.pod.name), ("transport", t),
                     ("direction", way)} <= set(labels))
                for t in ("smcr", "smcd", "tcp") for way in ("rx", "tx")}

    def records(self):
        """Of TCP connections that have ended, as flows has them."""
        ended = [f for f in self.agent.flows()
                 if f["pod"] == self.pod.name and f["closed"]]
        return {("tcp", way): sum(f[way + "_bytes"] for f in ended)
                for way in ("rx", "tx")}


class Account:
    """Of one pod that has a namespace of its own."""

    def __init__(self, agent, pod):
        self.agent, self.pod = agent, pod
        self.labels = kernel_labels()
        self.kernel_then = of_kernel(pod, self.labels)
        self.then = of_metrics(agent.metrics(), pod.name)
        self.kept = Counter()    # of agents that ended meanwhile

    def agent_ends(self):
        """Its own counts end with an agent, as any program's; the datapath's do
        not. Call it before; nothing may be under way."""
        for key, n in self.agent_now().items():
            if key[0] == "code":
                self.kept[key] = n
        self.then = Counter({k: n for k, n in self.then.items()
                             if k[0] != "code"})

    def agent_now(self):
        now = of_metrics(self.agent.metrics(), self.pod.name)
        now.update(self.kept)
        now.subtract(self.then)
        return +now

    def kernel_now(self):
        now = of_kernel(self.pod, self.labels)
        now.subtract(self.kernel_then)
        return +now

    def difference(self):
        """{what: (the kernel's number, the agent's)} where they differ."""
        agent, kernel = self.agent_now(), self.kernel_now()
        wanted = expected_of(agent, set(self.labels.values()))
        out = {key: (kernel[key], wanted[key]) for key in {*kernel, *wanted}
               if kernel[key] != wanted[key]}
        # and the agent's own two sums
        for outcome, are in (("fallback", True), ("failed", False)):
            flows = sum(agent["flows", role, outcome]
                        for role in ("client", "server"))
            codes = sum(n for (kind, *what), n in agent.items() if kind == "code"
                        and (what[0] in self.labels.values()) == are)
            if flows != codes:
                out[outcome] = flows, codes
        return out

    def wait_balance(self, timeout=30):
        def balances():
            off = self.difference()
            assert not off, f"(the kernel, the agent): {off}"
            return True
        wait_for(balances, timeout, f"the sums of {self.pod.name}", 0.3)

# SPDX-License-Identifier: Apache-2.0
"""`smcmesh flows` and `smcmesh top` on this machine's own kernel: an agent with
real maps and without SMC, into which the test puts records and counters."""
import contextlib
import itertools
import json
import os
import signal
import struct
import subprocess
import time

import pytest
import yaml

from smclab import manifest, native, wait_for
from smclab.native import SMCMESH, mapped

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

POD, PEER, VIP = "10.99.0.1", "10.99.1.1", "10.96.0.1"
CLIENT, SERVER = 1, 2
TCP, SMCR, SMCD, FALLBACK = 1, 2, 3, 4
NOT_ENDPOINT, NO_UEID = 7, 0x03030008
SECOND = 10**9
# numbers in include/smcmesh/counters.h, and how many a slot has
CLIENT_SMCR, EVENTS_LOST, FLOWS_LOST, COUNTERS = 2, 18, 19, 80
SLOTS = 1024


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("flows")
    a = native.MapsAgent(tmp, env={"SMCMESH_HURRY": "5"})
    with subprocess.Popen(["unshare", "-n", "sleep", "600"]) as pod, \
            native.bpffs(a.bpffs):
        try:
            netns = f"/proc/{pod.pid}/ns/net"
            own = os.readlink("/proc/self/ns/net")
            wait_for(lambda: os.readlink(netns) != own, 10, "a namespace")
            a.write(manifest.text(
                manifest.mesh(),
                *manifest.service("web", VIP, 80, 7000, [PEER]),
                manifest.pod("a", "n1", POD, netns),
                manifest.node("n2", [manifest.endpoint(PEER, "b")])))
            start(a)
            yield a
        finally:
            a.end()
            pod.kill()


def start(agent):
    """Until it has given its pod a number; and that pod's flows."""
    agent.start()
    wait_for(lambda: agent.get("/v1/pods")["pods"][0]["pod_id"], 20, "a look")
    put_flows(agent)


def flow_key(agent, port, role=CLIENT):
    pod, = agent.get("/v1/pods")["pods"]
    return struct.pack("=IIHHHH", port, pod["netns_cookie"] & 0xffffffff, port, 0,
                       role, 0)


def put_flow(agent, port, remote, outcome, age=0, took=0, role=CLIENT, reason=0,
             code=0, pod_id=None):
    """A record of the pod's, as BPF writes it; @age, @took: seconds."""
    pod, = agent.get("/v1/pods")["pods"]
    opened = time.clock_gettime_ns(time.CLOCK_MONOTONIC) - age * SECOND
    address, remote_port = remote.split(":")
    agent.put("smc_flow", flow_key(agent, port, role),
              struct.pack("=16s16sHHIBBBBIIIII7Q", mapped(POD), mapped(address),
                          port, int(remote_port), pod_id or pod["pod_id"], role, 0,
                          outcome, 0, reason, code, 0, 0, 0, opened,
                          opened + int(took * SECOND), 0, 0, 0,
                          pod["netns_cookie"], 0))


def put_flows(agent):
    put_flow(agent, 40001, PEER + ":7000", SMCR, took=0.25)
    put_flow(agent, 40002, VIP + ":80", SMCD, age=3600)
    put_flow(agent, 40003, PEER + ":7001", FALLBACK, code=NO_UEID)
    put_flow(agent, 40004, "203.0.113.9:443", TCP, reason=NOT_ENDPOINT)


@pytest.fixture
def again(agent):
    """An agent that was started anew has given its pod another number."""
    put_flows(agent)
    put_counters(agent, CLIENT_SMCR=5)
    yield agent
    put_counters(agent)


def put_counters(agent, **numbers):
    pod, = agent.get("/v1/pods")["pods"]
    value = [0] * COUNTERS
    for name, n in numbers.items():
        value[globals()[name]] = n
    agent.put("smc_counter", struct.pack("=I", pod["pod_id"] % SLOTS),
              struct.pack(f"={COUNTERS}Q", *value))


def flows(agent, *args):
    return subprocess.run([SMCMESH, "flows", "--run", agent.run_dir, *args],
                          text=True, capture_output=True, timeout=60, check=False)


def ports(agent, *args):
    told = flows(agent, "-o", "json", *args)
    assert told.returncode == 0, told
    return sorted(f["local_port"] - 40000 for f in json.loads(told.stdout)["flows"])


@pytest.mark.parametrize("args, want", [
    ("", [1, 2, 3, 4]),
    ("-A", [1, 2, 3, 4]),
    ("-n default", [1, 2, 3, 4]),
    ("-n defaul", []),
    ("-p a", [1, 2, 3, 4]),
    ("-p default/a", [1, 2, 3, 4]),
    ("-p b", []),
    ("--to 10.99.0.0/16", [1, 3]),
    ("--to 10.99.1.1:7000", [1]),
    ("--to 10.96.0.1", [2]),
    ("--port 443", [4]),
    ("--port 40002-40003", [2, 3]),
    ("--outcome smcr,smcd", [1, 2]),
    ("--outcome fallback", [3]),
    ("--reason not-endpoint", [4]),
    ("--reason no-ueid", [3]),
    ("--reason 0x03030008,not-endpoint", [3, 4]),
    ("--since 30m", [1, 3, 4]),
    ("--since 2h", [1, 2, 3, 4]),
    ("--last 1 --since 2h --outcome smcd,smcr", [1]),
    ("--outcome tcp --to 10.99.0.0/16", []),
])
def test_options_choose(agent, args, want):
    assert ports(agent, *args.split()) == want


def test_what_matches_nothing_is_said(agent):
    told = flows(agent, "-n", "nowhere")
    assert told.returncode == 0
    assert told.stderr == "smcmesh: no flow of this node matches; it has 4\n"
    told = flows(agent, "--to", PEER)    # control
    assert told.stderr == "" and PEER + ":7001" in told.stdout, told


def test_peers_and_lengths_of_time_are_told(agent):
    by = {f["remote_address"] + ":" + str(f["remote_port"]): f
          for f in agent.get("/v1/flows")["flows"]}
    peer = by[PEER + ":7000"]
    assert (peer["peer_node"], peer["peer_namespace"], peer["peer_pod"]) == \
        ("n2", "default", "b"), peer
    assert peer["connect_seconds"] == 0.25 and "lifetime_seconds" not in peer
    service = by[VIP + ":80"]
    assert (service["peer_service"], service["peer_pod"]) == ("web", ""), service
    assert "connect_seconds" not in service, service
    stranger = by["203.0.113.9:443"]
    assert not stranger["peer_pod"] and not stranger["peer_service"], stranger


def test_wide_list_has_them_too(agent):
    lines = flows(agent, "-o", "wide").stdout.splitlines()
    assert "PEER" in lines[0] and "NODE" in lines[0] and "CONNECT" in lines[0]
    by = {line.split()[3]: line for line in lines if ":" in line}
    assert "default/b" in by[PEER + ":7000"] and " n2 " in by[PEER + ":7000"]
    assert " 0.250 s " in by[PEER + ":7000"]
    assert "Service default/web" in by[VIP + ":80"]
    assert "default/b" not in by["203.0.113.9:443"]
    assert "default/b" not in flows(agent).stdout    # control: not wide


def followed(agent):
    """Has BPF been told that somebody reads every event?"""
    uses, = struct.unpack_from("=I", agent.row("smc_config", bytes(4)), 20)
    return uses & 4


@contextlib.contextmanager
def following(agent, *args, stdout=subprocess.PIPE, **how):
    """A follower, once the agent knows of it; and of nobody before."""
    wait_for(lambda: not followed(agent), 20, "no follower")
    with subprocess.Popen([SMCMESH, "flows", "-f", "--run", agent.run_dir, *args],
                          text=True, stdout=stdout, stderr=subprocess.PIPE,
                          **how) as follower:
        try:
            wait_for(lambda: followed(agent), 20, "a follower")
            yield follower
        finally:
            follower.kill()


def test_losses_stand_below_the_list_and_in_the_stream(agent):
    put_counters(agent)
    assert "missed" not in flows(agent).stdout
    with following(agent, "-n", "nowhere") as follower:
        put_counters(agent, EVENTS_LOST=3, FLOWS_LOST=2)
        line = follower.stdout.readline()
    told = subprocess.run(["bpftool", "-j", "map", "lookup", "pinned",
                           agent.pins + "smc_counter", "key", *"0000"],
                          check=True, capture_output=True, text=True)
    cpus = len(json.loads(told.stdout)["values"])
    assert f" lost     {3 * cpus} events: the ring buffer was full; {2 * cpus} " \
        "flows: there was no room for records\n" in line, line
    told = flows(agent).stdout
    assert f"{2 * cpus} flows, of which no record could be made" in told, told
    assert f"has missed {3 * cpus} events: the ring buffer" in told, told
    put_counters(agent)


def test_follower_says_that_the_agent_is_lost_and_back(agent):
    with following(agent) as follower:
        for sig in signal.SIGTERM, signal.SIGKILL:
            agent.stop(sig)
            assert "the agent is lost" in follower.stderr.readline()
            agent.start()
            assert "the agent is back; what happened" in follower.stderr.readline()
            wait_for(lambda: followed(agent), 20, "it follows again")
        assert follower.poll() is None
    # control: where none answers at first it does not wait
    told = subprocess.run([SMCMESH, "flows", "-f", "--run", "/nonexistent"],
                          text=True, capture_output=True, timeout=60, check=False)
    assert told.returncode == 1 and "no agent answers" in told.stderr, told


def ended(proc):
    wait_for(lambda: proc.poll() is not None, 20, "its end")
    return proc.returncode


def test_follower_ends_with_an_interrupt_also_while_it_waits(agent):
    with following(agent) as follower:
        follower.send_signal(signal.SIGINT)
        assert ended(follower) == -signal.SIGINT
    with following(agent) as follower:
        agent.stop()
        try:
            assert "the agent is lost" in follower.stderr.readline()
            follower.send_signal(signal.SIGINT)
            assert ended(follower) == -signal.SIGINT
        finally:
            start(agent)


def test_follower_that_nobody_reads_ends(agent):
    """Nothing matches, so it writes nothing: it must notice all the same, or the
    datapath would tell it of every flow for ever."""
    with following(agent, "-n", "nowhere") as follower:
        follower.stdout.close()
        assert ended(follower) == -signal.SIGPIPE
    wait_for(lambda: not followed(agent), 20, "no follower")
    # without the signal, as below a systemd unit, it says so
    with following(agent, "-n", "nowhere", restore_signals=False,
                   preexec_fn=lambda: signal.signal(signal.SIGPIPE,
                                                    signal.SIG_IGN)) as follower:
        follower.stdout.close()
        assert ended(follower) == 1
        assert follower.stderr.read() == "smcmesh: standard output: Broken pipe\n"
    # while it waits for an agent, too
    with following(agent) as follower:
        agent.stop()
        try:
            assert "the agent is lost" in follower.stderr.readline()
            follower.stdout.close()
            assert ended(follower) == -signal.SIGPIPE
        finally:
            start(agent)


def test_follower_whose_disk_is_full_ends(agent):
    put_counters(agent)
    with open("/dev/full", "w", encoding="ascii") as full, \
            following(agent, stdout=full) as follower:
        put_counters(agent, EVENTS_LOST=1)    # a line to print
        assert ended(follower) == 1
        assert "standard output: No space left" in follower.stderr.read()
    put_counters(agent)


def test_flow_outlives_its_pod(agent):
    """Records outlive their pod: they have its number then, and no name."""
    put_flow(agent, 40005, PEER + ":7005", SMCR, pod_id=4242)
    by = {f["remote_port"]: f for f in agent.get("/v1/flows")["flows"]}
    assert (by[7005]["pod"], by[7005]["pod_id"]) == ("", 4242), by[7005]
    lines = flows(agent).stdout.splitlines()
    assert next(x for x in lines if ":7005" in x).startswith("-  "), lines
    assert ports(agent, "-p", "a") == [1, 2, 3, 4]
    agent.delete("smc_flow", flow_key(agent, 40005))


# ---- top --------------------------------------------------------------------

def test_top_without_a_terminal_is_a_line_of_json_each(again):
    agent = again
    told = subprocess.run([SMCMESH, "top", "-d", "0.2", "--count", "2", "--run",
                           agent.run_dir], text=True, capture_output=True,
                          timeout=60, check=True)
    lines = [json.loads(x) for x in told.stdout.splitlines()]
    assert len(lines) == 2 and lines[0]["node"] == "n1", told
    pod, = lines[1]["pods"]
    assert (pod["namespace"], pod["pod"]) == ("default", "a"), pod
    assert (pod["smcr"], pod["smcd"], pod["tcp"]) == (1, 1, 2), pod
    assert pod["opened_per_second"] == 0 and lines[1]["seconds"] >= 0.2, lines
    assert pod["pending_max"] > 0 and pod["buffer_bytes"] == 0, pod


def top(agent, *args):
    return subprocess.run([SMCMESH, "top", "-d", "0.1", "-n", "2", *args, "--run",
                           agent.run_dir], text=True, capture_output=True,
                          timeout=60, check=True).stdout


def test_top_prints_as_other_commands_do(again):
    agent = again
    table = top(agent, "-b")
    assert table.count("\nPOD ") == 2 and table.count("\ndefault/a ") == 2, table
    wide = top(agent, "-o", "wide")
    row = next(x for x in wide.splitlines() if x.startswith("default/a "))
    assert row.split()[1:4] == ["1", "1", "2"] and "R-OUT/s" in wide, wide
    docs = list(yaml.safe_load_all(top(agent, "-o", "yaml")))
    assert [d["pods"][0]["pod"] for d in docs] == ["a", "a"], docs
    assert [json.loads(x)["node"] for x in top(agent, "-o", "json").splitlines()] \
        == ["n1", "n1"]
    assert top(agent, "-o", "name") == "default/a\n" * 2
    rows = top(agent, "--no-headers").splitlines()
    assert [r.split()[0] for r in rows] == ["default/a"] * 2, rows


class Terminal:
    """A program in a real terminal, of a tmux server of its own."""

    def __init__(self, where, argv, columns=80, lines=24):
        self.socket = f"{where}/tmux"
        self("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y",
             str(lines), *argv)

    def __call__(self, *args):
        return subprocess.run(["tmux", "-S", self.socket, *args], text=True,
                              capture_output=True, check=False, timeout=20)

    def screen(self):
        return self("capture-pane", "-p").stdout.splitlines()

    def runs(self):
        return self("has-session").returncode == 0

    def end(self):
        self("kill-server")


@contextlib.contextmanager
def top_on(agent, tmp_path, *args, columns=80, lines=24):
    term = Terminal(tmp_path, [SMCMESH, "top", "-d", "0.2", *args, "--run",
                               agent.run_dir], columns, lines)
    try:
        yield term
    finally:
        term.end()


def row_of(term):
    """The pod's, once it is there."""
    wait_for(lambda: term.screen()[4].startswith("default/a "), 20, "a row")
    return term.screen()[4].split()


def test_top_in_a_terminal(again, tmp_path):
    """24 lines of 80, painted again as numbers change; it ends with q."""
    agent = again
    with top_on(agent, tmp_path, "-d", "1") as term:
        assert row_of(term)[1:3] == ["2", "2"], term.screen()
        lines = term.screen()
        assert len(lines) == 24 and max(map(len, lines)) <= 80, lines
        assert lines[0].startswith("smcmesh top: node n1, 2"), lines
        assert lines[1].startswith("pending 0/512  connections 0/4000 "), lines
        assert lines[3].split() == ["POD", "SMC", "TCP", "NEW/s", "SMC-R/s",
                                    "SMC-D/s", "FELL", "MEM", "RATION"], lines
        assert not any(lines[5:]), lines
        counted = itertools.count(10**6, 10**6)

        def new_flows():
            put_counters(agent, CLIENT_SMCR=next(counted))
            return term.screen()[4].split()[3] not in ("0.0", "-")
        wait_for(new_flows, 20, "new flows")
        wait_for(lambda: term.screen()[4].split()[3] == "0.0", 20, "none again")
        term("resize-window", "-x", "40", "-y", "5")
        wait_for(lambda: len(term.screen()) == 5 and term.screen()[4].startswith(
            "default/a "), 20, "a small terminal")
        assert term.screen()[0].startswith("smcmesh top:"), term.screen()
        term("send-keys", "q")
        wait_for(lambda: not term.runs(), 20, "its end")


@pytest.mark.parametrize("args, columns, lines, first, key", [
    ((), 1, 6, "s", "C-c"),
    ((), 1, 1, "s", "q"),
    (("-o", "wide"), 80, 24, "smcmesh top: ", "Q"),
    (("-n", "1000"), 200, 50, "smcmesh top: ", "C-c")])
def test_top_in_any_terminal(again, tmp_path, args, columns, lines, first, key):
    """What fits, without a line that wraps or scrolls; it ends with each key."""
    with top_on(again, tmp_path, *args, columns=columns, lines=lines) as term:
        wait_for(lambda: term.screen()[0].startswith(first), 20, "its first line")
        shown = term.screen()
        assert len(shown) == lines and max(map(len, shown)) <= columns, shown
        if lines > 5:
            wait_for(lambda: term.screen()[4].startswith("default/a "[:columns]), 20,
                     "the row")
            assert not any(term.screen()[5:]), term.screen()
        term("send-keys", key)
        wait_for(lambda: not term.runs(), 20, "its end")


def test_top_waits_for_an_agent_that_is_lost(again, tmp_path):
    agent = again
    with top_on(agent, tmp_path) as term:
        row_of(term)
        agent.stop()
        wait_for(lambda: any("the agent is lost" in x for x in term.screen()), 20,
                 "it to say so")
        start(agent)
        wait_for(lambda: not any("is lost" in x for x in term.screen()) and
                 row_of(term)[1:3] == ["2", "2"], 20, "the table again")

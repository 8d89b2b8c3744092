# SPDX-License-Identifier: Apache-2.0
"""`smcmesh syncheck` on this machine's own kernel, against peers that treat SMC's
TCP option in each way there is (smclab/synpeer.py).

    c ----------------- s     s answers for 10.77.0.0/24 and fd77::/64
                        |
    n --- r (masquerade)+     r has a TCP proxy, too
    .2   .1

What takes 3 seconds a SYN runs beside the rest.
"""
import concurrent.futures
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from smclab import manifest, native, synpeer, wait_for
from smclab.native import SMCMESH
from smclab.nodens import Netns

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

AT_ONCE = 12
PEER = {4: "10.77.0.1", 6: "fd77::1"}
FAMILIES = pytest.mark.parametrize("family", [4, 6])
# what each peer is to be called
QUICK = {
    "plain": "fine", "smc": "fine", "cuts-all": "fine", "repeats": "replay",
    "repeats-first": "replay", "repeats-last": "replay", "always": "replay",
    "other": "conflict", "other-short": "conflict", "longer": "too-long",
    "refuses": "reset", "cuts": "reset", "closed": "unreachable",
}
SLOW = {"filters": "dropped", "silent": "unreachable"}

PROXY = """
import asyncio, sys

async def serve(to):
    async def copy(r, w):
        while data := await r.read(4096):
            w.write(data)
        w.close()

    async def accept(r, w):
        there = await asyncio.open_connection(*to)
        await asyncio.gather(copy(r, there[1]), copy(there[0], w))

    async with await asyncio.start_server(accept, sys.argv[1], 9000) as s:
        print("ready", flush=True)
        await s.serve_forever()

asyncio.run(serve((sys.argv[2], int(sys.argv[3]))))
"""


def at(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def peer(name, family):
    return at(PEER[family], synpeer.PORTS[name])


class Lab:
    def __init__(self, stack, tmp):
        self.stack = stack
        self.c, self.n, self.r, self.s = (self.netns(x) for x in "cnrs")
        for left, right, net in ((self.c, self.s, 1), (self.n, self.r, 2),
                                 (self.r, self.s, 3)):
            self.wire(left, right, net)
        for ns, net, host in ((self.c, 1, 2), (self.n, 2, 2), (self.r, 3, 2)):
            ns.run(f"ip route add default via 10.76.{net}.{host};"
                   f" ip route add default via fd76:{net}::{host}")
        self.r.run("sysctl -qw net.ipv4.ip_forward=1"
                   " net.ipv6.conf.all.forwarding=1")
        self.r.run("nft -f -", stdin="table inet nat { chain out { type nat hook"
                   " postrouting priority srcnat; oifname eth3 masquerade; }; }")
        # s's own kernel, which has no route there, must not say so
        for prefix in synpeer.PREFIXES:
            self.s.run(f"ip route add blackhole {prefix}")
        self.log = f"{tmp}/peer.log"
        with open(self.log, "w", encoding="ascii") as log:
            self.spawn(self.s, [sys.executable, synpeer.__file__], stdout=log)
        wait_for(lambda: "ready" in self.said(), 10, "the peers")

    def netns(self, name):
        ns = Netns(f"syn{os.getpid()}{name}")
        self.stack.callback(subprocess.run, ["ip", "netns", "del", ns.name],
                            check=False)
        ns.run("ip link set lo up")
        return ns

    def wire(self, left, right, net):
        """10.76.NET.1 is the left end; r's left end to n is .2, as a gateway."""
        dev = f"eth{net}"
        left.run(f"ip link add {dev} type veth peer {dev} netns {right.name}")
        for ns, host in ((left, 1), (right, 2)):
            ns.run(f"ip addr add 10.76.{net}.{host}/24 dev {dev};"
                   f" ip addr add fd76:{net}::{host}/64 dev {dev} nodad;"
                   f" ip link set {dev} up")

    def spawn(self, ns, argv, **kw):
        proc = subprocess.Popen(ns.argv(argv), text=True, **kw)
        self.stack.callback(proc.wait)
        self.stack.callback(proc.kill)
        return proc

    def said(self):
        with open(self.log, encoding="ascii") as f:
            return f.read()

    def syns(self, name):
        """[(source, its port, [options])] of the SYNs to one of the peers."""
        rows = [line.split() for line in self.said().splitlines()]
        return [(row[1], row[2], row[3:]) for row in rows
                if row[0] == str(synpeer.PORTS[name])]

    @contextlib.contextmanager
    def listener(self, family, port=8000):
        """A real one in s. Its address, as c and n see it."""
        kind = socket.AF_INET if family == 4 else socket.AF_INET6
        address = "10.76.1.2" if family == 4 else "fd76:1::2"
        with self.s.socket(kind) as sock:
            sock.bind((address, port))
            sock.listen(64)
            yield at(address, port)


    @contextlib.contextmanager
    def firewall(self, port, rule):
        """In s, for SYNs with the option."""
        self.s.run("nft -f -", stdin="table inet fw { chain in { type filter hook input"
                   f" priority 0; tcp dport {port} tcp option 254 exists {rule}; }}; }}")
        try:
            yield
        finally:
            self.s.run("nft delete table inet fw")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield Lab(stack, tmp_path_factory.mktemp("syncheck"))


@pytest.fixture(scope="module")
def cgroups(tmp_path_factory):
    """The root of the cgroup v2 hierarchy, wherever this machine has it."""
    path = tmp_path_factory.mktemp("cgroup2")
    subprocess.run(["mount", "-t", "cgroup2", "none", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


def ours(cgroups):
    return sorted(cgroups.glob("smcmesh-syncheck-*"))


def syncheck(ns, *args, wrap=()):
    return subprocess.run(ns.argv([*wrap, SMCMESH, "syncheck", *args]), text=True,
                          capture_output=True, timeout=120, check=False)


def results(done):
    return json.loads(done.stdout)["results"]


def asked(ns, *args):
    """(exit status, the only result)"""
    done = syncheck(ns, *args, "-o", "json")
    assert done.stdout and not done.stderr, done.stderr
    only, = results(done)
    return done.returncode, only


def together(jobs):
    """Results of (namespace, arguments) in their order, some at a time."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda job: asked(job[0], *job[1:]), jobs))


def assert_verdicts(found, wanted):
    wrong = [(want, got) for want, (rc, got) in zip(wanted, found, strict=True)
             if got["verdict"] != want or rc != (want != "fine")]
    assert not wrong, f"{len(wrong)} of {len(found)}: {wrong[:5]}"


# ---- verdicts

@pytest.mark.parametrize("via, times", [
    ("wire", 3), ("nat", 1), pytest.param("wire", 50, marks=pytest.mark.long),
    pytest.param("nat", 50, marks=pytest.mark.long)])
@FAMILIES
def test_each_quick_verdict_is_told_each_time(lab, via, family, times):
    ns = lab.c if via == "wire" else lab.n
    names = list(QUICK) * times
    found = together((ns, peer(name, family)) for name in names)
    assert_verdicts(found, [QUICK[name] for name in names])


@FAMILIES
def test_reset_is_waited_for_as_long_as_the_peer_is_slow(lab, family):
    """Its SYN-ACK came at once, and its reset comes long after: so it is with
    machines that have much to do."""
    found = together([(lab.c, peer("cuts-late", family))])
    assert_verdicts(found, ["reset"])


@pytest.mark.parametrize("times, tries", [
    (1, 1), pytest.param(5, 3, marks=pytest.mark.long)])
def test_what_stays_unanswered_is_told_from_what_nobody_answers(lab, times, tries):
    jobs = [(SLOW[name], ns, peer(name, family)) for ns in (lab.c, lab.n)
            for family in (4, 6) for name in SLOW]
    begin = len(lab.syns("filters"))
    with lab.listener(4, 8002) as v4, lab.listener(6, 8002) as v6:
        # what a real firewall does
        jobs += [("dropped", lab.c, v4), ("dropped", lab.n, v6)]
        with lab.firewall(8002, "drop"):
            found = together((ns, to, f"--tries={tries}")
                             for _, ns, to in jobs * times)
        # control: without the rule
        assert asked(lab.c, v4)[0] == asked(lab.n, v6)[0] == 0
    assert_verdicts(found, [want for want, _, _ in jobs * times])
    for _, got in found:
        if got["verdict"] == "dropped":
            m = re.fullmatch(rf"{tries} of {tries} tries: no answer to (\d) SYNs "
                             r"with the option in 3 s, but without it before and "
                             r"after", got["detail"])
            assert m and int(m[1]) >= 2, got
    # what was unanswered were SYNs with the option, repeated ones
    seen = lab.syns("filters")[begin:]
    repeated = [(src, port) for src, port, options in seen if options]
    assert repeated and all(repeated.count(x) >= 2 for x in set(repeated)), seen


def test_syns_have_the_option_as_smc_sends_it_in_turn(lab):
    """6 bytes, experiment 0xE2D4C3D9, in every second SYN; the first has none."""
    begin = len(lab.syns("plain"))
    assert asked(lab.c, peer("plain", 4))[0] == 0
    options = [o for _, _, o in lab.syns("plain")[begin:]]
    assert options == [[], ["fe06e2d4c3d9"]] * 3 + [[]], options


def test_option_goes_through_nat(lab):
    begin = len(lab.syns("plain"))
    assert asked(lab.n, peer("plain", 6))[0] == 0
    syns = lab.syns("plain")[begin:]
    assert {src for src, _, _ in syns} == {"fd76:3::1"}, syns
    assert [["fe06e2d4c3d9"] == o for _, _, o in syns] == [False, True] * 3 + [False]


@FAMILIES
def test_proxy_in_between_is_what_is_judged(lab, family):
    address = {4: "10.76.2.2", 6: "fd76:2::2"}[family]
    to = [PEER[family], str(synpeer.PORTS["repeats"])]
    proxy = lab.spawn(lab.r, [sys.executable, "-c", PROXY, address, *to],
                      stdout=subprocess.PIPE)
    assert proxy.stdout.readline() == "ready\n"
    try:
        assert asked(lab.n, at(address, 9000))[1]["verdict"] == "fine"
        # control: what stands behind it
        assert asked(lab.n, at(*to))[1]["verdict"] == "replay"
    finally:
        proxy.kill()
        proxy.wait()


def test_peer_that_speaks_smc_is_told_from_one_that_repeats(lab):
    names = ["smc", "plain", "repeats", "repeats-first", "repeats-last"]
    smc, plain, *repeaters = together((lab.c, peer(name, 4)) for name in names)
    assert (smc[0], smc[1]["verdict"]) == (0, "fine"), smc
    assert smc[1]["detail"] == ("it speaks SMC: answers the option, and none that it "
                                "does not know")
    # controls: no option at all; options that come back whatever they are
    assert plain[1]["detail"] == ""
    for _, got in repeaters:
        assert got["detail"] == ("3 of 3 tries: the SYN-ACK repeats the option, "
                                 "and one that nobody knows"), got


def test_share_of_bad_tries_is_said(lab):
    got = asked(lab.c, peer("repeats-some", 4))[1]
    assert got["verdict"] == "replay", got
    assert got["detail"].startswith("2 of 3 tries: "), got


def test_more_tries_are_made_where_they_are_asked_for(lab):
    begin = len(lab.syns("plain"))
    assert asked(lab.c, peer("plain", 4), "--tries=5")[0] == 0
    assert len(lab.syns("plain")) - begin == 11


# ---- the kernel's own peers, and what rules on the way do

@FAMILIES
def test_listener_of_this_kernel_is_fine(lab, family):
    with lab.listener(family) as to:
        for ns in (lab.c, lab.n):
            assert asked(ns, to) == (0, {
                "address": to.rsplit(":", 1)[0].strip("[]"), "port": 8000,
                "verdict": "fine", "detail": ""})
    rc, got = asked(lab.c, to)
    assert (rc, got["verdict"]) == (1, "unreachable"), got
    assert "refused without the option: Connection refused" in got["detail"]


@pytest.mark.parametrize("family, rule", [
    (4, "reject with tcp reset"), (6, "reject with tcp reset"),
    (4, "reject with icmpx admin-prohibited")])
def test_firewall_that_refuses_the_option_is_found(lab, family, rule):
    with lab.listener(family, port=8001) as to:
        with lab.firewall(8001, rule):
            rc, got = asked(lab.c, to, "--tries=1")
        assert (rc, got["verdict"]) == (1, "reset"), got
        # control: without the rule
        assert asked(lab.c, to, "--tries=1")[0] == 0


def test_no_route_is_unreachable_at_once(lab):
    begin = time.monotonic()
    rc, got = asked(lab.s, "192.0.2.1:80")
    assert (rc, got["verdict"]) == (1, "unreachable")
    assert "Network is unreachable" in got["detail"] and time.monotonic() - begin < 3


# ---- names, output, wrong use

@contextlib.contextmanager
def hosts(tmp_path, name, *addresses):
    """A prefix for a command that knows this name alone, with these addresses."""
    files = {"hosts": "".join(f"{a} {name}\n" for a in addresses),
             "nsswitch.conf": "hosts: files\n"}
    script = ""
    for file, text in files.items():
        (tmp_path / file).write_text(text, encoding="ascii")
        script += f"mount --bind {tmp_path}/{file} /etc/{file}; "
    yield ["unshare", "-m", "sh", "-ec", script + 'exec "$@"', "sh"]


def test_every_address_of_a_name_is_asked(lab, tmp_path):
    with hosts(tmp_path, "two.test", "10.77.0.1", "10.77.0.200", "fd77::1") as wrap:
        target = f"two.test:{synpeer.PORTS['repeats']}"
        done = syncheck(lab.c, target, "-o", "json", wrap=wrap)
        table = syncheck(lab.c, target, wrap=wrap)
    assert done.returncode == table.returncode == 1
    assert {r["address"]: r["verdict"] for r in results(done)} == {
        "10.77.0.1": "replay", "10.77.0.200": "fine", "fd77::1": "replay"}
    assert json.loads(done.stdout)["target"] == target
    excluded = re.search(r"  excludeCIDRs: \[(.*)\]\n", table.stdout)[1].split(", ")
    assert sorted(excluded) == ["10.77.0.1/32", "fd77::1/128"]
    assert ('    smcmesh.io/exclude-outbound-ports: '
            f'"{synpeer.PORTS["repeats"]}"\n') in table.stdout


def test_of_many_addresses_the_first_16_are_asked(lab, tmp_path):
    addresses = [f"10.77.0.{i}" for i in range(1, 19)]
    with hosts(tmp_path, "many.test", *addresses) as wrap:
        done = syncheck(lab.c, f"many.test:{synpeer.PORTS['plain']}", "--tries=1",
                        "-o", "json", wrap=wrap)
    assert done.returncode == 0
    assert len({r["address"] for r in results(done)}) == 16
    assert "many.test has 18 addresses, the first 16 are asked" in done.stderr


def test_url_names_host_and_port_as_the_guides_tool_has_it(lab):
    port = synpeer.PORTS["repeats"]
    done = subprocess.run(
        lab.c.argv([SMCMESH, "syn_check", "--url", f"http://[fd77::1]:{port}/a?b"]),
        text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert re.search(rf"^fd77::1 +{port} +replay +3 of 3 tries: ", done.stdout, re.M)


def test_table_of_what_is_fine_has_no_exclusion(lab):
    done = syncheck(lab.c, peer("plain", 4))
    assert done.returncode == 0 and not done.stderr
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["ADDRESS", "PORT", "VERDICT", "DETAIL"],
        ["10.77.0.1", str(synpeer.PORTS["plain"]), "fine", "-"]]
    # nor has what nobody answers: no exclusion would help
    done = syncheck(lab.c, peer("closed", 4))
    assert done.returncode == 1 and "exclude" not in done.stdout


@pytest.mark.parametrize("args, says", [
    (["10.77.0.1"], "the port is missing"),
    (["10.77.0.1:0"], "from 1 to 65535"), (["x.test:65536"], "from 1 to 65535"),
    (["http://x.test:70000/"], "from 1 to 65535"), ([], "expected one target"),
    (["x.test:1", "--url=http://x.test"], "expected one target"),
    (["x.test:1", "--tries=0"], "--tries is a number from 1 to 100, not 0"),
    (["x.test:1", "--pod=web"], "expected NAMESPACE/POD, not web")])
def test_wrong_use_exits_with_2_and_asks_nobody(lab, args, says):
    done = syncheck(lab.c, *args)
    assert done.returncode == 2 and says in done.stderr, done.stderr
    assert not done.stdout


def test_name_that_does_not_resolve_exits_with_3(lab, tmp_path):
    with hosts(tmp_path, "other.test", "10.77.0.1") as wrap:
        done = syncheck(lab.c, "no.invalid:80", wrap=wrap)
    assert done.returncode == 3 and not done.stdout
    assert "no.invalid does not resolve here" in done.stderr


def drop(*names):
    return ["setpriv", "--bounding-set", ",".join("-" + n for n in names),
            "--inh-caps=-all"]


@pytest.mark.parametrize("lost", [
    ["net_admin", "sys_admin"], ["bpf", "sys_admin"], ["sys_admin"]])
def test_without_a_capability_it_says_which_and_exits_with_3(lab, lost):
    done = syncheck(lab.c, peer("plain", 4), wrap=drop(*lost))
    assert done.returncode == 3 and not done.stdout
    assert "with CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN" in done.stderr


def test_capabilities_of_the_agents_container_are_enough(lab, cgroups):
    """As there: in a cgroup namespace that begins with its own cgroup, which is
    mounted nowhere."""
    caps = ["bpf", "perfmon", "net_admin", "net_raw", "sys_admin", "sys_ptrace",
            "dac_read_search"]
    own = cgroups / f"test_syncheck.{os.getpid()}"
    wrap = ["sh", "-ec", f'echo 0 > {own}/cgroup.procs; exec "$@"', "sh",
            "unshare", "--cgroup", "setpriv", "--inh-caps=-all", "--bounding-set",
            ",".join(["-all", *("+" + c for c in caps)])]
    own.mkdir()
    try:
        done = syncheck(lab.c, peer("repeats", 4), wrap=wrap)
        assert done.returncode == 1 and "replay" in done.stdout, done.stderr
        assert not list(own.glob("smcmesh-*"))
    finally:
        own.rmdir()


# ---- from a pod

def test_pod_is_where_it_is_asked_from(lab, tmp_path):
    away = lab.netns("e")
    a = native.Agent(tmp_path, f"file:{tmp_path}/pods.json")
    with open(f"{tmp_path}/pods.json", "w", encoding="utf-8") as f:
        f.write(manifest.text(
            manifest.mesh(),
            manifest.pod("c", "n1", "10.76.1.1", lab.c.path, enabled=None),
            manifest.pod("gone", "n1", "10.76.1.9", "/run/netns/no-such")))
    with native.bpffs(a.bpffs):
        try:
            a.start()
            wait_for(lambda: len(a.get("/v1/pods")["pods"]) == 2, 10, "the pods")
            to = peer("repeats", 4)
            rc, got = asked(away, to, "--pod=default/c", *a.args)
            assert (rc, got["verdict"]) == (1, "replay"), got
            # control: from where the command runs there is no way to it
            assert asked(away, to, *a.args)[1]["verdict"] == "unreachable"
            for pod, says in (("gone", "of pod default/gone: none was found"),
                              ("none", "the agent knows no pod default/none")):
                done = syncheck(away, to, f"--pod=default/{pod}", *a.args)
                assert done.returncode == 3 and says in done.stderr, done.stderr
        finally:
            a.end()


def test_without_an_agent_a_pod_is_not_found(lab, tmp_path):
    done = syncheck(lab.c, peer("plain", 4), "--pod=default/c", f"--run={tmp_path}")
    assert done.returncode == 3 and "no agent answers" in done.stderr


# ---- nothing stays

def attached(path):
    """Ids of the programs on a cgroup."""
    done = subprocess.run(["bpftool", "-j", "cgroup", "show", str(path)], text=True,
                          capture_output=True, check=False)
    return [p["id"] for p in json.loads(done.stdout or "[]")]


def is_gone(prog):
    return subprocess.run(["bpftool", "prog", "show", "id", str(prog)], check=False,
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode != 0


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_stays_after_a_signal(lab, cgroups, sig):
    assert not ours(cgroups)
    # this run may be one that ignores them, as below nohup
    proc = lab.spawn(lab.c, ["env", f"--default-signal={sig:d}", SMCMESH,
                             "syncheck", peer("silent", 4)])
    own, = wait_for(lambda: ours(cgroups), 10, "its cgroup")
    child = wait_for((own / "cgroup.procs").read_text, 10, "its process").strip()
    prog, = attached(own)
    assert os.path.exists(f"/proc/{child}") and not is_gone(prog)
    proc.send_signal(sig)
    assert proc.wait(10) == -sig
    assert not ours(cgroups) and not os.path.exists(f"/proc/{child}")
    wait_for(lambda: is_gone(prog), 10, "the end of its program")


def test_signal_that_is_ignored_does_not_end_it(lab, cgroups):
    """As below nohup."""
    proc = lab.spawn(lab.c, ["sh", "-c", f"trap '' HUP; exec {SMCMESH} syncheck"
                             f" {peer('plain', 4)} --tries=20"], stdout=subprocess.PIPE)
    own, = wait_for(lambda: ours(cgroups), 10, "its cgroup")
    wait_for((own / "cgroup.procs").read_text, 10, "its process")
    proc.send_signal(signal.SIGHUP)
    assert " fine " in proc.communicate(timeout=20)[0] and proc.returncode == 0
    assert not ours(cgroups)


def test_nothing_stays_after_a_whole_run(lab, cgroups):
    assert asked(lab.c, peer("repeats", 6))[0] == 1
    assert not ours(cgroups)

# SPDX-License-Identifier: Apache-2.0
"""user/node on a kernel with SMC, without the agent and without BPF of ours.

                 VM node
     a         b         s         r
   .10       .11     sidecar      .40        10.244.1.0/16, fd00:244::/64
     |         |         |         |  rxe
   --+---------+-- br0 --+---------+--

nodectl (tests/net/nodectl.c) calls one function and prints what it returned.
What is true is asked elsewhere: of /proc/sys in the namespace, of the judges
smcdiag.py and smcnl.py, of nft. The selectors are someone else's program
(tests/progs/foreign.bpf.c) under several names; nodectl takes those of OURS for
ours, as the agent would tell it.
"""
import contextlib
import errno
import os

import pytest

from smclab import Vm, istio, progs, topo, wait_for
from smclab.flows import held, serve

NODECTL = "/build/faults/vm/nodectl"
SMCR, SMCD = 1, 2
PEERNOSMC = 0x03010000
OURS = ("smcmesh_1", "smcmesh_2", "smcmesh_1234567")    # the last: 15 letters


class Node:
    def __init__(self, vm):
        self.vm = vm
        topo.bridge(vm, "10.244.1.1/16", "fd00:244::1/64")
        for name in OURS + ("foreign",):
            progs.register_selector(vm, name)

    def ctl(self, *args, **where):
        return self.vm.run([NODECTL, *map(str, args)],
                           env={"NODECTL_OURS": " ".join(OURS)}, **where).json()

    def selector(self, pod=None):
        read = "cat /proc/sys/net/smc/hs_ctrl"
        return (pod or self.vm).run(read).out.strip()

    def prepare(self, pod, ctrl=OURS[0], **where):
        return self.ctl("prepare", pod.netns, ctrl, **where)


@pytest.fixture(scope="module")
def node():
    with Vm("node") as vm:
        yield Node(vm)


@pytest.fixture
def pods(node):
    """Pods of the test's own: pods("a", "b", ...) -> list."""
    made = []

    def make(*names, **kw):
        for name in names:
            host = 10 + len(made)
            made.append(topo.pod(node.vm, name, f"10.244.1.{host}/16",
                                 f"fd00:244::{host}/64", **kw))
        return made[-len(names):]

    yield make
    for pod in made:
        # a namespace lives as long as its processes, and its veth with it
        node.vm.run(f"ip netns pids {pod.name} | xargs -r kill -9")
        topo.delete_pod(pod)
        wait_for(lambda: node.vm.run(f"ip link show v-{pod.name}",
                                     check=False).rc, 20, "its veth to go")


@pytest.fixture
def ueid(node):
    topo.ueid(node.vm, "SMCLAB")
    yield
    node.vm.call("smcnl", "ueid", "del", "SMCLAB")


# ---- UEIDs and devices -------------------------------------------------------

def test_ueids_are_added_and_removed_beside_others(node):
    def truth():
        return node.vm.call("smcnl", "ueid")

    def ctl(*args):
        return node.ctl("ueid", *args)["result"]

    assert node.ctl("ueid", "list") == {"result": 0, "ueids": []}
    topo.ueid(node.vm, "SOMEONE.ELSE")
    assert ctl("add", "SMCMESH") == 1
    assert ctl("add", "SMCMESH") == 0
    assert truth() == ["SOMEONE.ELSE", "SMCMESH"]
    longest = "X" * 32
    assert ctl("add", longest) == 1
    assert ctl("add", "A-0.Z") == 1
    assert ctl("add", "FIFTH") == -errno.ERANGE
    assert ctl("add", "SMCMESH") == 0    # full, but there
    assert sorted(node.ctl("ueid", "list")["ueids"]) == sorted(truth())
    for bad in ("lower", "-X", "", "X" * 33, "A B"):
        assert ctl("add", bad) == -errno.EINVAL
    for name in ("SMCMESH", longest, "A-0.Z"):
        assert ctl("del", name) == 1
        assert ctl("del", name) == 0
    assert truth() == ["SOMEONE.ELSE"]
    assert ctl("del", "SOMEONE.ELSE") == 1


def test_rdma_device_is_usable_while_up_with_an_address(node, pods):
    got = node.ctl("devices")
    # the kernel's own device dump leaves the loopback device out
    assert got["loopback"] == 1
    assert got["rdma"] == []
    r, = pods("r", rdma=True)
    assert node.ctl("devices", netns=r.name)["rdma"] == [{
        "name": r.rdma, "netdev": "eth0", "active": True, "usable": True, "deaf": False,
        "subnet": "10.244.0.0/16"}]
    r.run("ip addr del 10.244.1.10/16 dev eth0")
    assert not node.ctl("devices", netns=r.name)["rdma"][0]["usable"]
    r.run("ip addr add 10.244.1.10/16 dev eth0; ip link set eth0 down")
    wait_for(lambda: not node.ctl("devices", netns=r.name)["rdma"][0]["active"],
             10, "the port to go down")


def test_transports_are_those_of_the_pods_devices(node, pods, ueid):
    a, r1, r2 = pods("a") + pods("r1", "r2", rdma=True)
    assert node.prepare(a)["transports"] == SMCD
    assert node.prepare(r1)["transports"] == SMCD | SMCR
    assert node.ctl("look", "/proc/1/ns/net")["transports"] == SMCD
    r2.run("ip addr del 10.244.1.12/16 dev eth0")
    assert node.prepare(r2)["transports"] == SMCD


def test_without_a_ueid_there_is_no_transport(node, pods):
    r, = pods("r", rdma=True)
    assert node.prepare(r)["transports"] == 0


# ---- the selector ------------------------------------------------------------

def test_prepare_verifies_one_namespace_and_no_other(node, pods, ueid):
    a, b = pods("a", "b")
    got = node.prepare(a)
    assert got["verified"] and got["reason"] == "none" and got["err"] == 0
    assert got["ctrl"] == "smcmesh_1"
    assert sorted(got["addrs"]) == sorted([a.v4, a.v6])
    assert not got["sidecar"] and got["owners"] == []
    assert got["inode"] == int(a.run("stat -Lc %i /proc/self/ns/net").out)
    cookie = a.run("python3 -c 'import socket; print(int.from_bytes("
                   "socket.socket().getsockopt(1, 71, 8), \"little\"))'").out
    assert got["cookie"] == int(cookie)
    # a helper saw /proc/sys of the namespace that it was in, nobody else's
    assert node.selector(a) == "smcmesh_1"
    assert node.selector(b) == node.selector() == ""
    assert node.prepare(a) == got
    assert node.ctl("look", a.netns) == got


def test_next_generation_of_the_selector_is_set(node, pods):
    a, = pods("a")
    for name in OURS:
        got = node.prepare(a, name)
        assert got["verified"] and got["ctrl"] == name == node.selector(a)


def test_foreign_selector_stays(node, pods):
    a, = pods("a")
    a.run("echo foreign > /proc/sys/net/smc/hs_ctrl")
    for got in (node.prepare(a), node.ctl("look", a.netns)):
        assert not got["verified"]
        assert got["reason"] == "foreign-selector"
        assert got["detail"] == got["ctrl"] == "foreign"
    assert node.ctl("release", a.netns)["selector"] is False
    assert node.selector(a) == "foreign"


def test_selector_that_is_not_there_is_not_set(node, pods):
    a, = pods("a")
    got = node.prepare(a, "smcmesh_none")
    assert (got["reason"], got["err"]) == ("selector-failed", -errno.EINVAL)
    assert not got["verified"]
    assert node.selector(a) == ""
    # an older generation is kept rather than none
    node.prepare(a)
    assert node.prepare(a, "smcmesh_none")["reason"] == "selector-failed"
    assert node.selector(a) == "smcmesh_1"


def test_look_changes_nothing(node, pods):
    a, = pods("a")
    got = node.ctl("look", a.netns)
    assert (got["verified"], got["reason"]) == (False, "selector-failed")
    assert node.selector(a) == ""


def test_namespace_whose_trial_is_refused_is_not_verified(node, pods):
    a, = pods("a")
    where = "lab/refused"
    node.vm.run(f"mkdir -p /sys/fs/cgroup/{where}")
    deny = node.vm.spawn([progs.path("denysmc"), f"/sys/fs/cgroup/{where}"])
    wait_for(lambda: "ready" in deny.out, 10, "denysmc")
    got = node.prepare(a, cgroup=where)
    assert (got["reason"], got["err"]) == ("trial-failed", -errno.EPERM)
    assert not got["verified"]
    deny.stdin(None)
    deny.wait()
    assert node.prepare(a, cgroup=where)["verified"]


# ---- diagnosis ---------------------------------------------------------------

def test_smc_sockets_are_told_as_the_kernel_does(node, pods, ueid):
    a, b = pods("a", "b")
    assert node.ctl("smc", a.netns) == {"result": 0, "sockets": []}
    serve(b, 7000, native=True)
    plain = serve(b, 7001)
    with held(a, b.v4, 7000, protocol="smc", count=2) as smc, \
            held(a, b.v4, 7001, protocol="smc") as fell:
        for pod in (a, b):
            rows = node.ctl("smc", pod.netns)["sockets"]
            truth = [r for r in pod.diag(every=True) if r["mode"] != "plain"]
            assert len(rows) == len(truth) == node.ctl("count",
                                                       pod.netns)["result"]
            assert sorted((r["local_port"], r["remote_port"], r["state"],
                           r["mode"], r["fallback"]) for r in rows) == \
                sorted((r["local_port"], r["remote_port"], r["state"],
                        r["mode"], r["reason"]) for r in truth)
        active = [r for r in node.ctl("smc", a.netns)["sockets"]
                  if r["state"] == 1]
        assert sorted(r["mode"] for r in active) == ["smcd", "smcd", "tcp"]
        assert [r["fallback"] for r in active if r["mode"] == "tcp"] == [
            PEERNOSMC]
        assert len(smc.lines) == 2 and len(fell.lines) == 1
    assert [(r["reason"], r["count"], r["server"])
            for r in a.smcnl("fback")] == [(PEERNOSMC, 1, False)]
    assert plain.alive


def test_only_tcp_listeners_are_late(node, pods):
    a, = pods("a")
    assert node.ctl("late", a.netns)["listeners"] == []
    serve(a, 7000, 7010, address="::", native=True)
    serve(a, 7001)
    serve(a, 7002, address="::")
    assert node.ctl("late", a.netns)["listeners"] == [
        {"addr": "0.0.0.0", "port": 7001, "uid": 0},
        {"addr": "::", "port": 7002, "uid": 0}]


MIXED = """
import socket, sys
open_ = []
for address, protocol in (("10.244.1.10", 256), ("10.244.1.10", 6),
                          ("10.244.1.10", 256), ("127.0.0.1", 256)):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind((address, 7000))
    s.listen()
    open_.append(s)
print("ready", flush=True)
sys.stdin.read()
"""


def test_tcp_listener_beside_smc_at_one_port_is_late(node, pods):
    a, = pods("a")
    p = a.spawn(["python3", "-c", MIXED])
    wait_for(lambda: "ready" in p.out, 10, p.output or "the listeners")
    # the kernel lists all four, and nothing in a row says which is which
    assert len(a.run("ss -Hltn 'sport = :7000'").out.splitlines()) == 4
    assert node.ctl("late", a.netns)["listeners"] == [
        {"addr": "10.244.1.10", "port": 7000, "uid": 0}]
    p.kill()


# ---- release -----------------------------------------------------------------

def test_release_takes_selector_and_rule_once(node, pods):
    a, = pods("a")
    node.ctl("prepare", a.netns, OURS[0], 1337)
    assert node.ctl("release", a.netns) == {
        "result": 0, "selector": True, "rule": True, "kept": False,
        "smc_sockets": 0}
    assert node.selector(a) == ""
    assert a.run("nft list ruleset").out == ""
    assert node.ctl("release", a.netns) == {
        "result": 0, "selector": False, "rule": False, "kept": False,
        "smc_sockets": 0}


def test_selector_stays_while_sockets_do(node, pods):
    a, = pods("a")
    node.ctl("prepare", a.netns, OURS[0], 1337)
    server = serve(a, 7000, native=True)
    assert node.ctl("release", a.netns) == {
        "result": 0, "selector": False, "rule": False, "kept": True,
        "smc_sockets": 1}
    assert node.selector(a) == OURS[0]
    assert "smcmesh" in a.run("nft list ruleset").out
    assert node.ctl("release", a.netns, "force") == {
        "result": 0, "selector": True, "rule": True, "kept": False,
        "smc_sockets": 1}
    assert node.selector(a) == ""
    assert server.alive


def test_foreign_selector_keeps_nothing(node, pods):
    """SMC sockets in a namespace that never had a selector of ours."""
    a, = pods("a")
    serve(a, 7000, native=True)
    got = node.ctl("release", a.netns)
    assert got["kept"] is False and got["smc_sockets"] == 1


def test_each_namespace_is_told_once(node, pods):
    a, b = pods("a", "b")
    got = {x["path"]: x["inode"] for x in node.ctl("each")["netns"]}
    assert {a.netns, b.netns} < set(got)
    assert len(set(got.values())) == len(got) == 3    # and the host's


# ---- the sidecar's rule, with SMC sockets ------------------------------------

DIAL = """
import socket, sys
address, protocol = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM, protocol)
s.settimeout(20)
s.connect((address, 8080))
print(s.recv(100).decode(), s.getsockname()[1], flush=True)
sys.stdin.read()
"""
LISTEN = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, int(sys.argv[3]))
s.bind(("::", int(sys.argv[1])))
s.listen()
print("ready", flush=True)
open_ = []
while True:
    c, _ = s.accept()
    c.sendall(sys.argv[2].encode())
    open_.append(c)
"""


def listen(pod, port, word, protocol):
    p = pod.spawn(["python3", "-c", LISTEN, str(port), word, str(protocol)])
    wait_for(lambda: "ready" in p.out, 20, "a listener")
    return p


@contextlib.contextmanager
def dialled(pod, address, protocol=6, uid=1000):
    """(who answered, how the kernel calls the connection)."""
    p = pod.spawn(["python3", "-c", DIAL, address, str(protocol)], user=uid)
    try:
        wait_for(lambda: p.out.count(" ") or not p.alive, 30, "an answer")
        assert p.out, p.output
        who, port = p.out.split()
        yield who, pod.modes(int(port))
    finally:
        p.kill()


def who(*args, **kw):
    with dialled(*args, **kw) as got:
        return got


@pytest.mark.parametrize("kind", ["nftables", "iptables-legacy"])
def test_smc_sockets_of_the_proxy_pass_the_redirect(node, pods, ueid, kind):
    if kind == "iptables-legacy" and not istio.has_legacy(node.vm):
        pytest.skip("the kernel has no iptables-legacy")
    a, s = pods("a", "s")
    servers = [listen(a, 8080, "peer", 256), listen(s, istio.OUT, "sidecar", 6),
               listen(s, istio.IN, "sidecar-in", 6)]
    istio.install(s, kind)
    proxy = {"protocol": 256, "uid": istio.UID}
    for address in (a.v4, a.v6):
        # a TCP proxy passes by its UID, an SMC one does not: the trouble
        assert who(s, address, uid=istio.UID)[0] == "peer"
        assert who(s, address, **proxy)[0] == "sidecar"
    got = node.ctl("prepare", s.netns, OURS[0], istio.UID)
    assert got["verified"] and got["owners"] == ["UID 1337", "GID 1337"]
    rules = s.run("nft list table inet smcmesh").out
    a.run("echo smcmesh_1 > /proc/sys/net/smc/hs_ctrl")
    for address in (a.v4, a.v6):
        assert who(s, address, **proxy) == ("peer", ["smcd"])
        assert who(s, address)[0] == "sidecar"    # the application
        assert who(s, address, uid=istio.UID)[0] == "peer"
        # a program's own SMC socket has no file either: it gets none where the
        # agent's programs are (test_meshes.py)
        assert who(s, address, protocol=256) == ("peer", ["smcd"])
    for address in (s.v4, s.v6):
        assert who(a, address)[0] == "sidecar-in"
    # twice is once; what was altered is put right
    node.ctl("prepare", s.netns, OURS[0], istio.UID)
    assert s.run("nft list table inet smcmesh").out == rules
    s.run("nft flush table inet smcmesh")
    assert who(s, a.v4, **proxy)[0] == "sidecar"
    node.ctl("prepare", s.netns, OURS[0], istio.UID)
    assert who(s, a.v4, **proxy)[0] == "peer"
    for p in servers:
        assert p.alive, p.output
        p.kill()


def test_rule_made_before_theirs_counts_all_the_same(node, pods):
    """Ours first, theirs later: priority decides, not age."""
    a, s = pods("a", "s")
    servers = [listen(a, 8080, "peer", 6), listen(s, istio.OUT, "sidecar", 6)]
    node.ctl("prepare", s.netns, OURS[0], istio.UID)
    for kind in istio.RULES:
        if kind != "iptables-legacy" or istio.has_legacy(node.vm):
            istio.RULES[kind](s)
    for address in (a.v4, a.v6):
        assert who(s, address, protocol=256, uid=istio.UID)[0] == "peer"
        assert who(s, address)[0] == "sidecar"
    for p in servers:
        p.kill()


def test_proxy_uid_of_a_user_namespace_is_translated(node, pods):
    s, = pods("s")
    p = s.spawn("exec unshare --user sh -c 'echo ready; read x'")
    wait_for(lambda: "ready" in p.out, 10, "the user namespace")
    pid = node.vm.run(f"ip netns pids {s.name}").out.split()[-1]
    node.vm.run(f"echo 0 100000 65536 > /proc/{pid}/uid_map")
    got = node.ctl("prepare", s.netns, OURS[0], 1337)
    assert got["verified"] and got["owners"] == ["UID 101337"]
    got = node.ctl("prepare", s.netns, OURS[0], 70000)
    assert (got["verified"], got["reason"]) == (False, "owner-rule")
    assert "70000" in got["detail"]
    p.kill()


# ---- cgroups -----------------------------------------------------------------

def test_pod_is_found_by_its_cgroup(node, pods):
    uid = "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"
    a, = pods("a")
    node.vm.run("mkdir -p /sys/fs/cgroup/kubepods.slice")
    a.cgroup = f"kubepods.slice/kubepods-pod{uid.replace('-', '_')}.slice/c1"
    node.vm.run(f"mkdir -p /sys/fs/cgroup/{a.cgroup}")

    def look():
        return node.ctl("pod", "/proc", "/sys/fs/cgroup", uid)

    assert look()["netns_result"] == -errno.ENOENT
    # the runtime is starting it: in the cgroup, not yet in the namespace
    early = node.vm.spawn("echo; read x", cgroup=a.cgroup)
    wait_for(lambda: early.out, 10, "a process")
    assert look()["netns_result"] == -errno.ENOENT
    first = a.spawn("echo; read x")
    wait_for(lambda: first.out, 10, "a process")
    nested = a.spawn(["unshare", "-n", "sh", "-c", "echo; read x"])
    wait_for(lambda: nested.out, 10, "a process")
    got = look()
    assert node.ctl("look", got["netns"])["inode"] == \
        node.ctl("look", a.netns)["inode"]
    # the id that BPF sees
    path = os.path.dirname("/sys/fs/cgroup/" + a.cgroup)
    assert got["cgroup"] == path
    assert got["id"] == int(node.vm.run(f"stat -c %i {path}").out)
    for p in (early, first, nested):
        p.kill()
    node.vm.run("rmdir /sys/fs/cgroup/" + a.cgroup)
    a.cgroup = "lab/a"

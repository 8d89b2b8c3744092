# SPDX-License-Identifier: Apache-2.0
"""user/node on this machine's own kernel, in namespaces made for each test.

What needs SMC is in tests/vm/test_node.py. tests/net/nodectl.c calls one
function and prints what it returned.
"""
import contextlib
import ctypes
import errno
import os
import shlex
import socket
import struct
import subprocess
import time

import pytest

from smclab import istio, wait_for
from smclab.nodens import NODECTL, nodectl

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


# ---- the helper --------------------------------------------------------------

def test_helper_that_hangs_or_crashes_is_an_error(netns):
    n = netns()
    start = time.monotonic()
    assert nodectl("helper", "hang", n.path, 300)["result"] == -errno.ETIMEDOUT
    assert 0.3 <= time.monotonic() - start < 2
    assert nodectl("helper", "crash", n.path, 3000) == {
        "result": -errno.EIO, "len": 0}
    assert nodectl("helper", "big", n.path, 3000) == {
        "result": 42, "len": 800000}


def test_probe_without_rdma_is_refused(netns):
    """A helper that is not waited for says so."""
    n = netns()
    if os.path.exists("/dev/infiniband/rdma_cm"):
        pytest.skip("this machine has rdma_cm")
    # whether process 1 has it cannot be seen from every container
    assert nodectl("probe", 300, n.path, "10.0.0.1", "10.0.0.2")[
        "result"] in (-errno.ENODEV, -errno.EACCES)


def has_ended(pid):
    """Gone, or waiting for an init that does not come: in a container the first
    process is often none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_helper_ends_with_its_caller(netns):
    caller = subprocess.Popen([NODECTL, "helper", "hang", netns().path,
                               "60000"])
    children = f"/proc/{caller.pid}/task/{caller.pid}/children"

    def child():
        with open(children, encoding="ascii") as f:
            return f.read().split()

    try:
        pid = int(wait_for(child, 10, "the helper")[0])
    finally:
        caller.kill()
        caller.wait()
    wait_for(lambda: has_ended(pid), 10, "its end")


def test_path_of_no_network_namespace_is_refused(tmp_path):
    assert nodectl("look", "/run/netns/nobody") == {"result": -errno.ENOENT}
    file = tmp_path / "file"
    file.write_text("")
    assert nodectl("look", file) == {"result": -errno.EINVAL}
    # a namespace, but of another kind
    assert nodectl("look", "/proc/self/ns/uts") == {"result": -errno.EINVAL}


# ---- facts -------------------------------------------------------------------

def test_look_tells_addresses_inode_and_cookie(netns):
    n = netns()
    n.run("ip link set lo up; ip link add v0 type veth peer name v1;"
          "ip link set v0 up; ip link set v1 up;"
          "ip addr add 10.1.2.3/16 dev v0; ip addr add 169.254.1.1/16 dev v0;"
          "ip -6 addr add fd00:1::3/64 dev v0 nodad; ip addr add 127.0.0.9/8 dev lo")
    got = nodectl("look", n.path)
    # fe80::, loopback and 169.254 are nobody's endpoints
    assert sorted(got["addrs"]) == ["10.1.2.3", "fd00:1::3"]
    assert got["inode"] == os.stat(n.path).st_ino
    with n.socket() as s:
        cookie = s.getsockopt(socket.SOL_SOCKET, 71, 8)    # SO_NETNS_COOKIE
    assert got["cookie"] == int.from_bytes(cookie, "little")
    other = nodectl("look", netns("b").path)
    assert other["addrs"] == []
    assert other["cookie"] != got["cookie"]


@pytest.mark.skipif(os.path.exists("/proc/sys/net/smc"),
                    reason="this kernel has SMC")
def test_kernel_without_smc_verifies_no_namespace(netns):
    n = netns()
    got = nodectl("prepare", n.path, "smcmesh_1")
    assert (got["verified"], got["reason"]) == (False, "selector-failed")
    assert got["err"] == -errno.ENOENT
    assert got["transports"] == 0
    assert nodectl("prepare", n.path, "-")["reason"] == "no-selector"
    assert nodectl("count", n.path) == {"result": 0}
    assert nodectl("ueid", "list")["result"] == -errno.ENOENT
    assert nodectl("ueid", "add", "X")["result"] == -errno.ENOENT
    devices = nodectl("devices")
    assert devices["loopback"] == -errno.ENOENT
    assert nodectl("release", n.path) == {
        "result": 0, "selector": False, "rule": False, "kept": False,
        "smc_sockets": 0}


def test_only_listeners_not_on_loopback_are_late(netns):
    n = netns()
    n.run("ip link set lo up")
    v4, v6 = socket.AF_INET, socket.AF_INET6
    with contextlib.ExitStack() as stack:
        for family, address in ((v4, ("0.0.0.0", 80)), (v6, ("::", 81)),
                                (v4, ("127.0.0.1", 82)), (v6, ("::1", 83))):
            s = stack.enter_context(n.socket(family, socket.SOCK_STREAM))
            s.bind(address)
            s.listen()
        # bound, not listening
        s = stack.enter_context(n.socket(v4, socket.SOCK_STREAM))
        s.bind(("0.0.0.0", 84))
        got = nodectl("late", n.path)
    assert got == {"result": 2, "listeners": [
        {"addr": "0.0.0.0", "port": 80, "uid": 0},
        {"addr": "::", "port": 81, "uid": 0}]}
    assert nodectl("late", n.path) == {"result": 0, "listeners": []}


def test_each_namespace_is_told_once(netns):
    n = netns()
    alone = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; read x"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    ghost = n.path + "-ghost"
    with open(ghost, "w", encoding="ascii"):    # unmounted: no namespace
        pass
    try:
        alone.stdout.readline()
        inside = n.spawn("echo; read x")
        inside.stdout.readline()
        got = nodectl("each")
        inside.communicate("\n")
        alone_ino = os.stat(f"/proc/{alone.pid}/ns/net").st_ino
    finally:
        alone.communicate(b"\n")
        os.unlink(ghost)
    assert got["result"] == 0
    inodes = [x["inode"] for x in got["netns"]]
    assert len(inodes) == len(set(inodes))
    by_inode = {x["inode"]: x["path"] for x in got["netns"]}
    assert by_inode[os.stat(n.path).st_ino] == n.path
    assert by_inode[alone_ino].startswith("/proc/")
    assert os.stat("/proc/self/ns/net").st_ino in inodes
    assert ghost not in by_inode.values()


def test_namespace_mounted_by_the_host_alone_is_told(netns, tmp_path):
    """What only the host has mounted, as a container sees it: by process 1."""
    n = netns()
    host = tmp_path / "1/root/run/netns"
    host.mkdir(parents=True)
    for name, source in (("cni-1", n.path), ("cni-2", None)):
        (host / name).touch()
        if source:
            subprocess.run(["mount", "--bind", source, host / name], check=True)
        else:    # of no process and at no other place
            subprocess.run(["unshare", f"--net={host / name}", "true"], check=True)
    (host / "ghost").touch()
    try:
        got = nodectl("each", tmp_path)
        inode = os.stat(host / "cni-2").st_ino
        assert nodectl("look", host / "cni-2")["inode"] == inode
    finally:
        for name in ("cni-1", "cni-2"):
            subprocess.run(["umount", host / name], check=False)
    assert got["result"] == 0
    by_path = {x["path"]: x["inode"] for x in got["netns"]}
    assert by_path[str(host / "cni-2")] == inode
    assert n.path in by_path and str(host / "cni-1") not in by_path
    assert str(host / "ghost") not in by_path


# ---- UIDs --------------------------------------------------------------------

@contextlib.contextmanager
def user_namespace(argv, mapping):
    """A process that unshared as @argv says, its UIDs mapped by @mapping."""
    p = subprocess.Popen([*argv, "sh", "-c", "echo; read x"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        p.stdout.readline()
        with open(f"/proc/{p.pid}/uid_map", "w", encoding="ascii") as f:
            f.write(mapping)
        yield p
    finally:
        p.communicate(b"\n")


# a chroot, or user.max_user_namespaces, may forbid it even to root
needs_user_namespaces = pytest.mark.skipif(
    subprocess.run(["unshare", "--user", "true"], check=False,
                   stderr=subprocess.DEVNULL).returncode != 0,
    reason="user namespaces cannot be made here")


@needs_user_namespaces
def test_proxy_uid_is_translated_by_the_processes_map(netns):
    n = netns()
    assert nodectl("uid", n.path, 1337) == {"result": 0, "uid": 1337}
    enter = ["nsenter", f"--net={n.path}", "unshare", "--user"]
    with user_namespace(enter, "0 200000 65536"):
        assert nodectl("uid", n.path, 1337) == {"result": 0, "uid": 201337}
        assert nodectl("uid", n.path, 65536)["result"] == -errno.ERANGE
        # with a process of the host's beside it, that one is a sandbox
        p = n.spawn("echo; read x")
        p.stdout.readline()
        assert nodectl("uid", n.path, 1337) == {"result": 0, "uid": 1337}
        p.communicate("\n")


@needs_user_namespaces
def test_proxy_uid_is_translated_by_the_owners_map():
    """As container runtimes do it: the pod's user namespace owns its network
    namespace, and its map counts, whatever is made inside."""
    with user_namespace(["unshare", "--user", "--net"], "0 300000 65536") as p:
        path = f"/proc/{p.pid}/ns/net"
        assert nodectl("uid", path, 1337) == {"result": 0, "uid": 301337}
        with subprocess.Popen(["nsenter", f"--net={path}", "sh", "-c",
                               "echo; read x"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as visitor:
            visitor.stdout.readline()
            assert nodectl("uid", path, 1337)["uid"] == 301337
            visitor.communicate(b"\n")
        # a helper gets in there, too
        assert nodectl("look", path)["inode"] == os.stat(path).st_ino


@needs_user_namespaces
def test_uid_of_a_listener_is_told_as_the_hosts():
    """The kernel tells it in the terms in which the proxy's UID is known."""
    listen = ("import socket; s = socket.create_server(('', 7000)); "
              "print(flush=True); input()")
    with user_namespace(["unshare", "--user", "--net"], "0 300000 65536") as p:
        path = f"/proc/{p.pid}/ns/net"
        with open(f"/proc/{p.pid}/gid_map", "w", encoding="ascii") as f:
            f.write("0 300000 65536")    # for nsenter
        with subprocess.Popen(
                ["nsenter", "--target", str(p.pid), "--user", "--net",
                 "--setuid", "1337", "python3", "-c", listen],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            server.stdout.readline()
            assert nodectl("late", path)["listeners"] == [
                {"addr": "0.0.0.0", "port": 7000, "uid": 301337}]
            assert nodectl("uid", path, 1337)["uid"] == 301337
            server.communicate(b"\n")


# ---- the sidecar's rule ------------------------------------------------------

def ruleset(n):
    return n.run("nft -nn list ruleset").out


def sidecar(n):
    return nodectl("sidecar", 1337, netns=n)["result"]


def test_rule_is_made_once(netns):
    n = netns()
    n.run("nft add table inet other")
    assert sidecar(n) == 1
    made = ruleset(n)
    assert "type nat hook output priority -110" in made
    assert [line.split(" comment ")[0].strip() for line in made.splitlines()
            if "comment" in line] == [
        "meta skuid 0-4294967295 return",
        "meta l4proto 6 dnat ip to ip daddr",
        "meta l4proto 6 dnat ip6 to ip6 daddr"]
    assert sidecar(n) == 0
    assert ruleset(n) == made
    assert nodectl("unsidecar", netns=n)["result"] == 1
    assert nodectl("unsidecar", netns=n)["result"] == 0
    assert ruleset(n).split() == "table inet other { }".split()


@pytest.mark.parametrize("harm", [
    "nft flush chain inet smcmesh output",
    "nft add rule inet smcmesh output accept",
    "nft insert rule inet smcmesh output tcp dport 1 drop",
    "nft add chain inet smcmesh more",
    "nft delete rule inet smcmesh output handle 3",
    "nft delete table inet smcmesh",
    "nft 'add table inet smcmesh { flags dormant; }'",
    "nft 'add set inet smcmesh s { type ipv4_addr; }'",
    "nft 'chain inet smcmesh output { policy drop; }'",
    "nft delete rule inet smcmesh output handle 2",
    "nft 'replace rule inet smcmesh output handle 2 meta skuid 0-7 return'"])
def test_altered_rule_is_put_right(netns, harm):
    n = netns()
    assert sidecar(n) == 1
    before = ruleset(n)
    n.run(harm)
    assert ruleset(n) != before
    assert sidecar(n) == 1
    assert ruleset(n) == before
    assert sidecar(n) == 0


# What agents made up to the one that knows a proxy's SYN without a mark.
MARKED = """
table inet smcmesh {
	chain output {
		type nat hook output priority -110; policy accept;
		meta mark & 0x0000ff00 == 0x00000100 dnat ip to ip daddr comment "smcmesh"
		meta mark & 0x0000ff00 == 0x00000100 dnat ip6 to ip6 daddr comment "smcmesh"
	}
}
"""


def test_rule_of_an_older_agent_is_replaced(netns):
    n = netns()
    assert sidecar(n) == 1
    ours = ruleset(n)
    n.run("nft delete table inet smcmesh; nft -f -", stdin=MARKED)
    assert "mark" in ruleset(n)
    assert sidecar(n) == 1
    assert ruleset(n) == ours
    n.run("nft delete table inet smcmesh; nft -f -", stdin=MARKED)
    assert nodectl("left", n.path)["rule"]
    assert nodectl("release", n.path)["rule"]
    assert ruleset(n) == ""


def test_foreign_table_is_left_and_named(netns):
    n = netns()
    n.run("nft add table inet smcmesh; nft add chain inet smcmesh theirs;"
          "nft add rule inet smcmesh theirs accept")
    before = ruleset(n)
    got = nodectl("prepare", n.path, "smcmesh_1", 1337)
    assert (got["reason"], got["err"]) == ("owner-rule", -errno.EEXIST)
    assert "not ours" in got["detail"]
    assert not nodectl("left", n.path)["rule"]
    assert not nodectl("release", n.path)["rule"]
    assert ruleset(n) == before


def no_netfilter_netlink():
    """From here on the process lives on a kernel without that bus: a seccomp
    filter, socket(AF_NETLINK, any, NETLINK_NETFILTER) is EPROTONOSUPPORT."""
    ld, jeq, ret = 0x20, 0x15, 0x06    # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    nr, arg0, arg2 = 0, 16, 32         # in struct seccomp_data
    code = [(ld, 0, 0, nr), (jeq, 0, 5, 41), (ld, 0, 0, arg0),
            (jeq, 0, 3, socket.AF_NETLINK), (ld, 0, 0, arg2), (jeq, 0, 1, 12),
            (ret, 0, 0, 0x50000 | errno.EPROTONOSUPPORT), (ret, 0, 0, 0x7fff0000)]
    program = ctypes.create_string_buffer(
        b"".join(struct.pack("=HBBI", *insn) for insn in code))
    fprog = ctypes.create_string_buffer(
        struct.pack("@HP", len(code), ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    if libc.prctl(38, 1, 0, 0, 0) or \
            libc.prctl(22, 2, ctypes.addressof(fprog), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="system call numbers")
def test_kernel_without_nftables_verifies_no_sidecar(netns):
    n = netns()
    got = nodectl("prepare", n.path, "smcmesh_1", 1337,
                  preexec_fn=no_netfilter_netlink)
    assert not got["verified"]
    assert (got["reason"], got["err"]) == ("owner-rule", -errno.EPROTONOSUPPORT)
    # nothing to take away there is no failure
    got = nodectl("release", n.path, preexec_fn=no_netfilter_netlink)
    assert (got["result"], got["rule"]) == (0, False)
    got = nodectl("left", n.path, preexec_fn=no_netfilter_netlink)
    assert (got["result"], got["rule"]) == (0, False)


def test_released_namespace_has_no_rule_left(netns):
    n = netns()
    nodectl("prepare", n.path, "smcmesh_1", 1337)
    assert "smcmesh" in ruleset(n)
    assert nodectl("left", n.path) == {"result": 0, "ctrl": "", "rule": True}
    assert nodectl("release", n.path)["rule"]
    assert ruleset(n) == ""
    assert nodectl("left", n.path) == {"result": 0, "ctrl": "", "rule": False}
    assert nodectl("left", n.path + "-")["result"] == -errno.ENOENT


# Sockets of programs have a file: none passes by our rule. What passes needs SMC
# and is in tests/vm/test_node.py.
#
#	pod: eth0 10.9.0.1, fd09::1 ------ peer: eth0 10.9.0.2, fd09::2
#	listens: 15001 (the sidecar)             listens: 8080 (the server)

LISTEN = """
import socket, sys
s = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6,
                         dualstack_ipv6=True)
print(flush=True)
while True:
    c, _ = s.accept()
    c.sendall(sys.argv[2].encode())
    c.close()
"""


def has(kind):
    if kind == "nftables":
        return True
    return subprocess.run(["unshare", "-n", "sh", "-c",
                           "iptables-legacy -t nat -S && ip6tables-legacy -t nat -S"],
                          capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def pair(netns):
    pod, peer = netns("a"), netns("b")
    pod.run("ip link set lo up; ip link add eth0 type veth peer name eth0 netns "
            + shlex.quote(peer.name))
    for n, last in ((pod, 1), (peer, 2)):
        n.run(f"ip link set eth0 up; ip addr add 10.9.0.{last}/24 dev eth0;"
              f"ip -6 addr add fd09::{last}/64 dev eth0 nodad")
    servers = []
    try:
        for n, port, word in ((pod, istio.OUT, "sidecar"), (peer, 8080, "peer")):
            p = n.spawn(["python3", "-c", LISTEN, str(port), word])
            servers.append(p)
            p.stdout.readline()
        yield pod
    finally:
        for p in servers:
            p.kill()
            p.communicate()


def reach(pod, address, mark=None):
    """Who answers when the pod dials @address:8080?"""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pod.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(10)
        if mark:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        s.connect((address, 8080))
        return s.recv(100).decode()


@pytest.mark.parametrize("kind", istio.RULES)
def test_sockets_of_programs_do_not_pass(netns, kind):
    if not has(kind):
        pytest.skip(f"no {kind} in this kernel")
    with pair(netns) as pod:
        for address in ("10.9.0.2", "fd09::2"):
            assert reach(pod, address) == "peer"    # no rules yet
        istio.install(pod, kind)
        assert sidecar(pod) == 1
        for address in ("10.9.0.2", "fd09::2"):
            assert reach(pod, address) == "sidecar"
            assert reach(pod, address, 0x100) == "sidecar"

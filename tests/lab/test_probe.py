# SPDX-License-Identifier: Apache-2.0
"""The probe of RDMA paths (user/node/probe.h), without an agent.

     a      b      x                         c      d      e
    .1.10  .1.11  .1.20                     .2.10  .2.11  .2.12
    +rxe   +rxe   no rxe                    +rxe   +rxe   no rxe
     |      |      |                         |      |      |
   --+------+------+-- br0 - eth0 ==== eth0 - br0 --+------+--
     n1                                      n2: drops in its bridge

nodectl (tests/net/nodectl.c) makes the calls. What is cut is cut on the wire;
beside each dead path there is one that is whole, in the same call.
"""
import errno

import pytest

from smclab import progs, topo, wait_for
from smclab.flows import held, serve
from smclab.roce import BOTH, FROM, TO, cut

NODECTL = "/build/faults/vm/nodectl"
WHOLE, DEAD = 0, -errno.ETIMEDOUT
MS = 500
PODS = {"a": ("n1", "1.10", True), "b": ("n1", "1.11", True),
        "x": ("n1", "1.20", False), "c": ("n2", "2.10", True),
        "d": ("n2", "2.11", True), "e": ("n2", "2.12", False)}


class Lab:
    def __init__(self, pair):
        self.n1 = pair.n1
        for vm in pair:
            topo.bridge(vm, nic="eth0")
        for name, (node, host, rdma) in PODS.items():
            setattr(self, name, topo.pod(getattr(pair, node), name,
                                         f"10.244.{host}/16", rdma=rdma))
        self.probe(self.a, self.c, self.d)    # the first takes a while

    def call(self, *args, **where):
        return self.n1.run([NODECTL, "probe", *map(str, args)], **where).json()

    def probe(self, pod, *peers, own=None, ms=MS, **where):
        """[result of each peer, which is a pod or an address]"""
        addresses = [getattr(p, "v4", p) for p in peers]
        asked = [x for a in addresses for x in (pod.netns, own or pod.v4, a)]
        got = self.call(ms, *asked, **where)
        if got["result"]:
            return got["result"]
        assert [p["peer"] for p in got["probes"]] == addresses
        for p in got["probes"]:
            assert (p["us"] > 0) == (p["result"] == WHOLE), p
        return [p["result"] for p in got["probes"]]


@pytest.fixture(scope="module")
def lab(pair):
    return Lab(pair)


def requests(pod):
    """What the kernel still has of the pod's requests."""
    return pod.run("rdma resource show cm_id").out.split()


def test_probe_of_a_whole_path_is_answered(lab):
    assert lab.probe(lab.a, lab.c) == [WHOLE]
    assert lab.probe(lab.a, lab.c, lab.d, lab.b, lab.c) == [WHOLE] * 4
    assert lab.probe(lab.b, lab.d) == [WHOLE]
    assert not requests(lab.a)


@pytest.mark.parametrize("direction", [TO, FROM, BOTH])
def test_probe_of_a_dead_path_is_not_answered(lab, direction):
    """Each direction is enough, and nothing else is touched; the next call after
    healing says so."""
    with cut(lab.c, direction):
        assert lab.probe(lab.a, lab.c, lab.d) == [DEAD, WHOLE]
        assert lab.probe(lab.b, lab.d, lab.c) == [WHOLE, DEAD]
        assert lab.a.run(f"ping -c 1 -W 5 {lab.c.v4}").rc == 0
    assert lab.probe(lab.a, lab.c, lab.d) == [WHOLE, WHOLE]
    assert not requests(lab.a)


def test_probe_returns_before_the_answer(lab):
    """The call returns before the answer, and an answer that does not come is
    waited for as long as was said."""
    with cut(lab.c):
        got = lab.call(900, lab.a.netns, lab.a.v4, lab.c.v4)
    assert got["probes"][0]["result"] == DEAD
    assert got["waited"] >= 5    # of 100 ms each


def test_probe_survives_one_lost_packet(lab):
    """A request has 308 bytes with its IP header."""
    with cut(lab.c, TO, "quota until 400 bytes"):
        assert lab.probe(lab.a, lab.c, ms=2000) == [WHOLE]
    with cut(lab.c, TO, "quota until 700 bytes"):
        assert lab.probe(lab.a, lab.c, ms=2000) == [DEAD]


def test_256_paths_are_probed_in_one_call(lab):
    """As many as there may be, half of them dead, in one call and in the time of
    one."""
    peers = [lab.c, lab.d] * 128
    with cut(lab.c):
        got = lab.probe(lab.a, *peers, ms=10000)
        assert got == [DEAD, WHOLE] * 128
    assert lab.probe(lab.a, *peers, lab.d) == -errno.E2BIG


def test_peers_that_cannot_answer_are_dead_alone(lab):
    got = lab.probe(lab.a, lab.e, "10.244.2.99", lab.d)
    assert got[0] == DEAD
    assert got[1] in (DEAD, -errno.EHOSTUNREACH)    # not even a neighbour
    assert got[2] == WHOLE


def test_addresses_that_cannot_be_probed_are_refused_alone(lab):
    assert lab.probe(lab.a, "fd00::1", "127.0.0.1", lab.d) == [
        -errno.EINVAL, -errno.EINVAL, WHOLE]
    assert lab.probe(lab.x, lab.d) == [-errno.ENODEV]
    assert lab.probe(lab.a, lab.d, own=lab.b.v4) == [-errno.EADDRNOTAVAIL]


def test_one_call_probes_from_many_namespaces(lab):
    """One helper goes through them; one that has gone, or is none, is no other's
    trouble, and the way back to its own is known."""
    lab.n1.run("touch /tmp/none")
    got = lab.call(MS, lab.a.netns, lab.a.v4, lab.c.v4,
                   "/run/netns/nobody", lab.a.v4, lab.d.v4,
                   lab.b.netns, lab.b.v4, lab.d.v4,
                   "/tmp/none", lab.b.v4, lab.d.v4,
                   "-", lab.b.v4, lab.d.v4,
                   lab.a.netns, lab.a.v4, lab.d.v4)
    assert [p["result"] for p in got["probes"]] == [
        WHOLE, -errno.ENOENT, WHOLE, -errno.EINVAL, -errno.EADDRNOTAVAIL, WHOLE]


def test_namespace_of_another_cookie_is_not_probed(lab):
    """As after a sandbox was made anew: it is known by its cookie."""
    cookie = lab.a.run(["python3", "-c", "import socket, struct; print(struct."
                        "unpack('Q', socket.socket().getsockopt(1, 71, 8))[0])"])
    for other, result in ((0, WHOLE), (1, -errno.ENOENT)):
        env = {"NODECTL_COOKIE": str(int(cookie.out) + other)}
        assert lab.probe(lab.a, lab.c, env=env) == [result]


def test_probe_without_the_device_file_is_refused(lab):
    """Without it nothing is probed, and that is said; a container has the
    machine's."""
    dev = "/dev/infiniband/rdma_cm"
    argv = f"{NODECTL} probe {MS} {lab.a.netns} {lab.a.v4} {lab.d.v4}"

    def container():
        return lab.n1.run(["unshare", "-m", "sh", "-c", "mount -t tmpfs none "
                           f"/dev/infiniband && {argv}"]).json()

    assert container()["probes"][0]["result"] == WHOLE
    lab.n1.run(f"mv {dev} {dev}.away")
    try:
        assert lab.probe(lab.a, lab.d) == -errno.ENODEV
        assert container()["result"] == -errno.ENODEV
    finally:
        lab.n1.run(f"mv {dev}.away {dev}")
    lab.n1.run(f"chmod 600 {dev}")
    assert lab.a.run([NODECTL, "probe", str(MS), "-", lab.a.v4, lab.d.v4],
                     user=65534).json()["result"] == -errno.EACCES
    assert lab.probe(lab.a, lab.d) == [WHOLE]


def test_probe_gets_past_a_containers_device_filter(lab):
    """As runc sets it: no device but the container's own. The helper begins in
    the root of the cgroup tree, though that is mounted read-only and its own
    cgroup namespace does not show it."""
    here = "/sys/fs/cgroup/lab/container"
    progs.path("denydev.bpf.o")
    lab.n1.run(f"mkdir -p {here}; "
               "bpftool prog load /build/progs/denydev.bpf.o "
               f"/sys/fs/bpf/denydev && bpftool cgroup attach {here} device "
               "pinned /sys/fs/bpf/denydev")
    argv = (f"mount --bind /sys/fs/cgroup /mnt && mount -o remount,bind,ro /mnt"
            f" && {NODECTL} probe {MS} {lab.a.netns} {lab.a.v4} {lab.d.v4}")

    def container(**env):
        return lab.n1.run(["unshare", "-m", "-C", "sh", "-c", argv],
                          cgroup="lab/container", env=env).json()

    assert container()["result"] == -errno.EPERM
    assert container(NODECTL_CGROUP="/nowhere")["result"] == -errno.EPERM
    got = container(NODECTL_CGROUP="/mnt")
    assert got["result"] == 0 and got["probes"][0]["result"] == WHOLE, got


def test_probe_waits_for_no_lock_of_smc(lab, pair):
    """While a first contact of SMC's dies on a path, which holds a lock of each
    of the two kernels for seconds, other paths are probed as ever."""
    for vm in pair:
        topo.ueid(vm)
    for pod in lab.c, lab.d:
        serve(pod, 7000, native=True)
    with held(lab.b, lab.d.v4, 7000, protocol="smc") as h:
        assert h.ends(lab.d) == [("smcr", "smcr")]    # it can be had
    with cut(lab.c):
        dying = lab.a.spawn([progs.path("hold"), "--protocol", "smc",
                             f"{lab.c.v4}:7000"])
        wait_for(lambda: any(r["remote_port"] == 7000
                             for r in lab.a.diag(every=True)), 20,
                 "the connect() to begin")
        for _ in range(3):
            assert lab.probe(lab.b, lab.d, lab.c) == [WHOLE, DEAD]
        assert dying.alive and '"held"' not in dying.out
        dying.kill(9)

# SPDX-License-Identifier: Apache-2.0
"""Who refuses a converted socket(), and how few of them fail for it.

            VM refusal: c and s armed
     c       s
    .10     .11
   --+-- br0-+--

A cgroup's program refuses after SMC has made the socket, a security module
before anything is made. Where a module that is known to judge sockets is listed
in /sys/kernel/security/lsm (here: a file that says so), another program looks
on. What plain TCP fails with too disarms nobody.
"""
import contextlib

import pytest

from smclab import Vm, progs, topo
from smclab.agents import Agent
from smclab.crowd import ready, result
from smclab.flows import become, ends, serve
from smclab.mesh import Mesh
from smclab.pins import PINS

SMCD = ("smcd", "smcd")
TO = "10.244.1.11:7000"
LSM = "/sys/kernel/security/lsm"
UID = "4242"    # tests/progs/denylsm.bpf.c
THREADS = 4


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        for name, host in zip("cs", (10, 11)):
            setattr(self, name, self.mesh.add(
                topo.pod(vm, name, f"10.244.1.{host}/16")))
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        serve(self.s, 7000)
        assert "bpf" in vm.run(["cat", LSM]).out

    def links(self):
        return self.vm.run(["ls", PINS + "links"]).out.split()

    def refused(self):
        """c is disarmed, said so, and armed again for the next test."""
        become(lambda: self.agent.pod("c")["reason"], "refused", 20)
        with self.mesh.changed(c={"enabled": None}):
            become(lambda: self.agent.pod("c")["reason"], "not-annotated", 30)
        become(lambda: self.agent.pod("c")["armed"], True, 30)


@pytest.fixture(scope="module", params=["mark", "named-lsm"])
def lab(request):
    with Vm("refusal", mem=1024) as vm:
        if request.param == "named-lsm":
            vm.run("mountpoint -q /sys/kernel/security || mount -t securityfs "
                   "none /sys/kernel/security; cat /sys/kernel/security/lsm "
                   "> /run/lsm; echo ,apparmor >> /run/lsm; "
                   f"mount --bind /run/lsm {LSM}")
        else:
            vm.run("mountpoint -q /sys/kernel/security || mount -t securityfs "
                   "none /sys/kernel/security")
        lab = Lab(vm)
        lab.mode = request.param
        assert ("sock_refused" in lab.links()) == \
            (request.param == "named-lsm"), lab.links()
        yield lab


@contextlib.contextmanager
def by_cgroup(lab):
    deny = ready(lab.vm.spawn([progs.path("denysmc"),
                               f"/sys/fs/cgroup/{lab.c.cgroup}"]), "denysmc")
    try:
        yield
    finally:
        deny.stdin(None)
        deny.wait()


@contextlib.contextmanager
def by_lsm(lab):
    deny = ready(lab.vm.spawn(["/build/faults/vm/lsmctl",
                               progs.path("denylsm.bpf.o")]), "lsmctl")
    try:
        yield
    finally:
        deny.stdin(None)
        deny.wait()


def hundred(lab, threads):
    """Connections of UID 4242."""
    proc = lab.c.spawn([progs.path("hammer"), "--to", TO, "--count", "100",
                        "--threads", str(threads)], user=UID)
    proc.stdin(None)
    proc.wait(60)
    return {**result(proc), "talk": proc.err}


@pytest.mark.parametrize("who, says", [
    (by_cgroup, "Operation not permitted"), (by_lsm, "Permission denied")],
    ids=["cgroup", "lsm"])
def test_refused_conversion_fails_one_socket_of_a_task(lab, who, says):
    """Where the kernel tells who refused, the pod is disarmed by the first; a
    module's silence has to be met by two tasks."""
    silent = who is by_lsm and lab.mode == "mark"
    with who(lab):
        told = hundred(lab, 1)
        assert told["errors"] == 1 and told["tcp"] == 99, told
        assert says in told["talk"], told
        told = hundred(lab, THREADS)
        assert told["errors"] <= (THREADS if silent else 0), told
        assert told["errors"] + told["tcp"] == 100, told
        told = hundred(lab, THREADS)
        assert told["errors"] == 0 and told["tcp"] == 100, told
        lab.refused()
        # several tasks at once: each may meet it once
        told = hundred(lab, THREADS)
        assert 1 <= told["errors"] <= THREADS, told
        assert told["errors"] + told["tcp"] == 100, told
        told = hundred(lab, THREADS)
        lab.refused()
    assert ends(lab.c, lab.s) == SMCD


HARMLESS = """
import errno, os, resource, socket

def fails(err, *args):
    try:
        socket.socket(*args)
    except OSError as e:
        assert e.errno == err, e
    else:
        raise SystemExit(f"socket{args} did not fail")

def smc():
    s = socket.socket()
    got = s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)
    s.close()
    assert got == 256, got

os.setuid(65534)
for _ in range(3):
    smc()
    fails(errno.EINVAL, socket.AF_INET, socket.SOCK_STREAM | 1 << 20)
    smc()
    fails(errno.EPERM, socket.AF_INET, socket.SOCK_RAW, 1)
    smc()
    fails(errno.EPROTONOSUPPORT, socket.AF_INET, socket.SOCK_DGRAM, 6)
    smc()
    fails(errno.EAFNOSUPPORT, 45, socket.SOCK_STREAM)
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
held = []
try:
    while True:
        held.append(socket.socket())
except OSError as e:
    assert e.errno == errno.EMFILE, e
for _ in range(3):
    fails(errno.EMFILE, socket.AF_INET, socket.SOCK_STREAM)
del held
smc()
print("whole")
"""


def test_what_tcp_fails_with_too_is_no_refusal(lab):
    told = lab.c.run(["python3", "-c", HARMLESS])
    assert told.out.strip() == "whole", told
    assert lab.agent.pod("c")["armed"]
    assert lab.agent.metric("smcmesh_sockets_converted_total", pod="c") > 10
    assert ends(lab.c, lab.s) == SMCD

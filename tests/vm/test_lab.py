# SPDX-License-Identifier: Apache-2.0
"""The laboratory itself: before it judges others, it is judged.

    VM n1:   a 10.0.0.1 ---- br0 ---- b 10.0.0.2
             fd00::1                  fd00::2
"""
import os
import signal
import subprocess
import sys
import time

import pytest

from smclab import CommandFailed, LabError, Vm, paths, topo, wait_for

SMC, TCP = 256, 6
PORT = 8000
ECHO = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, int(sys.argv[1]))
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("::", int(sys.argv[2])))
s.listen()
c, _ = s.accept()
while data := c.recv(4096):
    c.sendall(data)
"""
ASK = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM, int(sys.argv[1]))
s.connect((sys.argv[2], int(sys.argv[3])))
s.sendall(b"hello")
print(s.recv(5).decode(), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def pods(vm):
    topo.bridge(vm)
    topo.ueid(vm)
    return (topo.pod(vm, "a", "10.0.0.1/24", "fd00::1/64"),
            topo.pod(vm, "b", "10.0.0.2/24", "fd00::2/64"))


def connection(a, b, server, client, addr):
    """Modes at both ends of a connection from b to a that carries data."""
    serve = a.spawn(["python3", "-c", ECHO, str(server), str(PORT)])
    try:
        a.wait_listen(PORT)
        ask = b.spawn(["python3", "-c", ASK, str(client), addr, str(PORT)])
        wait_for(lambda: ask.out == "hello\n" or not ask.alive, 20, "the echo")
        assert ask.alive, ask.output
        modes = a.modes(PORT), b.modes(PORT)
        rows = b.diag()
        ask.stdin(None)
        assert ask.wait(10).rc == 0
        return modes, rows
    finally:
        serve.kill()


def test_commands_have_output_and_status(vm):
    r = vm.run("cat; echo oops >&2; exit 3", check=False, stdin="text")
    assert (r.rc, r.out, r.err) == (3, "text", "oops\n")
    with pytest.raises(CommandFailed, match="exit 3"):
        vm.run("exit 3")
    assert vm.run(["echo", "a b", "$HOME"]).out == "a b $HOME\n"
    assert vm.run(["/no/such/program"], check=False).rc == 127


def test_commands_do_not_wait_for_each_other(vm):
    """Later commands do not wait for earlier ones."""
    waiting = [vm.spawn(f"read x; echo {i} $x") for i in range(8)]
    assert vm.run("echo done").out == "done\n"
    for i, p in reversed(list(enumerate(waiting))):
        assert p.alive
        p.stdin("go\n")
        assert p.wait(20).out == f"{i} go\n"


def test_much_output_is_whole(vm):
    r = vm.run("head -c 3000000 /dev/zero | tr '\\0' x")
    assert r.out == "x" * 3000000


def test_kill_takes_the_children(vm):
    p = vm.spawn("sleep 1000 & echo $!; wait")
    wait_for(lambda: p.out, 10, "the child's number")
    child = p.out.strip()
    assert p.kill().rc == -signal.SIGTERM
    wait_for(lambda: vm.run(f"kill -0 {child}", check=False).rc, 10,
             "the child's end")


def test_time_out_ends_the_command(vm):
    with pytest.raises(CommandFailed, match="no end after"):
        vm.run("exec sleep 4711", timeout=0.5)
    wait_for(lambda: vm.run("pgrep -f 'sleep 471[1]'", check=False).rc == 1)


def test_files_are_written_and_read(vm):
    vm.write("/run/smclab/new/file", "x\n" * 50000, mode=0o600)
    assert vm.read("/run/smclab/new/file") == "x\n" * 50000
    assert vm.run("stat -c %a /run/smclab/new/file").out == "600\n"
    with pytest.raises(OSError, match="No such file"):
        vm.read("/nothing")
    vm.run("echo from the guest > /x/note")
    with open(vm.exchange + "/note", encoding="ascii") as f:
        assert f.read() == "from the guest\n"


def test_tree_is_read_only(vm):
    assert vm.read("/src/Makefile")
    for path in ("/src/x", "/build/x"):
        assert vm.run(f"touch {path}", check=False).rc != 0
    assert not os.path.exists(paths.TREE + "/x")


def test_root_has_all_programs_and_runs_none(vm):
    vm.run("for p in nginx redis-server redis-benchmark wrk haproxy ab nft"
           " sockperf qperf iperf3 tcpdump strace promtool bpftool curl rdma"
           " iptables-nft iptables-legacy; do command -v $p || exit 1; done")
    assert vm.run("pidof nginx redis-server haproxy", check=False).rc == 1


def test_pods_that_ask_for_smc_are_smcd(pods):
    for addr in ("10.0.0.1", "fd00::1"):
        modes, rows = connection(*pods, SMC, SMC, addr)
        assert modes == (["smcd"], ["smcd"])
        assert [(r["remote"], r["remote_port"]) for r in rows] == [(addr, PORT)]


def test_judge_tells_fall_back_from_tcp(pods):
    """One end asks for SMC, the other does not: TCP, and the reason."""
    peer_no_smc = 0x03010000
    modes, rows = connection(*pods, TCP, SMC, "10.0.0.1")
    assert modes == (["plain"], ["tcp"])
    assert rows[0]["reason"] == peer_no_smc
    modes, rows = connection(*pods, SMC, TCP, "10.0.0.1")
    assert modes == (["tcp"], ["plain"])
    modes, _ = connection(*pods, TCP, TCP, "10.0.0.1")
    assert modes == (["plain"], ["plain"])


def test_judge_sees_one_namespace(pods):
    a, _ = pods
    assert topo.diag(a.vm) == []


def test_complaints_are_seen(vm):
    """A BUG in the kernel log fails the test in which it appears."""
    assert vm.complaints() == ""
    vm.run("echo '<3>BUG: made by test_lab' > /dev/kmsg")
    wait_for(lambda: "made by test_lab" in vm.complaints(), 10, "the console")
    assert vm.complaints() == ""    # reported once


DRIVER = """
from smclab import Vm
with Vm("orphan") as vm:
    print(vm.qemu.pid, vm.tmp, flush=True)
    vm.run("sleep 1000", timeout=1000)
"""


def test_no_vm_survives_its_driver():
    """Nor its files, once another VM is started."""
    # it must not wait for a turn: that would be this process' turn
    env = dict(os.environ, PYTHONPATH=paths.TREE + "/tests/lib",
               SMCLAB_DRIVERS="1000")
    with subprocess.Popen([sys.executable, "-c", DRIVER], env=env, text=True,
                          stdout=subprocess.PIPE) as driver:
        qemu, tmp = driver.stdout.readline().split()
        driver.kill()
    wait_for(lambda: not os.path.exists(f"/proc/{qemu}"), 10, "QEMU's end")
    # by us, or by another file's tests beside us, which may be at it just now
    os.rmdir(paths.work_dir("other"))
    wait_for(lambda: not os.path.exists(tmp), 10, "the end of its files")


def test_watchdog_ends_a_vm():
    began = time.monotonic()
    vm = Vm("late", lifetime=8)
    try:
        with pytest.raises(LabError, match="ended by the watchdog"):
            vm.run("sleep 1000", timeout=1000)
        assert vm.qemu.wait(10) == -signal.SIGKILL
    finally:
        vm.stop()
    assert 8 <= time.monotonic() - began < 60

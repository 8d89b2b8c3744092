# SPDX-License-Identifier: Apache-2.0
"""The ration of what is under way: no pod's SMC sockets stop the others' SMC.

                    VM ration, one processor
     c         v         s              t          p
   armed     armed     armed         not armed   not armed: what is sent through
  attacker  neighbour  servers :70xx  :7001       it is not heard of any more
    .10       .12       .11            .20        .21; 10.9.0.0/24 of c and t
     |         |         |              |          |
   --+---------+---------+---- br0 -----+----------+--

A non-blocking connect() of an SMC socket sleeps in a worker of the kernel until
its SYN is answered, and every accept() of an SMC listener needs one of the same
1,024 (smc_hs_wq). The neighbours are v, and t's plain connections to s.
"""
import contextlib
import json
import signal

import pytest

from smclab import Vm, topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, ends, reason, serve
from smclab.mesh import Mesh
from smclab.pins import PINS

DEAD = 1100     # more than there are workers, on this one processor
POD, STRANGERS, NODE = 128, 128, 512
EPROTONOSUPPORT = 93
LONG = 3        # seconds; a neighbour's connection takes some hundredths

NOBODY = ("prlimit --nofile=8192:8192 setpriv --reuid=65534 --regid=65534 "
          "--clear-groups --bounding-set=-all --inh-caps=-all ")

# `flood N PROTOCOL [FAMILY]`: dead non-blocking connects, until the end of stdin
FLOOD = """
import ctypes, json, socket, struct, sys
n, protocol, family = (int(x) for x in sys.argv[1:4])
keep, made = [], {}
connect = ctypes.CDLL(None, use_errno=True).connect    # Python knows no AF_SMC
for i in range(n):
    try:
        s = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK,
                          protocol)
    except OSError as e:
        made[f"errno {e.errno}"] = made.get(f"errno {e.errno}", 0) + 1
        continue
    kind = s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)
    made[kind] = made.get(kind, 0) + 1
    to = struct.pack("=H", socket.AF_INET) + struct.pack("!H", 1000 + i // 200)
    to += bytes([10, 9, 0, 1 + i % 200]) + bytes(8)
    connect(s.fileno(), to, len(to))
    keep.append(s)
print(json.dumps(made), flush=True)
sys.stdin.read()
"""

# `call ADDRESS:PORT:HOW`: an echo, HOW is block or nonblock
CALL = """
import json, select, socket, sys, time
address, port, how = sys.argv[1].split(":")
start, said, s = time.monotonic(), "fine", socket.socket()
try:
    if how == "block":
        s.connect((address, int(port)))
    else:
        s.setblocking(False)
        s.connect_ex((address, int(port)))
        if not select.select([], [s], [], 4)[1]:
            raise OSError("never writable")
        e = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if e:
            raise OSError(e, "SO_ERROR")
    s.settimeout(4)
    s.sendall(b"hello")
    assert s.recv(5) == b"hello"
except OSError as e:
    said = str(e) or repr(e)
kind = s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)
print(json.dumps([said, kind, time.monotonic() - start]), flush=True)
"""
SLOT_STRANGERS = 1023


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        vm.write("/run/flood.py", FLOOD)
        vm.write("/run/call.py", CALL)
        vm.write("/run/ways.py", WAYS)
        topo.bridge(vm, "10.244.1.1/16")
        for name, host in zip("cvstp", (10, 12, 11, 20, 21)):
            setattr(self, name, self.mesh.add(
                topo.pod(vm, name, f"10.244.1.{host}/16"),
                enabled="true" if name in "cvs" else None))
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        for pod in (self.c, self.v, self.t):
            pod.run("ip route add 10.9.0.0/24 via 10.244.1.21")
        # the node's, the strangers', the armed pods': numbers that they keep
        self.slots = [0, SLOT_STRANGERS, *(self.agent.pod(p)["pod_id"] % 1024
                                           for p in "cvs")]
        serve(self.s, *range(7000, 7006), 7009)
        serve(self.t, 7001)

    @contextlib.contextmanager
    def flood(self, pod, protocol=0, family=2, count=DEAD):
        """Dead connects, while the block runs; what their sockets became."""
        proc = pod.spawn(f"{NOBODY} python3 /run/flood.py {count} {protocol} "
                         f"{family}")
        try:
            wait_for(lambda: proc.out or not proc.alive, 60, "the flood")
            assert proc.alive, proc.output
            yield json.loads(proc.out)
        finally:
            proc.kill(signal.SIGKILL)

    def neighbours(self, port):
        """{who and how: (what became of it, seconds)}; s listens at @port, to
        which a test may have done harm that lasts."""
        calls = [(self.t, f"{self.s.v4}:{port}:block"),
                 (self.v, f"{self.s.v4}:{port}:block"),
                 (self.v, f"{self.s.v4}:{port}:nonblock"),
                 (self.v, f"{self.t.v4}:7001:nonblock")]
        procs = [(pod, what, pod.spawn(["python3", "/run/call.py", what]))
                 for pod, what in calls]
        found = {}
        for pod, what, proc in procs:
            assert proc.wait(30).rc == 0, proc.output
            found[f"{pod.name} to {what}"] = tuple(json.loads(proc.out))
        print(found)
        return found

    def all_fine(self, port):
        """Nobody of them notices anything; v's connections to s are SMC."""
        for who, (said, kind, seconds) in self.neighbours(port).items():
            assert said == "fine" and seconds < LONG, (who, said, seconds)
            smc = who.startswith(f"v to {self.s.v4}")
            if (kind == 256) != smc:
                print(self.agent.why_tcp(), self.held())
            assert (kind == 256) == smc, (who, kind)

    def held(self):
        """What is counted: by each slot that counts any, and the rows."""
        counts = {slot: self.agent.row("smc_usage", slot)["pending"]
                  for slot in self.slots}
        rows = self.agent.map("smc_pending")
        return {slot: n for slot, n in counts.items() if n}, len(rows)

    def wait_nothing(self, timeout=10):
        wait_for(lambda: self.held() == ({}, 0), timeout, "nothing under way")


@pytest.fixture(scope="module")
def lab():
    with Vm("ration", mem=1024) as vm:
        yield Lab(vm)


# ---- what it is all about ------------------------------------------------------

def test_dead_connects_of_an_armed_pod_harm_nobody(lab):
    """It may have 128 under way; all that it opens besides is TCP, and says so.
    Nobody else notices."""
    assert lab.agent.get("/v1/status")["features"]["smc_count"]
    lab.all_fine(7000)
    with lab.flood(lab.c) as made:
        assert made == {"256": POD, "6": DEAD - POD}
        lab.all_fine(7000)
        assert ends(lab.c, lab.s) == ("plain", "tcp")
        assert reason(lab.agent, lab.c, 7000) == "rationed"
        assert ends(lab.v, lab.s) == ("smcd", "smcd")
        shown = lab.agent.pod("c")["held"]
        assert (shown["pending"], shown["pending_max"]) == (POD, POD)
        assert shown["rationed"] > DEAD - POD
        metric = lab.agent.metric
        assert metric("smcmesh_sockets_pending", pod="c") == POD
        limit = metric("smcmesh_limit", resource="sockets_pending", of="pod")
        assert limit == POD
        assert metric("smcmesh_sockets_rationed_total", pod="c",
                      kind="converted") > DEAD - POD
        assert f"of {NODE} under way" in lab.agent.cli("status").out
        assert f"{POD} of {POD} SMC handshakes" in lab.agent.cli("pods").out
    lab.wait_nothing()
    assert ends(lab.c, lab.s) == ("smcd", "smcd")
    assert not lab.agent.map("smc_quarantine")


def test_pod_that_asks_for_less_gets_less(lab):
    with lab.mesh.changed(c={"annotations": {"smcmesh.io/limits": "pending=16"}}):
        become(lambda: lab.agent.pod("c")["held"]["pending_max"], 16)
        with lab.flood(lab.c, count=40) as made:
            assert made == {"256": 16, "6": 24}
            assert ends(lab.v, lab.s) == ("smcd", "smcd")
    become(lambda: lab.agent.pod("c")["held"]["pending_max"], POD)


@pytest.mark.parametrize("family, protocol, beyond, port", [
    (2, 256, "6", 7001), (43, 0, f"errno {EPROTONOSUPPORT}", 7002)],
    ids=["ipproto-smc", "af-smc"])
def test_dead_smc_sockets_of_strangers_harm_nobody(lab, family, protocol,
                                                   beyond, port):
    """In a pod that is not armed, as nobody: these use the same workers."""
    with lab.flood(lab.t, protocol, family) as made:
        assert made == {str(protocol): STRANGERS, beyond: DEAD - STRANGERS}
        held = lab.agent.get("/v1/status")["held"]
        assert held["strangers_pending"] == STRANGERS
        assert held["strangers_pending_max"] == STRANGERS
        assert held["rationed"] >= DEAD - STRANGERS
        lab.all_fine(port)
    lab.wait_nothing()


# ---- each is counted once, and given back once ---------------------------------

# `ways SEED SECONDS ADDRESS`: every way that a converted socket can go, from
# four threads; or, with SEED 9, processes that end with sockets of all kinds
WAYS = """
import os, random, socket, sys, threading, time
seed, seconds, server = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
until = time.monotonic() + seconds
def nonblocking(s, *to):
    s.setblocking(False)
    s.connect_ex(to)
def listen_twice(s, r):
    s.bind(("0.0.0.0", 0)); s.listen(3); s.listen(5)
def echo(s, r):
    s.connect((server, 7009)); s.sendall(b"hello"); s.recv(5)
def fast_open(s, r):
    s.setsockopt(socket.IPPROTO_TCP, 30, 1)    # TCP_FASTOPEN_CONNECT: falls back
    s.settimeout(1); s.connect_ex((server, 7009))
def wait_a_bit(s, r, *to):
    nonblocking(s, *to); time.sleep(r.random() / 20)
def after_a_failure(s, r):
    nonblocking(s, server, 9); time.sleep(0.02); s.connect_ex((server, 7009))
def bind_only(s, r):
    s.bind(("0.0.0.0", 0)); time.sleep(0.005)
def two_threads(s, r):
    s.setblocking(False)
    t = threading.Thread(target=lambda: s.connect_ex((server, 7009)))
    t.start(); s.connect_ex((server, 7009)); s.close(); t.join()
ways = [
    lambda s, r: None, listen_twice, echo, fast_open, after_a_failure, bind_only,
    two_threads,
    lambda s, r: nonblocking(s, server, 7009),
    lambda s, r: wait_a_bit(s, r, server, 7009),
    lambda s, r: s.connect((server, 9)),
    lambda s, r: wait_a_bit(s, r, "10.9.0.1", 1),
    lambda s, r: wait_a_bit(s, r, "10.244.1.20", 7001),
]
done = [0] * len(ways)
def loop(number):
    r = random.Random(seed * 100 + number)
    while time.monotonic() < until:
        way = r.randrange(len(ways))
        s = socket.socket()
        try:
            ways[way](s, r)
        except OSError:
            pass    # refused; or too soon, too late
        s.close()
        done[way] += 1
def ends_with_sockets():
    keep = [socket.socket() for _ in range(30)]
    for i, s in enumerate(keep):
        if i % 3:
            nonblocking(s, *(("10.9.0.1", 1) if i % 3 == 1 else (server, 7009)))
    if not os.fork():
        time.sleep(0.1)    # the parent's sockets, for longer than it
    os._exit(0)
if seed == 9:
    while time.monotonic() < until:
        pid = os.fork()
        if not pid:
            ends_with_sockets()
        os.waitpid(pid, 0); done[0] += 1
        time.sleep(0.2)
else:
    threads = [threading.Thread(target=loop, args=(i,)) for i in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()
print(sum(done), flush=True)
"""


def comes_and_goes(lab, seconds):
    """Sockets come and go in every way while the agent is killed, and another
    generation of programs takes over: nothing is left of them."""
    procs = [pod.spawn(["python3", "/run/ways.py", str(seed), str(seconds),
                        lab.s.v4])
             for seed, pod in ((1, lab.c), (2, lab.v), (9, lab.c))]
    try:
        lab.agent.stop(signal.SIGKILL)
        lab.agent.start()
        for proc in procs:
            assert proc.wait(seconds + 60).rc == 0, proc.output
    finally:
        for proc in procs:
            if proc.alive:
                proc.kill(signal.SIGKILL)
    print("sockets", [proc.out.strip() for proc in procs])
    lab.wait_nothing(20)


def wait_answered(lab):
    """v has left many answers of s unfinished, so that s gives it none for
    some time (bpf/answers.bpf.h); the next test wants some."""
    become(lambda: ends(lab.v, lab.s), ("smcd", "smcd"), 90)


def test_no_pending_count_leaks(lab):
    for _ in range(3):
        comes_and_goes(lab, 4)
    wait_answered(lab)


@pytest.mark.long
def test_no_pending_count_leaks_in_twenty_rounds(lab):
    for _ in range(20):
        comes_and_goes(lab, 12)
    wait_answered(lab)


# ---- what is counted wrongly ---------------------------------------------------

IDLE = """
import socket, sys
keep = [socket.socket() for _ in range(int(sys.argv[1]))]
print("ready", flush=True)
sys.stdin.read()
"""


def idle(pod, n):
    proc = pod.spawn(["python3", "-c", IDLE, str(n)])
    wait_for(lambda: "ready" in proc.out, 20, "idle sockets")
    return proc


def test_what_is_counted_wrongly_is_mended(lab):
    """While somebody has taken a program off sockets are closed: their rows are
    left. The agent asks the kernel for its sockets, twice; what it cannot ask
    about stays, and so does what is really under way."""
    lab.wait_nothing()
    slot = lab.agent.pod("c")["pod_id"] % 1024
    real = idle(lab.c, 2)
    gone = idle(lab.c, 5)
    lab.agent.stop(signal.SIGKILL)
    lab.vm.run(f"rm {PINS}links/sock_gone")
    gone.stdin(None)
    gone.wait()
    unknown = (2**40 + 7).to_bytes(8, "little")
    lab.agent.write_row("smc_pending", unknown, SLOT_STRANGERS, 2**31,
                        0, 0)    # no such namespace
    assert lab.held() == ({0: 7, slot: 7}, 8)
    lab.agent.start()
    wait_for(lambda: lab.held() == ({0: 3, SLOT_STRANGERS: 1, slot: 2}, 3), 30,
             "what is over to be taken off, and what is counted to be right")
    real.stdin(None)
    real.wait()
    assert lab.held() == ({0: 1, SLOT_STRANGERS: 1}, 1)
    lab.vm.run(f"bpftool map delete pinned {PINS}smc_pending key "
               f"{' '.join(map(str, unknown))}")
    wait_for(lambda: lab.held() == ({}, 0), 30, "the counts to be mended")


# ---- without the ration: this is what it keeps away ----------------------------

@pytest.mark.parametrize("who, family, protocol, port", [
    ("c", 2, 0, 7003),
    pytest.param("t", 2, 256, 7004, marks=pytest.mark.long),
    pytest.param("t", 43, 0, 7005, marks=pytest.mark.long)],
    ids=["converted", "ipproto-smc", "af-smc"])
def test_unrationed_connects_harm_neighbours(lab, who, family, protocol, port):
    """The same attacks, the same neighbours: the plain client of a converted
    server has no echo, and none of v's connections is whole."""
    with lab.agent.nothing_counted():
        with lab.flood(getattr(lab, who), protocol, family) as made:
            assert list(made.values()) == [DEAD], made
            found = lab.neighbours(port)
    assert all(said != "fine" for said, _, _ in found.values()), found
    become(lambda: lab.neighbours(7000)[f"t to {lab.s.v4}:7000:block"][0], "fine")
    lab.all_fine(7000)
    lab.wait_nothing()

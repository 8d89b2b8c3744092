# SPDX-License-Identifier: Apache-2.0
"""For whom a peer's failure is held against it, and what is no failure.

                VM quarantine, which routes
     c    v    d                s          x
     .10  .11  .12              .10        .11
     |    |    |                |          |
   --+----+----+-- br0        --+----------+-- br1
     10.244.1.0/24              10.244.2.0/24

All are armed. c is the tenant whose failures must not cost v its SMC.
"""
import contextlib
import itertools
import json

import pytest

from smclab import Vm, topo, wait_for
from smclab.agents import Agent
from smclab.crowd import hammer, watch
from smclab.flows import become, ends, serve
from smclab.mesh import Mesh

PORT = 7000
serial = itertools.count()
SMCD, TCP = ("smcd", "smcd"), ("tcp", "tcp")
ECONNRESET, ETIMEDOUT, ECONNREFUSED = 104, 110, 111
NOBODY = ("setpriv --reuid=65534 --regid=65534 --clear-groups"
          " --bounding-set=-all --inh-caps=-all").split()

# In the pod of one end: nothing is heard once TCP is connected (the peer's own
# patience is as long, and its end would be heard first); what is said then is
# answered with a reset; SYNs with the option are lost; everything is.
SILENCE = f"input tcp sport {PORT} tcp flags & syn == 0 drop"
RESET = f"input tcp dport {PORT} tcp flags & psh == psh reject with tcp reset"
BLACK_HOLE = "input tcp option 254 exists drop"
DEAD = "input meta l4proto tcp drop"

# connect() N times at once, or one after the other: of each the error it ends
# with. "again": on one socket, on which it failed before. "hasty": with a
# SO_SNDTIMEO of 3 s.
CONNECT = """
import socket, struct, sys, threading
to, how, n = (sys.argv[1], int(sys.argv[2])), sys.argv[3], int(sys.argv[4])
again = socket.socket()

def connect():
    s = again if how == "again" else socket.socket()
    if how == "hasty":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                     struct.pack("ll", 3, 0))
    print(s.connect_ex(to), flush=True)

if how == "together":
    threads = [threading.Thread(target=connect) for _ in range(n)]
    for t in threads: t.start()
    for t in threads: t.join()
else:
    for _ in range(n): connect()
"""

# Give up a connect() whose SYN was repeated N times (tcpi_retransmits).
GIVE_UP = """
import socket, sys, time
s = socket.socket()
s.setblocking(False)
s.connect_ex((sys.argv[1], int(sys.argv[2])))
while s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[2] < int(sys.argv[3]):
    time.sleep(0.05)
s.close()
"""


# A SYN that is repeated twice, and answered then: the error of its connect().
LATE = """
import select, socket, sys, threading, time
s = socket.socket()
s.setblocking(sys.argv[3] == "blocking")

def connect():
    err = s.connect_ex((sys.argv[1], int(sys.argv[2])))
    if err == 115:
        select.select([], [s], [])
        err = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    print(err, flush=True)

t = threading.Thread(target=connect)
t.start()
while s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[2] < 2:
    time.sleep(0.05)
print("repeated", flush=True)
t.join()
s.close()
"""


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        for net in (1, 2):
            topo.bridge(vm, f"10.244.{net}.1/24", name=f"br{net - 1}")
        vm.run("sysctl -qw net.ipv4.ip_forward=1")
        for name, net, host in (("c", 1, 10), ("v", 1, 11), ("d", 1, 12),
                                ("s", 2, 10), ("x", 2, 11)):
            pod = topo.pod(vm, name, f"10.244.{net}.{host}/24",
                           gateway=f"10.244.{net}.1",
                           bridge_name=f"br{net - 1}")
            setattr(self, name, self.mesh.add(pod, enabled="true"))
        # SYNs at 0, 1 and 2 s, ETIMEDOUT two seconds later
        self.c.run("sysctl -qw net.ipv4.tcp_syn_retries=1"
                   " net.ipv4.tcp_syn_linear_timeouts=1")
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        for pod in (self.s, self.x):
            serve(pod, PORT)

    def record(self, recorder):
        self.mesh.spec["recorder"] = recorder
        self.mesh.apply()
        become(lambda: self.agent.get("/v1/status")["recorder"], recorder, 30)

    def rows(self):
        """{(pod, peer): row} of `smcmesh quarantine`; pod "": of all."""
        told = json.loads(self.agent.cli("quarantine", "-o", "json").out)
        return {(r["pod"], r["peer"]): r for r in told["quarantine"]}

    def state(self, pod, peer):
        """Of one row, None: there is none. @pod None: of all."""
        row = self.rows().get((pod.name if pod else "", f"{peer.v4}:{PORT}"))
        return row and row["state"]

    def clear(self, peer):
        return self.agent.cli("quarantine", "clear", peer, check=False)

    def strikes(self, pod):
        return self.agent.metric("smcmesh_quarantines_total", pod=pod.name)

    def connect(self, pod, to, how="anew", count=1):
        """The errors of so many connect(), by a program without rights."""
        told = pod.run([*NOBODY, "python3", "-c", CONNECT, to.v4, str(PORT),
                        how, str(count)], timeout=120)
        return [int(word) for word in told.out.split()]

    def strike(self, pod):
        """s resets two connections of the pod, one after the other."""
        with broken(self.s, RESET):
            assert self.connect(pod, self.s, count=2) == [ECONNRESET] * 2
        assert self.state(pod, self.s) == "quarantined"

    def give_up(self, pod, to, repeats):
        pod.run([*NOBODY, "python3", "-c", GIVE_UP, to.v4, str(PORT),
                 str(repeats)], timeout=60)


@pytest.fixture(scope="module")
def machine():
    with Vm("quarantine", mem=1024) as vm:
        yield Lab(vm)


@pytest.fixture
def lab(machine):
    """The lab, with nothing held against anybody."""
    machine.clear("all")
    return machine


@pytest.fixture(scope="module", params=[
    "smc", pytest.param("sockops", marks=pytest.mark.long)])
def recorder(request, machine):
    machine.record(request.param)


@contextlib.contextmanager
def broken(pod, how):
    hook, rule = how.split(" ", 1)
    table = f"table ip broken{next(serial)}"
    pod.run("nft -f -", stdin=f"{table} {{\n chain c {{\n type filter hook"
            f" {hook} priority 0\n {rule}\n }}\n}}\n")
    try:
        yield
    finally:
        pod.run(f"nft delete {table}")


@contextlib.contextmanager
def delayed(pod):
    """Handshakes take so long that six can be begun before one ends."""
    pod.run("tc qdisc add dev eth0 root netem delay 500ms")
    try:
        yield
    finally:
        pod.run("tc qdisc del dev eth0 root")


def offered(pod, to):
    """Does the pod's next SYN to there carry the option? Nobody answers it."""
    with watch(pod) as seen, broken(to, DEAD):
        pod.run(["python3", "-c", GIVE_UP, to.v4, str(PORT), "0"])
    syns = [p.smc for p in seen.packets if p.sent and p.dst == to.v4]
    assert len(set(syns)) == 1, seen.packets
    return syns[0]


# ---- strikes -----------------------------------------------------------------

def test_a_pods_failure_is_its_own(lab):
    """Whatever makes a pod's connect() fail, all others stay as they were."""
    before = lab.strikes(lab.c)
    assert ends(lab.v, lab.s) == SMCD
    with broken(lab.c, SILENCE):
        assert lab.connect(lab.c, lab.s) == [ETIMEDOUT]
    assert ends(lab.v, lab.s) == SMCD
    # it is protected itself, and from that peer alone
    assert lab.state(lab.c, lab.s) == "quarantined"
    assert lab.strikes(lab.c) == before + 1
    assert ends(lab.c, lab.s) == TCP
    assert ends(lab.c, lab.x) == SMCD
    flow = [f for f in lab.agent.flows() if f["pod"] == "c"
            and f["remote_address"] == lab.s.v4 and f["outcome"] == "tcp"]
    assert [f["reason"] for f in flow] == ["quarantined"], flow


def test_strikes_of_two_pods_bar_the_peer_for_all(lab):
    for pod in (lab.c, lab.d):
        assert lab.state(None, lab.s) != "quarantined"
        lab.strike(pod)
    row = lab.rows()["", f"{lab.s.v4}:{PORT}"]
    assert row["state"] == "quarantined" and row["code"] == "econnreset", row
    assert {p["pod"] for p in row["seen_by"]} == {"c", "d"}, row
    assert ends(lab.v, lab.s) == TCP
    assert ends(lab.v, lab.x) == SMCD
    lab.clear(f"{lab.s.v4}:{PORT}")
    assert ends(lab.v, lab.s) == SMCD


def test_quarantine_is_listed_and_cleared(lab):
    peer = f"{lab.s.v4}:{PORT}"
    assert lab.agent.cli("quarantine", "-o", "name").out == ""
    lab.strike(lab.c)
    head, *rows = lab.agent.cli("quarantine").out.splitlines()
    assert head.split() == ["POD", "PEER", "STATE", "UNTIL", "STRIKES", "WHY"]
    assert [row.split()[:3] for row in rows] == [
        ["(all)", peer, "mark"], ["default/c", peer, "quarantined"]]
    assert "was closed during the SMC handshake" in rows[1]
    for who, rc in ((f"{lab.s.v4}:{PORT + 1}", 1), (lab.s.v4, 2), (peer, 0),
                    (peer, 1), ("all", 1)):
        told = lab.clear(who)
        assert told.rc == rc, (who, told)
    assert f"not {lab.s.v4}" in lab.clear(lab.s.v4).err
    assert lab.rows() == {}
    assert ends(lab.c, lab.s) == SMCD


# ---- marks -------------------------------------------------------------------

def test_a_server_that_goes_is_no_misbehaviour(lab):
    """Clients whose handshakes are under way when their server is stopped are
    reset, all of them; the next server has SMC at once."""
    before = lab.strikes(lab.c)
    with broken(lab.s, RESET), delayed(lab.c):
        told = lab.connect(lab.c, lab.s, "together", 6)
    assert told == [ECONNRESET] * 6, told
    assert lab.state(lab.c, lab.s) == "mark"
    assert lab.strikes(lab.c) == before
    assert ends(lab.c, lab.s) == SMCD
    assert lab.state(lab.c, lab.s) is None    # forgiven
    with broken(lab.s, RESET):    # so this one is the first again
        lab.connect(lab.c, lab.s)
    assert lab.state(lab.c, lab.s) == "mark"


def test_a_peer_that_resets_again_is_struck(lab):
    before = lab.strikes(lab.c)
    with broken(lab.s, RESET):
        told = lab.connect(lab.c, lab.s, count=3)
    assert told == [ECONNRESET, ECONNRESET, 0], told
    assert lab.state(lab.c, lab.s) == "quarantined"
    assert lab.strikes(lab.c) == before + 1
    assert lab.rows()["c", f"{lab.s.v4}:{PORT}"]["code"] == "econnreset"
    assert ends(lab.c, lab.s) == TCP
    assert ends(lab.v, lab.s) == SMCD


# ---- suspicions: as both recorders see them ----------------------------------

@pytest.mark.parametrize("how", [
    "anew", pytest.param("again", marks=pytest.mark.long)])
def test_path_that_drops_the_option_is_tcp_the_second_time(lab, recorder, how):
    """The first connect() times out; the second, on the same socket or another,
    is TCP at once."""
    before = lab.strikes(lab.c)
    with broken(lab.s, BLACK_HOLE):
        assert lab.connect(lab.c, lab.s, how, 2) == [ETIMEDOUT, 0]
        assert lab.state(lab.c, lab.s) == "quarantined"
        told = hammer(lab.c, f"{lab.s.v4}:{PORT}", count=10)
        assert told["errors"] == 0 and told["tcp"] == 10, told
        assert offered(lab.v, lab.s)
    row = lab.rows()["c", f"{lab.s.v4}:{PORT}"]
    assert row["strikes"] == 1 and row["code"] == "none", row
    assert lab.strikes(lab.c) == before + 1
    assert ends(lab.c, lab.s) == TCP
    assert ends(lab.v, lab.s) == SMCD


def test_peer_given_up_after_two_repeats_is_suspected(lab, recorder):
    """After two repeated SYNs; and after one or none it says nothing."""
    with broken(lab.s, BLACK_HOLE):
        for repeats, state in ((0, None), (1, None), (2, "suspicion")):
            lab.give_up(lab.c, lab.s, repeats)
            assert lab.state(lab.c, lab.s) == state, repeats
        assert offered(lab.v, lab.s)
        assert not offered(lab.c, lab.s)
        assert lab.connect(lab.c, lab.s) == [0]
    assert lab.state(lab.c, lab.s) == "quarantined"


def test_a_dead_peer_gets_no_strike(lab, recorder):
    """Nor is it spoken to in TCP when it is back."""
    before = lab.strikes(lab.c)
    with broken(lab.s, DEAD):
        lab.give_up(lab.c, lab.s, 2)
        assert lab.state(lab.c, lab.s) == "suspicion"
        assert lab.connect(lab.c, lab.s) == [ETIMEDOUT]
    assert lab.state(lab.c, lab.s) is None
    assert ends(lab.c, lab.s) == SMCD
    assert lab.strikes(lab.c) == before


@pytest.mark.long
def test_dead_peer_of_a_hasty_client_gets_no_strike(lab, recorder):
    """After SO_SNDTIMEO the kernel's SMC goes on as if the peer had agreed, and
    waits for its messages: ETIMEDOUT, and still nobody was there."""
    before = lab.strikes(lab.d)
    with broken(lab.s, DEAD):
        assert lab.connect(lab.d, lab.s, "hasty") == [ETIMEDOUT]
    assert lab.state(lab.d, lab.s) == "suspicion"
    assert lab.strikes(lab.d) == before


@pytest.mark.parametrize("how", [
    "blocking", pytest.param("non-blocking", marks=pytest.mark.long)])
def test_a_refusal_is_an_answer(lab, recorder, how):
    """Also one that comes after two SYNs were lost."""
    with broken(lab.s, DEAD):
        proc = lab.d.spawn(["python3", "-c", LATE, lab.s.v4, "7001", how])
        wait_for(lambda: "repeated" in proc.out, 30, "two repeated SYNs")
    proc.wait(30)
    assert proc.out.split() == ["repeated", str(ECONNREFUSED)], proc.output
    assert lab.rows() == {}

# SPDX-License-Identifier: Apache-2.0
"""Both recorders tell the same of the same connections, and agree with the
kernel.

        VM recorders            c, s armed (and l, armed late); t a stranger
     c       s       l       t
    .10     .11     .12     .20          10.244.1.0/16, fd00:244::/64
   --+-------+-- br0-+-------+--

What a flow became is asked of the agent; how many there were and which reasons
the kernel gave for its fall-backs, of the kernel's own SMC statistics. The
recorder is changed while the agent runs.
"""
import time

import pytest

from smclab import Vm, manifest, progs, topo, wait_for
from smclab.agents import Agent
from smclab.crowd import hammer, ready
from smclab.flows import become, held, serve
from smclab.mesh import Mesh

OPTUNSUPP, PEERNOSMC = 0x03060000, 0x03010000
PORT, DENIED = 7000, 7009
SMCD = ("smcd", "smcd")


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16", "fd00:244::1/64")
        for name, host in zip("cslt", (10, 11, 12, 20)):
            setattr(self, name, self.mesh.add(
                topo.pod(vm, name, f"10.244.1.{host}/16",
                         f"fd00:244::{host}/64"),
                enabled="true" if name in "cs" else None))
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        self.servers = []

    def record(self, recorder):
        self.mesh.spec["recorder"] = recorder
        self.mesh.apply()
        become(lambda: self.agent.get("/v1/status")["recorder"], recorder, 30)
        # `sockops` knows of a listener that is SMC's when it saw it listen
        for server in self.servers:
            server.kill()
        self.servers = [serve(pod, PORT, DENIED, address="::")
                        for pod in (self.s, self.t)]

    # ---- what the agent says ----

    def flows(self, pod, since, **want):
        """Records of @pod that were opened after @since, a set of ids."""
        return [f for f in self.agent.flows()
                if f["pod"] == pod.name and f["id"] not in since
                and all(f[k] == v for k, v in want.items())]

    def known(self):
        return {f["id"] for f in self.agent.flows()}

    def counts(self):
        """{(pod, role, outcome): number}"""
        now = {}
        for (name, labels), v in self.agent.metrics().items():
            if name == "smcmesh_flows_total":
                got = dict(labels)
                now[got["pod"], got["role"], got["outcome"]] = v
        return now

    def counted(self, before):
        now = self.counts()
        return {k: v - before.get(k, 0) for k, v in now.items()
                if v != before.get(k, 0)}


@pytest.fixture(scope="module")
def lab():
    with Vm("recorders", mem=1536) as vm:
        yield Lab(vm)


@pytest.fixture(params=["smc", "sockops"], scope="module")
def rec(request, lab):
    """The lab, with this recorder."""
    lab.record(request.param)
    lab.recorder = request.param
    return lab


def closed_flow(lab, pod, since, **want):
    """The one record that a test's connection has left behind."""
    rows = wait_for(lambda: lab.flows(pod, since, closed=True, **want), 20,
                    f"the closed record of {pod.name}")
    assert len(rows) == 1, rows
    return rows[0]


# ---- one connection of each kind ----------------------------------------------

@pytest.mark.parametrize("family", ["v4", "v6"])
def test_smc_flow_is_recorded_at_both_ends(rec, family):
    before, n = rec.known(), rec.counts()
    address = getattr(rec.s, family)
    with held(rec.c, address, PORT) as h:
        assert h.ends(rec.s) == [SMCD]
        mine, theirs = h.ports()[0]
        client = rec.flows(rec.c, before)
        server = rec.flows(rec.s, before)
        assert [f["outcome"] for f in client + server] == ["smcd", "smcd"]
        assert not any(f["closed"] for f in client + server)
        for f, other in (client[0], server[0]), (server[0], client[0]):
            assert f["verdict"] == "accelerate" and f["noted"] == "exact"
            assert (f["local_address"], f["local_port"]) == \
                (other["remote_address"], other["remote_port"])
        assert client[0]["local_port"] == mine
        assert client[0]["remote_port"] == theirs
        assert client[0]["remote_address"] == address
    for pod in rec.c, rec.s:
        f = closed_flow(rec, pod, before)
        assert f["opened"] <= f["decided"] <= f["ended"]
    assert rec.counted(n) == {("c", "client", "smcd"): 1,
                              ("s", "server", "smcd"): 1}


def test_flow_with_a_stranger_is_recorded_as_not_endpoint(rec):
    """An SMC socket of an armed pod that stays TCP: by the selector's word."""
    before, n = rec.known(), rec.counts()
    with held(rec.c, rec.t.v4, PORT), held(rec.t, rec.s.v4, PORT):
        pass
    client = closed_flow(rec, rec.c, before)
    server = closed_flow(rec, rec.s, before)
    for f in client, server:
        assert f["outcome"] == "tcp" and f["reason"] == "not-endpoint", f
        assert f["verdict"] == "bypass"
        assert f["rx_bytes"] == f["tx_bytes"] > 0    # an echo
    assert rec.counted(n) == {("c", "client", "tcp"): 1,
                              ("s", "server", "tcp"): 1}


def test_flow_not_offered_is_recorded_at_both_ends(rec):
    """The server would have answered; the client's port is excluded."""
    notes = {"annotations": {manifest.OUT_PORTS: str(DENIED)}}
    with rec.mesh.changed(c=notes):
        become(lambda: bool(rec.agent.map("smc_port")), True)
        before = rec.known()
        with held(rec.c, rec.s.v4, DENIED):
            pass
        assert closed_flow(rec, rec.c, before)["reason"] == "excluded-port"
        assert closed_flow(rec, rec.s, before)["reason"] == "not-offered"
    become(lambda: rec.agent.map("smc_port"), [])


# ---- fall-backs ------------------------------------------------------------------

def kernel_reasons(pod):
    return {(r["server"], r["reason"]): r["count"] for r in pod.smcnl("fback")}


def delta(now, before):
    return {k: v - before.get(k, 0) for k, v in now.items()
            if v != before.get(k, 0)}


def fallbacks(lab, pod, since):
    return sorted((f["role"], f["outcome"], int(f["kernel_code"], 16))
                  for f in lab.flows(pod, since))


def test_offer_not_answered_is_recorded_as_fallback(rec):
    """s excludes the port inbound: c's offer finds no SMC."""
    notes = {"annotations": {manifest.IN_PORTS: str(DENIED)}}
    with rec.mesh.changed(s=notes):
        become(lambda: bool(rec.agent.map("smc_port")), True)
        before, kernel = rec.known(), kernel_reasons(rec.c)
        with held(rec.c, rec.s.v4, DENIED):
            pass
        assert fallbacks(rec, rec.c, before) == [
            ("client", "fallback", PEERNOSMC)]
        assert delta(kernel_reasons(rec.c), kernel) == {(False, PEERNOSMC): 1}
        assert closed_flow(rec, rec.s, before)["reason"] == "excluded-port"
    become(lambda: rec.agent.map("smc_port"), [])


def test_fallback_for_want_of_a_device_has_the_kernels_code(rec):
    """Both ends agreed on SMC; without a UEID the kernel finds no device in
    common. Its reasons are ours, of either end."""
    before = rec.known()
    kernel = kernel_reasons(rec.c), kernel_reasons(rec.s)
    rec.agent.proc.kill(19, wait=False)    # SIGSTOP, or it adds the UEID again
    try:
        rec.vm.call("smcnl", "ueid", "del", "SMCMESH")
        with held(rec.c, rec.s.v4, PORT) as h:
            assert h.ends(rec.s) == [("tcp", "tcp")]
        rec.vm.call("smcnl", "ueid", "add", "SMCMESH")
    finally:
        rec.agent.proc.kill(18, wait=False)
    for pod, was in zip((rec.c, rec.s), kernel):
        got = delta(kernel_reasons(pod), was)
        assert sum(got.values()) == 1, got
        flow = closed_flow(rec, pod, before)
        assert (flow["role"] == "server", int(flow["kernel_code"], 16)) in got
        # the bytes are those of SMC's own messages, too
        assert flow["outcome"] == "fallback", flow
        assert flow["rx_bytes"] > 0 and flow["tx_bytes"] > 0, flow


EARLY = """
import socket, sys
TCP_FASTOPEN_CONNECT = 30
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 0)
s.settimeout(20)
s.connect((sys.argv[1], int(sys.argv[2])))
s.sendall(b"x" * 100)
assert len(s.recv(200)) == 100
"""

# It only closes: the kernel wakes nobody who reads from what such a listener has
# accepted (test_limits.py, test_smc_listener_that_fell_back_wakes_nobody).
LISTENER = """
import socket, sys
TCP_FASTOPEN = 23
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 5)
s.bind(("0.0.0.0", int(sys.argv[1])))
s.listen(8)
print("ready", flush=True)
while True:
    c, _ = s.accept()
    c.close()
"""

TO_LISTENER = """
import socket, sys
s = socket.socket()
s.settimeout(20)
s.connect((sys.argv[1], int(sys.argv[2])))
assert s.recv(1) == b""
"""


def test_client_that_fell_back_before_connect_is_recorded(rec):
    before, n = rec.known(), rec.counts()
    rec.c.run(["python3", "-c", EARLY, rec.s.v4, str(PORT)])
    assert fallbacks(rec, rec.c, before) == [("client", "fallback", OPTUNSUPP)]
    assert closed_flow(rec, rec.s, before)["reason"] == "not-offered"
    assert rec.counted(n) == {("c", "client", "fallback"): 1,
                              ("s", "server", "tcp"): 1}


def test_listener_that_fell_back_at_first_is_recorded(rec):
    # a fall-back loses SO_REUSEADDR, and a port in TIME_WAIT with it
    port = {"smc": "7010", "sockops": "7011"}[rec.recorder]
    server = ready(rec.s.spawn(["python3", "-c", LISTENER, port]), "listener")
    before = rec.known()
    rec.c.run(["python3", "-c", TO_LISTENER, rec.s.v4, port])
    server.kill()
    assert fallbacks(rec, rec.s, before) == [("server", "fallback", OPTUNSUPP)]
    assert fallbacks(rec, rec.c, before) == [("client", "fallback", PEERNOSMC)]


# ---- connections that are none ------------------------------------------------------

AGAIN = """
import socket, sys
s = socket.socket()
for port in sys.argv[2:]:
    try:
        s.connect((sys.argv[1], int(port)))
    except ConnectionRefusedError:
        print("refused")
    else:
        s.sendall(b"x")
        assert s.recv(10) == b"x"
        print("connected")
"""


def test_connect_that_finds_nobody_is_not_recorded(rec):
    """It is no flow: nothing is counted, nothing stays."""
    n, offers = rec.counts(), rec.agent.metric("smcmesh_offers_total", pod="c")
    before = rec.known()
    told = hammer(rec.c, rec.s.v4 + ":9", count=20)
    assert told["errors"] == 20
    told = hammer(rec.c, rec.s.v4 + ":9", count=20, again=True)
    assert told["errors"] == 20
    assert rec.agent.metric("smcmesh_offers_total", pod="c") == offers + 40
    become(lambda: rec.flows(rec.c, before), [])
    assert rec.counted(n) == {}


def test_socket_that_connects_again_is_recorded_once(rec):
    """The same socket, after a connect() that was refused."""
    before, n = rec.known(), rec.counts()
    told = rec.c.run(["python3", "-c", AGAIN, rec.s.v4, "9", "9", str(PORT)])
    assert told.out.split() == ["refused", "refused", "connected"]
    assert closed_flow(rec, rec.c, before)["remote_port"] == PORT
    assert rec.counted(n) == {("c", "client", "smcd"): 1,
                              ("s", "server", "smcd"): 1}


def test_flows_of_killed_clients_are_closed(rec):
    """SIGKILL, with SMC and TCP connections open: all of them have ended."""
    before = rec.known()
    runs = [rec.c.spawn([progs.path("hold"), "--count", "5", f"{ip}:{PORT}"])
            for ip in (rec.s.v4, rec.t.v4)]
    for proc in runs:
        wait_for(lambda p=proc: '"held"' in p.out, 30, "the connections")
    assert len(rec.flows(rec.c, before, closed=False)) == 10
    for proc in runs:
        proc.kill(9)
    become(lambda: len(rec.flows(rec.c, before, closed=True)), 10, 30)
    become(lambda: len(rec.flows(rec.s, before, closed=True)), 5, 30)
    become(lambda: rec.flows(rec.c, before, closed=False), [])


PREFORK = """
import os, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", int(sys.argv[1])))
s.listen(64)
for _ in range(3):
    if os.fork() == 0:
        break
print("ready", flush=True)
while True:
    c, _ = s.accept()
    while data := c.recv(1000):
        c.sendall(data)
    c.close()
"""


def test_flows_of_a_shared_listener_are_each_recorded(rec):
    server = ready(rec.s.spawn(["python3", "-c", PREFORK, "7020"]), "prefork")
    before, n = rec.known(), rec.counts()
    told = hammer(rec.c, rec.s.v4 + ":7020", count=60, threads=4)
    assert told["errors"] == 0 and told["smc"] == 60, told
    become(lambda: rec.counted(n), {("c", "client", "smcd"): 60,
                                    ("s", "server", "smcd"): 60})
    become(lambda: len(rec.flows(rec.s, before, closed=True)), 60, 20)
    rec.s.run("fuser -k 7020/tcp", check=False)
    server.kill()


# ---- plain connections of armed pods ---------------------------------------------------

def test_flows_of_a_late_listener_are_recorded_to_the_end(rec):
    """l listened before it was armed. Its connections are counted at once;
    when they end, `sockops` tells, and with `smc` socket diagnosis."""
    server = serve(rec.l, PORT)
    with rec.mesh.changed(l={"enabled": "true"}):
        become(lambda: rec.agent.pod("l")["armed"], True, 30)
        before, n = rec.known(), rec.counts()
        with held(rec.c, rec.l.v4, PORT, count=3):
            rows = rec.flows(rec.l, before)
            assert [f["reason"] for f in rows] == ["not-converted"] * 3, rows
            noted = {"smc": "diagnosis", "sockops": "exact"}[rec.recorder]
            assert {f["noted"] for f in rows} == {noted}
            assert rec.counted(n)["l", "server", "tcp"] == 3
        become(lambda: len(rec.flows(rec.l, before, closed=True)), 3, 60)
    become(lambda: rec.agent.pod("l")["armed"], False, 30)
    server.kill()


def test_flow_of_an_old_socket_is_recorded_with_its_reason(rec):
    """A program opened its socket before its pod was armed, and connects after
    that: it is plain TCP, and the record says why."""
    code = ("import socket, sys; s = socket.socket(); print('ready', flush=True)"
            "; sys.stdin.readline(); s.connect((sys.argv[1], int(sys.argv[2])))"
            "; s.sendall(b'x' * 50); assert len(s.recv(99)) == 50"
            "; print('open', flush=True); sys.stdin.readline()")
    proc = ready(rec.l.spawn(["python3", "-c", code, rec.s.v4, str(PORT)]),
                 "the socket")
    with rec.mesh.changed(l={"enabled": "true"}):
        become(lambda: rec.agent.pod("l")["armed"], True, 30)
        before, n = rec.known(), rec.counts()
        proc.stdin("go\n")
        wait_for(lambda: "open" in proc.out, 20, "the connection")
        row, = rec.flows(rec.l, before)
        assert row["outcome"] == "tcp" and row["reason"] == "not-converted"
        assert (row["remote_address"], row["remote_port"]) == (rec.s.v4, PORT)
        assert rec.counted(n)["l", "client", "tcp"] == 1
        # diagnosis fills in what was not known at connect()
        become(lambda: rec.flows(rec.l, before)[0]["local_port"] != 0, True, 30)
        proc.stdin("end\n")
        proc.wait()
        f = closed_flow(rec, rec.l, before)
        assert f["noted"] == ("exact" if rec.recorder == "sockops"
                              else "diagnosis")
    become(lambda: rec.agent.pod("l")["armed"], False, 30)


# ---- many ---------------------------------------------------------------------------------

def equals_the_kernel(lab, count, timeout):
    """@count connections: the counters, the kernel's statistics and the hammer
    agree to the unit, and no record stays open."""
    n = lab.counts()
    kernel = lab.c.smcnl("stats"), lab.s.smcnl("stats")
    start = time.monotonic()
    told = hammer(lab.c, f"{lab.s.v4}:{PORT}", count=count, threads=8,
                  timeout=timeout)
    print(f"{count} connections in {time.monotonic() - start:.0f} s")
    assert told["errors"] == 0 and told["smc"] == count, (
        told, lab.agent.why_tcp())
    now = lab.c.smcnl("stats"), lab.s.smcnl("stats")
    assert now[0]["client"]["smcd"] - kernel[0]["client"]["smcd"] == count
    assert now[1]["server"]["smcd"] - kernel[1]["server"]["smcd"] == count
    become(lambda: lab.counted(n), {("c", "client", "smcd"): count,
                                    ("s", "server", "smcd"): count})
    assert lab.agent.metric("smcmesh_flows_lost_total") == 0

    def left():
        return len(lab.agent.map("smc_flow"))
    become(left, 0, 60)
    node = lab.agent.map("smc_usage")[0]["formatted"]["value"]
    assert node["flows"] == 0, node


def test_500_flows_equal_the_kernels_counts(rec):
    equals_the_kernel(rec, 500, 120)


@pytest.mark.long
def test_10000_flows_equal_the_kernels_counts(rec):
    equals_the_kernel(rec, 10000, 900)

# SPDX-License-Identifier: Apache-2.0
"""The limits of "fail open" that deploy/docs/limits.md names, each as far as it
goes and no further.

            VM limits
     c       s        t               p
   armed   armed    stranger   endpoint by mistake: answers every SYN with the
    .10     .11      .20       option, then says nothing of SMC; 10.9.0.0/24
     |       |        |               |
   --+-------+-- br0 -+---------------+--
"""
import contextlib
import signal

import pytest

from smclab import Vm, progs, topo, wait_for
from smclab.agents import Agent
from smclab.crowd import hammer, parrot, ready, result, stop, watch
from smclab.flows import SMC, become, ends, held, serve
from smclab.mesh import Mesh
from smclab.pins import PINS

ROUNDS = 3


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        for name, host in zip("cstp", (10, 11, 20, 21)):
            pod = topo.pod(vm, name, f"10.244.1.{host}/16")
            setattr(self, name, self.mesh.add(
                pod, enabled="true" if name in "cs" else None))
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        self.c.run("ip route add 10.9.0.0/24 via 10.244.1.21")
        self.server = serve(self.s, 7000)


@pytest.fixture(scope="module")
def lab():
    with Vm("limits", mem=1024) as vm:
        yield Lab(vm)


# ---- a signal during a blocking connect() -----------------------------------

def interrupted(pod, to, *flags):
    """The SYN-ACK comes 100 ms late, while a signal's handler is running."""
    pod.run("tc qdisc add dev eth0 root netem delay 100ms")
    try:
        proc = pod.spawn([progs.path("sigconn"), *flags, str(ROUNDS), to])
        proc.wait(120)
    finally:
        pod.run("tc qdisc del dev eth0 root")
    told = result(proc)
    assert told["handled"] == ROUNDS, told
    return told, proc.err


@pytest.mark.parametrize("flags", [[], ["--no-restart"]],
                         ids=["restart", "eintr"])
def test_signal_fails_no_plain_tcp_connect(lab, flags):
    """Control: TCP has none of what follows."""
    told, talk = interrupted(lab.t, "10.244.1.11:7000", *flags)
    assert told["ok"] == ROUNDS, (told, talk)


def test_signal_fails_a_connect_of_the_kernels_own_smc(lab):
    """The bug, without us: connect() is called again after the handler, says
    "SMC" once more though the server has said no, and SMC's messages go to a
    program that knows nothing of it."""
    server = serve(lab.p, 7001)
    told, talk = interrupted(lab.t, "10.244.1.21:7001", "--smc")
    assert told["connect_failed"] == ROUNDS, (told, talk)
    assert stop(server)["clc"] == ROUNDS


def test_signal_fails_a_converted_connect_to_a_stranger(lab):
    """What our conversion makes of it: connect() fails, at once and for a
    reason; not one byte reaches the stranger. This is the limit."""
    server = serve(lab.t, 7001)
    with watch(lab.c) as seen:
        told, talk = interrupted(lab.c, "10.244.1.20:7001")
    heard = stop(server)
    assert told["connect_failed"] == ROUNDS, (told, talk)
    assert talk.count("connection abort") == ROUNDS, talk
    assert heard["clc"] == 0, heard
    assert not [p for p in seen.packets if p.sent and p.smc]


def test_signal_fails_no_converted_connect_to_an_endpoint(lab):
    """A restarted call towards an endpoint is whole."""
    told, talk = interrupted(lab.c, "10.244.1.11:7000")
    assert told["ok"] == ROUNDS, (told, talk)


def test_eintr_leaves_an_smc_connect_stuck(lab):
    """Without SA_RESTART the program waits for its socket and the kernel's SMC
    never says that it is writable: as with the kernel's own SMC sockets."""
    for pod, *flags in (lab.c,), (lab.t, "--smc"):
        told, talk = interrupted(pod, "10.244.1.11:7000", "--no-restart",
                                 *flags)
        assert told["stuck"] == ROUNDS, (told, talk)


# ---- a connect() that takes longer than the program's SO_SNDTIMEO -----------

@pytest.mark.parametrize("who, said", [
    ("t", "connect: Operation now in progress"),
    ("c", "echo: Resource temporarily unavailable")],
    ids=["plain-tcp", "converted"])
def test_connect_outlasts_its_timeout(lab, who, said):
    """The kernel's smc_connect() takes the EINPROGRESS of its TCP socket for a
    connection, falls back and answers 0: the first write waits and says it."""
    pod = getattr(lab, who)
    # nobody's: SYNs go unheard, and no failed look-up ends the connect() early
    pod.run("ip neigh replace 10.244.1.99 lladdr 02:00:00:00:00:99 dev eth0")
    told = hammer(pod, "10.244.1.99:7000", count=1, patience=1)
    assert told["errors"] == 1 and said in told["talk"], told


# ---- a listener that fell back before it listened ------------------------------

FAST_OPEN = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, int(sys.argv[2]))
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
s.bind(("0.0.0.0", int(sys.argv[1])))
s.listen(8)
print("ready", flush=True)
while True:
    c, _ = s.accept()
    c.sendall(c.recv(10))
    c.close()
"""

# the server is asleep in recv() when the message comes
ASK = """
import socket, sys, time
s = socket.socket()
s.connect(("10.244.1.11", int(sys.argv[1])))
time.sleep(0.5)
s.sendall(b"x")
s.settimeout(3)
try:
    print(s.recv(1).decode())
except TimeoutError:
    print("asleep")
"""


@pytest.mark.parametrize("who, protocol, port, said", [
    ("t", 0, 7031, "x"), ("t", 256, 7032, "asleep"), ("s", 0, 7033, "asleep")],
    ids=["plain-tcp", "kernels-own-smc", "converted"])
def test_smc_listener_that_fell_back_wakes_nobody(lab, who, protocol, port, said):
    """TCP_FASTOPEN makes a listener fall back. What it accepts has the
    listener's callbacks and not its data (smc_fback_data_ready() in
    net/smc/af_smc.c), so the kernel wakes nobody who waits there: with SMC's own
    sockets as with converted ones."""
    pod = getattr(lab, who)
    server = ready(pod.spawn(["python3", "-c", FAST_OPEN, str(port),
                              str(protocol)]), "the listener")
    ask = ASK.replace("10.244.1.11", pod.v4)
    client = lab.p    # plain TCP
    assert client.run(["python3", "-c", ask, str(port)]).out.strip() == said
    server.kill(9)


SHUT_LISTENER = """
import errno, select, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, int(sys.argv[1]))
s.bind(("0.0.0.0", 0))
s.listen(8)
try:
    s.shutdown(socket.SHUT_RDWR)
    said = "done"
except OSError as e:
    said = errno.errorcode[e.errno]
p = select.poll()
p.register(s, select.POLLIN)
print(said, bool(p.poll(500)))
"""


@pytest.mark.parametrize("who, protocol, said", [
    ("t", 0, "done True"), ("t", 256, "ENOTCONN False"), ("s", 0, "ENOTCONN False")],
    ids=["plain-tcp", "kernels-own-smc", "converted"])
def test_shutdown_of_an_smc_listener_wakes_nobody(lab, who, protocol, said):
    """smc_shutdown() refuses a socket that is not connected: a server which ends
    its accept() that way waits on."""
    r = getattr(lab, who).run(["python3", "-c", SHUT_LISTENER, str(protocol)])
    assert r.out.strip() == said


# ---- a peer that agrees and then says nothing --------------------------------

@contextlib.contextmanager
def endpoint(lab, last):
    """10.9.0.LAST, which no SmcNode says."""
    lab.agent.proc.kill(signal.SIGSTOP, wait=False)    # or it heals the row
    try:
        key = " ".join(str(b) for b in [0] * 10 + [255, 255, 10, 9, 0, last])
        lab.vm.run(f"bpftool map update pinned {PINS}smc_endpoint key {key} "
                   "value 2 0 0 0 1 0 0 0 0 0 0 0 0 0 0 0")
        yield
    finally:
        lab.agent.proc.kill(signal.SIGCONT, wait=False)


def test_silent_peer_fails_once(lab):
    """connect() fails as the kernel makes it fail; from then on the peer is not
    offered SMC, and works."""
    with endpoint(lab, 7):
        silent = parrot(lab.p, "10.9.0.0/24", "silent")
        first = hammer(lab.c, "10.9.0.7:80", count=1)
        assert first["errors"] == 1, first
        assert "connect: Connection timed out" in first["talk"]
        # CLC_WAIT_TIME, 6 s in the kernel
        assert first["max_ms"] > 5000, first
        then = hammer(lab.c, "10.9.0.7:80", count=20)
        assert then["errors"] == 0 and then["tcp"] == 20, then
        assert then["max_ms"] < 5000, then
        told = stop(silent)
        assert told["offers"] == 1 and told["clc"] == 1, told
        rows = [r["formatted"] for r in lab.agent.map("smc_quarantine")]
        assert {r["key"]["port"] for r in rows} == {80}, rows
        own, = [r["value"] for r in rows if r["key"]["pod_id"]]
        assert own["strikes"] == 1 and own["state"] == 3, rows
        # the neighbours are as they were
        assert ends(lab.c, lab.s) == ("smcd", "smcd")
    assert lab.agent.metric("smcmesh_quarantines_total") == 1
    flow = [f for f in lab.agent.flows()
            if f["remote_address"] == "10.9.0.7"]
    assert {f["reason"] for f in flow if f["outcome"] == "tcp"} == \
        {"quarantined"}, flow


def test_peer_that_leaves_before_it_is_declined_fails_twice(lab):
    """It accepts what was not proposed. The kernel would fall back, but its
    message about that finds no peer any more, so connect() fails with the error
    of that message (smc_connect_decline_fallback() in net/smc/af_smc.c). As after
    every reset the second failure is the last."""
    with endpoint(lab, 8):
        # no client runs between its two packets
        leaves = parrot(lab.p, "10.9.0.8/32", "leaves", "tun1",
                        ["chrt", "-f", "9"])
        told = hammer(lab.c, "10.9.0.8:80", count=20, threads=1)
        assert told["errors"] == 2 and told["tcp"] == 18, told
        assert stop(leaves)["clc"] == 2
        rows = [r["formatted"] for r in lab.agent.map("smc_quarantine")]
        own, = [r["value"] for r in rows if r["key"]["pod_id"]
                and r["key"]["ip"][-1] == 8]
        assert own["strikes"] == 1 and own["state"] == 3, rows


# ---- a conversion that the kernel refuses -------------------------------------

def refused_for_the_next_agent(lab):
    """It need not find that out at the cost of another socket()."""
    lab.agent.stop()
    lab.agent.start()
    told = hammer(lab.c, "10.244.1.11:7000", count=100, threads=1)
    assert told["errors"] == 0 and told["tcp"] == 100, told
    pod = lab.agent.pod("c")
    assert not pod["armed"] and pod["reason"] == "refused", pod
    # it is tried again when its annotation was taken away and put back
    with lab.mesh.changed(c={"enabled": None}):
        become(lambda: lab.agent.pod("c")["reason"], "not-annotated", 30)
        rows = [r["formatted"]["value"] for r in lab.agent.map("smc_netns")]
        assert pod["pod_id"] not in [r["pod_id"] for r in rows], rows
    become(lambda: lab.agent.pod("c")["armed"], True, 30)


def test_refused_conversion_disarms_the_pod_at_once(lab):
    """The socket() that meets the refusal fails; it is the only one. The rest
    of the node stays as it is."""
    before = lab.agent.metric("smcmesh_conversions_refused_total")
    with held(lab.c, lab.s.v4, 7000) as old:
        deny = ready(lab.vm.spawn([progs.path("denysmc"),
                                   f"/sys/fs/cgroup/{lab.c.cgroup}"]), "denysmc")
        try:
            told = hammer(lab.c, "10.244.1.11:7000", count=100, threads=1)
            assert told["errors"] == 1, told
            assert "connection 0: connect: Operation not permitted" \
                in told["talk"]
            assert told["tcp"] == 99, told
            pod = wait_for(lambda: [p for p in lab.agent.get("/v1/pods")["pods"]
                                    if p["name"] == "c" and not p["armed"]],
                           20, "the agent to say so")[0]
            assert pod["reason"] == "refused", pod
            wait_for(lambda: "10.244.1.10" not in [
                e["address"] for e in lab.agent.get("/v1/endpoints")
                ["endpoints"]], 20, "the pod to be an endpoint no more")
            assert lab.agent.metric(
                "smcmesh_conversions_refused_total") == before + 1
            assert old.ends(lab.s)[0][0] in SMC    # what was, lives on
            refused_for_the_next_agent(lab)
        finally:
            deny.stdin(None)
            deny.wait()


def test_an_own_refused_smc_socket_disarms_nobody(lab):
    """A program of an armed pod that asks for IPPROTO_SMC itself and is refused
    has met its own policy, not ours."""
    deny = ready(lab.vm.spawn([progs.path("denysmc"),
                               f"/sys/fs/cgroup/{lab.s.cgroup}"]), "denysmc")
    try:
        told = hammer(lab.s, "10.244.1.20:9", count=1, smc=True)
        assert "Operation not permitted" in told["talk"]
    finally:
        deny.stdin(None)
        deny.wait()
    pod = [p for p in lab.agent.get("/v1/pods")["pods"] if p["name"] == "s"]
    assert pod[0]["armed"], pod

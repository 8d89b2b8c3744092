# SPDX-License-Identifier: Apache-2.0
"""RDMA paths with agents: proven before they are used, bad when they break,
whole again without a hand.

     a      b      p                         c      d      e
    .1.10  .1.11  .1.20                     .2.10  .2.11  .2.12
    +rxe   +rxe                             +rxe   +rxe   +rxe
     |      |      |                         |      |      |
   --+------+------+-- br0 - eth0 ==== eth0 - br0 --+------+--
     n1: agent                               n2: agent, drops in its bridge

All but p are annotated. UDP 4791 to and from c, or c and e, is dropped outside
the pods; b to d (SMC-R), e to d (SMC-D) and p to d (plain) never need those
paths, and are the control: they talk all the time.
"""
import contextlib
import errno
import signal
import time

import pytest

from smclab import progs, topo, wait_for
from smclab.agents import Agent
from smclab.crowd import hammer, hammering, stop
from smclab.flows import LATE_LINK, TRIES, at, become, end, ends, held, reason, \
    serve
from smclab.mesh import Mesh
from smclab.roce import BOTH, FROM, TO, cut

SMCR, TCP = ("smcr", "smcr"), ("tcp", "tcp")
PODS = {"a": ("n1", "1.10"), "b": ("n1", "1.11"),
        "c": ("n2", "2.10"), "d": ("n2", "2.11"), "e": ("n2", "2.12")}
CONNECTIONS, LONG_CONNECTIONS = 50, 500
BURST = 8    # connections at once, the first ever
VIP, FRESH_VIP, GATEWAY = "10.96.0.1", "10.96.0.2", "10.244.1.1"


class Lab:
    def __init__(self, pair):
        self.mesh, self.agents = Mesh(), {}
        for vm in pair:
            topo.bridge(vm, nic="eth0")
        self.nodes = {"n1": pair.n1, "n2": pair.n2}
        for name, (node, host) in PODS.items():
            setattr(self, name, self.pod(name, node, host))
        self.p = self.mesh.add(topo.pod(pair.n1, "p", "10.244.1.20/16"),
                               enabled=None)
        for vm in pair:
            agent = Agent(vm, self.mesh.objects()).start(wait=False)
            self.agents[vm.name] = agent
            self.mesh.agents.append(agent)
        for agent in self.mesh.agents:
            agent.wait_ready()
        for name in PODS:
            serve(getattr(self, name), 7000)

    def pod(self, name, node, host):
        pod = topo.pod(self.nodes[node], name, f"10.244.{host}/16", rdma=True)
        # Else the kernel gives each link group a second link by another pod's
        # device, for all are init_net's: then b's connections to d would break
        # with c's device.
        pod.run("sysctl -qw net.smc.smcr_max_links_per_lgr=1")
        return self.mesh.add(pod)

    def paths(self, node):
        """{(own, peer): row}"""
        return {(p["own"], p["peer"]): p
                for p in self.agents[node].get("/v1/endpoints")["paths"]}

    def state(self, one, other):
        """What both nodes take the path for."""
        return tuple(self.paths(x.node).get((x.v4, y.v4), {}).get("state")
                     for x, y in ((one, other), (other, one)))

    def time_is_over(self, pod):
        """That for which paths to the pod stay bad: a probe may end it now."""
        end = [int(x) for x in pod.v4.split(".")]
        for agent in self.agents.values():
            for row in agent.map("smc_path"):
                key, v = (row["formatted"][x] for x in ("key", "value"))
                if v["bad_ns"] and end in (key["own"], key["peer"]):
                    v["bad_until_ns"] = v["strikes"] = 0
                    agent.write_row("smc_path", [*key["own"], *key["peer"]],
                                    *words(v))

    def wait_state(self, one, other, state, timeout=15):
        wait_for(lambda: self.state(one, other) == (state, state), timeout,
                 f"{one.name} - {other.name} to be {state}", 0.2)


def words(v):
    """A struct smc_path in words of 32 bits."""
    for name in ("proven_until_ns", "seen_ns", "bad_ns", "bad_until_ns",
                 "used_ns", "wished_ns"):
        yield v[name] & 0xffffffff
        yield v[name] >> 32
    yield from (v["strikes"], *v["links"], 0)


@pytest.fixture(scope="module")
def lab(pair):
    return Lab(pair)


@contextlib.contextmanager
def neighbours(lab, probed=True):
    """b, e and p talk to d: SMC-R between the nodes, SMC-D in one, a plain client
    of an SMC listener. @probed: b's path is."""
    talk = {pod.name: hammering(pod, at(lab.d.v4, 7000), count=0, pace=200000)
            for pod in (lab.b, lab.e, lab.p)}
    said = {}
    try:
        yield said
    finally:
        for name, proc in talk.items():
            said[name] = stop(proc)
    for name, one in said.items():
        print(f"{name} to d: {one['ok']}, SMC {one['smc']}, longest "
              f"{one['own_ms']} ms")
        assert not one["errors"] and one["own_ms"] < 5500, said
    assert not said["e"]["tcp"] and said["p"]["tcp"] == said["p"]["ok"], said
    # where the machine stands still their own path may miss a probe, and some
    # are TCP for a moment
    assert not probed or said["b"]["smc"] > 0.8 * said["b"]["ok"], said


def test_paths_are_proven_before_use(lab):
    """Each pair of the namespace, before anybody has used it."""
    for one in lab.a, lab.b:
        for other in lab.c, lab.d, lab.e:
            lab.wait_state(one, other, "proven")
    # inside a node shared memory is used: no path is needed
    assert (lab.a.v4, lab.b.v4) not in lab.paths("n1")
    assert not lab.agents["n1"].get("/v1/status")["paths"]["problem"]
    assert ends(lab.a, lab.c) == SMCR
    assert ends(lab.d, lab.b) == SMCR
    n1 = lab.agents["n1"]
    assert n1.metric("smcmesh_rdma_paths", state="proven") == 6
    assert n1.metric("smcmesh_rdma_path_probes_total", result="answered") > 6


@pytest.fixture(scope="module")
def off(lab):
    """Seconds of a connection from a to c with the mesh off."""
    with lab.mesh.changed(spec={"enabled": False}):
        wait_for(lambda: not lab.agents["n1"].pod("a")["armed"], 20, "off")
        told = hammer(lab.a, at(lab.c.v4, 7000), count=CONNECTIONS)
        assert told["ok"] == CONNECTIONS, told
    wait_for(lambda: lab.agents["n1"].pod("a")["armed"], 20, "on")
    return told["seconds"] / CONNECTIONS


def to_the_dead(lab, peer, count, off):
    told = hammer(lab.a, at(peer.v4, 7000), count=count)
    assert told["tcp"] == count and not told["errors"], told
    assert told["own_ms"] < 1000, told
    print(f"a to {peer.name}, dead and known: {told['seconds'] / count / off:.2f}"
          " of the time with the mesh off")
    assert reason(lab.agents["n1"], lab.a, 7000) == "path-bad"
    assert lab.paths("n1")[lab.a.v4, peer.v4]["strikes"] > 0


def dead_and_known(lab, off, dead, direction, count):
    peers = [getattr(lab, name) for name in dead]
    for peer in peers:
        lab.wait_state(lab.a, peer, "proven", 90)
    become(lambda: ends(lab.b, lab.d), SMCR)
    with neighbours(lab):
        with contextlib.ExitStack() as cuts:
            for peer in peers:
                cuts.enter_context(cut(peer, direction))
            for peer in peers:
                lab.wait_state(lab.a, peer, "bad")
            for peer in peers:
                to_the_dead(lab, peer, count, off)
                wait_for(lambda p=peer: lab.state(lab.b, p) == ("bad", "bad"),
                         15, "the other path there to be bad, too")
        lab.wait_state(lab.a, lab.d, "proven")
    for peer in peers:
        # the first one heals without a hand: 20 s, then twice as long each time
        if (dead, direction) != DEAD[0]:
            lab.time_is_over(peer)
        lab.wait_state(lab.a, peer, "proven", 90)
        become(lambda p=peer: ends(lab.a, p), SMCR)


DEAD = [("c", TO), ("c", FROM), ("c", BOTH), ("ce", BOTH)]


@pytest.mark.parametrize("dead, direction", DEAD)
def test_path_known_as_dead_is_noticed_by_nobody(lab, off, dead, direction):
    """After the next probe nobody notices but by its speed: no connection to the
    dead one fails or waits, and nobody else's does."""
    dead_and_known(lab, off, dead, direction, CONNECTIONS)


@pytest.mark.long
@pytest.mark.parametrize("dead, direction", DEAD)
def test_path_known_as_dead_is_noticed_by_nobody_long(lab, off, dead, direction):
    dead_and_known(lab, off, dead, direction, LONG_CONNECTIONS)


def service(*backends, name="web", vip=VIP):
    meta = {"name": name, "namespace": "default"}
    return [{"apiVersion": "v1", "kind": "Service", "metadata": meta,
             "spec": {"clusterIPs": [vip],
                      "ports": [{"name": "http", "port": 80}]}},
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
             "metadata": {"name": f"{name}-x", "namespace": "default",
                          "labels": {"kubernetes.io/service-name": name}},
             "addressType": "IPv4", "ports": [{"name": "http", "port": 7000}],
             "endpoints": [{"addresses": [pod.v4]} for pod in backends]}]


def fresh_pair(lab, n):
    """Two pods that were never there, g with a server."""
    f, g = (lab.pod(f"{name}{n}", node, f"{host}.{30 + n}")
            for name, node, host in (("f", "n1", 1), ("g", "n2", 2)))
    lab.mesh.apply()
    for pod in f, g:
        wait_for(lambda p=pod: lab.agents[p.node].pod(p.name).get("armed"), 20,
                 "arming")
    serve(g, 7000)
    lab.wait_state(f, g, "proven")
    return f, g


def first_traffic(lab, n, by_service):
    """(how many of a burst are SMC, was this machine too slow: for the kernel's
    time for the first link, or for a probe's?)"""
    f, g = fresh_pair(lab, n)
    to, extra = at(g.v4, 7000), ()
    if by_service:
        extra = service(g, name="fresh", vip=FRESH_VIP)
        topo.cluster_ip(f, FRESH_VIP, 80, g, 7000, GATEWAY)
        to = at(FRESH_VIP, 80)
    with lab.mesh.changed(extra=extra):
        if by_service:
            wait_for(lambda: lab.paths("n1").get((f.v4, FRESH_VIP), {})
                     .get("state") == "proven", 15, "the way to be proven")
        lab.wait_state(f, g, "proven", 60)
        told = hammer(f, to, 60, count=BURST, threads=BURST)
        rows = [x for node, pod in (("n1", f), ("n2", g))
                for x in lab.agents[node].flows()
                if x["pod"] == pod.name]
        broken = "bad" in lab.state(f, g)
    if by_service:
        f.vm.run(f"nft delete table ip proxy-{g.name}-80")
    print([(x["pod"], x["outcome"], x["reason"], x["kernel_code"])
           for x in rows], broken)
    return (told["smc"], broken or
            any(int(x["kernel_code"], 16) in LATE_LINK for x in rows))


@pytest.mark.parametrize("by_service", [False, True], ids=["pod", "service"])
def test_first_traffic_between_fresh_pods_is_smcr(lab, by_service):
    """Eight connections at once, the first ever between two fresh pods."""
    for n in range(TRIES):
        smc, slow = first_traffic(lab, n + TRIES * by_service, by_service)
        if smc == BURST or not slow:
            break
    assert smc == BURST


def test_service_is_smcr_while_all_its_paths_are_proven(lab):
    """What leads to a Service may go over RDMA while the paths to all of its
    backends are proven, whichever the proxy chooses."""
    def way():
        return lab.paths("n1").get((lab.a.v4, VIP), {}).get("state")

    def through():
        with held(lab.a, VIP, 80) as h:
            (port, _), = h.ports()
            return h.client_ends()[0], end(lab.c.diag(), 7000, port)

    topo.cluster_ip(lab.a, VIP, 80, lab.c, 7000, GATEWAY)
    for backend in lab.c, lab.d:
        lab.wait_state(lab.a, backend, "proven", 90)
    with lab.mesh.changed(extra=service(lab.c, lab.d)):
        wait_for(lambda: way() == "proven", 15, "the way to be proven", 0.2)
        become(through, SMCR)
        with cut(lab.d):
            wait_for(lambda: way() == "bad", 30, "the way to be bad", 0.2)
            assert through() == TCP
            assert reason(lab.agents["n1"], lab.a, 80) == "path-bad"
            become(lambda: ends(lab.a, lab.c), SMCR)
        lab.time_is_over(lab.d)
        wait_for(lambda: way() == "proven", 90, "the way to be proven", 0.2)
        become(through, SMCR)
    # without the Service there is no way
    wait_for(lambda: way() is None, 15, "the way to go")


CONFIRM = 3    # smc_clc.h: SMC_CLC_CONFIRM, the client's second message


@contextlib.contextmanager
def silent(lab, client):
    """Whoever agrees on SMC there and then says no more: its second message is
    lost on the wire, its path is whole."""
    lab.c.vm.run("sysctl -qw net.bridge.bridge-nf-call-iptables=1 && nft -f -",
                 stdin=f"""table ip silent {{ chain c {{
        type filter hook forward priority 0
        ip saddr {client.v4} tcp dport 7000 @ih,0,32 0xe2d4c3d9 @ih,32,8 {CONFIRM} drop
    }}\n}}""")
    try:
        yield
    finally:
        lab.c.vm.run("nft delete table ip silent")


def hanging(lab):
    """Handshakes of c as a server that are not finished."""
    return sum(f["pod"] == "c" and f["role"] == "server"
               and f["outcome"] == "pending"
               for f in lab.agents["n2"].flows())


CONNECT = """
import socket, sys
print(socket.socket().connect_ex((sys.argv[1], 7000)))
"""


def test_client_that_goes_silent_is_struck(lab):
    """Each holds the server's lock for 6 s: four that are unfinished after 3 s are
    the last that it gets, and it is struck. Who waits for that lock on the way to
    another peer of the node, over shared memory, holds it against nobody."""
    lab.wait_state(lab.a, lab.c, "proven", 90)
    become(lambda: ends(lab.a, lab.c), SMCR)
    with silent(lab, lab.a):
        procs = [lab.a.spawn([progs.path("hold"), at(lab.c.v4, 7000)])
                 for _ in range(4)]
        wait_for(lambda: hanging(lab) >= 4, 20, "four handshakes", 0.2)
        waits = lab.e.spawn(["python3", "-c", CONNECT, lab.d.v4])
        time.sleep(3)    # they are to be slow
        assert lab.paths("n2")[lab.c.v4, lab.a.v4]["state"] == "proven"
        assert ends(lab.a, lab.c) == TCP
        assert reason(lab.agents["n2"], lab.c, 7000, "server") == "path-bad"
        waits.wait(30)
        for proc in procs:
            proc.kill(9)
    assert lab.paths("n2")[lab.c.v4, lab.a.v4]["strikes"] > 0
    # 0 where a slow machine had it connected before the lock was taken
    assert int(waits.out) in (errno.ETIMEDOUT, 0)
    assert lab.agents["n2"].cli("quarantine", "-o", "name").out == ""
    assert ends(lab.e, lab.d) == ("smcd", "smcd")
    lab.time_is_over(lab.c)
    lab.wait_state(lab.a, lab.c, "proven", 30)
    become(lambda: ends(lab.a, lab.c), SMCR)


def doubts(lab, node):
    """Handshakes of clients that were let through without a sign of life."""
    return lab.agents[node].row("smc_rdma", 0)["doubts"][0] & 0xf


def test_path_dead_between_probes_is_found_by_two(lab):
    """Agents that do not probe for a while stand for a path that dies between two
    probes: where the last sign of life is old two connections over a link find
    out, and all others are TCP at once. (Without a link it is one:
    tests/bpf/test_path.c.)"""
    lab.wait_state(lab.a, lab.c, "proven", 90)
    become(lambda: ends(lab.a, lab.c), SMCR)
    assert lab.paths("n1")[lab.a.v4, lab.c.v4]["links"]
    finders = []
    for agent in lab.mesh.agents:
        agent.proc.kill(signal.SIGSTOP, wait=False)
    try:
        with neighbours(lab, probed=False), cut(lab.c):
            time.sleep(2.5)    # the sign of life is to be old
            for n in range(2):
                finders.append(lab.a.spawn([progs.path("hold"),
                                            at(lab.c.v4, 7000)]))
                wait_for(lambda n=n: doubts(lab, "n1") == n + 1, 5, "a doubt")
            told = hammer(lab.a, at(lab.c.v4, 7000), count=10, threads=10)
            assert doubts(lab, "n1") <= 2
            assert told["tcp"] == 10 and not told["errors"], told
            assert told["own_ms"] < 1500, told
            time.sleep(5)    # the longest that a neighbour may wait
    finally:
        for agent in lab.mesh.agents:
            agent.proc.kill(signal.SIGCONT, wait=False)
        for proc in finders:
            proc.kill(9)
    # none was offered SMC, though nobody knew yet that the path is dead
    rows = sorted((f for f in lab.agents["n1"].flows()
                   if f["pod"] == "a" and f["role"] == "client"),
                  key=lambda f: f["opened"])[-10:]
    assert {f["reason"] for f in rows} <= {"path-unproven", "path-bad"}, rows
    lab.time_is_over(lab.c)
    lab.wait_state(lab.a, lab.c, "proven", 120)
    become(lambda: ends(lab.a, lab.c), SMCR)


@pytest.mark.long
def test_burst_after_links_were_freed_is_smcr_in_the_end(lab):
    """The kernel frees them ten minutes after the last connection; then there may
    be no sign of life that is young enough for all of a burst."""
    lab.wait_state(lab.a, lab.c, "proven", 120)
    become(lambda: ends(lab.a, lab.c), SMCR)
    wait_for(lambda: not lab.paths("n1")[lab.a.v4, lab.c.v4]["links"], 200,
             "no link", 5)    # four times as many seconds
    burst = hammering(lab.a, at(lab.c.v4, 7000), count=BURST, threads=BURST,
                      hold=True)

    def modes():
        return sorted(r["mode"] for r in lab.a.diag()
                      if r["remote_port"] == 7000 and r["mode"] != "plain")

    wait_for(lambda: len(modes()) == BURST, 30, "the burst")
    late = BURST - modes().count("smcr")
    print(f"{BURST - late} of {BURST} over SMC-R")
    assert late < BURST, modes()
    if late:
        said = lab.agents["n1"].cli("reopen", "default/a").out
        assert f"{late} of {late} late flow" in said, said
    burst.stdin(None)
    burst.wait()
    become(lambda: ends(lab.a, lab.c), SMCR)

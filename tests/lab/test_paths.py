# SPDX-License-Identifier: Apache-2.0
"""RDMA paths with agents: proven before they are used, bad when they break,
whole again without a hand.

     a      b                         c      d      e
    .1.10  .1.11                     .2.10  .2.11  .2.12
    +rxe   +rxe                      +rxe   +rxe   +rxe
     |      |                         |      |      |
   --+------+-- br0 - eth0 ==== eth0 - br0 --+------+--
     n1: agent                        n2: agent, drops in its bridge

All are annotated. UDP 4791 to and from c is dropped outside the pods; b, d and e
never need that path, and are the control: they talk all the time.
"""
import contextlib
import json
import signal
import time

import pytest

from smclab import progs, topo, wait_for
from smclab.agents import Agent
from smclab.flows import at, become, end, ends, held, reason, serve
from smclab.mesh import Mesh
from smclab.roce import BOTH, FROM, TO, cut

SMCR, TCP = ("smcr", "smcr"), ("tcp", "tcp")
PODS = {"a": ("n1", "1.10"), "b": ("n1", "1.11"),
        "c": ("n2", "2.10"), "d": ("n2", "2.11"), "e": ("n2", "2.12")}
CONNECTIONS = 50
VIP, GATEWAY = "10.96.0.1", "10.244.1.1"


class Lab:
    def __init__(self, pair):
        self.mesh, self.agents = Mesh(), {}
        for vm in pair:
            topo.bridge(vm, nic="eth0")
        for name, (node, host) in PODS.items():
            pod = topo.pod(getattr(pair, node), name, f"10.244.{host}/16",
                           rdma=True)
            # Else the kernel gives each link group a second link by another
            # pod's device, for all are init_net's: then b's connections to d
            # would break with c's device.
            pod.run("sysctl -qw net.smc.smcr_max_links_per_lgr=1")
            setattr(self, name, self.mesh.add(pod))
        for vm in pair:
            agent = Agent(vm, self.mesh.objects()).start(wait=False)
            self.agents[vm.name] = agent
            self.mesh.agents.append(agent)
        for agent in self.mesh.agents:
            agent.wait_ready()
        for name in PODS:
            serve(getattr(self, name), 7000)

    def paths(self, node):
        """{(own, peer): row}"""
        return {(p["own"], p["peer"]): p
                for p in self.agents[node].get("/v1/endpoints")["paths"]}

    def state(self, one, other):
        """What both nodes take the path for."""
        return tuple(self.paths(x.node).get((x.v4, y.v4), {}).get("state")
                     for x, y in ((one, other), (other, one)))

    def wait_state(self, one, other, state, timeout=15):
        wait_for(lambda: self.state(one, other) == (state, state), timeout,
                 f"{one.name} - {other.name} to be {state}", 0.2)


@pytest.fixture(scope="module")
def lab(pair):
    return Lab(pair)


def hammer(pod, to, count, *more):
    """What became of @count connections, one after the other."""
    r = pod.run([progs.path("hammer"), "--to", at(to.v4, 7000), "--count",
                 str(count), *more], timeout=120, check=False)
    assert r.rc == 0, r
    return json.loads(r.out)


@contextlib.contextmanager
def neighbours(lab):
    """b talks to d, and e to d: SMC-R between the nodes, SMC-D in one."""
    talk = [pod.spawn([progs.path("hammer"), "--to", at(lab.d.v4, 7000),
                       "--count", "0", "--pace", "200000"])
            for pod in (lab.b, lab.e)]
    said = []
    try:
        yield said
    finally:
        for proc in talk:
            proc.kill()
            said.append(json.loads(proc.out.splitlines()[-1]))
    for one in said:
        # where the machine stands still their own path may miss a probe, and
        # some are TCP then
        assert not one["errors"] and one["smc"], said
        assert one["own_ms"] < 5500, said


def test_proven_before_use(lab):
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


@pytest.mark.parametrize("direction", [TO, FROM, BOTH])
def test_dead_and_known(lab, direction):
    """After the next probe nobody notices but by its speed: no connection to the
    dead one fails or waits, and nobody else's does."""
    lab.wait_state(lab.a, lab.c, "proven")
    become(lambda: ends(lab.b, lab.d), SMCR)
    with neighbours(lab):
        with cut(lab.c, direction):
            lab.wait_state(lab.a, lab.c, "bad")
            told = hammer(lab.a, lab.c, CONNECTIONS)
            assert told["tcp"] == CONNECTIONS and not told["errors"], told
            assert told["own_ms"] < 1000, told
            assert reason(lab.agents["n1"], lab.a, 7000) == "path-bad"
            assert lab.paths("n1")[lab.a.v4, lab.c.v4]["strikes"] > 0
            wait_for(lambda: lab.state(lab.b, lab.c) == ("bad", "bad"), 15,
                     "the other path to c to be bad, too")
        lab.wait_state(lab.a, lab.d, "proven")
    lab.wait_state(lab.a, lab.c, "proven", 90)
    become(lambda: ends(lab.a, lab.c), SMCR)


def service(*backends):
    meta = {"name": "web", "namespace": "default"}
    return [{"apiVersion": "v1", "kind": "Service", "metadata": meta,
             "spec": {"clusterIPs": [VIP],
                      "ports": [{"name": "http", "port": 80}]}},
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
             "metadata": {"name": "web-x", "namespace": "default",
                          "labels": {"kubernetes.io/service-name": "web"}},
             "addressType": "IPv4", "ports": [{"name": "http", "port": 7000}],
             "endpoints": [{"addresses": [pod.v4]} for pod in backends]}]


def proxy(vm, to):
    """The node's: it rewrites what is sent to the ClusterIP; answers pass its
    bridge."""
    vm.run(f"ip addr add {GATEWAY}/16 dev br0; sysctl -qw net.ipv4.ip_forward=1"
           " net.ipv4.conf.all.send_redirects=0"
           " net.ipv4.conf.br0.send_redirects=0"
           " net.bridge.bridge-nf-call-iptables=1")
    vm.run("nft -f -", stdin=f"""table ip proxy {{ chain pre {{
        type nat hook prerouting priority -100
        ip daddr {VIP} tcp dport 80 dnat to {to.v4}:7000
    }}\n}}""")


def test_service(lab):
    """What leads to a Service may go over RDMA while the paths to all of its
    backends are proven, whichever the proxy chooses."""
    def way():
        return lab.paths("n1").get((lab.a.v4, VIP), {}).get("state")

    def through():
        with held(lab.a, VIP, 80) as h:
            (port, _), = h.ports()
            return h.client_ends()[0], end(lab.c.diag(), 7000, port)

    proxy(lab.a.vm, lab.c)
    lab.a.run(f"ip route add {VIP} via {GATEWAY}")
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
               for f in lab.agents["n2"].get("/v1/flows")["flows"])


def test_a_client_that_goes_silent(lab):
    """Each holds the server's lock for 6 s: four that are unfinished after 3 s are
    the last that it gets, and it is struck."""
    lab.wait_state(lab.a, lab.c, "proven", 90)
    become(lambda: ends(lab.a, lab.c), SMCR)
    with silent(lab, lab.a):
        procs = [lab.a.spawn([progs.path("hold"), at(lab.c.v4, 7000)])
                 for _ in range(4)]
        wait_for(lambda: hanging(lab) >= 4, 20, "four handshakes", 0.2)
        time.sleep(3)    # they are to be slow
        assert lab.paths("n2")[lab.c.v4, lab.a.v4]["state"] == "proven"
        assert ends(lab.a, lab.c) == TCP
        assert reason(lab.agents["n2"], lab.c, 7000, "server") == "path-bad"
        for proc in procs:
            proc.kill(9)
    assert lab.paths("n2")[lab.c.v4, lab.a.v4]["strikes"] > 0
    lab.wait_state(lab.a, lab.c, "proven", 120)
    become(lambda: ends(lab.a, lab.c), SMCR)


def doubts(lab, node):
    """Handshakes of clients that were let through without a sign of life."""
    return lab.agents[node].row("smc_rdma", 0)["doubts"][0] & 0xf


def test_dead_between_probes(lab):
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
        with cut(lab.c):
            time.sleep(2.5)    # the sign of life is to be old
            for n in range(2):
                finders.append(lab.a.spawn([progs.path("hold"),
                                            at(lab.c.v4, 7000)]))
                wait_for(lambda n=n: doubts(lab, "n1") == n + 1, 5, "a doubt")
            told = hammer(lab.a, lab.c, 10, "--threads", "10")
            assert doubts(lab, "n1") <= 2
            assert told["tcp"] == 10 and not told["errors"], told
            assert told["own_ms"] < 1500, told
    finally:
        for agent in lab.mesh.agents:
            agent.proc.kill(signal.SIGCONT, wait=False)
        for proc in finders:
            proc.kill(9)
    # none was offered SMC, though nobody knew yet that the path is dead
    rows = sorted((f for f in lab.agents["n1"].get("/v1/flows")["flows"]
                   if f["pod"] == "a" and f["role"] == "client"),
                  key=lambda f: f["opened"])[-10:]
    assert {f["reason"] for f in rows} <= {"path-unproven", "path-bad"}, rows
    lab.wait_state(lab.a, lab.c, "proven", 120)
    become(lambda: ends(lab.a, lab.c), SMCR)

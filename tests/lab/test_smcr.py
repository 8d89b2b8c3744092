# SPDX-License-Identifier: Apache-2.0
"""Two nodes, SMC-R over soft RoCE between pods in namespaces, and its controls.

     a      b      x                         c      d      e       p      s
    .1.10  .1.11  .1.20                     .2.10  .2.11  .2.12  .2.20  .2.30
    +rxe   +rxe                             +rxe   +rxe   no rxe        +rxe
     |      |      |                         |      |      |       |      |
   --+------+------+-- br0 - eth0 ==== eth0 - br0 --+------+-------+------+--
     n1: agent, its copy of the List          n2: agent, its copy
                       10.244.0.0/16, fd00:244::/64

a, b, c, d, e are annotated, x and p are not; s is a stranger whose programs ask
for SMC by themselves. e has no RDMA device: it can be reached by nothing but
shared memory, and not from n1 at all.
"""
import pytest

from smclab import manifest, topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, ends, held, reason, serve
from smclab.mesh import Mesh

SMCR, SMCD, TCP = ("smcr", "smcr"), ("smcd", "smcd"), ("tcp", "tcp")
PODS = {    # node, address, RDMA device, annotated
    "a": ("n1", "1.10", True, True), "b": ("n1", "1.11", True, True),
    "x": ("n1", "1.20", False, False), "c": ("n2", "2.10", True, True),
    "d": ("n2", "2.11", True, True), "e": ("n2", "2.12", False, True),
    "p": ("n2", "2.20", False, False), "s": ("n2", "2.30", True, False)}


class Lab:
    def __init__(self, pair):
        self.mesh, self.agents = Mesh(), {}
        for vm in pair:
            topo.bridge(vm, nic="eth0")
        for name, (node, host, rdma, annotated) in PODS.items():
            third, fourth = host.split(".")
            pod = topo.pod(getattr(pair, node), name, f"10.244.{host}/16",
                           f"fd00:244::{third}:{fourth}/64", rdma=rdma)
            setattr(self, name, self.mesh.add(
                pod, enabled="true" if annotated else None))
        for vm in pair:
            agent = Agent(vm, self.mesh.objects()).start(wait=False)
            self.agents[vm.name] = agent
            self.mesh.agents.append(agent)
        for agent in self.mesh.agents:
            agent.wait_ready()
        for name in "abcdep":
            serve(getattr(self, name), 7000, 7001, 7002, address="::")
        serve(self.s, 7000, native=True)

    def reason(self, pod, port, role="client"):
        return reason(self.agents[pod.node], pod, port, role)


@pytest.fixture(scope="module")
def lab(pair):
    return Lab(pair)


def test_pods_between_nodes_are_smcr(lab):
    assert ends(lab.a, lab.c) == SMCR
    with held(lab.a, lab.c.v4, 7000, count=3) as h:
        assert h.ends(lab.c) == [SMCR] * 3
        devices = {r["device"] for r in lab.a.diag() if r["mode"] == "smcr"}
        assert devices == {"rxea"}
    assert ends(lab.c, lab.a) == SMCR
    assert ends(lab.b, lab.d) == SMCR
    assert ends(lab.d, lab.b) == SMCR


def test_bench_sees_them_and_that_the_device_is_software(lab):
    """As `smcmesh bench` has a node look at its client's connections."""
    def looked():
        seen = lab.a.vm.run(["sh", "-c", "exec /build/smcmesh bench look "
                             f"{lab.c.v4}:7000 --pod default/a </dev/null"]).json()
        return [seen[k] for k in ("smcr", "smcd", "tcp", "software_rdma")]
    with held(lab.a, lab.c.v4, 7000, count=3) as h:
        assert h.ends(lab.c) == [SMCR] * 3
        assert looked() == [3, 0, 0, "rxea"]
    with held(lab.a, lab.p.v4, 7000, count=2):
        assert looked() == [0, 0, 2, ""]


def test_on_one_node_shared_memory_is_taken(lab):
    assert ends(lab.a, lab.b) == SMCD
    assert ends(lab.c, lab.d) == SMCD
    assert ends(lab.e, lab.d) == SMCD


def test_agents_say_the_transports_of_each_pod(lab):
    """The transports of each pod's own namespace, and of each endpoint."""
    n2 = lab.agents["n2"]
    assert sorted(n2.pod("c")["transports"]) == ["smcd", "smcr"]
    assert n2.pod("e")["transports"] == ["smcd"]
    for agent in lab.agents.values():
        assert "SMCMESH" in agent.get("/v1/status")["ueids"]


def test_pod_that_is_not_annotated_stays_tcp(lab):
    assert ends(lab.a, lab.p) == ("tcp", "plain")
    assert lab.reason(lab.a, 7000) == "not-endpoint"
    assert ends(lab.x, lab.c) == ("plain", "tcp")
    assert ends(lab.p, lab.a) == ("plain", "tcp")
    assert ends(lab.a, lab.c) == SMCR


def test_pod_annotated_on_one_side_only_stays_tcp(lab):
    with lab.mesh.changed(c={"enabled": None}):
        become(lambda: ends(lab.c, lab.a), ("plain", "tcp"))
        become(lambda: ends(lab.a, lab.c)[0], "tcp")
        assert ends(lab.a, lab.d) == SMCR
    become(lambda: ends(lab.a, lab.c), SMCR)


def test_pods_without_a_common_transport_stay_tcp(lab):
    """n1 cannot know what e's namespace lacks: it offers, and e's own node says
    no. With e's SmcNode it knows, and does not offer."""
    assert ends(lab.a, lab.e) == TCP
    assert lab.reason(lab.e, 7000, "server") == "no-common-transport"
    assert ends(lab.e, lab.a) == TCP
    assert lab.reason(lab.e, 7000) == "no-common-transport"
    published = [manifest.endpoint(p.v4, p.name, transports)
                 for p, transports in ((lab.c, ("smcr", "smcd")),
                                       (lab.e, ("smcd",)))]
    n1 = lab.agents["n1"]
    n1.set(*lab.mesh.objects(), manifest.node("n2", published))
    try:
        become(lambda: ends(lab.a, lab.d), TCP)    # not published: no endpoint
        assert lab.reason(lab.a, 7000) == "not-endpoint"
        assert ends(lab.a, lab.e) == TCP
        assert lab.reason(lab.a, 7000) == "no-common-transport"
        assert ends(lab.a, lab.c) == SMCR
    finally:
        lab.mesh.apply()
    become(lambda: ends(lab.a, lab.d), SMCR)


def test_node_of_another_fabric_stays_tcp(lab):
    """A node that shares no UEID with ours publishes nothing for us."""
    other = manifest.node("n2", [manifest.endpoint(lab.c.v4, "c")],
                          ueids=["ANOTHER"])
    lab.agents["n1"].set(*lab.mesh.objects(), other)
    try:
        become(lambda: ends(lab.a, lab.c), TCP)
        assert lab.reason(lab.a, 7000) == "not-endpoint"
        assert ends(lab.a, lab.b) == SMCD
    finally:
        lab.mesh.apply()
    become(lambda: ends(lab.a, lab.c), SMCR)


def test_mesh_switched_off_makes_all_tcp(lab):
    with lab.mesh.changed(spec={"enabled": False}):
        become(lambda: ends(lab.a, lab.c), ("plain", "tcp"))
        become(lambda: ends(lab.c, lab.a), ("plain", "tcp"))
    become(lambda: ends(lab.a, lab.c), SMCR)
    become(lambda: ends(lab.c, lab.a), SMCR)


def test_excluded_ports_stay_tcp(lab):
    """Out at the client, in at the server, and for the whole mesh."""
    with lab.mesh.changed(a={"annotations": {manifest.OUT_PORTS: "7001"}},
                          c={"annotations": {manifest.IN_PORTS: "7002"}}):
        become(lambda: ends(lab.a, lab.c, 7001), TCP)
        assert lab.reason(lab.a, 7001) == "excluded-port"
        become(lambda: ends(lab.a, lab.c, 7002), TCP)
        assert lab.reason(lab.c, 7002, "server") == "excluded-port"
        assert ends(lab.a, lab.c, 7000) == SMCR
        assert ends(lab.b, lab.c, 7001) == SMCR
        assert ends(lab.a, lab.d, 7002) == SMCR
    become(lambda: ends(lab.a, lab.c, 7002), SMCR)
    with lab.mesh.changed(spec={"excludePorts": [7002]}):
        become(lambda: ends(lab.b, lab.d, 7002), TCP)
        assert ends(lab.b, lab.d, 7001) == SMCR
    become(lambda: ends(lab.b, lab.d, 7002), SMCR)


def test_excluded_cidr_stays_tcp(lab):
    with lab.mesh.changed(spec={"excludeCIDRs": [lab.c.v4 + "/32"]}):
        become(lambda: ends(lab.a, lab.c), TCP)
        assert lab.reason(lab.a, 7000) == "excluded-cidr"
        assert ends(lab.a, lab.d) == SMCR
    become(lambda: ends(lab.a, lab.c), SMCR)


def test_strangers_stay_tcp(lab):
    assert ends(lab.s, lab.a, protocol="smc") == TCP
    assert ends(lab.a, lab.s) == TCP
    assert lab.reason(lab.a, 7000) == "not-endpoint"
    assert ends(lab.c, lab.a) == SMCR


def test_loopback_stays_tcp(lab):
    assert ends(lab.a, lab.a, address="127.0.0.1") == TCP
    assert ends(lab.a, lab.a) == TCP
    assert ends(lab.a, lab.c) == SMCR


def test_ipv6_between_nodes_is_not_offered(lab):
    """SMC-Rv2 of this kernel cannot route native IPv6: an offer would cost a
    declined handshake. On one node shared memory does not care."""
    assert ends(lab.a, lab.c, address=lab.c.v6) == TCP
    assert lab.reason(lab.a, 7000) == "no-common-transport"
    assert ends(lab.a, lab.b, address=lab.b.v6) == SMCD
    assert ends(lab.a, lab.c, address="::ffff:" + lab.c.v4) == SMCR


def newest(lab, pod, role):
    """The agent's records of the pod's last flows."""
    rows = [f for f in lab.agents[pod.node].flows()
            if f["pod"] == pod.name and f["role"] == role]
    return sorted(rows, key=lambda f: f["opened"])


@pytest.mark.parametrize("recorder", ["sockops", "smc"])
def test_either_recorder_counts_what_the_kernel_counts(lab, recorder):
    """What the records of both ends say of SMC-R, with either recorder, is what
    the kernel's own statistics count."""
    def recorders():
        return {a.get("/v1/status")["recorder"] for a in lab.mesh.agents}

    def stats():
        return (lab.a.smcnl("stats")["client"]["smcr"],
                lab.c.smcnl("stats")["server"]["smcr"])

    with lab.mesh.changed(spec={"recorder": recorder}):
        become(recorders, {recorder}, 30)
        assert ends(lab.a, lab.c) == SMCR    # the link is there
        before = stats()
        with held(lab.a, lab.c.v4, 7000, count=5) as h:
            assert h.ends(lab.c) == [SMCR] * 5
            for pod, role in (lab.a, "client"), (lab.c, "server"):
                rows = newest(lab, pod, role)[-5:]
                assert {f["outcome"] for f in rows} == {"smcr"}, rows
                assert not any(f["closed"] for f in rows), rows
        assert tuple(n - m for n, m in zip(stats(), before)) == (5, 5)
        for pod, role in (lab.a, "client"), (lab.c, "server"):
            become(lambda p=pod, r=role: all(
                f["closed"] for f in newest(lab, p, r)[-5:]), True, 30)


def test_redis_and_iperf3_are_smcr(lab):
    """redis and iperf3 between the nodes: every connection SMC-R."""
    def watch(port, count, proc):
        def look():
            mine, theirs = lab.a.modes(port), lab.c.modes(port)
            if not proc.alive or set(mine + theirs) - {"smcr"}:
                pytest.fail(f"{proc.cmd}: {mine} {theirs} {proc.output}")
            return len(mine) >= count
        wait_for(look, 30, f"{count} connections to port {port}")

    redis = lab.c.spawn(["redis-server", "--bind", "0.0.0.0", "--save", "",
                         "--protected-mode", "no", "--daemonize", "no"])
    lab.c.wait_listen(6379)
    bench = lab.a.spawn(f"redis-benchmark -h {lab.c.v4} -c 4 -n 100000000 "
                        "-t set -q")
    watch(6379, 4, bench)
    bench.kill()
    assert lab.a.run(f"redis-cli -h {lab.c.v4} set colour green").out == "OK\n"
    redis.kill()
    iperf = lab.c.spawn("iperf3 -s")
    lab.c.wait_listen(5201)
    run = lab.a.spawn(f"iperf3 -c {lab.c.v4} -t 8 -J")
    watch(5201, 2, run)
    assert run.wait(40).json()["end"]["sum_received"]["bytes"] > 0
    iperf.kill()


def test_disarmed_pods_keep_their_smc_sockets(lab):
    with held(lab.a, lab.c.v4, 7000, count=2) as before:
        assert before.ends(lab.c) == [SMCR] * 2
        with lab.mesh.changed(a={"enabled": None}, c={"enabled": None}):
            become(lambda: ends(lab.a, lab.c), ("plain", "tcp"))
            become(lambda: ends(lab.c, lab.a), ("plain", "tcp"))
            assert before.ends(lab.c) == [SMCR] * 2
            assert ends(lab.s, lab.c, protocol="smc") == TCP
    become(lambda: ends(lab.a, lab.c), SMCR)

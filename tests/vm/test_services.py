# SPDX-License-Identifier: Apache-2.0
"""Services: a pod's SYN carries the ClusterIP, a proxy (here one nftables rule
of the node) rewrites it. And ports of a pod in the host's network.

     c        a        b         t          10.96.0.1:80, whose backend the
   armed    armed    armed    stranger      test chooses: port 7000 of a, b, t
    .10      .11      .12       .20
     |        |        |         |
   --+--------+- br0 --+---------+--        10.244.1.1: gateway of all, and the
                                            address of the pod `host`
Between the pods all goes through the gateway, as between nodes, or an answer
would not come back through the proxy.
"""
import pytest

from smclab import manifest, topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, end, ends, held, reason, serve
from smclab.mesh import Mesh
from smclab.pins import PINS

VIP, GATEWAY = "10.96.0.1", "10.244.1.1"
# TCP: to an armed pod, and to a program that knows nothing of SMC
SMCD, TCP, PLAIN = ("smcd", "smcd"), ("tcp", "tcp"), ("tcp", "plain")
MAP = PINS + "smc_service"
PROXY = """table ip proxy {
    chain pre {
        type nat hook prerouting priority -100;
    }
}"""


def service():
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"clusterIPs": [VIP],
                     "ports": [{"name": "http", "port": 80}]}}


def endpoint_slice(*pods):
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "web-x", "namespace": "default",
                         "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4", "ports": [{"name": "http", "port": 7000}],
            "endpoints": [{"addresses": [pod.v4]} for pod in pods]}


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh(service())
        topo.bridge(vm, GATEWAY + "/16")
        vm.run("sysctl -w net.ipv4.ip_forward=1"
               " net.ipv4.conf.all.send_redirects=0"
               " net.ipv4.conf.br0.send_redirects=0")
        vm.run("nft -f -", stdin=PROXY)
        for name, host in (("c", 10), ("a", 11), ("b", 12), ("t", 20)):
            pod = topo.pod(vm, name, f"10.244.1.{host}/16")
            pod.run(f"ip route add {GATEWAY} dev eth0 &&"
                    f" ip route add default via {GATEWAY} &&"
                    " ip route del 10.244.0.0/16")
            setattr(self, name, self.mesh.add(
                pod, enabled=None if name == "t" else "true"))
        self.mesh.extra.append(endpoint_slice(self.a, self.b))
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        for pod in (self.a, self.b, self.t):
            serve(pod, 7000)

    def backends(self, *pods):
        self.mesh.extra[1] = endpoint_slice(*pods)
        self.mesh.apply()

    def through_service(self, to):
        """Both ends of a new connection to the ClusterIP that ends at @to."""
        self.vm.run("nft -f -", stdin="flush chain ip proxy pre\n"
                    f"add rule ip proxy pre ip daddr {VIP} tcp dport 80"
                    f" dnat to {to.v4}:7000\n")
        with held(self.c, VIP, 80) as h:
            (port, _), = h.ports()
            return h.client_ends()[0], end(to.diag(), 7000, port)

    def rows(self):
        """{"10.96.0.1:80": transports}, as the kernel has them."""
        out = {}
        for row in (r["formatted"] for r in self.agent.map("smc_service")):
            ip = ".".join(str(int(str(x), 0)) for x in row["key"]["ip"][12:])
            out[f"{ip}:{row['key']['port']}"] = row["value"]["transports"]
        return out


@pytest.fixture(scope="module")
def lab(vm):
    return Lab(vm)


def told(lab):
    """What `smcmesh endpoints` says of the Service."""
    line, = [w.split(None, 5) for w in lab.agent.cli("endpoints").out.splitlines()
             if w.startswith(VIP)]
    return line


def test_service_of_endpoints_alone_is_smcd(lab):
    assert lab.rows() == {f"{VIP}:80": 2}
    assert told(lab) == [VIP, "80", "smcd", "default", "web", "-"]
    assert lab.through_service(lab.a) == SMCD
    assert lab.through_service(lab.b) == SMCD


def test_service_is_tcp_while_a_stranger_is_behind_it(lab):
    """TCP to all of them, and says why; their own addresses stay SMC."""
    lab.backends(lab.a, lab.b, lab.t)
    become(lab.rows, {f"{VIP}:80": 0})
    assert lab.through_service(lab.a) == TCP
    assert reason(lab.agent, lab.c, 80) == "mixed-service"
    assert told(lab)[2] == "-" and lab.t.v4 in told(lab)[5], told(lab)
    assert lab.through_service(lab.t) == PLAIN
    assert ends(lab.c, lab.a) == SMCD
    lab.backends(lab.a, lab.b)
    become(lab.rows, {f"{VIP}:80": 2})
    assert lab.through_service(lab.b) == SMCD


def test_service_is_tcp_while_a_backend_is_disarmed(lab):
    with lab.mesh.changed(b={"enabled": None}):
        become(lab.rows, {f"{VIP}:80": 0})
        assert lab.through_service(lab.a) == TCP
    become(lab.rows, {f"{VIP}:80": 2})
    assert lab.through_service(lab.a) == SMCD


def test_service_without_backends_has_no_row(lab):
    lab.backends()
    become(lab.rows, {})
    lab.backends(lab.a, lab.b)
    become(lab.rows, {f"{VIP}:80": 2})


def test_rows_outlive_the_agent(lab):
    """As long as the lease: its end is tests/vm/test_lease.py's."""
    lab.agent.stop()
    assert lab.through_service(lab.a) == SMCD
    lab.agent.start()
    assert lab.through_service(lab.a) == SMCD
    assert reason(lab.agent, lab.c, 80) == "none"


# ---- the host's network -------------------------------------------------------

def test_host_network_pod_is_offered_smc_where_it_listens(lab):
    cgroup = "kubepods/poduid-default-host"
    inside, outside = (topo.HostPod(lab.vm, c, GATEWAY)
                       for c in (cgroup + "/app", None))
    lab.vm.run(f"mkdir -p /sys/fs/cgroup/{cgroup}/app")
    early = serve(inside, 7300)
    lab.mesh.extra.append(manifest.pod("host", "n1", GATEWAY,
                                       host_network=True))
    lab.mesh.apply()
    wait_for(lambda: lab.agent.pod("host")["armed"], 15, "host to be armed")
    servers = [serve(inside, 7301), serve(outside, 7302),
               # one port, two owners
               serve(inside, 7303, address="127.0.0.1"),
               serve(outside, 7303, address=GATEWAY)]
    try:
        become(lab.rows, {f"{VIP}:80": 2, f"{GATEWAY}:7301": 2}, 20)
        assert ends(lab.c, inside, 7301) == SMCD
        for port in (7300, 7302, 7303):
            assert ends(lab.c, inside, port) == PLAIN
            assert reason(lab.agent, lab.c, port) == "not-endpoint"
        servers.pop(0).kill()
        become(lab.rows, {f"{VIP}:80": 2}, 20)
    finally:
        for proc in (early, *servers):
            proc.kill()

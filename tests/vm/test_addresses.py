# SPDX-License-Identifier: Apache-2.0
"""Whose address is it? Addresses that look like an endpoint's, or a Service's, and
lead to somebody else. He must see no SYN with the option; what belongs to the
endpoint itself stays SMC. Each beside its control: the same way, of which the
agent cannot know.

     c        a        t               10.244.1.1: gateway of all, and the address
   armed    armed   stranger           of the pod `gw` in the node's network
    .10      .11      .20
     |        |        |               tproxy and network plugin are a few nftables
   --+--- br0 +--------+--             rules of the node
"""
import contextlib

import pytest

from smclab import manifest, topo, wait_for
from smclab.agents import Agent
from smclab.crowd import watch
from smclab.flows import become, ends, held, reason, serve
from smclab.mesh import Mesh

VIP, NODE = "10.96.0.1", "10.244.1.1"
PORT, OTHER, HOST_PORT, CACHE = 7000, 7001, 7301, 7053
SMCD = ("smcd", "smcd")
PROXY = """table ip proxy {
    chain pre {
        type nat hook prerouting priority -100
    }
}
"""


def service(name="web", notes=None, ingress=None, **spec):
    found = {"apiVersion": "v1", "kind": "Service",
             "metadata": {"name": name, "namespace": "default",
                          "annotations": notes or {}},
             "spec": {"ports": [{"name": "tcp", "port": PORT}], **spec}}
    if ingress:
        found["status"] = {"loadBalancer": {"ingress": [{"ip": ingress}]}}
    return found


def endpoint_slice(*pods, port=PORT):
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "web-x", "namespace": "default",
                         "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4", "ports": [{"name": "tcp", "port": port}],
            "endpoints": [{"addresses": [pod.v4]} for pod in pods]}


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, NODE + "/16")
        vm.run("sysctl -w net.ipv4.ip_forward=1"
               " net.ipv4.conf.all.send_redirects=0"
               " net.ipv4.conf.br0.send_redirects=0")
        vm.run("nft -f -", stdin=PROXY)
        for name, host in (("c", 10), ("a", 11), ("v", 12), ("t", 20)):
            pod = topo.pod(vm, name, f"10.244.1.{host}/16")
            pod.run(f"ip route add {NODE} dev eth0 &&"
                    f" ip route add default via {NODE} &&"
                    " ip route del 10.244.0.0/16")
            setattr(self, name, self.mesh.add(
                pod, enabled=None if name == "t" else "true"))
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        for pod in (self.a, self.v, self.t):
            serve(pod, PORT, OTHER)

    @contextlib.contextmanager
    def led(self, address, port, to):
        """What is sent to address:port goes to @to's PORT."""
        self.vm.run("nft -f -", stdin=f"add rule ip proxy pre ip daddr {address}"
                    f" tcp dport {port} dnat to {to.v4}:{PORT}\n")
        try:
            yield
        finally:
            self.vm.run("nft flush chain ip proxy pre")

    def offers(self, address, port, at, to_port=PORT):
        """Of one connection of c to address:port that ends at @at: how many of
        the SYNs that came there carried the option? And c's end."""
        with watch(at) as seen, held(self.c, address, port) as h:
            end_of_c, = h.client_ends()
        syns = [p for p in seen.packets if not p.sent and not p.ack
                and p.dport == to_port]
        assert syns, f"no SYN came to {at.name}"
        return any(p.smc for p in syns), end_of_c

    def become(self, address, port, expected, timeout=10):
        """Wait for the transports of the kernel's row there; None: no row."""
        def now():
            for row in (r["formatted"] for r in self.agent.map("smc_service")):
                ip = ".".join(str(int(str(x), 0))
                              for x in row["key"]["ip"][12:])
                if (ip, row["key"]["port"]) == (address, port):
                    return row["value"]["transports"]
            return None

        become(now, expected, timeout)

    def why(self, address):
        """What `smcmesh endpoints` says of the Service there."""
        line, = [w.split(None, 5)
                 for w in self.agent.cli("endpoints").out.splitlines()
                 if w.startswith(address + " ") and w.split()[1].isdigit()]
        return line[5]

    def is_endpoint(self, pod):
        return pod.v4 in [e["address"]
                          for e in self.agent.get("/v1/endpoints")["endpoints"]]


@pytest.fixture(scope="module")
def lab(vm):
    return Lab(vm)


@pytest.fixture(scope="module")
def gateway(lab):
    """An armed pod in the node's network, which listens at HOST_PORT."""
    cgroup = "kubepods/poduid-default-gw"
    inside = topo.HostPod(lab.vm, cgroup + "/app", NODE)
    lab.vm.run(f"mkdir -p /sys/fs/cgroup/{cgroup}/app")
    lab.mesh.extra.append(manifest.pod("gw", "n1", NODE, host_network=True))
    lab.mesh.apply()
    wait_for(lambda: lab.agent.pod("gw").get("armed"), 15, "gw to be armed")
    server = serve(inside, HOST_PORT)
    lab.become(NODE, HOST_PORT, 2, 20)
    yield inside
    server.kill()
    del lab.mesh.extra[-1]
    lab.mesh.apply()


# ---- Services' external addresses ------------------------------------------------

def test_external_ip_of_a_pod_is_not_offered(lab):
    """A tenant's Service names a's address: at its port the proxy gives him what
    is meant for a, and SMC is offered to nobody there. All else of a stays."""
    with lab.led(lab.a.v4, PORT, lab.t):
        # nobody said so: a's own row offers
        assert lab.offers(lab.a.v4, PORT, lab.t) == (True, "tcp")
        with lab.mesh.changed(extra=[service("other",
                                             externalIPs=[lab.a.v4])]):
            lab.become(lab.a.v4, PORT, 0)
            assert lab.offers(lab.a.v4, PORT, lab.t) == (False, "tcp")
            assert reason(lab.agent, lab.c, PORT) == "mixed-service"
            assert "external address" in lab.why(lab.a.v4)
            assert lab.agent.pod("a")["armed"]
            assert ends(lab.c, lab.a, OTHER) == SMCD
            assert ends(lab.a, lab.v, PORT) == SMCD
    lab.become(lab.a.v4, PORT, None)
    assert ends(lab.c, lab.a) == SMCD


@pytest.mark.parametrize("how", ["externalIPs", "ingress"])
def test_external_ip_of_the_node_is_not_offered(lab, gateway, how):
    """Beside a pod in the node's network that listens at the same port."""
    say = {"externalIPs": [NODE]} if how == "externalIPs" else {"ingress": NODE}
    say["ports"] = [{"port": HOST_PORT}]
    assert ends(lab.c, gateway, HOST_PORT) == SMCD
    with lab.led(NODE, HOST_PORT, lab.t):
        assert lab.offers(NODE, HOST_PORT, lab.t) == (True, "tcp")
        ports = say.pop("ports")
        with lab.mesh.changed(extra=[service("edge", ports=ports, **say)]):
            lab.become(NODE, HOST_PORT, 0)
            assert lab.offers(NODE, HOST_PORT, lab.t) == (False, "tcp")
            assert lab.agent.pod("gw")["armed"]
    lab.become(NODE, HOST_PORT, 2, 20)
    assert ends(lab.c, gateway, HOST_PORT) == SMCD


def test_host_port_of_another_pod_is_not_offered(lab, gateway):
    """The network plugin leads it to t, whoever listens there."""
    ports = [{"name": "app", "ports": [{"containerPort": PORT,
                                        "hostPort": HOST_PORT}]}]
    with lab.led(NODE, HOST_PORT, lab.t):
        assert lab.offers(NODE, HOST_PORT, lab.t) == (True, "tcp")
        with lab.mesh.changed(t={"containers": ports}):
            lab.become(NODE, HOST_PORT, None)
            assert lab.offers(NODE, HOST_PORT, lab.t) == (False, "tcp")
    lab.become(NODE, HOST_PORT, 2, 20)
    assert ends(lab.c, gateway, HOST_PORT) == SMCD


# ---- ClusterIPs of which the slices do not tell all ------------------------------

def test_service_with_backends_elsewhere_is_not_offered(lab):
    """t stands for one: the proxy knows it, and the slices do not."""
    both = [service(clusterIPs=[VIP]), endpoint_slice(lab.a)]
    shared = [service(clusterIPs=[VIP], notes={"service.cilium.io/global":
                                               "true"}), both[1]]
    with lab.led(VIP, PORT, lab.t):
        with lab.mesh.changed(extra=both):
            lab.become(VIP, PORT, 2)
            assert lab.offers(VIP, PORT, lab.t) == (True, "tcp")
        with lab.mesh.changed(extra=shared):
            lab.become(VIP, PORT, 0)
            assert lab.offers(VIP, PORT, lab.t) == (False, "tcp")
            assert "EndpointSlices do not tell" in lab.why(VIP)


def test_cluster_ip_that_the_node_holds_is_not_offered(lab):
    """Something on the node answers there in the backends' stead: found by the
    address alone, at the next look. Another Service stays."""
    host = topo.HostPod(lab.vm, None, VIP)
    host.name = "host"
    ports, slices = [{"name": "tcp", "port": CACHE}], [
        endpoint_slice(lab.a), endpoint_slice(lab.a)]
    slices[1]["metadata"] = {"name": "x-x", "namespace": "default", "labels":
                             {"kubernetes.io/service-name": "x"}}

    def offered():
        """By what came in from c, at whatever device of the node."""
        return lab.offers(VIP, CACHE, host, CACHE)

    with lab.mesh.changed(extra=[
            service(clusterIPs=[VIP], ports=ports), *slices,
            service("x", clusterIPs=["10.96.0.2"], ports=ports)]):
        lab.become(VIP, CACHE, 2)
        lab.agent.stop()
        lab.vm.run(f"ip addr add {VIP}/32 dev lo")
        cache = serve(host, CACHE, address=VIP)
        try:
            assert offered() == (True, "tcp")
            lab.agent.start()
            lab.become(VIP, CACHE, 0, 20)
            lab.become("10.96.0.2", CACHE, 2)
            assert offered() == (False, "tcp")
            assert "local on this node" in lab.why(VIP)
        finally:
            cache.kill()
            lab.vm.run(f"ip addr del {VIP}/32 dev lo")
        # and without being told that it is gone
        lab.become(VIP, CACHE, 2, 20)


# ---- pods whose TCP ends elsewhere -----------------------------------------------

def refused(lab):
    """v says that its connections end elsewhere, and nobody is offered them."""
    become(lambda: lab.agent.pod("v").get("reason"), "forwards", 20)
    assert not lab.agent.pod("v")["armed"]
    assert not lab.is_endpoint(lab.v)


def armed_again(lab):
    become(lambda: lab.agent.pod("v").get("armed"), True, 20)
    become(lambda: ends(lab.c, lab.v), SMCD, 40)


def test_pod_labelled_as_a_virtual_machine_is_disarmed(lab):
    assert ends(lab.c, lab.v) == SMCD
    labels = {"kubevirt.io": "virt-launcher"}
    with lab.mesh.changed(v={"labels": labels}):
        refused(lab)
        offer, client = lab.offers(lab.v.v4, PORT, lab.v)
        assert (offer, client) == (False, "tcp")
    armed_again(lab)


@contextlib.contextmanager
def guest(lab, address, mac=None):
    """A namespace behind v, as a guest or an inner container is, that serves."""
    v = lab.v
    lab.vm.run("ip netns add g; mkdir -p /sys/fs/cgroup/lab/g;"
               f" ip -n {v.name} link add tap0 type veth peer name eth0 netns g;"
               " ip -n g link set lo up;"
               + (f" ip -n g link set eth0 address {mac};" if mac else "") +
               f" ip -n {v.name} link set tap0 up; ip -n g link set eth0 up;"
               f" ip -n g addr add {address} dev eth0")
    g = topo.Pod(lab.vm, "g", address, None, lab.vm.name)
    try:
        if mac:
            g.run(f"ip route add {NODE} dev eth0 && ip route add default via"
                  f" {NODE} && ip route del 10.244.0.0/16")
        else:
            v.run("sysctl -qw net.ipv4.ip_forward=1;"
                  " ip addr add 10.0.2.1/24 dev tap0")
            g.run("ip route add default via 10.0.2.1")
        server = serve(g, PORT)
        yield g
        server.kill()
    finally:
        topo.delete_pod(g)


def nft_masquerade(v):
    """KubeVirt's."""
    v.run("nft -f -", stdin="""table ip nat {
        chain prerouting {
            type nat hook prerouting priority dstnat
            iifname "eth0" counter jump KUBEVIRT_PREINBOUND
        }
        chain KUBEVIRT_PREINBOUND {
            counter dnat to 10.0.2.2
        }
    }
    """)
    return lambda: v.run("nft delete table ip nat")


def published_port(v):
    """Docker's, for a container inside of the pod."""
    if v.run("iptables-legacy -t nat -S", check=False).rc:
        pytest.skip("this kernel has no iptables-legacy (CONFIG_IP_NF_NAT)")
    v.run("iptables-legacy-restore", stdin="*nat\n:DOCKER - [0:0]\n"
          "-A PREROUTING -j DOCKER\n-A DOCKER ! -i tap0 -p tcp -m tcp --dport"
          f" {PORT} -j DNAT --to-destination 10.0.2.2:{PORT}\nCOMMIT\n")
    return lambda: v.run("iptables-legacy -t nat -F")


def check_guest(lab, g, lead, told):
    """lead(): makes what leads there while nobody looks, and how to undo it."""
    lab.agent.stop()
    undo = lead(lab.v)
    try:
        # the guest is offered what was meant for v
        assert lab.offers(lab.v.v4, PORT, g) == (True, "tcp")
        lab.agent.start()
        refused(lab)
        assert lab.offers(lab.v.v4, PORT, g) == (False, "tcp")
        assert told in lab.agent.pod("v")["sentence"]
    finally:
        undo()
    lab.agent.look()
    armed_again(lab)


@pytest.mark.parametrize("rule", [nft_masquerade, published_port])
def test_pod_whose_rule_leads_to_a_guest_is_disarmed(lab, rule):
    assert ends(lab.c, lab.v) == SMCD
    with guest(lab, "10.0.2.2/24") as g:
        check_guest(lab, g, rule, "10.0.2.2")


def redirect(kind):
    """As sandboxes with a kernel of their own have it: the address stays where it
    is, and nothing that comes to it gets to it."""
    def install(v):
        for dev, to in (("eth0", "tap0"), ("tap0", "eth0")):
            v.run(f"tc qdisc add dev {dev} clsact; tc filter add dev {dev} "
                  f"ingress {kind} action mirred egress redirect dev {to}")
        return lambda: v.run("tc qdisc del dev eth0 clsact")
    return install


@pytest.mark.parametrize("kind", ["matchall", "flower"])
def test_pod_whose_device_leads_to_a_guest_is_disarmed(lab, kind):
    mac = lab.v.run("cat /sys/class/net/eth0/address").out.strip()
    with guest(lab, lab.v.v4 + "/16", mac) as g:
        check_guest(lab, g, redirect(kind), "eth0")

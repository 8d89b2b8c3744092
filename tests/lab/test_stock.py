# SPDX-License-Identifier: Apache-2.0
"""Two nodes with their distribution's kernel: SMC-R between programs that use the
host's network, and what is said of pods with a network of their own.

     p1 .1.10   q1 .1.11                              p2 .2.10
       |          |                                     |
     --+-- br0 ---+--  10.244.1.0/24                  --+-- br0  10.244.2.0/24
     n1 eth0 10.0.0.1 + rxe0 ======== link ======== eth0 10.0.0.2 + rxe0 n2
        h1: hostNetwork                                 h2: hostNetwork

First native SMC programs, without agents: what the lab itself can do. Then an
agent on each node; h1, h2, p1 and p2 are annotated.
"""
import errno

import pytest

from smclab import kernel, manifest, topo, wait_for
from smclab.agents import Agent, has_smc
from smclab.crowd import hammer, watch
from smclab.flows import become, ends, held, reason, serve
from smclab.mesh import Mesh
from smclab.pair import Pair

pytestmark = pytest.mark.kernels

NODECTL = "/build/faults/vm/nodectl"
SMCR, SMCD, TCP = ("smcr", "smcr"), ("smcd", "smcd"), ("tcp", "tcp")
# the ports of h2: armed programs'; beside them, those of nobody's pod
ARMED, BESIDE, NATIVE = 7000, 7001, 7002


class Host(topo.HostPod):
    """Programs of an annotated hostNetwork pod."""

    def __init__(self, vm, name, v4):
        super().__init__(vm, f"kubepods/poduid-default-{name}", v4)
        self.name, self.node = name, vm.name
        vm.run(f"mkdir -p /sys/fs/cgroup/{self.cgroup}")
        self.spawn(["sleep", "infinity"])    # a pod has a process

    def manifest(self):
        return manifest.pod(self.name, self.node, self.v4, host_network=True)


class Lab:
    def __init__(self, pair):
        self.pair = pair
        if not pair.n1.kernel.config.get("CONFIG_SMC"):
            pytest.skip(f"{pair.n1.kernel} is built without SMC")
        for i, vm in enumerate(pair, 1):
            vm.run(f"ip link set eth0 up; ip addr add 10.0.0.{i}/24 dev eth0;"
                   " rdma link add rxe0 type rxe netdev eth0")
            wait_for(lambda v=vm: "ACTIVE" in v.run("rdma link show rxe0/1").out,
                     20, "rxe0 to be active")
            topo.bridge(vm, f"10.244.{i}.1/24")
            vm.run("sysctl -qw net.ipv4.ip_forward=1;"
                   f" ip route add 10.244.{3 - i}.0/24 via 10.0.0.{3 - i}")
        if not has_smc(pair.n1):
            pytest.skip(f"{pair.n1.kernel} has no IPPROTO_SMC")
        self.h1 = Host(pair.n1, "h1", "10.0.0.1")
        self.h2 = Host(pair.n2, "h2", "10.0.0.2")
        self.out1 = topo.HostPod(pair.n1, None, "10.0.0.1")
        self.out2 = topo.HostPod(pair.n2, None, "10.0.0.2")
        serve(self.out2, NATIVE, native=True)
        serve(self.out2, BESIDE)

    def native(self, protocol="smc"):
        return ends(self.out1, self.out2, NATIVE, protocol=protocol)


@pytest.fixture(scope="module")
def lab():
    machines = Pair(kernel.stock_or_given())
    try:
        yield Lab(machines)
    finally:
        machines.stop()


# ---- without us ----------------------------------------------------------------

def test_without_a_ueid_all_is_tcp(lab):
    """The control: on x86 there is no system EID."""
    assert lab.native() == TCP


def test_path_between_the_hosts_is_proven(lab):
    """Who asks has its kernel load what answers: the modules ib_cm and rdma_cm."""
    def probed(at, peer):
        got = at.vm.run([NODECTL, "probe", "2000", "-", at.v4, peer.v4]).json()
        return [p["result"] for p in got["probes"]]

    first = probed(lab.h2, lab.h1)
    assert first in ([0], [-errno.ETIMEDOUT]), first
    assert probed(lab.h1, lab.h2) == [0]
    assert probed(lab.h2, lab.h1) == [0]


def test_native_programs_are_smcr(lab):
    for vm in lab.pair:
        topo.ueid(vm)
    become(lab.native, SMCR, 30)
    # who did not ask for it
    assert lab.native(protocol="tcp") == ("plain", "tcp")
    assert ends(lab.out1, lab.out2, BESIDE, protocol="smc") == ("tcp", "plain")


# ---- with agents ---------------------------------------------------------------

class Armed:
    """An agent on each node. With its file it knows what the other one would
    publish in its SmcNode."""

    def __init__(self, lab):
        self.lab, self.agents = lab, []
        self.h1, self.h2 = lab.h1, lab.h2
        self.p1 = topo.pod(lab.pair.n1, "p1", "10.244.1.10/24",
                           gateway="10.244.1.1")
        self.q1 = topo.pod(lab.pair.n1, "q1", "10.244.1.11/24",
                           gateway="10.244.1.1")
        self.p2 = topo.pod(lab.pair.n2, "p2", "10.244.2.10/24",
                           gateway="10.244.2.1")
        self.mesh = Mesh(self.h1.manifest(), self.h2.manifest())
        for pod in self.p1, self.p2:
            self.mesh.add(pod)
        for here, there in (lab.h1, lab.h2), (lab.h2, lab.h1):
            self.agents.append(Agent(here.vm, [
                *self.mesh.objects(), self.published(there)]).start())
            wait_for(lambda h=here: self.agent(h).pod(h.name)["armed"], 30,
                     f"{here.name} to be armed")
        for host in lab.h1, lab.h2:
            serve(host, ARMED)
        self.wait_guarded()

    def agent(self, at):
        return self.agents[0 if at.vm is self.lab.pair.n1 else 1]

    def published(self, host):
        at = {**manifest.endpoint(host.v4, host.name, ("smcr",)),
              "ports": [ARMED]}
        return manifest.node(host.node, [at], transports=("smcr",))

    def wait_guarded(self):
        """Each is converted: on a kernel without hs_ctrl a look comes first."""
        for host in self.h1, self.h2:
            become(lambda h=host: any(r["local_port"] == ARMED and
                                      r["mode"] != "plain"
                                      for r in h.diag(every=True)), True)

    def offers(self, client, at, port, **how):
        """Did the client's SYN carry the option, on the wire of its namespace?"""
        with watch(client) as seen:
            told = hammer(client, f"{at}:{port}", count=3, **how)
        assert not told["errors"], told
        return {p.smc for p in seen.packets
                if p.sent and not p.ack and p.dport == port}


@pytest.fixture(scope="module")
def armed(lab):
    return Armed(lab)


def test_selector_is_the_kernels(armed, lab):
    has = lab.pair.n1.kernel.config.get("CONFIG_SMC_HS_CTRL_BPF") == "y"
    for agent in armed.agents:
        assert agent.get("/v1/status")["selector"] == (
            "hs_ctrl" if has else "synfilter")


def test_hosts_pods_are_smcr(armed):
    become(lambda: ends(armed.h1, armed.h2, ARMED), SMCR, 40)
    assert ends(armed.h2, armed.h1, ARMED) == SMCR
    with held(armed.h1, armed.h2.v4, ARMED, count=3) as h:
        assert h.ends(armed.h2) == [SMCR] * 3


def test_programs_beside_them_are_as_without_us(armed, lab):
    """At the same addresses: who asks for SMC gets it from who does, who does not
    is TCP, and an armed program says SMC to none of them."""
    assert lab.native() == SMCR
    assert lab.native(protocol="tcp") == ("plain", "tcp")
    assert ends(lab.out1, lab.out2, BESIDE) == ("plain", "plain")
    assert ends(armed.h1, armed.h2, BESIDE) == ("tcp", "plain")
    become(lambda: reason(armed.agents[0], armed.h1, BESIDE), "not-endpoint")
    assert ends(armed.h1, armed.h2, NATIVE) == TCP
    assert ends(lab.out1, armed.h2, ARMED) == ("plain", "tcp")


def test_a_new_device_of_the_node_changes_nothing(armed):
    """A pod is started there: the host's namespace gets a device."""
    armed.h1.vm.run("ip link add new0 type veth peer name new1")
    become(lambda: ends(armed.h1, armed.h2, ARMED), SMCR, 20)
    armed.h1.vm.run("ip link del new0")
    become(lambda: ends(armed.h1, armed.h2, ARMED), SMCR, 20)


def test_pods_of_their_own_network_are_told_the_truth(armed, lab):
    """Where they have neither shared memory nor a device they are not armed, and
    say no word of SMC to anybody."""
    if lab.pair.n1.kernel.config.get("CONFIG_DIBS_LO") == "y":
        pytest.skip("pods of this kernel have shared memory")
    for pod in armed.p1, armed.p2:
        told = armed.agent(pod).pod(pod.name)
        assert (told["armed"], told["reason"]) == (False, "no-transport"), told
    serve(armed.p2, 7000)
    serve(armed.p2, 7003, native=True)
    assert ends(armed.p1, armed.p2) == ("plain", "plain")
    assert armed.offers(armed.p1, armed.p2.v4, 7000) == {False}
    # control: one that is not annotated, and asks for SMC by itself
    assert armed.offers(armed.q1, armed.p2.v4, 7003, smc=True) == {True}


def test_connections_outlive_the_agents(armed):
    with held(armed.h1, armed.h2.v4, ARMED) as h:
        for agent in armed.agents:
            agent.stop(9)
        assert h.ends(armed.h2) == [SMCR]
        assert ends(armed.h1, armed.h2, BESIDE) == ("tcp", "plain")
        for agent in armed.agents:
            agent.start()
        assert h.ends(armed.h2) == [SMCR]
    become(lambda: ends(armed.h1, armed.h2, ARMED), SMCR, 40)


def test_nothing_is_left(armed, lab):
    """The UEID of the lab stays, and with it what native programs do."""
    for agent in armed.agents:
        agent.stop()
        told = agent.cli("cleanup", "--force")
        assert "Nothing of smcmesh is left" in told.out, told.out + told.err
    become(lab.native, SMCR, 30)

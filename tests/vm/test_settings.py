# SPDX-License-Identifier: Apache-2.0
"""SMC's settings that the agent keeps: sysctls and pnet ids.

    VM n1: eth0 10.60.0.2/16, no RDMA          eth1 10.60.0.3/16, rxeaux
             |
             i (ipvlan, 10.60.0.10)

    a       b           c                 d          x        o
  armed   armed   armed, rxec on       armed,    stranger   annotated for the
    |       |     net1, not eth0     rxed on eth0    |      erdma-controller too
    |       |        ||                 |            |        |
  --+-------+-- br0 -++-----------------+------------+--------+--

What a namespace has is read in it, by others' tools than the agent. Before the
first agent somebody else has entries of his own in the tables of c and the host;
after the last cleanup the tables and sysctls are as they were before.
"""
import json

import pytest

from smclab import Link, Vm, topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, ends, serve
from smclab.mesh import Mesh

SMCD = ("smcd", "smcd")
WANT = {"wmem": 131072, "rmem": 262144, "limit_smc_hs": 1,
        "autocorking_size": 0, "smcr_max_send_wr": 256, "smcr_max_recv_wr": 768}
PODS = {"a": 10, "b": 11, "c": 12, "d": 13, "x": 30, "o": 31}
ERDMA = "network.alibabacloud.com/erdma-smcr"


def place(entry):
    """Of a row of smcnl.pnet(): an interface, or device/port."""
    return (f"{entry['ib']}/{entry['port']}" if entry["ib"] != "n/a"
            else entry["eth"])


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        kinds = {"x": {"enabled": None}, "o": {"annotations": {ERDMA: "true"}}}
        for name, host in PODS.items():
            pod = topo.pod(vm, name, f"10.244.1.{host}/16", rdma=name == "d")
            setattr(self, name, self.mesh.add(pod, **kinds.get(name, {})))
        vm.run("ip link add v-c1 master br0 up type veth peer name net1 netns c;"
               " ip -n c link set net1 up; ip -n c addr add 10.244.3.12/16 dev net1"
               " noprefixroute")
        topo.rxe(self.c, "net1")
        self.i = self.ipvlan_pod()
        topo.ueid(vm)
        vm.call("smcnl", "pnet", "add", "SOMEBODY", "eth9")
        vm.call("smcnl", "pnet", "add", "SOMEBODY", "mlx5_7/1")
        self.c.smcnl("pnet", "add", "SOMEBODY", "eth9")
        self.before = self.picture()
        self.agent = Agent(vm, self.mesh.objects())
        self.mesh.agents.append(self.agent)
        self.agent.start()

    def ipvlan_pod(self):
        pod = topo.Pod(self.vm, "i", "10.60.0.10/16", None, "n1")
        self.vm.run(
            "ip link set eth0 up; ip addr add 10.60.0.2/16 dev eth0;"
            " ip link set eth1 up; ip addr add 10.60.0.3/16 dev eth1 noprefixroute;"
            " rdma link add rxeaux type rxe netdev eth1;"
            " ip netns add i; mkdir -p /sys/fs/cgroup/lab/i;"
            " ip link add ipv0 link eth0 type ipvlan mode l2;"
            " ip link set ipv0 netns i name eth0; ip -n i link set lo up;"
            " ip -n i link set eth0 up; ip -n i addr add 10.60.0.10/16 dev eth0")
        return self.mesh.add(pod)

    def sysctls(self, pod):
        """Of a pod, or the VM itself."""
        names = " ".join(f"/proc/sys/net/smc/{n}" for n in WANT)
        return dict(zip(WANT, map(int, pod.run(f"cat {names}").out.split())))

    def pnet(self, pod=None):
        """{place: id} of a pod, or the host."""
        rows = pod.smcnl("pnet") if pod else self.vm.call("smcnl", "pnet")
        return {place(r): r["name"] for r in rows}

    def picture(self):
        pods = [p for p, _ in self.mesh.pods]
        return ({p.name: self.sysctls(p) for p in pods}, self.sysctls(self.vm),
                {p.name: self.pnet(p) for p in pods}, self.pnet())

    def wait_sysctls(self, pod, **values):
        become(lambda: self.sysctls(pod),
               {**self.before[0][pod.name], **values}, 15)

    def set(self, **spec):
        self.mesh.spec = spec
        self.mesh.apply()

    def said(self):
        return self.agent.proc.err + self.agent.proc.out

    def cleanup(self, *args, rc=0):
        r = self.agent.cli("cleanup", *args, check=False)
        assert r.rc == rc, (r.rc, r.out, r.err)
        return r.out + r.err


@pytest.fixture(scope="module")
def lab():
    links = [Link(), Link()]
    try:
        with Vm("n1", nics=[link.ends[0] for link in links]) as vm:
            yield Lab(vm)
    finally:
        for link in links:
            link.close()


def test_nothing_wanted_changes_no_sysctl(lab):
    wait_for(lambda: lab.agent.pod("a")["armed"], 20, "a to be armed")
    assert lab.picture()[:2] == lab.before[:2]
    assert lab.agent.pod("a")["settings"]["sysctls"] == lab.before[0]["a"]


def test_sysctls_are_set_in_armed_pods_alone(lab):
    lab.set(sysctls=WANT)
    for pod in lab.a, lab.b, lab.c:
        lab.wait_sysctls(pod, **WANT)
    assert lab.sysctls(lab.x) == lab.before[0]["x"]
    assert lab.sysctls(lab.vm) == lab.before[1]
    become(lambda: lab.agent.pod("a")["settings"]["sysctls"], WANT)
    server = serve(lab.b, 7000)
    assert ends(lab.a, lab.b) == SMCD
    server.kill()


def test_changed_sysctl_is_put_back(lab):
    lab.a.run("sysctl -qw net.smc.wmem=99999 net.smc.limit_smc_hs=0")
    lab.agent.look()
    lab.wait_sysctls(lab.a, **WANT)
    assert "net.smc.wmem is 131072 again, somebody had made it 99999" in lab.said()


def test_bad_value_is_named_and_the_rest_holds(lab):
    """A value that is not allowed is as none: what was before us comes back."""
    lab.set(sysctls={**WANT, "wmem": 16383, "tcp2smc": 1}, excludePorts=[7999])
    lab.wait_sysctls(lab.a, **{**WANT, "wmem": lab.before[0]["a"]["wmem"]})
    notes = "\n".join(lab.agent.get("/v1/status")["source"]["notes"])
    assert ("spec.sysctls.wmem is 16383, expected a number from 16384 to "
            "1073741823" in notes), notes
    assert "spec.sysctls.tcp2smc is 1" in notes, notes
    assert "spec.sysctls.wmem is 16383" in lab.agent.cli("status").out
    assert lab.agent.pod("a")["armed"]
    lab.set(sysctls=WANT)
    lab.wait_sysctls(lab.a, **WANT)


def test_next_agent_knows_what_was_before(lab):
    lab.agent.stop()
    lab.mesh.spec = {"sysctls": {"rmem": 300000}}
    lab.mesh.apply()
    lab.agent.start()
    lab.wait_sysctls(lab.a, rmem=300000)
    lab.wait_sysctls(lab.b, rmem=300000)


def test_pnet_ids_are_given_where_an_interface_lacks_its_device(lab):
    """c's eth0 and rxec, which is on net1, share an id; d's eth0 carries rxed
    itself; the ipvlan interface of i is on the host's eth0, whose RDMA device is
    beside it. Entries of others are as before."""
    def ours(table, before):
        return {k: v for k, v in table.items() if k not in before}

    become(lambda: set(lab.pnet(lab.c)), {"eth9", "eth0"}, 15)
    become(lambda: set(ours(lab.pnet(), lab.before[3])),
           {"rxec/1", "eth0", "rxeaux/1"}, 15)
    inside, host = lab.pnet(lab.c), lab.pnet()
    assert inside["eth0"] == host["rxec/1"] and inside["eth9"] == "SOMEBODY"
    assert host["eth0"] == host["rxeaux/1"] != host["rxec/1"]
    assert host["mlx5_7/1"] == host["eth9"] == "SOMEBODY"
    for pod in lab.a, lab.d, lab.i, lab.x:
        assert lab.pnet(pod) == {}, pod.name
    shown, = lab.agent.pod("c")["settings"]["pnet"]
    assert shown == {"interface": "eth0", "device": "rxec", "port": 1,
                     "id": inside["eth0"]}


def test_interface_with_the_id_of_somebody_else_is_left(lab):
    """It is not overwritten, and a warning says what follows."""
    ours = lab.pnet(lab.c)["eth0"]
    lab.set(pnet="off")
    become(lambda: lab.pnet(lab.c), lab.before[2]["c"], 15)
    become(lambda: lab.pnet(), lab.before[3], 30)
    lab.c.smcnl("pnet", "add", "FOREIGN", "eth0")
    lab.set()
    become(lambda: "FOREIGN of somebody else" in
           lab.agent.pod("c")["settings"]["problem"], True, 15)
    assert "eth0 has the pnet id FOREIGN of somebody else" in lab.said()
    assert lab.pnet(lab.c)["eth0"] == "FOREIGN" and lab.agent.pod("c")["armed"]
    lab.c.smcnl("pnet", "del", "FOREIGN")
    lab.agent.look()
    become(lambda: lab.pnet(lab.c).get("eth0"), ours, 15)


def test_id_of_a_device_that_is_gone_is_removed(lab):
    before = lab.pnet()["rxec/1"]
    lab.vm.run("ip netns exec c rdma link delete rxec")
    lab.agent.look()
    become(lambda: "rxec/1" in lab.pnet(), False, 30)
    become(lambda: lab.pnet(lab.c), lab.before[2]["c"], 15)
    topo.rxe(lab.c, "net1")
    lab.agent.look()
    become(lambda: lab.pnet().get("rxec/1"), before, 30)
    become(lambda: lab.pnet(lab.c).get("eth0"), before, 15)


def test_pod_of_both_products_is_not_armed(lab):
    pod = lab.agent.pod("o")
    assert not pod["armed"] and pod["reason"] == "other-product", pod
    assert ERDMA in pod["sentence"] and "annotations" in pod["remedy"], pod
    warned = "\n".join(lab.agent.get("/v1/status")["warnings"])
    assert "default/o is not armed" in warned and ERDMA in warned, warned
    assert "pod default/o is not armed: it is annotated" in lab.said()
    with lab.mesh.changed(o={"annotations": {ERDMA: "false"}}):
        become(lambda: lab.agent.pod("o")["armed"], True, 20)
    become(lambda: lab.agent.pod("o")["armed"], False, 20)


def test_cleanup_makes_all_as_it_was(lab):
    """But for what somebody has changed after us: that is his."""
    lab.set(sysctls=WANT)
    for pod in lab.a, lab.b, lab.c, lab.d, lab.i:
        lab.wait_sysctls(pod, **WANT)
    lab.agent.stop()
    lab.b.run("sysctl -qw net.smc.rmem=55555")
    said = lab.cleanup("--list", rc=1)
    for what in ("net.smc.wmem is 131072, before us", "pnet id SMCMESH",
                 "/run/netns/a"):
        assert what in said, f"{what} is not listed:\n{said}"
    said = lab.cleanup()
    assert "Nothing of smcmesh is left" in said, said
    for what in ("net.smc.rmem stays 55555", "removed the pnet id SMCMESH"):
        assert what in said, f"{what} is not said:\n{said}"
    assert lab.sysctls(lab.b)["rmem"] == 55555
    lab.b.run(f"sysctl -qw net.smc.rmem={lab.before[0]['b']['rmem']}")
    assert lab.picture() == lab.before
    assert lab.vm.run("ls /run/smcmesh", check=False).rc != 0
    assert "Nothing of smcmesh is left" in lab.cleanup("--list")


def test_kernel_is_asked_for_the_module_of_path_probes(lab):
    """It is built in here: the request is one that the kernel understands."""
    got = lab.vm.run(["/build/faults/vm/nodectl", "load_cm"]).json()
    assert got == {"result": 0}, json.dumps(got)

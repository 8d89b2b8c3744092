# SPDX-License-Identifier: Apache-2.0
"""`smcmesh node` on RDMA devices, and its unit under systemd, after a boot too.

    VM node: eth0 10.0.0.5/24, the primary NIC     rxe0
             eth1 the auxiliary one, down          rxe1
             lo   the metadata service, which has 10.0.0.6/24 for eth1

What becomes of a NIC when the service, the CNI and others misbehave is tested on this
machine's own kernel (net/test_node_setup.py); here is what that has not: RDMA devices,
ipvlan, systemd. A reboot is another VM with the same NICs; all that a node keeps on
its disk, the enabled unit, is made anew before systemd starts.
"""
import contextlib
import json

import pytest

from smclab import Link, Vm, metadata, readme, systemd, topo, wait_for

SMCMESH = "/build/smcmesh"
UNIT = "smcmesh-node-setup"
CLOUD = {"primary-ip-address": "10.0.0.6", "netmask": "255.255.255.0",
         "gateway": "10.0.0.253"}


class Node:
    def __init__(self, vm):
        self.vm = vm
        vm.run("ip link set eth0 up; ip addr add 10.0.0.5/24 dev eth0 metric 100;"
               " ip route add default via 10.0.0.253 metric 100;"
               f" ip addr add {metadata.ADDRESS}/32 dev lo;"
               " sysctl -qw net.ipv6.conf.all.disable_ipv6=1;"
               # a NIC that was up once has another qdisc than one that never was
               " ip link set eth1 up; ip link set eth1 down;"
               " rdma link add rxe0 type rxe netdev eth0;"
               " rdma link add rxe1 type rxe netdev eth1")
        mac = vm.read("/sys/class/net/eth1/address").strip()
        self.cloud = vm.spawn(
            ["/usr/bin/python3", "-m", "smclab.metadata", json.dumps({mac: CLOUD})],
            env={"PYTHONPATH": "/src/tests/lib", "PYTHONDONTWRITEBYTECODE": "1"})
        wait_for(lambda: "ready" in self.cloud.out, 20, "the metadata service")

    def smcmesh(self, *args):
        """(exit status, the JSON, {netdev: its result})"""
        done = self.vm.run([SMCMESH, "node", *args, "-o", "json"], check=False)
        got = done.json()
        return done.rc, got, {r["netdev"]: r for r in got["nics"]}

    def ip(self, *args):
        return json.loads(self.vm.run(["ip", "-j", *args]).out or "[]")

    def picture(self):
        """Once the links have settled."""
        def settled():
            links = self.ip("addr")
            return all((x["operstate"] == "UP") == ("LOWER_UP" in x["flags"])
                       for x in links if x["ifname"] != "lo") and links
        links = wait_for(settled, 10, "the carriers")
        return links, self.ip("route", "show", "table", "all")

    def addresses(self):
        return [f"{a['local']}/{a['prefixlen']}"
                for a in self.ip("addr", "show", "eth1")[0]["addr_info"]]

    def routes(self):
        return [(r["dst"], r.get("metric", 0))
                for r in self.ip("route", "show", "dev", "eth1")]


@contextlib.contextmanager
def booted(links, name):
    """Links stay, as the NICs of a node that reboots; their addresses are made of the
    VM's name."""
    with Vm(name, nics=[link.ends[0] for link in links]) as vm:
        yield Node(vm)


@contextlib.contextmanager
def wired():
    made = [Link(), Link()]
    try:
        yield made
    finally:
        for link in made:
            link.close()


@pytest.fixture
def links():
    with wired() as made:
        yield made


@pytest.fixture(scope="module")
def one():
    with wired() as made, booted(made, "node") as n:
        yield n, n.picture()


@pytest.fixture
def node(one):
    """One VM for all; what a test makes there does not stay."""
    n, before = one
    yield n
    n.smcmesh("reset")
    n.vm.run("ip netns del pod; ip netns del p; ip link del br0; ip link del eth2;"
             " ip link del ipvl_3", check=False)
    wait_for(lambda: n.picture() == before, 10, "what was before")


def test_netdevs_of_rdma_devices_are_set_up_but_the_primary(node):
    before = node.picture()
    assert node.smcmesh("status")[0] == 1
    status, got, rows = node.smcmesh("setup")
    assert status == 0 and got["primary"] == "eth0", got
    assert rows["eth0"]["result"] == "skipped"
    assert (rows["eth1"]["result"], rows["eth1"]["device"]) == ("done", "rxe1")
    assert node.addresses() == ["10.0.0.6/24"]
    assert node.routes() == [("10.0.0.0/24", 101)]
    now = node.picture()
    status, _, rows = node.smcmesh("setup")
    assert (status, rows["eth1"]["result"]) == (0, "already"), rows
    assert node.picture() == now
    # it is what SMC-R wants of an RDMA device
    devices = {d["netdev"]: d for d in node.vm.run(
        [SMCMESH, "doctor", "-o", "json"]).json()["rdma"]}
    assert devices["eth1"]["active"], devices
    assert node.smcmesh("reset")[0] == 0
    wait_for(lambda: node.picture() == before, 5, "what was before")


def test_without_an_auxiliary_rdma_device_it_is_said(node):
    node.vm.run("rdma link delete rxe1")
    status, got, _ = node.smcmesh("setup")
    node.vm.run("rdma link add rxe1 type rxe netdev eth1")
    assert status == 1 and "no RDMA netdev besides the primary NIC eth0" in got["error"]
    assert not node.addresses()


def test_rdma_device_of_a_pod_is_told_and_the_others_set_up(node):
    """One that another namespace has has no netdev here; the NIC that has an
    address already is set up all the same."""
    topo.bridge(node.vm, "10.244.1.1/16")
    pod = topo.pod(node.vm, "p", "10.244.1.10/16", rdma=True)
    status, got, rows = node.smcmesh("setup")
    assert status == 1, got
    assert rows["eth1"]["result"] == "done"
    lost, = [r for r in got["nics"] if r["device"] == pod.rdma]
    assert lost["result"] == "refused" and "moved it into a pod" in lost["text"]
    # the control: named, it is that NIC alone
    assert node.smcmesh("setup", "--netdev", "eth1")[0] == 0


@pytest.mark.parametrize("pod", [False, True], ids=["here", "in-a-pod"])
def test_parent_of_ipvlan_devices_is_refused(node, pod):
    node.vm.run("ip link add ipvl_3 link eth1 type ipvlan mode l2")
    if pod:
        node.vm.run("ip netns add pod; ip link set ipvl_3 netns pod")
    status, _, rows = node.smcmesh("setup")
    assert (status, rows["eth1"]["result"]) == (1, "refused"), rows
    assert "ipvlan device ipvl_3" in rows["eth1"]["text"]
    assert not node.addresses()
    node.vm.run("ip netns del pod" if pod else "ip link del ipvl_3")
    # the control; a namespace is taken down a moment later
    wait_for(lambda: node.smcmesh("setup")[0] == 0, 10, "setup without it")


def test_second_auxiliary_nic_that_a_pod_uses_is_refused_after_the_first(node):
    """What is known of other namespaces holds for all NICs of a run."""
    node.vm.run("ip link add eth2 type veth peer name far2;"
                " rdma link add rxe2 type rxe netdev eth2; ip netns add pod;"
                " ip link add cni0 link eth2 type ipvlan mode l2;"
                " ip link set cni0 netns pod")
    status, got, rows = node.smcmesh("setup")
    assert [r["device"] for r in got["nics"]] == ["rxe0", "rxe1", "rxe2"]
    assert (status, rows["eth1"]["result"]) == (1, "done"), rows
    assert rows["eth2"]["result"] == "refused", rows
    assert "ipvlan device cni0" in rows["eth2"]["text"]


@pytest.mark.long
def test_unit_sets_the_nic_up_at_each_boot(links):
    for _ in ("a boot", "the next one"):
        with booted(links, "boots") as node:
            assert not node.addresses()
            boot = systemd.Boot(node.vm, UNIT)
            got = boot.wait_done(UNIT)
            assert got == {"ActiveState": "active", "SubState": "exited",
                           "Result": "success"}, boot.run("systemctl", "status",
                                                          UNIT).out
            assert node.addresses() == ["10.0.0.6/24"]
            assert node.routes() == [("10.0.0.0/24", 101)]
            # stopping it takes nothing away
            boot.run("systemctl", "stop", UNIT)
            assert node.addresses() == ["10.0.0.6/24"]


@pytest.mark.long
def test_unit_that_learns_nothing_fails_and_does_nothing(links):
    """The control: without a metadata service."""
    with booted(links, "boots") as node:
        node.cloud.kill()
        got = systemd.Boot(node.vm, UNIT).wait_done(UNIT)
        assert (got["ActiveState"], got["Result"]) == ("failed", "exit-code"), got
        assert not node.addresses()
        assert "UP" not in node.ip("link", "show", "eth1")[0]["flags"]


def wrong(boot):
    """{check: what was found} of those that do not pass on a node where nothing is
    wrong but what no administrator can mend."""
    told = json.loads(boot.run(SMCMESH, "doctor", "-o", "json").out)
    return {c["id"]: c["found"] for c in told["checks"]
            if c["status"] not in ("pass", "skip")
            and c["id"] not in ("signal-during-connect", "smc-fixes")}


@pytest.mark.long
def test_readme_takes_a_bare_node_to_a_green_doctor(links):
    with booted(links, "bare") as node:
        boot = systemd.Boot(node.vm)
        assert set(wrong(boot)) == {"ueid", "rdma-port"}
        *steps, check = readme.block("Use it on one machine", "node setup")
        for line in steps:
            done = boot.run("sh", "-c", readme.HERE + line)
            assert done.rc == 0, (line, done)
        assert boot.wait_done("smcmesh")["ActiveState"] == "active"
        wait_for(lambda: not wrong(boot), 60, "nothing to be wrong", 1)
        assert boot.run("sh", "-c", readme.HERE + check).rc == 0

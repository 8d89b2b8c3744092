# SPDX-License-Identifier: Apache-2.0
"""`smcmesh doctor` on a node with RDMA devices: everything in order, then all that
can be made wrong at once, then put right again. smclab/checks.py lists how each
check is driven; what no VM has is in net/test_doctor.py and in unit tests.

    VM doctor            host: nic0, the primary NIC, rxe0;  nic1, nic2
      a (rxea)   b (rxeb)                                 armed
   ---+----------+--- br0 10.244.1.1/16
"""
import pytest

from smclab import Vm, manifest, progs, topo, wait_for
from smclab.agents import Agent
from smclab.checks import VM, driven
from smclab.flows import become
from smclab.mesh import Mesh

SMCMESH = "/build/smcmesh"
BUSY = 240    # seconds that a command may take on a machine with much else to do
WRONG = {"warn", "fail"}
# Each line of these is one command: (check, what is found, how to make it wrong, how
# to put it right).
NIC1_TABLE = "table $((1000+$(cat /sys/class/net/nic1/ifindex)))"
FAULTS = [
    ("rdma-type", '"4: RNIC"', "rdma link add siw0 type siw netdev nic1",
     "rdma link delete siw0"),
    ("rdma-gid", "has 0 GIDs of RoCE v2",
     "rdma link add rxe1 type rxe netdev nic1", "rdma link delete rxe1"),
    ("rdma-port", 'is in the state "1: DOWN"',
     "rdma link add rxe2 type rxe netdev nic2", "rdma link delete rxe2"),
    ("auxiliary-nic", "Terway holds nic1",
     "ip route add 10.77.0.0/24 dev nic1 " + NIC1_TABLE,
     "ip route flush " + NIC1_TABLE),
    ("auxiliary-nic", "rxec/1 is in another network namespace, and no armed pod's",
     "ip netns add c; ip link add nic3 netns c type veth peer far3;"
     " ip -n c link set nic3 up;"
     " ip netns exec c rdma link add rxec type rxe netdev nic3", None),
    ("foreign-selector", "hs_ctrl of /run/netns/c is foreign",
     "ip netns exec c sysctl -w net.smc.hs_ctrl=foreign", "ip netns del c"),
    ("smcr-subnet", "10.9.0.1 of /run/netns/a is in no subnet of an RDMA netdev"
     " (rxea/1 on eth0 has 10.244.0.0/16)",
     "ip -n a link add dum0 type dummy; ip -n a link set dum0 up;"
     " ip -n a addr add 10.9.0.1/24 dev dum0", "ip -n a link del dum0"),
    ("encryption", "IPsec policy",
     "ip xfrm policy add src 10.1.0.0/16 dst 10.2.0.0/16 dir out tmpl"
     " src 10.1.0.1 dst 10.2.0.1 proto esp mode tunnel", "ip xfrm policy flush"),
    ("synproxy", "nftables: table theirs, chain in",
     "nft 'table ip theirs { chain in { type filter hook input priority 0;"
     " tcp dport 9 synproxy mss 1460 wscale 7 timestamp; }; }'",
     "nft delete table ip theirs"),
    ("other-hooks", "others_proto (fmod_ret/update_socket_protocol",
     "bpftool prog loadall {others} /sys/fs/bpf/others", None),
    ("sockmap", "others_sockops (sock_ops on the cgroup, /lab, with a sockmap)",
     "bpftool cgroup attach /sys/fs/cgroup/lab cgroup_sock_ops pinned"
     " /sys/fs/bpf/others/others_sockops multi",
     "bpftool cgroup detach /sys/fs/cgroup/lab cgroup_sock_ops pinned"
     " /sys/fs/bpf/others/others_sockops; rm -r /sys/fs/bpf/others"),
    ("path-probes", "/dev/infiniband/rdma_cm",
     "mv /dev/infiniband/rdma_cm /dev/rdma_cm.away",
     "mv /dev/rdma_cm.away /dev/infiniband/rdma_cm"),
    ("inotify", "inotify_init1: Too many open files",
     "sysctl -w fs.inotify.max_user_instances=0",
     "sysctl -w fs.inotify.max_user_instances=128"),
]
# Beside these, what is no command.
OTHERS = {
    "pnet": "nic0 has the PNET id THEIRS, and no RDMA device has it",
    "ueid-mesh": "node n2 has OTHER; of 2 other nodes 1 lack the UEID SMCMESH",
    "memory-budget": "of SMC take 8192.0 of ",
}
# Those that have a test of their own.
APART = {"rdma-netns", "ueid", "smc-refused", "signal-during-connect"}


class Node:
    def __init__(self, vm):
        self.vm = vm
        vm.run("for i in 0 1 2; do ip link add nic$i type veth peer far$i;"
               " ip link set far$i up; done; ip link set nic0 up;"
               " ip link set nic1 up; ip addr add 10.0.0.5/24 dev nic0;"
               " ip addr flush dev nic1;"
               " sysctl -w net.ipv6.conf.nic1.disable_ipv6=1;"
               " ip route add default via 10.0.0.253;"
               " rdma link add rxe0 type rxe netdev nic0")
        # only while there is no namespace but the host's
        vm.run("rdma system set netns exclusive")
        self.exclusive = self.ask("rdma-netns")
        vm.run("rdma system set netns shared")
        vm.run(["bpftool", "struct_ops", "register", progs.path("foreign.bpf.o")])
        self.others = progs.path("others.bpf.o")
        topo.bridge(vm, "10.244.1.1/16")
        n3 = manifest.node("n3", [manifest.endpoint("10.244.2.7", "far")])
        self.mesh = Mesh(n3, allowUnencrypted=True)
        for name, host in ("a", 10), ("b", 11):
            self.mesh.add(topo.pod(vm, name, f"10.244.1.{host}/16", rdma=True))
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        wait_for(lambda: all(p["armed"] for p in self.agent.get("/v1/pods")["pods"]),
                 20, "both to be armed")

    def checks(self, **where):
        report = self.vm.run([SMCMESH, "doctor", "-o", "json"], timeout=BUSY,
                             **where).json()
        return {c["id"]: c for c in report["checks"]}

    def ask(self, name, **where):
        return self.vm.run([SMCMESH, "doctor", "--explain", name, "-o", "json"],
                           check=False, timeout=BUSY, **where).json()

    def strangers(self):
        return self.agent.get("/v1/status")["fabric"]["strangers"]

    def hold(self, gib):
        """Of the whole node, in smc_usage."""
        self.agent.write_row("smc_usage", [0] * 4,
                             *[0] * 6, 0, gib // 4, *[0] * 8)


@pytest.fixture(scope="module")
def node():
    with Vm("doctor") as vm:
        yield Node(vm)


def told(checks, names):
    return {name: (checks[name]["status"], checks[name]["found"])
            for name in sorted(names)}


def test_all_pass_where_nothing_is_wrong(node):
    checks = node.checks()
    wrong = {n for n in driven(VM, False) if checks[n]["status"] != "pass"}
    assert not wrong, told(checks, wrong)
    assert checks["signal-during-connect"]["status"] == "warn"
    assert "rxea/1 on eth0" in checks["rdma-type"]["found"]
    assert checks["pnet"]["found"] == checks["pnet"]["fix"] == ""


def test_exclusive_rdma_mode_is_told(node):
    """It was so before there was any pod."""
    got = node.exclusive
    assert got["status"] == "warn" and "exclusive" in got["found"], got
    assert "rdma system set netns shared" in got["fix"]


def test_each_fault_is_told_and_passes_when_it_is_mended(node):
    named = {name for name, *_ in FAULTS} | set(OTHERS)
    assert named | APART == driven(VM, True)
    node.vm.run(["sh", "-ec", "\n".join(
        make.replace("{others}", node.others) for _, _, make, _ in FAULTS)],
                timeout=BUSY)
    node.vm.call("bpfmap", "attach", "/sys/fs/bpf/others/others_proto",
                 "/sys/fs/bpf/others/link")
    node.vm.call("smcnl", "pnet", "add", "THEIRS", "nic0")
    node.hold(8)
    n2 = manifest.node("n2", ueids=("OTHER",))
    with node.mesh.changed(extra=(n2,)):
        become(node.strangers, 1)
        checks = node.checks()
    right = {n for n in named if checks[n]["status"] not in WRONG}
    assert not right, told(checks, right)
    for name, found, *_ in FAULTS + list(OTHERS.items()):
        assert found in checks[name]["found"], (name, checks[name])
        assert checks[name]["means"] and (checks[name]["fix"] or
                                          name == "encryption"), checks[name]
    node.vm.run(["sh", "-ec", "\n".join(
        mend for *_, mend in FAULTS if mend)], timeout=BUSY)
    node.vm.call("smcnl", "pnet", "del", "THEIRS")
    node.hold(0)
    become(node.strangers, 0)

    def still_wrong():
        checks = node.checks()
        return told(checks, {n for n in named if checks[n]["status"] != "pass"})

    # a namespace and a link of BPF are taken down a moment later
    become(still_wrong, {}, 20)


def test_peer_without_a_route_is_told(node):
    far = manifest.node("n4", [manifest.endpoint("10.99.0.1", "farther")])
    with node.mesh.changed(extra=(far,)):
        become(lambda: len(node.agent.get("/v1/endpoints")["endpoints"]), 4)
        got = node.ask("smcr-subnet")
    assert got["status"] == "warn", got
    assert "from /run/netns/a to 10.99.0.1: Network is unreachable" in got["found"]


def test_refused_sockets_are_told(node):
    """Whoever asks is refused, as by a policy; the control is the test above."""
    node.vm.run("mkdir -p /sys/fs/cgroup/deny")
    deny = node.vm.spawn([progs.path("denysmc"), "/sys/fs/cgroup/deny"])
    wait_for(lambda: "ready" in deny.out, 20, "the policy")
    got = node.ask("smc-refused", cgroup="deny")
    deny.stdin(None)
    deny.wait()
    assert got["status"] == "fail" and "not permitted" in got["found"], got


def test_what_only_root_may_see_is_not_known(node):
    checks = node.checks(user=1000)
    names = ("other-hooks", "sockmap", "foreign-selector", "synproxy", "encryption",
             "smcr-subnet", "memory-budget", "ueid-mesh", "auxiliary-nic")
    known = {n for n in names if checks[n]["status"] != "unknown"}
    assert not known, told(checks, known)
    assert all("root" in checks[n]["fix"] for n in names if n != "encryption")
    # and this anybody may
    assert all(checks[n]["status"] == "pass" for n in (
        "ueid", "rdma-type", "rdma-port", "rdma-gid", "rdma-netns", "pnet"))


def test_missing_ueid_is_told(node):
    """The last one: without the agent, which would put it back."""
    node.agent.stop()
    assert node.ask("ueid")["status"] == "pass"
    node.vm.call("smcnl", "ueid", "del", "SMCMESH")
    got = node.ask("ueid")
    assert got["status"] == "warn" and "no UEID" in got["found"], got
    assert node.ask("ueid-mesh")["status"] == "skip"

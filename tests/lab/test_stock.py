# SPDX-License-Identifier: Apache-2.0
"""Two nodes with their distribution's kernel: SMC-R between programs that ask for
it, as pods with the host's network do. No agent: what the lab itself can do.

    n1 eth0 10.0.0.1 + rxe0 ======== link ======== eth0 10.0.0.2 + rxe0 n2
       cgroup web                                       cgroup client
"""
import pytest

from smclab import kernel, topo, wait_for
from smclab.flows import become, ends, serve
from smclab.pair import Pair

pytestmark = pytest.mark.kernels

NODECTL = "/build/faults/vm/nodectl"
PEER_NO_SMC = 0x03010000


class Lab:
    def __init__(self, pair):
        self.pair = pair
        if not pair.n1.kernel.config.get("CONFIG_SMC"):
            pytest.skip(f"{pair.n1.kernel} is built without SMC")
        for i, vm in enumerate(pair, 1):
            vm.run(f"ip link set eth0 up; ip addr add 10.0.0.{i}/24 dev eth0;"
                   " mkdir -p /sys/fs/cgroup/lab/host;"
                   " rdma link add rxe0 type rxe netdev eth0")
            wait_for(lambda v=vm: "ACTIVE" in v.run("rdma link show rxe0/1").out,
                     20, "rxe0 to be active")
        if pair.n1.run(["python3", "-c", "import socket;"
                        "socket.socket(2, 1, 256)"], check=False).rc:
            pytest.skip(f"{pair.n1.kernel} has no IPPROTO_SMC")
        self.server = topo.HostPod(pair.n1, "lab/host", "10.0.0.1")
        self.client = topo.HostPod(pair.n2, "lab/host", "10.0.0.2")
        serve(self.server, 7000, native=True)
        serve(self.server, 7001)

    def ends(self, port, protocol="smc"):
        return ends(self.client, self.server, port, protocol=protocol)


@pytest.fixture(scope="module")
def lab():
    machines = Pair(kernel.stock_or_given())
    try:
        yield Lab(machines)
    finally:
        machines.stop()


def test_without_a_ueid_all_is_tcp(lab):
    """The control: on x86 there is no system EID."""
    assert lab.ends(7000) == ("tcp", "tcp")


def test_path_between_the_hosts_is_proven(lab):
    got = lab.pair.n2.run([NODECTL, "probe", "2000", "-", "10.0.0.2",
                           "10.0.0.1"]).json()
    assert [p["result"] for p in got["probes"]] == [0], got


def test_native_programs_are_smcr(lab):
    for vm in lab.pair:
        topo.ueid(vm)
    become(lambda: lab.ends(7000), ("smcr", "smcr"), 30)


def test_listener_beside_them_stays_tcp(lab):
    """One that did not ask for SMC, and a client that did not."""
    assert lab.ends(7001) == ("tcp", "plain")
    assert lab.ends(7000, protocol="tcp") == ("plain", "tcp")

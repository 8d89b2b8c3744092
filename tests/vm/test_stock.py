# SPDX-License-Identifier: Apache-2.0
"""A node whose kernel is its distribution's: modules, and not all that we like.

    VM stock    host: nic0 10.0.0.5/24, rxe0
      a          p (rxep)
     .10          .11      10.244.1.0/16
   ---+----------+--- br0

The kernel is Debian's own 6.12, or what $SMCMESH_KERNEL says. What it can do is
asked of its configuration and of the kernel itself, by programs of the root;
what smcmesh says is held against that. Nothing is loaded beforehand: there is no
udev, so what is there has been asked for.
"""
import errno
import re

import pytest

from smclab import Vm, kernel, topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, ends, serve
from smclab.mesh import Mesh
from smclab.pins import PINS
from smclab.progs import tap

pytestmark = pytest.mark.kernels

SMCMESH = "/build/smcmesh"
NODECTL = "/build/faults/vm/nodectl"
FORBID = "/etc/modprobe.d/no-smc.conf"
TRY = """
import errno, socket
try:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, 256).close()
    print("yes")
except OSError as e:
    print(errno.errorcode[e.errno])
"""


def modules(vm):
    return {line.split()[0] for line in vm.read("/proc/modules").splitlines()}


class Node:
    """What it knew to say while smc was forbidden, and afterwards."""

    def __init__(self, vm):
        self.vm, self.kernel = vm, vm.kernel
        vm.run("ip link add nic0 type veth peer far0; ip link set far0 up;"
               " ip link set nic0 up; ip addr add 10.0.0.5/24 dev nic0")
        vm.write(FORBID, "install smc /bin/false\n")
        self.forbidden = self.doctor()
        self.kept_out = modules(vm)
        vm.run(["rm", FORBID])
        self.report = self.doctor()
        self.loaded = modules(vm)
        topo.bridge(vm, "10.244.1.1/16")
        self.a = topo.pod(vm, "a", "10.244.1.10/16")
        self.p = topo.pod(vm, "p", "10.244.1.11/16")

    def doctor(self):
        return self.vm.run([SMCMESH, "doctor", "-o", "json"], timeout=240).json()

    def config(self, name):
        return self.kernel.config.get("CONFIG_" + name)

    def feature(self, name):
        return next(f for f in self.report["features"] if f["feature"] == name)


@pytest.fixture(scope="module")
def node():
    with Vm("stock", kernel=kernel.stock_or_given()) as vm:
        yield Node(vm)


def check(report, name):
    return next(c for c in report["checks"] if c["id"] == name)


def needs_smc(node):
    if not node.config("SMC"):
        pytest.skip(f"{node.kernel} is built without SMC")


def needs_ipproto(node):
    """Without it nothing of ours asks the kernel for SMC."""
    needs_smc(node)
    if node.feature("ipproto_smc")["state"] != "present":
        pytest.skip(f"{node.kernel} has no IPPROTO_SMC")


def test_vm_runs_the_kernel_that_was_asked_for(node):
    assert node.vm.run("uname -r").out.strip() == node.kernel.release
    assert node.config("NET") == "y", node.kernel.config


def test_kernel_loads_smc_when_it_is_asked_for(node):
    """By the kernel's own modprobe, whose configuration may forbid it: the agent
    and doctor need no right to load modules."""
    needs_ipproto(node)
    if node.config("SMC") != "m":
        pytest.skip("SMC is built in")
    assert not {"smc", "smc_diag"} & node.kept_out, node.kept_out
    forbidden = check(node.forbidden, "smc-blacklisted")
    assert forbidden["status"] == "fail" and FORBID in forbidden["found"]
    assert {"smc", "smc_diag"} <= node.loaded, node.loaded
    assert check(node.report, "smc-blacklisted")["status"] == "pass"
    assert check(node.report, "smc-vendor")["status"] == "pass"


def test_doctor_says_what_the_kernel_is(node):
    told = {f["feature"]: f["state"] for f in node.report["features"]}
    got = node.vm.run(["python3", "-c", TRY]).out.strip()
    assert told["ipproto_smc"] == ("present" if got == "yes" else "missing"), got
    assert (told["hs_ctrl"] == "present") == (
        node.config("SMC_HS_CTRL_BPF") == "y"), told
    symbols = node.vm.read("/proc/kallsyms")
    hooks = {"sockproto": "update_socket_protocol"}
    if got == "yes":    # else smc was not loaded when doctor looked
        hooks["smc_trace"] = "smc_listen_out"
        assert (told["smc_diag"] == "present") == bool(node.config("SMC_DIAG"))
    for feature, function in hooks.items():
        there = bool(re.search(rf" {function}\b", symbols))
        assert (told[feature] == "present") == there, (feature, told)
    assert node.report["capable"] == (
        node.report["converter"] != "none" and node.report["selector"] != "none")


def test_agent_is_ready_and_arms_what_the_kernel_lets_it(node):
    """Two annotated pods: TCP between them works, and is SMC where it can be."""
    mesh = Mesh()
    for pod in node.a, node.p:
        mesh.add(pod)
    agent = Agent(node.vm, mesh.objects()).start()
    try:
        capable = node.report["capable"]
        wait_for(lambda: len(agent.get("/v1/pods")["pods"]) == 2, 20, "two pods")
        carries = capable and node.config("DIBS_LO") == "y"
        become(lambda: [(p["armed"], p["reason"])
                        for p in agent.get("/v1/pods")["pods"]],
               [(True, "") if carries else
                (False, "no-transport" if capable else "no-converter")] * 2)
        if not capable:
            assert not agent.links(), agent.links()
        elif not carries:
            # and nobody pays for a filter
            assert "_in\n" not in agent.vm.run(f"ls -R {PINS}").out
        echo = serve(node.a, 7000)
        assert ends(node.p, node.a) == (
            ("smcd", "smcd") if carries else ("plain", "plain"))
        echo.kill()
    finally:
        agent.stop()
        said = agent.cli("cleanup", "--force", check=False)
        assert "Nothing of smcmesh is left" in said.out, said.out + said.err


@pytest.mark.long
def test_every_program_attaches_but_those_of_hooks_that_are_not_there(node):
    """One by one, on the types of a module. The reason is named for the rest."""
    needs_ipproto(node)
    lines = node.vm.run("/build/bpf/inspect attach", timeout=240).out.splitlines()
    refused = dict(line.split(" refused", 1) for line in lines
                   if " refused" in line)
    print("\n".join(lines))
    assert len(lines) >= 30 and any(line.endswith(" attached") for line in lines)
    expected = set()
    if node.feature("hs_ctrl")["state"] == "missing":
        expected |= {"syn_option", "synack_option"}
        for name in expected:
            assert "smc_hs_ctrl" in refused.get(name, ""), lines
    assert set(refused) == expected, refused


def test_filters_with_ipvlan_and_tracing(node):
    """The net tier's program, with what this machine's own kernel may lack."""
    skipped, out = tap(node.vm, "/build/faults/vm/test_synfilter")
    if node.report["selector"] == "synfilter":
        assert not skipped and "# l3s" in out and "# guard" in out, out
    else:
        assert skipped and f"1..{len(skipped)}\n" in out, out


def test_soft_roce_of_a_pod_counts_only_where_it_is_heard(node):
    """Older kernels show such a device as active and give it no socket: no smcr.
    The kernel's own list of sockets tells, and a probe of the path."""
    needs_smc(node)
    topo.rxe(node.p)
    node.vm.run("rdma link add rxe0 type rxe netdev nic0")
    wait_for(lambda: "ACTIVE" in node.vm.run("rdma link show rxe0/1").out, 20,
             "rxe0 to be active")
    heard = ":4791" in node.p.run("ss -Hlnu").out
    assert ":4791" in node.vm.run("ss -Hlnu").out    # the host's

    def port(name, **where):
        rows = node.vm.run([NODECTL, "devices"], **where).json()["rdma"]
        return next(r for r in rows if r["name"] == name)

    inside = port("rxep", netns="p")
    assert inside["active"] and inside["netdev"] == "eth0", inside
    assert (inside["usable"], inside["deaf"]) == (heard, not heard), inside
    outside = port("rxe0")
    assert (outside["usable"], outside["deaf"]) == (True, False), outside
    told = check(node.doctor(), "soft-roce")
    if heard:
        assert told["status"] == "pass", told
    else:
        assert told["status"] == "warn" and "rxep is active in" in told["found"]
        probe = node.vm.run([NODECTL, "probe", "500", node.p.netns,
                             node.p.v4, node.a.v4]).json()["probes"][0]
        assert probe["result"] not in (0, -errno.ENOSYS), probe

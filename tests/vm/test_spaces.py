# SPDX-License-Identifier: Apache-2.0
"""A pod's network namespace is found, and known for what it is.

    VM n1: agent with --source file; sandbox (tests/progs) starts pods as a
    runtime does, with cgroups as several runtimes and kubelets make them.

What a listener became is asked of the kernel, by the program that opened it.
"""
import json

import pytest

from smclab import manifest, progs, wait_for
from smclab.agents import Agent

ROOT = "/sys/fs/cgroup/"
CONTAINERD = ROOT + "system.slice/containerd.service/"
BURSTABLE = ROOT + "kubepods.slice/kubepods-burstable.slice/"
KUBELET = "/var/lib/kubelet/pods/"


def uid_of(n):
    return f"0b1c2d3e-4f50-6172-8394-{n:012x}"


def slice_of(n):
    """Of systemd's driver."""
    return f"kubepods-burstable-pod{uid_of(n).replace('-', '_')}.slice"


def stray(n, container="9" * 64):
    """containerd without SystemdCgroup, below a kubelet with that driver; "%":
    no level of its own below."""
    return f"{slice_of(n)}:cri-containerd:{container}/%"


class Node:
    def __init__(self, vm):
        self.vm, self.procs, self.pods = vm, [], {}
        self.agent = Agent(vm, [manifest.mesh()]).start()

    def pod(self, n, **kw):
        """The API knows it from now on."""
        self.pods[n] = manifest.pod(f"p{n}", "n1", [], uid=uid_of(n), **kw)
        self.agent.set(manifest.mesh(), *self.pods.values())
        wait_for(lambda: self.agent.pod(f"p{n}"), 20, "the agent to know it")

    def sandbox(self, cgroup, *options, rounds=1, patience=60):
        """What it told, a round each."""
        proc = self.vm.spawn([progs.path("sandbox"), "--rounds", str(rounds),
                              *options, cgroup])
        self.procs.append(proc)

        def told():
            assert proc.alive, f"sandbox: exit {proc.rc}: {proc.output}"
            return proc.out.count("}") == rounds
        wait_for(told, patience, "the sandbox")
        return [json.loads(line) for line in proc.out.splitlines()]

    def armed(self, n):
        return self.agent.pod(f"p{n}").get("armed")

    def wait_armed(self, n, cookie, timeout=30):
        wait_for(lambda: self.armed(n), timeout, f"p{n} to be armed")
        assert self.agent.pod(f"p{n}")["netns_cookie"] == cookie

    def never_armed(self, n, other):
        """It was looked for as long as one that was found."""
        self.wait_armed(*other)
        pod = self.agent.pod(f"p{n}")
        assert (pod["armed"], pod["reason"]) == (False, "no-netns")


@pytest.fixture
def node(vm):
    node = Node(vm)
    yield node
    for proc in node.procs:
        proc.kill(9)
    node.agent.stop()
    vm.run(f"find {ROOT} -depth -mindepth 1 -type d "
           r"\( -path '*kube*' -o -path '*k8s.io*' -o -path '*containerd*' "
           r"-o -path '*user.slice*' \) -exec rmdir {} \; ; true", check=False)


# ---- a sandbox that is made anew ---------------------------------------------

@pytest.mark.parametrize("rounds, hold", [(6, ()), (3, ("--hold",))],
                         ids=["one-number", "numbers-of-their-own"])
def test_pod_whose_sandbox_is_made_anew_is_armed_in_time(node, rounds, hold):
    """The kernel gives the next namespace the number of the last, unless that
    is held. A program is there 0.9 s after its sandbox: the resync, every five
    seconds, would be too late."""
    node.vm.run(f"mkdir -p {BURSTABLE}{slice_of(1)}")
    node.pod(1)
    got = node.sandbox(BURSTABLE + slice_of(1), "--gap", "500", "--delay", "900",
                       "--life", "700", *hold, rounds=rounds, patience=120)
    assert len({g["cookie"] for g in got}) == rounds
    assert len({g["inode"] for g in got}) == (rounds if hold else 1)
    assert [g["smc"] for g in got] == [True] * rounds
    node.wait_armed(1, got[-1]["cookie"])
    assert not node.agent.pod("p1")["late_listeners"]


# ---- cgroups elsewhere -------------------------------------------------------

def test_pods_of_a_runtime_without_systemd_are_armed(node):
    """Kubelet's directory of the pod is empty. The first such pod of a node is
    searched for after seconds; where it was found the next one is in time. One
    that the API does not call running is not searched for."""
    for n in (1, 2, 3):
        node.vm.run(f"mkdir -p {BURSTABLE}{slice_of(n)}")
    node.pod(3, phase="Pending")
    node.pod(1)
    waiting, = node.sandbox(CONTAINERD + stray(3))
    first, = node.sandbox(CONTAINERD + stray(1))
    assert not first["smc"]
    node.wait_armed(1, first["cookie"])
    wait_for(lambda: node.agent.pod("p1")["late_listeners"], 20,
             "its listener to be called late")
    # it is where the first was found, so it is known from now on
    node.wait_armed(3, waiting["cookie"])
    node.pod(2)
    second, = node.sandbox(CONTAINERD + stray(2), "--delay", "900")
    assert second["smc"]
    node.wait_armed(2, second["cookie"])
    # the next agent does not disarm what it finds armed
    node.agent.stop()
    node.agent.start()
    assert node.armed(1) and node.armed(2)


def test_pod_of_a_runtime_at_the_top_is_armed_in_time(node):
    node.vm.run(f"mkdir -p {BURSTABLE}{slice_of(1)}")
    node.pod(1)
    got, = node.sandbox(ROOT + stray(1), "--delay", "900")
    assert got["smc"]
    node.wait_armed(1, got["cookie"])


@pytest.mark.parametrize("phase", ["Running", "Pending"])
def test_pod_with_an_empty_directory_is_armed_if_running(node, phase):
    """Kubelet's directory is there and its process is not below it."""
    node.vm.run(f"mkdir -p {BURSTABLE}{slice_of(1)} {BURSTABLE}{slice_of(2)}")
    node.pod(1, phase=phase)
    node.pod(2)
    got = [node.sandbox(f"{ROOT}user.slice/kubelet/{slice_of(n)}")[0]
           for n in (1, 2)]
    if phase == "Running":
        node.wait_armed(1, got[0]["cookie"])
    else:
        node.never_armed(1, (2, got[1]["cookie"]))


def test_host_pod_with_an_empty_cgroup_is_not_armed(node):
    """One that is told apart by its cgroup, which is empty, cannot be."""
    node.vm.run(f"mkdir -p {BURSTABLE}{slice_of(1)}")
    node.pod(1, host_network=True)
    node.pod(2, host_network=True)
    node.sandbox(CONTAINERD + stray(1))
    node.sandbox(BURSTABLE + slice_of(2))
    wait_for(lambda: not node.armed(1), 30, "it to be told apart")
    pod = node.agent.pod("p1")
    assert pod["reason"] == "no-cgroup2"
    assert "(no process in the cgroup of this pod" in pod["sentence"]
    assert node.armed(2)


def test_pod_of_a_kubelet_deep_below_is_armed(node):
    """A kubelet of a user's own, in a container."""
    where = ("user.slice/user-1000.slice/user@1000.service/user.slice/"
             "libpod-1.scope/container/kubelet.slice/kubelet-kubepods.slice/"
             f"kubelet-{slice_of(1)}")
    node.pod(1)
    got, = node.sandbox(ROOT + where)
    node.wait_armed(1, got["cookie"])


def test_name_below_another_pod_is_not_taken(node):
    """What a pod makes below its own cgroup is its own, whatever its name."""
    node.pod(1)
    node.pod(2, enabled=None)
    node.pod(3)
    node.sandbox(f"{ROOT}user.slice/{slice_of(2)}/inner/{slice_of(1)}")
    other, = node.sandbox(f"{ROOT}user.slice/{slice_of(3)}")
    node.never_armed(1, (3, other["cookie"]))
    got, = node.sandbox(f"{ROOT}user.slice/{slice_of(1)}")
    node.wait_armed(1, got["cookie"])


# ---- no pod in any cgroup's name ---------------------------------------------

@pytest.mark.parametrize("name, point, directory", [
    ("etc-hosts", "/etc/hosts", False),
    ("containers/app/0a1b", "/etc/issue", True),
], ids=["etc-hosts", "termination-log-and-an-empty-directory"])
def test_pod_is_found_by_kubelets_files(node, name, point, directory):
    """--cgroups-per-qos=false. Pod 1 has its file, pod 2 says so of its own."""
    for n in (1, 2):
        path = KUBELET + uid_of(n)
        node.vm.run(f"mkdir -p {path}/containers/app; echo {n} > {path}/{name}; "
                    f"touch {point}")
        if directory:
            node.vm.run(f"mkdir -p {BURSTABLE}{slice_of(n)}")
        node.pod(n)
    node.sandbox(ROOT + "k8s.io/2", "--file-of-its-own",
                 f"{KUBELET}{uid_of(2)}/{name}:{point}")
    got, = node.sandbox(ROOT + "k8s.io/1", "--file",
                        f"{KUBELET}{uid_of(1)}/{name}:{point}")
    node.never_armed(2, (1, got["cookie"]))

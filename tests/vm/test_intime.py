# SPDX-License-Identifier: Apache-2.0
"""Pods are armed before their program listens, with nothing made to wait.

    VM n1: agent with --source file; podstart (tests/progs) starts pods in it as
    kubelet and a runtime do, with the cgroups of either driver.

The API event comes 50 ms before the pod's cgroup, or with it. From the sandbox
to the program is GAP_MS: less than any runtime needs, which makes a root file
system and a container in between. The VM's time follows the instructions it
executes (-icount), a billion a second, so what is measured is the agent and not
how busy this machine is.
"""
import json

import pytest

from smclab import Vm, manifest, progs, wait_for
from smclab.agents import Agent
from smclab.pins import PINS

GAP_MS = 100
WIDTH = 5
PATIENCE = 900


@pytest.fixture(scope="module")
def agent():
    with Vm("n1", icount=True) as vm:
        yield Agent(vm, [manifest.mesh()]).start()


def podstart(agent, driver, count, early):
    """Start so many; the running program and what it told."""
    proc = agent.vm.spawn([
        progs.path("podstart"), "--list", agent.path, "--node", agent.node,
        "--driver", driver, "--count", str(count), "--width", str(WIDTH),
        "--early", str(early), "--gap", str(GAP_MS)])

    def told():
        assert proc.alive, f"podstart: exit {proc.rc}: {proc.output}"
        return "}" in proc.out
    wait_for(told, PATIENCE, "the pods to be started")
    return proc, json.loads(proc.out.splitlines()[-1])


def check_reported(agent, late):
    """Each that was not in time is said to be late, by name."""
    def silent():
        pods = {p["name"]: p for p in agent.get("/v1/pods")["pods"]}
        return [n for n in late if not pods.get(n, {}).get("late_listeners")]
    wait_for(lambda: not silent(), 30, "the late pods to be reported")


@pytest.mark.parametrize("driver", ["systemd", "cgroupfs"])
def test_pods_told_of_before_are_armed_in_time(agent, driver):
    proc, got = podstart(agent, driver, 500, 50)
    assert got == {"armed": 500, "late": []}
    proc.kill()


@pytest.mark.parametrize("driver", ["systemd", "cgroupfs"])
def test_pods_told_of_at_once_are_mostly_in_time(agent, driver):
    proc, got = podstart(agent, driver, 200, 0)
    assert got["armed"] >= 180, got
    check_reported(agent, got["late"])
    proc.kill()
    wait_for(lambda: not agent.get("/v1/pods")["pods"], 30, "no pod to be left")


@pytest.mark.parametrize("driver", ["systemd", "cgroupfs"])
def test_first_pod_of_the_node_is_armed_in_time(agent, driver):
    """While no pod is to be armed nothing is attached to socket(): that comes
    with the API event. (The hooks go a minute after the last pod: of this VM's
    time, which passes at once when nobody has anything to do.)"""
    for _ in range(3):
        wait_for(lambda: not {"sockproto", "connect_guard"} & set(
            agent.vm.run(["ls", PINS + "links"]).out.split()), 200,
            "the hooks to be detached")
        proc, got = podstart(agent, driver, 1, 50)
        assert got == {"armed": 1, "late": []}
        proc.kill()
        wait_for(lambda: not agent.get("/v1/pods")["pods"], 30,
                 "no pod to be left")


# Rounds of: an init container has written rules, the next container's cgroup
# comes; how long until our table is there, in ms? argv: namespace, pod's cgroup.
ROUNDS = """
import os, subprocess, sys, time
ns, cgroup = sys.argv[1:]

def nft(*args, **kw):
    return subprocess.run(["ip", "netns", "exec", ns, "nft", *args], text=True,
                          capture_output=True, check=True, **kw).stdout

for i in range(12):
    nft("flush", "ruleset")
    nft("-f", "-", input="table ip t { chain o { type nat hook output priority "
        "-100; meta skuid %d return; meta l4proto tcp redirect to :1; }; }" % i)
    start = time.monotonic()
    os.mkdir("%s/app%d" % (cgroup, i))
    while "inet smcmesh" not in nft("list", "tables"):
        assert time.monotonic() < start + 60
    print(int(1000 * (time.monotonic() - start)))
"""


def test_rules_of_an_init_container_are_seen_in_time(agent):
    """They come after the sandbox, with which the pod is armed. A container that
    comes is what the agent is told of then; by itself it looks every five seconds,
    which five of twelve rounds do not hit by luck. (Not all of them: this VM's
    time jumps ahead while everybody waits for a file of its root, and may jump past
    the deadline of a look; the next one is seconds later.)"""
    vm, uid = agent.vm, "01234567-89ab-4cde-8f01-23456789abcd"
    cgroup = f"kubepods/pod{uid}"
    vm.run(f"ip netns add inits && mkdir -p /sys/fs/cgroup/{cgroup}/sandbox")
    agent.set(manifest.mesh(), manifest.pod("inits", agent.node, [], uid=uid))
    sandbox = vm.spawn("sleep 10000", netns="inits", cgroup=f"{cgroup}/sandbox")
    wait_for(lambda: agent.pod("inits").get("armed"), 30, "arming")
    assert not agent.pod("inits")["sidecar"]
    took = vm.run(["python3", "-c", ROUNDS, "inits", f"/sys/fs/cgroup/{cgroup}"],
                  timeout=PATIENCE).out.split()
    print("ms:", *took)
    assert len(took) == 12 and sum(int(ms) < 300 for ms in took) >= 5, took
    wait_for(lambda: agent.pod("inits").get("owners") == [
        {"uid": 11, "gid": None}], 30, "the owner")
    sandbox.kill(9)
    agent.set(manifest.mesh())


def test_late_pods_are_named(agent):
    """The check above is one: without the agent all are late, and it says so
    of each when it is there again."""
    agent.stop()
    proc, got = podstart(agent, "systemd", 3, 0)
    assert got["armed"] == 0 and len(got["late"]) == 3
    agent.start()
    check_reported(agent, got["late"])
    proc.kill()

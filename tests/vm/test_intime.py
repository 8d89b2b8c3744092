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
def test_told_before(agent, driver):
    proc, got = podstart(agent, driver, 500, 50)
    assert got == {"armed": 500, "late": []}
    proc.kill()


@pytest.mark.parametrize("driver", ["systemd", "cgroupfs"])
def test_told_at_the_same_time(agent, driver):
    proc, got = podstart(agent, driver, 200, 0)
    assert got["armed"] >= 180, got
    check_reported(agent, got["late"])
    proc.kill()
    wait_for(lambda: not agent.get("/v1/pods")["pods"], 30, "no pod to be left")


@pytest.mark.parametrize("driver", ["systemd", "cgroupfs"])
def test_first_pod_of_the_node(agent, driver):
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


def test_late_is_said(agent):
    """The check above is one: without the agent all are late, and it says so
    of each when it is there again."""
    agent.stop()
    proc, got = podstart(agent, "systemd", 3, 0)
    assert got["armed"] == 0 and len(got["late"]) == 3
    agent.start()
    check_reported(agent, got["late"])
    proc.kill()

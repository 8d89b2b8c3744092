# SPDX-License-Identifier: Apache-2.0
"""What everybody's processes run through is attached only while a pod of the
node is to be armed, and a minute longer; what every SYN runs through, from the
first SMC listener of such a pod on.

    VM n1, agent with --source file:
    a .10    b .11      10.244.1.0/16
    |        |
  --+-- br0 -+--

The VM's time follows the instructions it executes (-icount): a minute in which
nobody does anything is over at once.
"""
import pytest

from smclab import Vm, manifest, wait_for
from smclab.agents import Agent
from smclab.flows import become, ends, held, serve
from smclab.mesh import two_pods
from smclab.pins import PINS

SMCD = ("smcd", "smcd")
LINGER = 60
# by whose function they are attached to
GUARDS = {"connect_guard"}
EVERYBODYS = {"sockproto", "flow_passive"} | GUARDS
LISTENERS = {"syn_waits"}


class Lab:
    def __init__(self, vm):
        self.vm = vm
        self.mesh, self.a, self.b = two_pods(vm)
        self.nobody = {name: {"enabled": None} for name in "ab"}
        self.agent = Agent(vm, self.mesh.objects(**self.nobody)).start()
        self.mesh.agents.append(self.agent)
        self.server = None

    def attached(self):
        return self.agent.links() & (EVERYBODYS | LISTENERS)

    def serve(self):
        """b listens: the first SMC listener since there was none."""
        assert self.attached() == EVERYBODYS
        self.server = serve(self.b, 7000)
        become(self.attached, EVERYBODYS | LISTENERS)
        assert ends(self.a, self.b) == SMCD

    def armed(self):
        return sorted(p["name"] for p in self.agent.get("/v1/pods")["pods"]
                      if p["armed"])

    def linger(self, left):
        """This is attached when the minute is over; all was there until shortly
        before."""
        before = self.attached()
        assert before >= EVERYBODYS
        self.vm.run(["sleep", str(LINGER // 2)], timeout=LINGER)
        assert self.attached() == before
        wait_for(lambda: self.attached() != before, LINGER, "the minute")
        become(self.attached, left)


@pytest.fixture(scope="module")
def lab():
    with Vm("n1", icount=True) as vm:
        yield Lab(vm)


def test_no_hook_is_attached_at_first(lab):
    assert lab.agent.ready() and lab.attached() == set()
    assert lab.agent.get("/v1/status")["recorder"] == "smc"


def test_hooks_are_attached_before_the_pod_is_there(lab):
    """The source names it; its namespace does not exist yet. Switched off, the
    mesh needs none."""
    lab.mesh.extra.append(manifest.pod("c", "n1", "10.244.1.12",
                                       "/run/netns/c"))
    lab.mesh.apply(spec={"enabled": False}, **lab.nobody)
    become(lambda: lab.agent.pod("c").get("reason"), "mesh-off")
    assert lab.attached() == set()
    lab.mesh.apply(**lab.nobody)
    become(lambda: lab.agent.pod("c").get("reason"), "no-netns")
    assert lab.attached() == EVERYBODYS
    lab.mesh.extra.pop()
    lab.mesh.apply()
    become(lab.armed, ["a", "b"], 30)
    lab.serve()


def test_hooks_linger_a_minute_after_the_last_pod(lab):
    """A connection that is open then keeps what guards its like."""
    with held(lab.a, lab.b.v4, 7000) as h:
        lab.mesh.apply(**lab.nobody)
        become(lab.armed, [], 30)
        lab.linger(GUARDS | LISTENERS)
        assert h.ends(lab.b) == [SMCD]
        assert lab.attached() == GUARDS | LISTENERS
    lab.server.kill()
    become(lab.attached, set(), 30)
    # and back
    lab.mesh.apply()
    become(lab.armed, ["a", "b"], 30)
    lab.serve()


def test_restart_finds_the_hooks(lab):
    there = EVERYBODYS | LISTENERS
    lab.agent.stop()
    assert lab.attached() == there
    lab.agent.start()
    assert lab.attached() == there and ends(lab.a, lab.b) == SMCD
    # a listener that was opened meanwhile is told by its pod's row
    lab.agent.stop()
    lab.vm.run(f"rm {PINS}links/syn_waits")
    lab.agent.start()
    assert lab.attached() == there


@pytest.mark.long
def test_agent_with_nothing_to_arm_keeps_hooks_a_minute(lab):
    """It finds those of the one before: a minute from then on."""
    lab.mesh.apply()
    become(lab.armed, ["a", "b"], 30)
    lab.agent.stop()
    if lab.server:
        lab.server.kill()
    lab.mesh.apply(**lab.nobody)
    lab.agent.start()
    lab.linger(set())

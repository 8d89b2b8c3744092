# SPDX-License-Identifier: Apache-2.0
"""A selector is ours by its id, whatever it is called.

    VM n1, agent with --source file:
    a .10    b .11    s .30 stranger, SMC of its own     10.244.1.0/16
    |        |        |
  --+-- br0 -+--------+--

Somebody registers an smc_hs_ctrl that is called like one of ours and lets
everything through, and sets it in a's namespace. Were a's sockets still made
SMC there, they would offer it to s.
"""
import pytest

from smclab import Vm, progs, topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, ends, serve
from smclab.mesh import two_pods

SMCD = ("smcd", "smcd")
FAKE = "smcmesh_777"


class Lab:
    def __init__(self, vm):
        self.vm = vm
        self.mesh, self.a, self.b = two_pods(vm)
        self.s = topo.pod(vm, "s", "10.244.1.30/16")
        progs.register_selector(vm, FAKE)
        self.agent = Agent(vm, self.mesh.objects())
        self.mesh.agents.append(self.agent)
        self.start()
        serve(self.b, 7000)
        serve(self.s, 7000, native=True)

    def start(self):
        self.agent.start()
        become(lambda: [self.agent.pod(n).get("armed") for n in "ab"],
               [True, True], 30)

    def ctrl(self, name=None):
        """What a's namespace has; set to @name first."""
        if name:
            self.a.run(f"echo {name} > /proc/sys/net/smc/hs_ctrl")
        return self.a.run("cat /proc/sys/net/smc/hs_ctrl").out.strip()

    def selectors(self):
        """(the ids of our registered struct_ops maps, those that BPF goes by)"""
        maps = self.vm.run("bpftool -j map").json()
        return ([m["id"] for m in maps if m.get("name") == "smcmesh_ctrl"],
                [i for i in self.agent.row("smc_config", 0)["selectors"] if i])


@pytest.fixture(scope="module")
def lab():
    with Vm("n1") as vm:
        yield Lab(vm)


def test_bpf_goes_by_the_id_of_the_selector(lab):
    ours, goes_by = lab.selectors()
    assert len(ours) == 1 and goes_by == ours


def test_restart_leaves_one_selector(lab):
    """The older one is unregistered, and forgotten when nobody has it."""
    before = lab.selectors()[1]
    lab.agent.stop()
    lab.start()
    wait_for(lambda: len(lab.selectors()[0]) == 1, 20, "the older one to go")
    ours, goes_by = lab.selectors()
    assert goes_by == ours and ours != before


def test_foreign_selector_of_our_name_converts_nothing(lab):
    """No agent is there to put it right."""
    lab.agent.stop()
    ours = lab.ctrl()
    assert ends(lab.a, lab.b) == SMCD
    assert lab.ctrl(FAKE) == FAKE
    for server in lab.b, lab.s:
        assert ends(lab.a, server)[0] == "plain", server.name
    # the other way round: b is what it was
    assert lab.ctrl(ours) == ours
    assert ends(lab.a, lab.b) == SMCD
    assert ends(lab.a, lab.s)[0] == "tcp"


def test_agent_leaves_a_foreign_selector_alone(lab):
    ours = lab.ctrl()
    lab.ctrl(FAKE)
    lab.agent.start()
    become(lambda: lab.agent.pod("a").get("reason"), "foreign-selector", 30)
    assert FAKE in lab.agent.pod("a")["sentence"]
    assert lab.ctrl() == FAKE != ours
    doctor = lab.agent.cli("doctor", "-o", "json").json()
    told = {n["path"]: (n["guarded"], n["foreign"])
            for n in doctor["namespaces"]}
    assert told[lab.a.netns] == (False, True)
    assert told[lab.b.netns] == (True, False)


def test_pod_is_armed_again_when_the_foreign_one_goes(lab):
    lab.a.run("echo > /proc/sys/net/smc/hs_ctrl")
    become(lambda: lab.agent.pod("a").get("armed"), True, 30)
    assert ends(lab.a, lab.b) == SMCD


def test_cleanup_leaves_a_foreign_selector_alone(lab):
    """It is still listed, and not ours, in a namespace of ours too."""
    lab.ctrl(FAKE)
    lab.agent.stop()
    lab.agent.cli("cleanup", "--force")
    assert lab.ctrl() == FAKE
    assert lab.vm.run(f"bpftool struct_ops | grep -c '{FAKE[:4]}\\|foreign'"
                      ).out.strip() == "1"

# SPDX-License-Identifier: Apache-2.0
"""The selector synfilter, by an agent that knows no hs_ctrl (make synfilter).

    VM n1, agent with --source file:
    a .10    b .11    s .30 stranger, SMC of its own     10.244.1.0/16
    |        |        |
  --+-- br0 -+--------+--

What there is of tests for the other selector runs with this one, too:
SMCLAB_BINARY=/build/synfilter/smcmesh tests/run -k flip vm
"""
import pytest

from smclab import Vm, topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, ends, reason, serve
from smclab.mesh import two_pods

SMCD = ("smcd", "smcd")
BINARY = "/build/synfilter/smcmesh"
GUARDED = 64    # SMC_POD_GUARDED


class Lab:
    def __init__(self, vm):
        self.vm = vm
        self.mesh, self.a, self.b = two_pods(vm)
        self.s = topo.pod(vm, "s", "10.244.1.30/16")
        self.agent = Agent(vm, self.mesh.objects(), binary=BINARY)
        self.mesh.agents.append(self.agent)
        self.start()
        serve(self.b, 7000)
        serve(self.s, 7000, native=True)

    def start(self):
        self.agent.start()
        become(lambda: [self.agent.pod(n).get("armed") for n in "ab"],
               [True, True], 30)
        self.wait_guarded(2)

    def guarded(self):
        """How many namespaces are."""
        rows = self.vm.run("bpftool -j map dump name smc_netns").json()
        return sum(bool(r["formatted"]["value"]["flags"] & GUARDED) for r in rows)

    def wait_guarded(self, count):
        wait_for(lambda: self.guarded() == count, 20, f"{count} to be guarded")


@pytest.fixture(scope="module")
def lab():
    with Vm("n1") as vm:
        yield Lab(vm)


def test_this_is_the_selector(lab):
    assert lab.agent.get("/v1/status")["selector"] == "synfilter"


def test_endpoints_agree_and_strangers_do_not(lab):
    assert ends(lab.a, lab.b) == SMCD
    assert ends(lab.a, lab.s) == ("tcp", "tcp")
    become(lambda: reason(lab.agent, lab.a, 7000), "not-endpoint")
    # an offer of its own: the listener of an armed pod answers no stranger
    assert ends(lab.s, lab.b, protocol="smc") == ("tcp", "tcp")


def test_a_new_device_is_covered(lab):
    """In the pod while the agent does not run, and while it does."""
    lab.agent.stop()
    lab.a.run("ip link add d0 type dummy")
    assert lab.guarded() == 1
    assert ends(lab.a, lab.b) == ("tcp", "tcp")
    lab.start()
    assert ends(lab.a, lab.b) == SMCD
    lab.a.run("ip link add d1 type dummy")
    lab.wait_guarded(2)
    assert ends(lab.a, lab.b) == SMCD


def test_what_is_open_and_the_filters_outlive_the_agent(lab):
    lab.agent.stop()
    assert ends(lab.a, lab.b) == SMCD
    assert ends(lab.a, lab.s) == ("tcp", "tcp")
    lab.start()


def test_cleanup_takes_the_filters_away(lab):
    lab.agent.stop()
    told = lab.agent.cli("cleanup", check=False)
    assert "filters" in told.out, told.out + told.err
    assert not lab.vm.run("ls /sys/fs/bpf").out.strip()

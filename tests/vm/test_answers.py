# SPDX-License-Identifier: Apache-2.0
"""Peers that agree on SMC and do not go on: their answers are rationed.

             VM answers, whose time follows its instructions (-icount)
     p          v          s
   armed      armed      armed
    .30        .10        .11
     |          |          |
   --+--- br0 --+----------+--

p's namespace loses what its programs say after their SYN, or after the TCP
handshake. Each test has a port of its own, for it may end in quarantine.
"""
import signal

import pytest

from smclab import Vm, topo, wait_for
from smclab.agents import Agent
from smclab.crowd import hammer, hammering
from smclab.flows import serve
from smclab.mesh import Mesh

PEER = 64    # SMC_ANSWERS_PEER
FEW, MANY = 40, 100
# what it loses: each message of SMC's handshake; all that follows a SYN
CLC = "tcp dport != 7000 tcp flags & psh == psh drop"
ALL = "tcp dport != 7000 tcp flags & syn == 0 drop"
OVER = 70    # seconds


class Lab:
    def __init__(self, vm):
        self.vm = vm
        topo.bridge(vm, "10.244.1.1/16")
        mesh = Mesh()
        for name, host in zip("pvs", (30, 10, 11)):
            setattr(self, name, mesh.add(
                topo.pod(vm, name, f"10.244.1.{host}/16")))
        self.agent = Agent(vm, mesh.objects()).start()
        serve(self.s, 7000, 7001, 7002, 7003)

    def lose(self, rule=None):
        self.p.run("nft flush ruleset")
        if rule:
            self.p.run("nft 'add table ip q; add chain ip q out"
                       " { type filter hook output priority 0; };"
                       f" add rule ip q out {rule}'")

    def silent(self, count, port):
        """So many connections of p at once."""
        return hammering(self.p, f"10.244.1.11:{port}", count=count,
                         threads=count)

    def open(self):
        """Answers that are not finished: of all, as of the last look."""
        return self.agent.row("smc_answering", 0)["open"]

    def answers(self):
        return self.agent.metric("smcmesh_answers_total", pod="s")


@pytest.fixture(scope="module")
def lab():
    with Vm("answers", icount=True) as vm:
        yield Lab(vm)


def dial(pod):
    """What three connections to a port that loses nothing become."""
    told = hammer(pod, "10.244.1.11:7000", count=3)
    assert told["errors"] == 0, told
    return {mode for mode in ("smc", "tcp") if told[mode]}


def test_without_silent_clients_all_are_smc(lab):
    assert dial(lab.v) == dial(lab.p) == {"smc"}
    assert lab.open() == 0


def test_few_silent_clients_are_all_answered(lab):
    """Control: what is below the ration is not held back by it."""
    lab.lose(CLC)
    before = lab.answers()
    client = lab.silent(FEW, 7001)
    wait_for(lambda: lab.answers() == before + FEW, 20, "their answers")
    assert lab.open() == FEW
    assert dial(lab.v) == dial(lab.p) == {"smc"}
    client.kill(signal.SIGKILL)
    wait_for(lambda: lab.open() == 0, 30, "their end")


def test_many_silent_clients_are_rationed(lab):
    lab.lose(CLC)
    before = lab.answers()
    client = lab.silent(MANY, 7002)
    wait_for(lambda: lab.agent.metric("smcmesh_answers_denied_total", pod="s")
             >= MANY - PEER, 20, "what is beyond the ration")
    assert lab.open() == PEER and lab.answers() == before + PEER
    assert dial(lab.v) == {"smc"}
    assert lab.agent.metric("smcmesh_flows_bypassed_total", pod="s",
                            reason="rationed") == MANY - PEER
    client.kill(signal.SIGKILL)
    wait_for(lambda: lab.open() == 0, 30, "their end")
    assert dial(lab.p) == {"smc"}


def test_lost_answers_end_by_themselves(lab):
    """The last ACK never comes, and the agent is dead: no hook sees an end."""
    lab.lose(ALL)
    client = lab.silent(MANY, 7003)
    wait_for(lambda: lab.open() == PEER, 20, "the ration to be used up")
    lab.agent.stop(signal.SIGKILL)
    assert dial(lab.v) == {"smc"} and dial(lab.p) == {"tcp"}
    lab.vm.run(["sleep", str(OVER)], timeout=OVER)
    assert dial(lab.p) == {"smc"}
    assert lab.open() == 0
    client.kill(signal.SIGKILL)

# SPDX-License-Identifier: Apache-2.0
"""Two nodes where only the agent sets UEID and pnet ids: SMC-R.

      a .1.10   ipvlan + rxe                 c .2.10   ipvlan + rxe
      |                                      |
    n1 eth0 ============= link =========== eth0 n2        10.244.0.0/16

The device below a pod's interface is its node's eth0, which has no RDMA device:
the kernel finds the pod's by a pnet id alone. Somebody else has entries of his
own in every table, and a UEID; after the cleanup that is all that is there.
"""
import pytest

from smclab import topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, ends, serve
from smclab.mesh import Mesh

# `make check` has what the agent writes on one node (vm/test_settings)
pytestmark = pytest.mark.long

SMCR, TCP = ("smcr", "smcr"), ("tcp", "tcp")
NO_DEVICE = 0x03030000    # SMC_CLC_DECL_NOSMCRDEV, and what it was looked for


def pod(vm, name, address):
    """With eth0 as ipvlan on its node's, and a soft RoCE device over it."""
    p = topo.Pod(vm, name, address, None, vm.name)
    vm.run(f"mkdir -p /sys/fs/cgroup/lab/{name}; ip netns add {name};"
           " ip link set eth0 up; ip link add ipv0 link eth0 type ipvlan mode l2;"
           f" ip link set ipv0 netns {name} name eth0; ip -n {name} link set lo up;"
           f" ip -n {name} link set eth0 up;"
           f" ip -n {name} addr add {address} dev eth0")
    topo.rxe(p)
    return p


class Lab:
    def __init__(self, pair):
        self.mesh, self.nodes = Mesh(), list(pair)
        self.a = self.mesh.add(pod(pair.n1, "a", "10.244.1.10/16"))
        self.c = self.mesh.add(pod(pair.n2, "c", "10.244.2.10/16"))
        for p in self.a, self.c:
            p.vm.call("smcnl", "pnet", "add", "SOMEBODY", "eth9")
            p.vm.call("smcnl", "pnet", "add", "SOMEBODY", "mlx5_7/1")
            p.smcnl("pnet", "add", "SOMEBODY", "eth9")
        topo.ueid(pair.n1, "SOMEBODY.ELSE")
        self.before = self.tables()
        for vm in self.nodes:
            self.mesh.agents.append(
                Agent(vm, self.mesh.objects()).start(wait=False))
        for agent, p in zip(self.mesh.agents, (self.a, self.c)):
            agent.wait_ready()
            wait_for(lambda a=agent, n=p.name: a.pod(n).get("armed"), 30,
                     f"{p.name} to be armed")
        serve(self.c, 7000)

    def tables(self):
        return [(p.vm.call("smcnl", "ueid"), p.vm.call("smcnl", "pnet"),
                 p.smcnl("pnet")) for p in (self.a, self.c)]


@pytest.fixture(scope="module")
def lab(pair):
    return Lab(pair)


def test_pods_are_smcr_by_the_ids_that_the_agent_gives(lab):
    for p, (_, host, inside) in zip((lab.a, lab.c), lab.tables()):
        ids = {r["name"] for r in inside if r["eth"] == "eth0"}
        assert len(ids) == 1, inside
        assert ids == {r["name"] for r in host if r["ib"] == p.rdma}, host
    become(lambda: ends(lab.a, lab.c), SMCR, 30)


def test_without_the_ids_the_kernel_finds_no_device(lab):
    """The control: the same pods, the same paths."""
    before = lab.a.smcnl("fback")
    with lab.mesh.changed(spec={"pnet": "off"}):
        become(lambda: [(h, i) for _, h, i in lab.tables()],
               [(h, i) for _, h, i in lab.before], 30)
        become(lambda: ends(lab.a, lab.c), TCP, 30)
        agent = lab.mesh.agents[0]
        assert lab.a.smcnl("fback") != before, agent.why_tcp()
        print(agent.why_tcp(), lab.a.smcnl("fback"), lab.c.smcnl("fback"))
    become(lambda: ends(lab.a, lab.c), SMCR, 60)


def test_cleanup_leaves_the_tables_as_they_were(lab):
    for agent in lab.mesh.agents:
        agent.stop()
        said = agent.cli("cleanup", "--force", check=False)
        assert "Nothing of smcmesh is left" in said.out, said.out + said.err
    assert lab.tables() == lab.before

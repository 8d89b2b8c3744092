# SPDX-License-Identifier: Apache-2.0
"""Exclusions: ranges, and what there is no room for.

           VM exclude, agent
    v         s         c
  client    server    another tenant       10.244.1.0/16
  armed     armed
    |         |         |
  --+---------+-- br0 --+--

An exclusion that is not in its map is none. So whoever has one that does not fit
is not offered SMC: of a pod the pod, of the mesh the node.
"""
import pytest

from smclab import Vm, manifest, topo, wait_for
from smclab.agents import Agent
from smclab.crowd import watch
from smclab.flows import become, ends, reason, serve
from smclab.mesh import Mesh

SMCD, TCP = ("smcd", "smcd"), ("tcp", "tcp")
PORTS = (6990, 7000, 7001, 7010, 7011, 7250)
SHARE = 1024    # rows of smc_port that a pod may have: SMC_PORT_SHARE


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        for name, host in zip("vsc", (10, 11, 12)):
            setattr(self, name, self.mesh.add(
                topo.pod(vm, name, f"10.244.1.{host}/16"), enabled="true"))
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        self.server = serve(self.s, *PORTS)

    def excluding(self, out=None, into=None):
        """The annotations of a pod, for Mesh.changed()."""
        notes = {manifest.OUT_PORTS: out, manifest.IN_PORTS: into}
        return {"annotations": {k: v for k, v in notes.items() if v}}

    def blocks(self, pod):
        """(role, first, last) of each row of smc_port that is the pod's."""
        number = self.agent.pod(pod)["pod_id"]
        rows = [r["formatted"] for r in self.agent.map("smc_port")]
        return sorted((r["key"]["role"], r["value"]["first"], r["value"]["last"])
                      for r in rows if r["key"]["pod_id"] == number)

    def to(self, port):
        return ends(self.v, self.s, port)


@pytest.fixture(scope="module")
def lab():
    with Vm("exclude", mem=768) as vm:
        yield Lab(vm)


def test_excluded_ranges_stay_tcp_to_their_ends(lab):
    """In both directions, of a pod and of all: their ends are in them, what is
    beside them is not."""
    with lab.mesh.changed(v=lab.excluding(out="7000-7001, 7010"),
                          s=lab.excluding(into="7200-7299")):
        become(lambda: lab.to(7000), TCP)
        assert lab.blocks("v") == [(1, 7000, 7001), (1, 7010, 7010)]
        assert reason(lab.agent, lab.v, 7000) == "excluded-port"
        assert [lab.to(p) for p in (7001, 7010)] == [TCP, TCP]
        assert [lab.to(p) for p in (6990, 7011)] == [SMCD, SMCD]
        become(lambda: lab.to(7250), TCP)
        # the other direction, and another pod, have nothing of it
        assert ends(lab.c, lab.s, 7000) == SMCD
    with lab.mesh.changed(spec={"excludePorts": ["7000-7010", 6990]}):
        become(lambda: [lab.to(p) for p in (6990, 7000, 7010)], [TCP] * 3)
        assert lab.to(7011) == SMCD
    become(lambda: lab.to(7000), SMCD)


def test_one_tenants_ports_are_nobody_elses(lab):
    """20,000 ports: that pod is not armed, and it is said why; what another one
    excludes stays TCP, and the node is ready."""
    many = ",".join(str(10000 + i) for i in range(20000))
    own = lab.excluding(out="7000")
    with lab.mesh.changed(c=lab.excluding(out=many), v=own):
        become(lambda: lab.agent.pod("c")["reason"], "bad-annotation")
        assert "at most 256 ports and ranges" in lab.agent.pod("c")["sentence"]
        assert manifest.OUT_PORTS in lab.agent.pod("c")["sentence"]
        become(lambda: lab.to(7000), TCP)
        assert lab.agent.pod("v")["armed"]
        assert lab.to(7001) == SMCD
        assert ends(lab.c, lab.s, 7001)[1] == "tcp"
        assert lab.agent.ready()
        assert lab.agent.metric("smcmesh_map_full_total") == 0
    # control: without them it is armed
    become(lambda: ends(lab.c, lab.s, 7001), SMCD)


def test_pod_that_excludes_more_than_a_share_is_not_armed(lab):
    """256 ranges, each understood, of 14 blocks each: more than a pod has room
    for. It is known before the pod is armed, and is its own problem."""
    wide = ",".join(f"{i * 256 + 1}-{i * 256 + 254}" for i in range(256))
    with lab.mesh.changed(c=lab.excluding(into=wide),
                          v=lab.excluding(out="7000")):
        become(lambda: lab.agent.pod("c")["reason"], "pod-map-full")
        assert lab.blocks("c") == []
        warnings = lab.agent.get("/v1/status")["warnings"]
        assert [w for w in warnings if "default/c" in w and "3584 rows" in w], \
            warnings
        become(lambda: lab.to(7000), TCP)
        assert lab.to(7001) == SMCD
        assert lab.agent.ready()
    # as many rows as it may have
    most = ",".join(f"{2 * i + 20001}" for i in range(256))
    with lab.mesh.changed(c=lab.excluding(out=most, into=most)):
        become(lambda: len(lab.blocks("c")), SHARE // 2)
        become(lambda: ends(lab.c, lab.s, 7001), SMCD)


def test_cidrs_that_do_not_fit_switch_the_node_off(lab):
    """What holds for the node switches the node off: no SYN carries the option,
    and that is what is said. The old ones stay in force."""
    def off():
        return "hold for the whole node" in lab.vm.run(
            "curl -s http://127.0.0.1:9469/readyz").out

    more = [f"172.{16 + i // 256}.{i % 256}.0/24" for i in range(4200)]
    old = [lab.c.v4 + "/32"]
    assert lab.to(7000) == SMCD
    with lab.mesh.changed(spec={"excludeCIDRs": old + more}):
        wait_for(off, 30, "the node to be off")
        assert len(lab.agent.map("smc_cidr")) == 4096
        with watch(lab.v) as seen:
            assert lab.to(7000) in (TCP, ("plain", "tcp"))
        assert not [p for p in seen.packets if p.smc], seen.packets
        assert lab.agent.metric("smcmesh_map_full_total") == 105
        said = lab.agent.get("/v1/status")["warnings"]
        assert [w for w in said if "nothing is offered" in w], said
        # the same rows are not counted again by each reconcile
        done = lab.agent.metric("smcmesh_reconciles_total", result="ok")
        wait_for(lambda: lab.agent.metric("smcmesh_reconciles_total",
                                          result="ok") > done, 30,
                 "another reconcile")
        assert lab.agent.metric("smcmesh_map_full_total") == 105
    lab.agent.wait_ready(30)
    assert lab.agent.map("smc_cidr") == []
    become(lambda: lab.to(7000), SMCD)

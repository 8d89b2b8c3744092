# SPDX-License-Identifier: Apache-2.0
"""One node, SMC-D: who is accelerated, and everything that must not be.

                     VM n1, agent with --source file:
    a       b       c        p          s          t
   .10     .11     .12      .20        .30        .31      10.244.1.0/16
    |       |       |        |          |          |
  --+-------+-------+-- br0 -+----------+----------+--
    annotated                not        strangers: not annotated, their
                                        programs ask for SMC by themselves

Each case is a pair: what must stay TCP, and the like of it that is SMC in the
same moment. What a connection became is told by the kernel's SMC diagnosis, on
both ends; the reasons that the agent gives come on top.
"""
import pytest

from smclab import manifest, topo
from smclab.agents import Agent
from smclab.flows import become, ends, held, reason, serve
from smclab.mesh import Mesh

SMCD = ("smcd", "smcd")
PORTS = (7000, 7001, 7002, 7003)


class Lab:
    """The picture above."""

    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        for name, host in zip("abcpst", (10, 11, 12, 20, 30, 31)):
            pod = topo.pod(vm, name, f"10.244.1.{host}/16")
            setattr(self, name, self.mesh.add(
                pod, enabled="true" if name in "abc" else None))
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        self.servers = {name: serve(getattr(self, name), *PORTS)
                        for name in "abcp"}
        for name in "st":
            self.servers[name] = serve(getattr(self, name), 7000, native=True)

    def reason(self, *what):
        return reason(self.agent, *what)


@pytest.fixture(scope="module")
def lab(vm):
    return Lab(vm)


def test_pods_annotated_on_both_ends_are_smcd(lab):
    with held(lab.a, lab.b.v4, 7000, count=4) as h:
        assert h.ends(lab.b) == [SMCD] * 4
        assert h.protocols() == [256] * 4
    assert ends(lab.b, lab.a) == SMCD
    assert ends(lab.c, lab.a) == SMCD


def test_pod_that_is_not_annotated_stays_tcp(lab):
    assert ends(lab.a, lab.p) == ("tcp", "plain")
    assert lab.reason(lab.a, 7000) == "not-endpoint"
    assert ends(lab.p, lab.a) == ("plain", "tcp")
    assert lab.reason(lab.a, 7000, "server") == "not-endpoint"
    assert ends(lab.a, lab.b) == SMCD


def test_pod_annotated_on_one_side_only_stays_tcp(lab):
    """b loses its annotation: its new sockets are plain, and nobody offers."""
    with lab.mesh.changed(b={"enabled": None}):
        become(lambda: ends(lab.a, lab.b)[0], "tcp")
        become(lambda: ends(lab.b, lab.a), ("plain", "tcp"))
        assert ends(lab.a, lab.c) == SMCD
    become(lambda: ends(lab.a, lab.b), SMCD)
    assert ends(lab.b, lab.a) == SMCD


def test_pod_annotated_with_false_stays_tcp(lab):
    with lab.mesh.changed(b={"enabled": "false"}):
        become(lambda: ends(lab.b, lab.a), ("plain", "tcp"))
        assert ends(lab.c, lab.a) == SMCD
    become(lambda: ends(lab.b, lab.a), SMCD)


def test_alias_annotation_enables_its_pod(lab):
    alias = {"enabled": None, "annotations": {manifest.ALIAS: "true"}}
    with lab.mesh.changed(b=alias, c={"enabled": None}):
        become(lambda: ends(lab.c, lab.a), ("plain", "tcp"))
        assert ends(lab.b, lab.a) == SMCD
    become(lambda: ends(lab.c, lab.a), SMCD)


def test_mesh_switched_off_makes_all_tcp(lab):
    with lab.mesh.changed(spec={"enabled": False}):
        become(lambda: ends(lab.a, lab.b), ("plain", "tcp"))
        become(lambda: ends(lab.b, lab.c), ("plain", "tcp"))
    become(lambda: ends(lab.a, lab.b), SMCD)


def test_asm_mesh_config_counts_where_smcmesh_is_silent(lab):
    """The vendor's switch counts where SmcMesh says nothing, else SmcMesh."""
    unset = [o for o in lab.mesh.objects() if o["kind"] != "SmcMesh"]
    try:
        lab.agent.set(*unset)    # neither says anything: off
        become(lambda: ends(lab.a, lab.b), ("plain", "tcp"))
        lab.agent.set(manifest.asm_mesh_config(True), *unset)
        become(lambda: ends(lab.a, lab.b), SMCD)
        lab.agent.set(manifest.asm_mesh_config(True), manifest.mesh(False),
                      *unset)
        become(lambda: ends(lab.a, lab.b), ("plain", "tcp"))
    finally:
        lab.mesh.apply()
    become(lambda: ends(lab.a, lab.b), SMCD)


def test_port_excluded_outbound_is_not_offered(lab):
    """a does not offer to port 7001; c, without that annotation, does."""
    with lab.mesh.changed(a={"annotations": {manifest.OUT_PORTS: "7001"}}):
        become(lambda: ends(lab.a, lab.b, 7001), ("tcp", "tcp"))
        assert lab.reason(lab.a, 7001) == "excluded-port"
        assert ends(lab.a, lab.b, 7000) == SMCD
        assert ends(lab.c, lab.b, 7001) == SMCD
        assert ends(lab.b, lab.a, 7001) == SMCD    # outbound only
    become(lambda: ends(lab.a, lab.b, 7001), SMCD)


def test_port_excluded_inbound_is_not_answered(lab):
    """b does not answer on 7002, and says so itself: a cannot know it."""
    with lab.mesh.changed(b={"annotations": {manifest.IN_PORTS: "7002"}}):
        become(lambda: ends(lab.a, lab.b, 7002), ("tcp", "tcp"))
        assert lab.reason(lab.b, 7002, "server") == "excluded-port"
        assert ends(lab.a, lab.b, 7000) == SMCD
        assert ends(lab.b, lab.a, 7002) == SMCD    # inbound only
    become(lambda: ends(lab.a, lab.b, 7002), SMCD)


def test_port_excluded_by_the_mesh_stays_tcp(lab):
    with lab.mesh.changed(spec={"excludePorts": [7003]}):
        become(lambda: ends(lab.a, lab.b, 7003), ("tcp", "tcp"))
        assert ends(lab.b, lab.a, 7003) == ("tcp", "tcp")
        assert lab.reason(lab.a, 7003) == "excluded-port"
        assert ends(lab.a, lab.b, 7002) == SMCD
    become(lambda: ends(lab.a, lab.b, 7003), SMCD)


def test_excluded_cidr_stays_tcp(lab):
    """10.244.1.12/31 is c: neither offered to nor answered, by anyone."""
    with lab.mesh.changed(spec={"excludeCIDRs": ["10.244.1.12/31"]}):
        become(lambda: ends(lab.a, lab.c), ("tcp", "tcp"))
        assert lab.reason(lab.a, 7000) == "excluded-cidr"
        become(lambda: ends(lab.c, lab.a), ("tcp", "tcp"))
        assert ends(lab.a, lab.b) == SMCD
    become(lambda: ends(lab.a, lab.c), SMCD)


def test_stranger_as_client_is_not_answered(lab):
    """s offers by itself: the armed pod does not answer, another stranger
    does, so the offer was a real one."""
    assert ends(lab.s, lab.a, protocol="smc") == ("tcp", "tcp")
    assert ends(lab.s, lab.t, protocol="smc") == SMCD
    assert ends(lab.b, lab.a) == SMCD


def test_stranger_as_server_is_not_offered(lab):
    """t would answer: the armed pod does not offer."""
    assert ends(lab.a, lab.t) == ("tcp", "tcp")
    assert lab.reason(lab.a, 7000) == "not-endpoint"
    assert ends(lab.a, lab.b) == SMCD


def test_own_smc_socket_of_an_armed_pod_is_judged_alike(lab):
    """It is left alone, and judged like any other."""
    assert ends(lab.a, lab.b, protocol="smc") == SMCD
    assert ends(lab.a, lab.t, protocol="smc") == ("tcp", "tcp")


def test_loopback_stays_tcp(lab):
    assert ends(lab.a, lab.a, address="127.0.0.1") == ("tcp", "tcp")
    assert lab.reason(lab.a, 7000) == "loopback"
    assert ends(lab.a, lab.a, address=lab.a.v4) == ("tcp", "tcp")
    assert ends(lab.a, lab.b) == SMCD


def test_sockets_of_tcp_and_mptcp_are_converted(lab):
    assert ends(lab.a, lab.b, protocol="tcp") == SMCD
    assert ends(lab.a, lab.b, protocol="mptcp") == SMCD


def test_disarmed_pod_keeps_its_smc_sockets(lab):
    """What is SMC lives on; what is new is plain TCP; the selector stays in the
    namespace, ours and denying: a stranger is still not answered there."""
    with held(lab.a, lab.b.v4, 7000, count=2) as before:
        assert before.ends(lab.b) == [SMCD] * 2
        with lab.mesh.changed(a={"enabled": None}, b={"enabled": None}):
            become(lambda: ends(lab.a, lab.b), ("plain", "tcp"))
            assert before.ends(lab.b) == [SMCD] * 2
            for pod in (lab.a, lab.b):
                ctrl = pod.run("cat /proc/sys/net/smc/hs_ctrl").out.strip()
                assert ctrl.startswith("smcmesh_"), ctrl
            # b's listener is still an SMC socket: only the selector denies
            assert ends(lab.s, lab.b, protocol="smc") == ("tcp", "tcp")
            assert ends(lab.a, lab.t, protocol="smc") == ("tcp", "tcp")
    become(lambda: ends(lab.a, lab.b), SMCD)


def test_late_listener_stays_tcp_and_is_named(lab):
    """p's server was there before p was annotated: it stays TCP, is named, and
    is SMC when it is started again. What p opens is SMC at once."""
    with lab.mesh.changed(p={"enabled": "true"}):
        become(lambda: ends(lab.p, lab.a), SMCD)
        assert ends(lab.a, lab.p) == ("tcp", "plain")
        become(lambda: "0.0.0.0:7000" in lab.agent.pod("p")["late_listeners"],
               True)
        lab.servers["p"].kill()
        lab.servers["p"] = serve(lab.p, *PORTS)
        assert ends(lab.a, lab.p) == SMCD
        become(lambda: lab.agent.pod("p")["late_listeners"], [], 60)
    become(lambda: ends(lab.p, lab.a), ("plain", "tcp"))


def test_empty_list_disarms_all(lab):
    try:
        lab.agent.set()
        become(lambda: ends(lab.a, lab.b), ("plain", "tcp"))
        assert lab.agent.map("smc_netns") == []
    finally:
        lab.mesh.apply()
    become(lambda: ends(lab.a, lab.b), SMCD)


def test_no_server_saw_a_broken_connection(lab):
    for name, server in lab.servers.items():
        server.kill()
        assert '"broken": 0' in server.out, (name, server.output)

# SPDX-License-Identifier: Apache-2.0
"""IPv6 on one node: judged like IPv4, per address.

                        VM n1, agent
    a         b         d         e         p          s
  4 and 6   4 and 6     6         4       4 and 6    4 and 6, stranger
    |         |         |         |         |          |
  --+---------+---------+-- br0 --+---------+----------+--
                     10.244.1.0/16, fd00:244::/64

An IPv4 SYN that meets a `::` listener counts as IPv4, and so does a connect()
of an AF_INET6 socket to ::ffff:a.b.c.d.
"""
import pytest

from smclab import topo
from smclab.agents import Agent
from smclab.flows import become, ends, held, serve
from smclab.mesh import Mesh

SMCD = ("smcd", "smcd")
PODS = {    # name: last part of the address, families, annotated
    "a": (10, "46", True), "b": (11, "46", True), "d": (12, "6", True),
    "e": (13, "4", True), "p": (20, "46", False), "s": (30, "46", False)}


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16", "fd00:244::1/64")
        for name, (host, families, annotated) in PODS.items():
            pod = topo.pod(vm, name,
                           f"10.244.1.{host}/16" if "4" in families else None,
                           f"fd00:244::{host}/64" if "6" in families else None)
            setattr(self, name, self.mesh.add(
                pod, enabled="true" if annotated else None))
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        for name in "abdp":
            serve(getattr(self, name), 7000, 7001, address="::")
        serve(self.e, 7000)
        serve(self.s, 7000, address="::", native=True)


@pytest.fixture(scope="module")
def lab(vm):
    return Lab(vm)


def mapped(pod):
    return "::ffff:" + pod.v4


def test_native_ipv6_is_smcd(lab):
    with held(lab.a, lab.b.v6, 7000, count=2) as h:
        assert h.ends(lab.b) == [SMCD] * 2
        assert {x["remote"][0] for x in h.lines} == {lab.b.v6}
    assert ends(lab.d, lab.a, address=lab.a.v6) == SMCD
    assert ends(lab.a, lab.d, address=lab.d.v6) == SMCD


def test_ipv4_client_of_a_wildcard_listener_is_smcd(lab):
    assert ends(lab.e, lab.a, address=lab.a.v4) == SMCD
    assert ends(lab.a, lab.b, address=lab.b.v4) == SMCD


def test_mapped_address_is_smcd(lab):
    assert ends(lab.a, lab.b, address=mapped(lab.b)) == SMCD
    assert ends(lab.a, lab.e, address=mapped(lab.e)) == SMCD
    assert ends(lab.a, lab.p, address=mapped(lab.p)) == ("tcp", "plain")


def test_pod_that_is_not_annotated_stays_tcp(lab):
    assert ends(lab.a, lab.p, address=lab.p.v6) == ("tcp", "plain")
    assert ends(lab.p, lab.a, address=lab.a.v6) == ("plain", "tcp")
    assert ends(lab.a, lab.b, address=lab.b.v6) == SMCD


def test_strangers_stay_tcp(lab):
    for to in (lab.a.v6, lab.a.v4):
        assert ends(lab.s, lab.a, address=to, protocol="smc") == ("tcp", "tcp")
    for to in (lab.s.v6, lab.s.v4):
        assert ends(lab.a, lab.s, address=to) == ("tcp", "tcp")
    assert ends(lab.b, lab.a, address=lab.a.v6) == SMCD


def test_loopback_stays_tcp_and_link_local_no_endpoint(lab):
    assert ends(lab.a, lab.a, address="::1") == ("tcp", "tcp")
    assert ends(lab.a, lab.a, address=lab.a.v6) == ("tcp", "tcp")
    addresses = [row["key"] for row in lab.agent.map("smc_endpoint")]
    assert addresses and "fe80" not in str(lab.agent.get("/v1/endpoints"))


def test_excluded_cidr_stays_tcp(lab):
    """One family of b is excluded, the other is not."""
    with lab.mesh.changed(spec={"excludeCIDRs": [lab.b.v6 + "/128"]}):
        become(lambda: ends(lab.a, lab.b, address=lab.b.v6), ("tcp", "tcp"))
        assert ends(lab.a, lab.b, address=lab.b.v4) == SMCD
        assert ends(lab.a, lab.d, address=lab.d.v6) == SMCD
    become(lambda: ends(lab.a, lab.b, address=lab.b.v6), SMCD)
    with lab.mesh.changed(spec={"excludeCIDRs": ["10.244.0.0/16"]}):
        become(lambda: ends(lab.a, lab.b, address=lab.b.v4), ("tcp", "tcp"))
        become(lambda: ends(lab.a, lab.b, address=mapped(lab.b)), ("tcp", "tcp"))
        assert ends(lab.a, lab.b, address=lab.b.v6) == SMCD
    become(lambda: ends(lab.a, lab.b, address=lab.b.v4), SMCD)


def test_excluded_port_stays_tcp(lab):
    with lab.mesh.changed(spec={"excludePorts": [7001]}):
        become(lambda: ends(lab.a, lab.b, 7001, lab.b.v6), ("tcp", "tcp"))
        assert ends(lab.a, lab.b, 7000, lab.b.v6) == SMCD
    become(lambda: ends(lab.a, lab.b, 7001, lab.b.v6), SMCD)


def test_family_that_is_not_published_stays_tcp(lab):
    """b's IPv6 address is not in its podIPs: not an endpoint, IPv4 is."""
    only4 = lab.mesh.objects()
    for o in only4:
        if o["metadata"]["name"] == "b":
            o["status"]["podIPs"] = [{"ip": lab.b.v4}]
    try:
        lab.agent.set(*only4)
        become(lambda: ends(lab.a, lab.b, address=lab.b.v6), ("tcp", "tcp"))
        assert ends(lab.a, lab.b, address=lab.b.v4) == SMCD
    finally:
        lab.mesh.apply()
    become(lambda: ends(lab.a, lab.b, address=lab.b.v6), SMCD)

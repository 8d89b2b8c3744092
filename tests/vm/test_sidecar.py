# SPDX-License-Identifier: Apache-2.0
"""Pods with a sidecar proxy, redirected to it by istio's own rules.

                        VM n1, agent
      m                     w                b        x
   app     proxy        proxy    app       armed     not annotated
  uid 1000 uid 1337    uid 1337 uid 1000     |        |
    |--15001-^  |          ^ 15006 |         |        |
    +-----------+--- br0 --+-------+---------+--------+--
                 10.244.1.0/16, fd00:244::/64

m and w exist three times, with the rules in nftables, in iptables over it and in
iptables-legacy. The application's connection is redirected to the proxy in its pod, the proxy's to
the other pod is redirected there to the other proxy, and that one's goes on to
the other application. Of these three only the middle one may be SMC, and
nothing may go round in a circle: the proxies tell each connection they carry.
"""
import json

import pytest

from smclab import istio, manifest, progs, topo, wait_for
from smclab.agents import Agent
from smclab.flows import (SMC, at, become, end, ends, held, held_by, serve,
                          still_runs)
from smclab.mesh import Mesh

SMCD = ("smcd", "smcd")
APP = "1000"
PORT, HEALTH = 8080, 15021


class Sidecar:
    """A pod, its rules, its proxy and its application."""

    def __init__(self, pod):
        self.pod = pod
        self.proxy = self.app = None

    def start(self):
        self.proxy = self.pod.spawn([progs.path("proxy")], user=istio.UID)
        wait_for(lambda: "ready" in self.proxy.out, 20, "the proxy to listen")
        self.app = serve(self.pod, PORT, address="::", user=APP)
        # the proxy's own port, which the rules leave alone
        self.health = serve(self.pod, HEALTH, address="::", user=istio.UID)

    def carried(self):
        """What the proxy has carried so far."""
        still_runs(self.proxy)
        whole = self.proxy.out[:self.proxy.out.rfind("\n") + 1]
        return [x for x in map(json.loads, whole.splitlines()) if "dir" in x]


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh, self.sidecars = vm, Mesh(), {}
        topo.bridge(vm, "10.244.1.1/16", "fd00:244::1/64")
        self.b, self.x = self.pod("b", 10), self.pod("x", 20, enabled=None)
        kinds = [k for k in istio.RULES
                 if k != "iptables-legacy" or istio.has_legacy(vm)]
        for i, kind in enumerate(kinds):
            for name, host in (("m", 30 + i), ("w", 40 + i)):
                pod = self.pod(name + str(i), host,
                               containers=("app", "istio-proxy"))
                istio.install(pod, kind)
                self.sidecars[kind, name] = Sidecar(pod)
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        for s in self.sidecars.values():
            s.start()
        for pod in (self.b, self.x):
            serve(pod, PORT, address="::")

    def pod(self, name, host, **kw):
        return self.mesh.add(topo.pod(self.vm, name, f"10.244.1.{host}/16",
                                      f"fd00:244::{host}/64"), **kw)


@pytest.fixture(scope="module")
def lab(vm):
    return Lab(vm)


# what differs between iptables over nftables and nftables is how the rules are
# read: one test of it is enough
@pytest.fixture(params=["nftables", "iptables-legacy"])
def pair(request, lab):
    if (request.param, "m") not in lab.sidecars:
        pytest.skip("this kernel has no iptables-legacy (CONFIG_IP_NF_NAT)")
    return lab.sidecars[request.param, "m"], lab.sidecars[request.param, "w"]


@pytest.fixture(params=["v4", "v6"])
def family(request):
    return request.param


def smc_ends(pod):
    return sum(r["mode"] in SMC for r in pod.diag())


def one_line(sidecar, before, direction):
    """The one connection that the proxy carried since it had @before."""
    lines = wait_for(lambda: sidecar.carried()[before:], 10, "the proxy")
    assert len(lines) == 1 and lines[0]["dir"] == direction, lines
    assert lines[0]["error"] == 0, lines
    return lines[0]


def through_both(client, server, family):
    """The application of @client to the one of @server: three connections."""
    address = getattr(server.pod, family)
    n, k = len(client.carried()), len(server.carried())
    with held(client.pod, address, PORT, user=APP) as h:
        out, into = one_line(client, n, "out"), one_line(server, k, "in")
        app_port = h.ports()[0][0]
        assert out["to"] == [address, PORT] and into["to"] == [address, PORT]
        assert h.protocols() == [6], "the application's socket was converted"
        mine, theirs = client.pod.diag(), server.pod.diag()
        # application to proxy, in the client's pod
        assert end(mine, app_port, PORT) == "plain"
        assert end(mine, istio.OUT, app_port) == "tcp"
        # proxy to proxy
        assert (end(mine, out["via"], PORT),
                end(theirs, istio.IN, out["via"])) == SMCD
        # proxy to application, in the server's pod
        assert end(theirs, into["via"], PORT) == "tcp"
        assert end(theirs, PORT, into["via"]) == "plain"
        assert smc_ends(client.pod) == smc_ends(server.pod) == 1
    assert len(client.carried()) == n + 1 and len(server.carried()) == k + 1


def test_connections_through_both_proxies_are_smcd(pair, family):
    m, w = pair
    through_both(m, w, family)
    through_both(w, m, family)


def test_sidecars_of_iptables_over_nftables_are_smcd(lab, family):
    through_both(lab.sidecars["iptables-nft", "m"],
                 lab.sidecars["iptables-nft", "w"], family)


def test_20_connections_are_20_in_each_proxy(lab, pair, family):
    """A loop would multiply: 20 connections are 20 in each proxy."""
    m, w = pair
    n, k = len(m.carried()), len(w.carried())
    with held(m.pod, getattr(w.pod, family), PORT, count=20, user=APP):
        assert smc_ends(m.pod) == smc_ends(w.pod) == 20, lab.agent.why_tcp()
    assert len(m.carried()) == n + 20 and len(w.carried()) == k + 20


def test_proxy_and_a_pod_without_a_sidecar_are_smcd(lab, pair, family):
    m, w = pair
    n = len(m.carried())
    with held(m.pod, getattr(lab.b, family), PORT, user=APP):
        via = one_line(m, n, "out")["via"]
        assert end(m.pod.diag(), via, PORT) == "smcd"
        assert end(lab.b.diag(), PORT, via) == "smcd"
    k = len(w.carried())
    with held(lab.b, getattr(w.pod, family), PORT) as h:
        one_line(w, k, "in")
        port = h.ports()[0][0]
        assert end(lab.b.diag(), port, PORT) == "smcd"
        assert end(w.pod.diag(), istio.IN, port) == "smcd"


def test_proxy_and_a_pod_that_is_not_annotated_stay_tcp(lab, pair, family):
    m, w = pair
    n = len(m.carried())
    with held(m.pod, getattr(lab.x, family), PORT, user=APP):
        via = one_line(m, n, "out")["via"]
        assert end(m.pod.diag(), via, PORT) == "tcp"
        assert end(lab.x.diag(), PORT, via) == "plain"
    assert len(m.carried()) == n + 1
    k = len(w.carried())
    with held(lab.x, getattr(w.pod, family), PORT) as h:
        one_line(w, k, "in")
        port = h.ports()[0][0]
        assert end(lab.x.diag(), port, PORT) == "plain"
        assert end(w.pod.diag(), istio.IN, port) == "tcp"
    assert len(w.carried()) == k + 1


def test_port_that_is_not_redirected_is_smcd(lab, pair, family):
    _, w = pair
    k = len(w.carried())
    assert ends(lab.b, w.pod, HEALTH, getattr(w.pod, family)) == SMCD
    assert ends(lab.x, w.pod, HEALTH,
                getattr(w.pod, family)) == ("plain", "tcp")
    assert len(w.carried()) == k


def test_proxy_to_its_own_pod_is_tcp_past_the_redirect(lab, pair, family):
    """A limit that the manual page names. A service may choose the caller's own
    pod; istio leads that through the proxy's inbound side, by the proxy's UID,
    which the SYN of an SMC socket does not have. So it reaches the application
    directly, as TCP: no loop, but also not what the plain proxy of the same pod
    does when the pod is not armed."""
    m, _ = pair
    name, address = m.pod.name, getattr(m.pod, family)

    def led_through():
        n = len(m.carried())
        with held(m.pod, address, PORT, user=istio.UID) as h:
            return h.client_ends(), [x["dir"] for x in m.carried()[n:]]

    assert led_through() == (["tcp"], [])
    with lab.mesh.changed(**{name: {"enabled": None}}):
        wait_for(lambda: not lab.agent.pod(name)["armed"], 10, "disarming")
        assert led_through() == (["plain"], ["in"])
    wait_for(lambda: lab.agent.pod(name)["armed"], 10, "arming")


def test_mark_opens_nothing(lab, pair, family):
    """Nor does the right to set one: the mark that let a connection pass once
    is carried like any other."""
    m, _ = pair
    raw = ["setpriv", f"--reuid={APP}", f"--regid={APP}", "--clear-groups",
           "--inh-caps=+net_raw", "--ambient-caps=+net_raw"]
    caps = m.pod.run([*raw, "grep", "CapEff", "/proc/self/status"]).out
    assert int(caps.split()[1], 16) == 1 << 13    # CAP_NET_RAW
    for pod, proxys in ((lab.b, "smcd"), (lab.x, "tcp")):
        for mark in ([], ["--mark", str(0x100)]):
            n = len(m.carried())
            with held_by(m.pod, [*raw, progs.path("hold"), *mark,
                                 at(getattr(pod, family), PORT)]):
                via = one_line(m, n, "out")["via"]
                assert end(m.pod.diag(), via, PORT) == proxys
            assert len(m.carried()) == n + 1


def test_mptcp_is_carried(lab, pair, family):
    """Its inner TCP socket is the kernel's, too, but has a file."""
    m, _ = pair
    n = len(m.carried())
    with held(m.pod, getattr(lab.b, family), PORT, protocol="mptcp", user=APP):
        one_line(m, n, "out")
    assert len(m.carried()) == n + 1


def test_socket_fallen_back_before_connect_obeys_the_rules(lab, pair, family):
    """Such an SMC socket has a file, and the sidecar's own rules are for it: the
    proxy's goes out, and to its own pod it is led through the inbound side."""
    m, _ = pair
    own, other = getattr(m.pod, family), getattr(lab.b, family)

    def dial(address, user):
        n = len(m.carried())
        with held_by(m.pod, [progs.path("hold"), "--fastopen",
                             at(address, PORT)], user=user) as h:
            # the SMC socket never became active: its program has the inner one
            rows = m.pod.diag(every=True)
            assert end(rows, h.ports()[0][0], PORT) == "tcp"
            return [x["dir"] for x in m.carried()[n:]]

    assert dial(other, istio.UID) == []
    assert dial(own, istio.UID) == ["in"]


def test_outbound_port_is_excluded_for_the_proxy(lab, pair):
    """By the port that the proxy dials."""
    m, w = pair
    notes = {m.pod.name: {"annotations": {manifest.OUT_PORTS: str(PORT)}}}

    def proxys_end():
        n = len(m.carried())
        with held(m.pod, lab.b.v4, PORT, user=APP):
            return end(m.pod.diag(), one_line(m, n, "out")["via"], PORT)

    assert proxys_end() == "smcd"
    with lab.mesh.changed(**notes):
        become(proxys_end, "tcp")
        assert ends(lab.b, w.pod, HEALTH) == SMCD
    become(proxys_end, "smcd")


def test_inbound_port_is_excluded_by_the_proxys_alone(lab, pair):
    """Not by the port that the client dialled: after the redirect the kernel
    only shows the proxy's, 15006, and the manual page says so. The client's own
    exclusion, and the mesh's, go by the dialled one."""
    _, w = pair

    def inbound():
        k = len(w.carried())
        with held(lab.b, w.pod.v4, PORT) as h:
            one_line(w, k, "in")
            return h.client_ends()[0]

    def notes(port):
        return {"annotations": {manifest.IN_PORTS: str(port)}}

    assert inbound() == "smcd"
    with lab.mesh.changed(**{w.pod.name: notes(istio.IN)}):
        become(inbound, "tcp")
        assert ends(lab.b, w.pod, HEALTH) == SMCD
    become(inbound, "smcd")
    with lab.mesh.changed(**{w.pod.name: notes(f"{PORT},{HEALTH}")}):
        become(lambda: ends(lab.b, w.pod, HEALTH), ("tcp", "tcp"))
        assert inbound() == "smcd"
    with lab.mesh.changed(spec={"excludePorts": [PORT]}):
        become(inbound, "tcp")
    become(inbound, "smcd")


def test_only_what_is_the_proxys_is_late(lab, pair):
    """The application's sockets are never converted: opening them anew would
    be no use. The proxy's are late, unless nobody may offer SMC there."""
    m, _ = pair
    name, proxys, apps = m.pod.name, 7201, 7202

    def late():
        pod = lab.agent.pod(name)
        return ({int(x.rpartition(":")[2]) for x in pod["late_listeners"]},
                pod["late_flows"])

    with lab.mesh.changed(**{name: {"enabled": None}}):
        wait_for(lambda: not lab.agent.pod(name)["armed"], 10, "disarming")
        servers = [serve(m.pod, proxys, address="::", user=istio.UID),
                   serve(m.pod, apps, address="::", user=APP)]
        n = len(m.carried())
        # two connections: the application's, and the proxy's to b
        old = m.pod.spawn([progs.path("hold"), f"{lab.b.v4}:{PORT}"], user=APP)
        assert one_line(m, n, "out")["to"] == [lab.b.v4, PORT]
    wait_for(lambda: lab.agent.pod(name)["armed"], 10, "arming")
    become(late, ({proxys}, 1), 30)
    old.kill(9)
    become(late, ({proxys}, 0), 30)
    notes = {"annotations": {manifest.IN_PORTS: str(proxys)}}
    with lab.mesh.changed(**{name: notes}):
        become(late, (set(), 0), 30)
    become(late, ({proxys}, 0), 30)
    for server in servers:
        server.kill(9)
    become(late, (set(), 0), 30)


def foreign_table(pod):
    """Somebody else's table of our name: ours cannot be made."""
    pod.run("nft -f -", stdin="table inet smcmesh {\n chain theirs {\n"
            "tcp dport 9 counter comment \"not yours\"\n }\n}\n")


def test_pod_whose_rule_cannot_be_made_is_not_armed(lab, pair):
    """The pod is not armed and says why; the application still gets through,
    by a proxy that is plain; when the way is free the pod is armed."""
    m, w = pair
    name = m.pod.name
    with lab.mesh.changed(**{name: {"enabled": None}}):
        wait_for(lambda: not lab.agent.pod(name)["armed"], 10, "disarming")
        m.pod.run("nft delete table inet smcmesh", check=False)
        foreign_table(m.pod)
    wait_for(lambda: lab.agent.pod(name)["reason"] == "owner-rule", 10,
             "the reason")
    assert not lab.agent.pod(name)["armed"]
    assert "not yours" in m.pod.run("nft list table inet smcmesh").out
    n = len(m.carried())
    with held(m.pod, lab.b.v4, PORT, user=APP):
        via = one_line(m, n, "out")["via"]
        assert end(m.pod.diag(), via, PORT) == "plain"
    assert len(m.carried()) == n + 1
    m.pod.run("nft delete table inet smcmesh")
    lab.agent.look()
    wait_for(lambda: lab.agent.pod(name)["armed"], 60, "the pod to be armed")
    through_both(m, w, "v4")


def test_rule_that_somebody_removes_comes_back(lab, pair):
    """It comes back without anything being told."""
    m, w = pair
    m.pod.run("nft delete table inet smcmesh")
    wait_for(lambda: "dnat" in m.pod.run("nft list table inet smcmesh",
                                         check=False).out, 60, "the rule")
    become(lambda: lab.agent.pod(m.pod.name)["armed"], True, 30)
    through_both(m, w, "v4")

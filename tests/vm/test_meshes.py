# SPDX-License-Identifier: Apache-2.0
"""Pods behind the redirects of several meshes: who is behind one is read from the
rules in its namespace, not from a container's name.

                     VM n1, agent; 10.244.1.0/16
    one pod for each row of MESHES                b        x
   app          proxy: the user and group       armed   not annotated
  UID 1000  ->  that the rules let pass    ->

Each connection of the application is carried once by the proxy, whose own to b is
SMC. Istio's rules with UID 1337 are in test_sidecar.py.
"""
import errno
import json

import pytest

from smclab import istio, meshes, progs, topo, wait_for
from smclab.agents import Agent
from smclab.flows import (at, become, end, ends, held, held_by, reason, serve,
                          still_runs)
from smclab.mesh import Mesh

SMCD = ("smcd", "smcd")
APP, PORT = "1000", 8080


def legacy(rules):
    return lambda pod: meshes.load(pod, rules, "legacy")


def nft(rules):
    return lambda pod: meshes.load(pod, rules, "nft")


def container(name, uid=None, gid=None, **more):
    user = {k: v for k, v in (("runAsUser", uid), ("runAsGroup", gid))
            if v is not None}
    return {"name": name, "securityContext": user, **more}


TPROXY = {"containers": ("app", container("istio-proxy", 0, 1337))}
# name: (what loads the rules, the proxy's user, how the object looks, owners)
MESHES = {
    "linkerd": (nft(meshes.LINKERD), "2102:2102",
                {"containers": ("app", container("linkerd-proxy", 2102, 2102))},
                [(2102, None)]),
    # a native sidecar, of whom the object says another user
    "kuma": (nft(meshes.KUMA), "5678:5678",
             {"init": [container("kuma-sidecar", 1, 1, restartPolicy="Always")]},
             [(5678, None)]),
    # by the group; no name that anybody knows
    "group": (nft(meshes.GROUP), "4321:5678", {"containers": ("app", "p")},
              [(None, 5678)]),
    # istio in TPROXY mode: the proxy is root, as the application may be
    "tproxy": (istio.RULES["nftables"], "0:1337", TPROXY,
               [(1337, None), (None, 1337)]),
    "tproxynft": (istio.RULES["iptables-nft"], "0:1337", TPROXY,
                  [(1337, None), (None, 1337)]),
    "tproxyleg": (istio.RULES["iptables-legacy"], "0:1337", TPROXY,
                  [(1337, None), (None, 1337)]),
    "linkerdleg": (legacy(meshes.LINKERD), "2102:2102", {"containers": ("app",)},
                   [(2102, None)]),
}


class Behind:
    """A pod behind a redirect, and its proxy."""

    def __init__(self, pod, user, *options):
        self.pod = pod
        self.proxy = pod.spawn([progs.path("proxy"), "-4", *options], user=user)
        wait_for(lambda: "ready" in self.proxy.out, 20, "the proxy to listen")

    def carried(self):
        still_runs(self.proxy)
        text = self.proxy.out
        lines = text[:text.rfind("\n") + 1].splitlines()
        return [x for x in map(json.loads, lines) if "dir" in x]

    def carries(self, peer, user=APP, **how):
        """The modes of the proxy's end and of the application's, of one connection
        that it carries."""
        n = len(self.carried())
        with held(self.pod, peer.v4, PORT, user=user, **how) as h:
            line, = wait_for(lambda: self.carried()[n:], 10, "the proxy")
            assert line["error"] == 0 and line["dir"] == "out", line
            assert line["to"] == [peer.v4, PORT]
            modes = (end(self.pod.diag(), line["via"], PORT), *h.client_ends())
        assert len(self.carried()) == n + 1
        return modes


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh, self.host = vm, Mesh(), 9
        topo.bridge(vm, "10.244.1.1/16")
        self.b, self.x = self.pod("b"), self.pod("x", enabled=None)
        has_legacy = istio.has_legacy(vm)
        self.behind = {}
        for name, (rules, _, how, _) in MESHES.items():
            if has_legacy or "leg" not in name:
                self.behind[name] = self.pod(name, **how)
                self.behind[name].run("ip -6 addr add ::6/128 dev lo nodad")
                rules(self.behind[name])
        self.ambient, self.late = self.pod("ambient"), self.pod("late")
        meshes.load(self.ambient, meshes.AMBIENT, "nft")
        self.gateway = self.pod("gateway", containers=[container("istio-proxy")],
                                user={"runAsUser": 0, "runAsGroup": 1337})
        self.inbound = self.pod("inbound", **TPROXY)
        istio.transparent(self.inbound)
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        for pod in (self.b, self.x):
            serve(pod, PORT)
        for name, pod in self.behind.items():
            self.behind[name] = Behind(pod, MESHES[name][1])

    def pod(self, name, **kw):
        self.host += 1
        return self.mesh.add(topo.pod(self.vm, name, f"10.244.1.{self.host}/16"),
                             **kw)

    def owners(self, name):
        return [(o["uid"], o["gid"])
                for o in self.agent.pod(name).get("owners", ())]


@pytest.fixture(scope="module")
def lab(vm):
    return Lab(vm)


@pytest.fixture(params=list(MESHES))
def kind(request, lab):
    if request.param not in lab.behind:
        pytest.skip("this kernel has no iptables-legacy (CONFIG_IP_NF_NAT)")
    return request.param


def test_the_proxy_carries_all_and_is_smc(lab, kind):
    pod = lab.agent.pod(kind)
    assert pod["armed"] and pod["sidecar"], pod
    assert lab.owners(kind) == MESHES[kind][3]
    behind = lab.behind[kind]
    for user in (APP, "0:0") if "tproxy" in kind else (APP,):
        assert behind.carries(lab.b, user) == ("smcd", "plain")
        assert behind.carries(lab.x, user) == ("tcp", "plain")


@pytest.mark.parametrize("kind", ["linkerd", "tproxy"])
def test_an_smc_socket_of_ones_own_does_not_pass(lab, kind):
    """Its inner socket has no file, as the proxy's: so nobody else gets one."""
    behind = lab.behind[kind]
    assert behind.carries(lab.b, protocol="smc") == ("smcd", "plain")
    program = ("import socket; socket.socket(43, socket.SOCK_STREAM, 0); "
               "print('made')")
    got = behind.pod.spawn(["python3", "-c", program], user=APP).wait()
    assert got.rc and f"Errno {errno.EPROTONOSUPPORT}" in got.err, got
    proxys = MESHES[kind][1]
    got = behind.pod.spawn(["python3", "-c", program], user=proxys).wait()
    assert got.rc == 0 and "made" in got.out, got
    # the control: one that is not beside a sidecar
    assert ends(lab.late, lab.b, PORT, protocol="smc", user=APP) == SMCD


@pytest.mark.parametrize("kind", ["linkerd", "group", "tproxy"])
def test_proxy_carries_the_same_without_us(lab, kind):
    """The control: whoever passes the proxy now passed it before."""
    behind = lab.behind[kind]
    with lab.mesh.changed(**{kind: {"enabled": None}}):
        wait_for(lambda: not lab.agent.pod(kind)["armed"], 10, "disarming")
        for user in (APP, "0:0"):
            assert behind.carries(lab.b, user) == ("plain", "plain")
    wait_for(lambda: lab.agent.pod(kind)["armed"], 10, "arming")


def test_what_tproxy_leads_in_is_smc_up_to_the_proxy(lab):
    """The proxy answers in the pod's name: SMC to it, plain to the application."""
    behind = Behind(lab.inbound, "0:1337", "-t")
    app = serve(lab.inbound, PORT, user=APP)
    for client, modes in ((lab.b, ("smcd", "smcd")), (lab.x, ("plain", "tcp"))):
        n = len(behind.carried())
        with held(client, lab.inbound.v4, PORT) as h:
            line, = wait_for(lambda n=n: behind.carried()[n:], 10, "the proxy")
            assert line["error"] == 0 and line["dir"] == "in", line
            assert line["to"] == [lab.inbound.v4, PORT]
            assert h.ends(lab.inbound) == [modes]
            assert end(lab.inbound.diag(), PORT, line["via"]) == "plain"
        assert len(behind.carried()) == n + 1
    app.kill()
    behind.proxy.kill(9)


def test_ambient_needs_nothing_of_ours(lab):
    """Its rules go by a mark, which the inner socket of an SMC socket has: all
    are converted, the redirect stands, nothing goes round."""
    pod = lab.agent.pod("ambient")
    assert pod["armed"] and not pod["sidecar"], pod
    assert "smcmesh" not in lab.ambient.run("nft list tables").out
    proxy = Behind(lab.ambient, "0", "-m", str(0x539))
    assert proxy.carries(lab.b) == ("smcd", "tcp")
    assert proxy.carries(lab.x) == ("tcp", "tcp")
    # the control: marked as the proxy is anybody passes, with us as without
    n = len(proxy.carried())
    for enabled, mode in (("true", "smcd"), (None, "plain")):
        with lab.mesh.changed(ambient={"enabled": enabled}):
            become(lambda: lab.agent.pod("ambient")["armed"], bool(enabled))
            with held_by(lab.ambient, [progs.path("hold"), "--mark", str(0x539),
                                       at(lab.b.v4, PORT)], user="0") as h:
                assert h.client_ends() == [mode]
    assert len(proxy.carried()) == n
    proxy.proxy.kill(9)


def test_gateway_is_converted_by_its_pod_level_user(lab):
    """Without a redirect the pod's object is all there is: a hint."""
    pod = lab.agent.pod("gateway")
    assert pod["armed"] and lab.owners("gateway") == [(0, 1337)]
    assert ends(lab.gateway, lab.b, PORT, user="0:1337") == SMCD
    for user in ("1337", "0:0", APP):
        assert ends(lab.gateway, lab.b, PORT, user=user) == ("plain", "tcp")
    assert reason(lab.agent, lab.gateway, PORT) == "other-uid"


EARLY = """
import socket, sys
s = socket.socket()
print("made", flush=True)
sys.stdin.readline()
print(s.connect_ex((sys.argv[1], int(sys.argv[2]))), flush=True)
"""


def test_rules_that_come_late_decide_from_then_on(lab):
    """Before an init container has written them everybody is converted; then who
    they let pass; and again everybody when they are gone. A socket that is SMC's
    and not the proxy's cannot be led to the proxy any more: it goes nowhere."""
    assert lab.owners("late") == [] and lab.agent.pod("late")["armed"]
    assert ends(lab.late, lab.b, PORT, user=APP) == SMCD
    early = {user: lab.late.spawn(["python3", "-c", EARLY, lab.b.v4, str(PORT)],
                                  user=user) for user in (APP, "2102:2102")}
    for p in early.values():
        wait_for(lambda p=p: "made" in p.out, 10, "the socket")
    meshes.load(lab.late, meshes.LINKERD, "nft")
    become(lambda: lab.owners("late"), [(2102, None)], 30)
    behind = Behind(lab.late, "2102:2102")
    assert behind.carries(lab.b) == ("smcd", "plain")
    n = len(behind.carried())
    for user, expected in ((APP, errno.EPERM), ("2102:2102", 0)):
        early[user].stdin("\n")
        early[user].wait()
        assert early[user].out.split() == ["made", str(expected)], user
    assert len(behind.carried()) == n
    lab.late.run("iptables-nft -t nat -F OUTPUT")
    become(lambda: lab.owners("late"), [], 30)
    assert lab.agent.pod("late")["armed"]
    assert ends(lab.late, lab.b, PORT, user=APP) == SMCD
    assert "smcmesh" not in lab.late.run("nft list tables").out
    behind.proxy.kill(9)


@pytest.mark.parametrize("rules", [
    "-p tcp -j REDIRECT --to-ports 15001",
    "-p tcp -m owner ! --uid-owner 2000-3000 -j REDIRECT --to-ports 15001"])
def test_pod_whose_owners_cannot_be_told_is_not_armed(lab, rules):
    """Not armed, and nothing is between the application and its redirect."""
    lab.late.run(f"iptables-nft -t nat -A OUTPUT {rules}")
    become(lambda: lab.agent.pod("late")["reason"], "owner-rule", 30)
    pod = lab.agent.pod("late")
    assert not pod["armed"] and "redirect lets" in pod["sentence"], pod
    server = serve(lab.late, 15001, user="2500")
    with held(lab.late, lab.b.v4, PORT, user=APP) as h:
        assert h.protocols() == [6]
        assert end(lab.late.diag(), 15001, h.ports()[0][0]) == "plain"
    server.kill(9)
    lab.late.run("iptables-nft -t nat -F OUTPUT")
    become(lambda: lab.agent.pod("late")["armed"], True, 60)

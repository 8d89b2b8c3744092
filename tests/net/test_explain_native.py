# SPDX-License-Identifier: Apache-2.0
"""`smcmesh explain` of peers, on this machine's own kernel: an agent with real
maps and without SMC (SMCMESH_MAPS_ONLY), and the verdict's own program. The row of
the pod, and what BPF and probes write, the test puts there itself.
"""
import os
import struct
import subprocess

import pytest

from smclab import manifest, native, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

POD, PEER, VIP = "10.99.0.1", "10.99.1.1", "10.96.0.1"
UNTIL_AT = 56    # of offers_until_ns in smc_config
FOREVER = 2**63
SMCR, SMCD = 1, 2


class Agent(native.MapsAgent):
    bad = 0    # is the path to the peer

    def set(self, backends=(PEER,), **spec):
        """A pod of this node, a peer of another, and a Service."""
        objects = [manifest.mesh(**spec), *manifest.service("web", VIP, 80, 7000, backends),
                   manifest.pod("a", "n1", POD, self.netns),
                   manifest.node("n2", [manifest.endpoint(PEER, "b")])]
        self.write(manifest.text(*objects))

    def arm(self, transports=SMCR | SMCD):
        pod, = self.get("/v1/pods")["pods"]
        self.put("smc_netns", struct.pack("=Q", pod["netns_cookie"]),
                 struct.pack("=IIII32x", pod["pod_id"], 0, transports, 0))

    def path(self, peer=PEER, bad=0):
        self.put("smc_path", native.mapped(POD)[12:] + native.mapped(peer)[12:],
                 struct.pack("=QQQQ32x", FOREVER, 0, bad, FOREVER if bad else 0))

    def lease(self, until):
        value = bytearray(self.row("smc_config", bytes(4)))
        struct.pack_into("=Q", value, UNTIL_AT, until)
        self.put("smc_config", bytes(4), value)

    def peer(self, to):
        """What explain says of a peer; each reconcile takes the pod's row away,
        and paths that are nobody's."""
        self.arm()
        self.path(bad=self.bad)
        self.path(VIP)
        return self.get(f"/v1/explain?pod=default/a&peer={to}")["peer"]

    def wait(self, reason, to=PEER + ":7000"):
        wait_for(lambda: self.peer(to)["reason"] == reason, 20, reason)
        return self.peer(to)


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("explain")
    a = Agent(tmp)
    with subprocess.Popen(["unshare", "-n", "sleep", "600"]) as pod, \
            native.bpffs(a.bpffs):
        try:
            a.netns = f"/proc/{pod.pid}/ns/net"
            own = os.readlink("/proc/self/ns/net")
            wait_for(lambda: os.readlink(a.netns) != own, 10, "a namespace")
            a.set()
            a.start()
            wait_for(lambda: a.get("/v1/pods")["pods"][0]["netns_cookie"], 20,
                     "a look")
            yield a
        finally:
            a.end()
            pod.kill()


@pytest.fixture(autouse=True)
def whole(agent):
    """Every test begins with a connection that would be accelerated."""
    agent.set()
    agent.bad = 0
    agent.wait("none")
    agent.wait("none", VIP + ":80")


def test_path_is_shown_as_it_decides(agent):
    agent.bad = 1
    peer = agent.wait("path-bad")
    assert peer["path"]["state"] == "bad", peer
    assert peer["endpoint"]["pod"] == "b" and peer["endpoint"]["node"] == "n2"
    agent.bad = 0
    peer = agent.wait("none")
    assert peer["verdict"] == "accelerate" and peer["transports"] == ["smcr"]
    assert peer["path"]["state"] == "proven", peer


@pytest.mark.parametrize("reason, spec, says", [
    ("excluded-port", {"excludePorts": ["6990-7010"]}, "by the SmcMesh"),
    ("excluded-cidr", {"excludeCIDRs": ["10.99.1.0/24"]}, "a CIDR"),
    ("mesh-off", {"enabled": False}, None)])
def test_what_the_mesh_says_is_shown_and_ends(agent, reason, spec, says):
    agent.set(**spec)
    peer = agent.wait(reason)
    assert not says or says in peer["exclusions"][0], peer
    agent.set()
    assert agent.wait("none")["exclusions"] == []


def test_quarantine_is_shown_until_it_is_cleared(agent):
    key = struct.pack("=I16sHxx", 0, native.mapped(PEER), 7000)
    agent.put("smc_quarantine", key, struct.pack("=QQIIi8x4x", 1, FOREVER, 3, 2,
                                                 -110))
    usage = bytearray(agent.row("smc_usage", bytes(4)))
    struct.pack_into("=Q", usage, 48, FOREVER)
    agent.put("smc_usage", bytes(4), usage)
    peer = agent.wait("quarantined")
    assert "said nothing" in peer["quarantine"][0]["sentence"], peer
    assert agent.wait("none", VIP + ":80")["quarantine"] == []
    agent.request("/v1/quarantine/clear?peer=all", "POST")
    assert agent.wait("none")["quarantine"] == []


def test_lease_that_has_ended(agent):
    agent.lease(1)
    assert agent.wait("agent-silent")["verdict"] == "bypass"
    agent.lease(FOREVER)
    agent.wait("none")


def test_backends_of_a_service_are_shown(agent):
    agent.set(backends=(PEER, "10.99.1.2"))
    peer = agent.wait("mixed-service", VIP + ":80")
    told = peer["service"]
    assert (told["namespace"], told["service"]) == ("default", "web"), told
    assert (told["why"], told["stranger"]) == ("backend", "10.99.1.2"), told
    assert [(b["address"], b["endpoint"], b["pod"]) for b in told["backends"]] \
        == [(PEER + ":7000", True, "b"), ("10.99.1.2:7000", False, "")], told
    agent.set(backends=())
    told = agent.wait("not-endpoint", VIP + ":80")["service"]
    assert not told["row"] and told["backends"] == [], told
    agent.set()
    told = agent.wait("none", VIP + ":80")["service"]
    assert told["row"] and told["transports"] == ["smcr"], told


def test_peers_of_no_mesh(agent):
    for to, reason in (("203.0.113.9:80", "not-endpoint"),
                       (POD + ":7000", "loopback"),
                       (VIP + ":81", "not-endpoint"),
                       ("[fd00::1]:80", "not-endpoint")):
        peer = agent.wait(reason, to)
        assert peer["verdict"] == "bypass" and not peer["endpoint"], peer
    agent.arm(SMCD)
    peer = agent.get(f"/v1/explain?pod=default/a&peer={PEER}:7000")["peer"]
    assert peer["reason"] == "no-common-transport", peer

# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus, configured as deploy/prometheus says, scrapes the agents while
one cause after the other is made: each query of the dashboard and each alert is
seen to change, and answers what the agents' own texts say (promeval.py).

     n1: client, near          n2: far, sleeper, plain (not annotated)

What no cluster can be made to do here is in ELSEWHERE.
"""
import contextlib
import math
import os
import time
import xml.etree.ElementTree
from types import SimpleNamespace

import pytest

from smclab import manifest, paths, progs, roce, wait_for, workload
from smclab.cluster import PATIENCE
from smclab.deployed import SMCNODES
from smclab.flows import at, held_by
from smclab.manifest import ENABLED
from smclab.panels import draw
from smclab.pins import PINS
from smclab.promeval import Store
from smclab.prometheus import Prometheus, alerts, queries
from smclab.workload import ECHO_PORT

# a node of which the kernel's abilities go, and more rows than the largest maps
# have: by promtool alone, deploy/prometheus/rules_test.yaml
ELSEWHERE = {"SmcmeshCapabilityLost", "SmcmeshMapFull"}
PATH, LATE = "RDMA paths", "Late listeners and connections"
PODS, AGENT = "Pods that are not armed", "The agent: 99th percentile"
READY = "Ready, published"
BYPASSED, LATENCY = "Bypassed by reason", "connect(), {}, by outcome"
# excluded ranges that take 14 blocks each, of which a pod has room for 1,024
RANGES = ",".join(f"{at * 256 + 1}-{at * 256 + 254}" for at in range(1, 200))
# more sockets under way than a pod may have, and one after the other beyond that
IDLE = """
import socket, time
keep = [socket.socket() for _ in range(140)]
while True:
    socket.socket().close()
    time.sleep(0.1)
"""


class Change:
    """A series of a query that has to rise, to fall, or to be another number."""

    def __init__(self, watch, kind, title, legend=None, /, **labels):
        self.kind, self.labels, self.watch = kind, set(labels.items()), watch
        self.key, = [k for k in queries() if k[0] == title
                     and legend in (None, k[1])]
        self.before = self.value()

    def value(self):
        """Of several the largest; what is not there, or of nothing, is 0."""
        found = self.watch.prometheus.ask(queries()[self.key])
        return max((v for k, v in found.items() if self.labels <= k
                    and not math.isnan(v)), default=0)

    def seen(self):
        now = self.value()
        assert {"rises": now > self.before, "falls": now < self.before,
                "changes": now != self.before}[self.kind], (
                    f"{self.key} {sorted(self.labels)}: {self.before} before, "
                    f"{now} now, {self.kind} expected")
        return True


class Fires:
    """An alert whose expression was empty before."""

    def __init__(self, watch, name):
        self.key, self.watch = name, watch
        self.before = watch.prometheus.ask(alerts()[name])
        assert not self.before, self.before

    def seen(self):
        assert self.watch.prometheus.ask(alerts()[self.key]), self.key
        return True


class Watch:
    def __init__(self, prometheus):
        self.prometheus, self.began = prometheus, time.time()
        self.changed, self.times = set(), []

    def rises(self, *what, **labels):
        return Change(self, "rises", *what, **labels)

    def falls(self, *what, **labels):
        return Change(self, "falls", *what, **labels)

    def changes(self, *what, **labels):
        return Change(self, "changes", *what, **labels)

    def fires(self, *names):
        return [Fires(self, name) for name in names]

    def wait(self, *expected):
        for one in expected:
            wait_for(one.seen, PATIENCE, f"{one.key} to change", 1)
            self.changed.add(one.key)
        self.times.append(round(time.time(), 3))


@pytest.fixture(scope="module")
def watch(cluster, mesh):
    prometheus = Prometheus(cluster).start()
    try:
        wait_for(lambda: len(prometheus.ask("up == 1")) == len(cluster.nodes),
                 PATIENCE, "the agents to be scraped", 1)
        yield Watch(prometheus)
    finally:
        prometheus.stop()


class Pods:
    """The pods by name, and programs in their namespaces."""

    def __init__(self, cluster, mesh):
        self.cluster, self.mesh = cluster, mesh
        self.objects = [
            workload.idle("client", node="n1", enabled="true", annotations={
                "smcmesh.io/limits": "connections=50"}),
            workload.echo("near", node="n1", enabled="true",
                          labels={"set": "mixed"}),
            workload.echo("far", node="n2", enabled="true"),
            workload.echo("sleeper", node="n2"),
            workload.echo("plain", node="n2", labels={"set": "mixed"}),
            workload.service("mixed", selector={"set": "mixed"})]

    def start(self):
        self.cluster.apply(self.objects)
        self.mesh.wait_armed(*map(self.object, ("client", "near", "far")))
        self.mesh.wait_path(self.object("client"), self.object("far"))

    def object(self, name):
        found, = self.cluster.wait_pods(f"app={name}", 1)
        return found

    def ip(self, name):
        return self.object(name)["status"]["podIP"]

    def inside(self, name):
        """(VM, namespace)"""
        pod = self.object(name)
        node = self.cluster.node_of(pod)
        return node.vm, node.namespace_of(pod["status"]["podIP"])

    @contextlib.contextmanager
    def spawned(self, name, argv):
        vm, netns = self.inside(name)
        proc = vm.spawn(argv, netns=netns)
        try:
            yield proc
        finally:
            proc.kill(timeout=PATIENCE)

    def load(self, *to):
        """One connection after the other from the client to these pods, or
        addresses, until the block ends."""
        stack = contextlib.ExitStack()
        for name in to:
            ip = name if name[0].isdigit() else self.ip(name)
            stack.enter_context(self.spawned("client", [
                progs.path("hammer"), "--to", at(ip, ECHO_PORT), "--count", "0",
                "--pace", "300000"]))
        return stack

    def held(self, to, count):
        vm, netns = self.inside("client")
        return held_by(vm, [progs.path("hold"), "--count", str(count),
                            at(self.ip(to), ECHO_PORT)], PATIENCE, netns=netns)


@pytest.fixture(scope="module")
def pods(cluster, mesh, watch):
    made = Pods(cluster, mesh)
    expected = [watch.rises(PODS, "armed"), watch.rises(PATH, "{{state}}",
                                                        state="proven"),
                watch.rises(PATH, "probes {{result}}/s", result="answered"),
                watch.changes(AGENT, "news until the maps have it"),
                watch.changes(AGENT, "pod seen until armed")]
    try:
        made.start()
        watch.wait(*expected)
        yield made
    finally:
        cluster.remove(made.objects)


def test_connections(watch, pods, mesh):
    mesh.first_contact(pods.object("client"), pods.object("far"), ECHO_PORT)
    flows, moved = "New connections by outcome", "Bytes by transport"
    expected = [
        *[watch.rises(flows, outcome=o) for o in ("smcd", "smcr", "tcp")],
        *[watch.rises(moved, transport=t, direction="tx")
          for t in ("smcd", "smcr", "tcp")],
        watch.rises("Share of new connections"), watch.rises("Share of bytes"),
        watch.rises(BYPASSED, reason="not-endpoint"),
        *[watch.changes(LATENCY.format(q), outcome="smcd")
          for q in ("median", "99th percentile")],
        watch.changes("The agents: processor", node="n1"),
        watch.changes("The agents: memory", node="n1")]
    with pods.load("near", "far", "plain"):
        watch.wait(*expected)


def test_held_connections_and_the_budget(watch, pods):
    expected = [
        *[watch.rises(title, node="n1") for title in (
            "SMC connections, of the limit", "SMC buffers, of the limit",
            "Pinned memory")],
        watch.rises("Pods that hold most", pod="client"),
        watch.rises(BYPASSED, reason="budget"), *watch.fires("SmcmeshBudget")]
    with pods.held("near", 60), pods.load("near"):
        watch.wait(*expected)


def test_rations(watch, pods):
    expected = [watch.rises("SMC sockets under way, of the limit", node="n1"),
                watch.rises("Rationed", node="n1", kind="converted"),
                *watch.fires("SmcmeshRationed")]
    with pods.spawned("client", ["python3", "-c", IDLE]):
        watch.wait(*expected)


def test_late_listener_makes_fall_backs(cluster, mesh, watch, pods):
    expected = [watch.rises(LATE, "listeners {{node}}", node="n2"),
                watch.rises("Fall-backs by the kernel's code", code="peer-no-smc"),
                *watch.fires("SmcmeshLateListeners", "SmcmeshFallbacks")]
    cluster.kubectl("annotate", "pod", "sleeper", f"{ENABLED}=true")
    try:
        sleeper = pods.object("sleeper")
        mesh.wait_armed(sleeper)
        mesh.wait_path(pods.object("client"), sleeper)
        with pods.load("sleeper"):
            watch.wait(*expected)
    finally:
        cluster.kubectl("annotate", "pod", "sleeper", f"{ENABLED}-")


def test_mesh_off_and_late_connections(mesh, watch, pods):
    off = [watch.falls(PODS, "armed"), *watch.fires("SmcmeshMeshOff")]
    late = [watch.rises(LATE, "connections {{node}}", node="n1"),
            *watch.fires("SmcmeshLateFlows")]
    try:
        mesh.switch(False)
        watch.wait(*off)
        with pods.held("far", 3):
            mesh.switch(True)
            watch.wait(*late)
    finally:
        mesh.switch(True)
        mesh.wait_armed(*map(pods.object, ("client", "near", "far")))


@contextlib.contextmanager
def applied(cluster, *objects):
    try:
        cluster.apply(list(objects))
        yield
    finally:
        cluster.remove(list(objects))


def test_pods_that_cannot_be_armed(cluster, watch, pods):
    expected = [watch.rises(PODS, "{{reason}}", reason="bad-annotation"),
                watch.rises(PODS, "{{reason}}", reason="pod-map-full"),
                *watch.fires("SmcmeshPodsNotArmed")]
    with applied(cluster, workload.idle("yes", node="n1", enabled="yes"),
                 workload.idle("narrow", node="n1", enabled="true", annotations={
                     "smcmesh.io/exclude-outbound-ports": RANGES})):
        watch.wait(*expected)


def test_mixed_service(cluster, watch, pods):
    expected = [watch.rises(BYPASSED, reason="mixed-service"),
                *watch.fires("SmcmeshMixedService")]
    with pods.load(cluster.wait_service("mixed")):
        watch.wait(*expected)


def test_address_of_two_pods(cluster, mesh, watch, pods):
    """A node that publishes another pod's address as one of its own."""
    expected = watch.fires("SmcmeshAddressConflict")
    of_far = next(e for e in mesh.smcnodes()["n2"]["endpoints"]
                  if e["address"] == pods.ip("far"))
    status = {**mesh.smcnodes()["n2"],
              "endpoints": [{**of_far, "pod": "ghost", "uid": "uid-ghost"}],
              "endpointCount": 1}
    other = {k: v for k, v in manifest.node("n9").items() if k != "status"}
    with applied(cluster, other):
        cluster.api.merge(f"{SMCNODES}/n9/status", {"status": status})
        watch.wait(*expected)
    mesh.wait_armed(pods.object("far"))


def test_path_that_is_cut(cluster, mesh, watch, pods):
    mesh.wait_path(pods.object("client"), pods.object("far"))
    expected = [watch.rises(PATH, "{{state}}", state="bad"),
                watch.rises(PATH, "probes {{result}}/s", result="unanswered"),
                watch.rises(BYPASSED, reason="path-bad"),
                *watch.fires("SmcmeshPathBad", "SmcmeshPathsUnproven")]
    far = SimpleNamespace(vm=cluster.nodes["n2"].vm, v4=pods.ip("far"), name="far")
    with roce.cut(far), pods.load("far"):
        watch.wait(*expected)


def test_peer_that_falls_silent(watch, pods):
    """Nothing is heard from it once TCP is connected."""
    expected = [watch.rises("Peers in quarantine", node="n1"),
                *watch.fires("SmcmeshQuarantine")]
    vm, netns = pods.inside("client")
    vm.run("nft -f -", netns=netns, stdin=f"""
        table ip silent {{ chain c {{ type filter hook input priority 0
            tcp sport {ECHO_PORT} tcp flags & syn == 0 drop
        }}; }}""")
    try:
        with pods.load("near"):
            watch.wait(*expected)
    finally:
        vm.run("nft delete table ip silent", netns=netns)


def test_pins_that_somebody_takes_away(cluster, watch, pods):
    expected = watch.fires("SmcmeshDrift")
    cluster.nodes["n1"].vm.run(f"rm {PINS}smc_*")
    watch.wait(*expected)


def agent_pid(cluster, mesh, node):
    return mesh.ask(node, "status")["pid"]


def test_agent_that_stands_still(cluster, mesh, watch, pods):
    """The next one finds devices that were not there when the first began."""
    expected = watch.fires("SmcmeshAgentDown")
    rdma = watch.rises("Capability by node", node="n2", feature="rdma")
    vm, pid = cluster.nodes["n2"].vm, agent_pid(cluster, mesh, "n2")
    vm.run(f"kill -STOP {pid}")
    try:
        watch.wait(*expected)
    finally:
        vm.run(f"kill -9 {pid}")
    watch.wait(rdma)
    mesh.wait_agents()


def without_rdma(node):
    """Take all soft RoCE devices of a node away."""
    for link in node.vm.run("rdma -j link").json():
        node.vm.run(["rdma", "link", "delete", link["ifname"]])


def test_api_server_that_hangs(cluster, mesh, watch, pods):
    """What cannot be published, what grows old, and an agent that begins now."""
    lease = watch.falls("Left of the lease", node="n1")
    short = {"apiVersion": "smcmesh.io/v1alpha1", "kind": "SmcMesh",
             "metadata": {"name": "default"},
             "spec": {"enabled": True, "lease": "60s"}}
    n2, server = cluster.nodes["n2"], "kube-apiserver"
    with applied(cluster, short):
        watch.wait(lease)
        ready = watch.falls(READY, "ready {{node}}", node="n2")
        old = [watch.falls(READY, "published {{node}}", node="n2"),
               watch.rises("Age of knowledge", node="n1"),
               *watch.fires("SmcmeshNotPublished", "SmcmeshKnowledgeOld",
                            "SmcmeshOffersEnd")]
        restarted = watch.fires("SmcmeshNotReady")
        pid = agent_pid(cluster, mesh, "n2")
        cluster.control.signal(server, 19)
        try:
            without_rdma(n2)
            watch.wait(*old)
            n2.vm.run(f"kill -9 {pid}")
            watch.wait(ready, *restarted)
        finally:
            cluster.control.signal(server, 18)
    mesh.wait_agents()


# ---- all of them ----------------------------------------------------------------


def test_every_query_was_seen_to_change(watch):
    missing = (set(queries()) | set(alerts())) - watch.changed
    assert missing == ELSEWHERE


def same(told, expected):
    return told.keys() == expected.keys() and all(
        math.isclose(v, expected[k], rel_tol=1e-6) or math.isnan(v)
        and math.isnan(expected[k]) for k, v in told.items())


def test_answers_equal_what_the_agents_said(watch, cluster, mesh, figures):
    """At each of the times at which a change was seen."""
    scrapes = watch.prometheus.scrapes()
    for s in scrapes:
        assert s.labels["instance"] == \
            f"{cluster.nodes[s.labels['node']].address}:9469", s.labels
    store, answered, compared = Store(scrapes), set(), 0
    asked = {**queries(), **alerts()}
    for when in watch.times:
        for name, expr in asked.items():
            told, expected = watch.prometheus.ask(expr, when), store.ask(expr, when)
            assert same(told, expected), (name, expr, when, {
                tuple(sorted(k)): (told.get(k), expected.get(k))
                for k in told.keys() | expected.keys()
                if told.get(k) != expected.get(k)})
            compared += len(told)
            if told:
                answered.add(name)
    figures("Prometheus' answers that equal the agents' texts",
            f"{compared} series of {len(asked)} queries at {len(watch.times)} times, "
            f"{len(scrapes)} scrapes of which {sum(not s.text for s in scrapes)} "
            "had no answer")
    assert set(asked) - answered == ELSEWHERE


def test_panels_are_drawn(watch):
    """build/log/dashboard.svg, of which deploy/docs has one."""
    path = os.path.join(paths.build(), "log/dashboard.svg")
    draw(path, watch.prometheus.range, watch.began)
    text = "".join(xml.etree.ElementTree.parse(path).getroot().itertext())
    for title, _ in queries():
        assert title in text, title

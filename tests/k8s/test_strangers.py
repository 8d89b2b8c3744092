# SPDX-License-Identifier: Apache-2.0
"""Pods without annotation that join an accelerated Service, one by one. Offers
may reach a stranger until the agents know it; none after, and nothing fails."""
import json

import pytest

from smclab import progs, wait_for, workload
from smclab.cluster import PATIENCE
from smclab.deployed import Load, Traffic
from smclab.workload import ECHO_PORT

COUNT = 20
PODS = "/api/v1/namespaces/default/pods/"


@pytest.fixture(scope="module")
def traffic(mesh):
    with Traffic(mesh, "joined") as t:
        t.become("smc")
        yield t


@pytest.fixture(scope="module")
def strangers(cluster):
    """They are there and ready, but have not the Service's label yet."""
    made = workload.deployment("stranger", COUNT, port=ECHO_PORT, every=20,
                               command=workload.ECHO)
    cluster.apply(made)
    yield cluster.wait_pods("app=stranger", COUNT)
    cluster.remove(made)
    cluster.wait_gone("app=stranger")


class Watch:
    """Counts SYNs that arrive in a pod's namespace, and those with the SMC
    option."""

    def __init__(self, node, ip):
        self.vm, self.file = node.vm, f"/x/{ip}.syn"
        self.proc = node.vm.spawn([progs.path("synwatch"), self.file],
                                  netns=node.namespace_of(ip))
        wait_for(lambda: "ready" in self.proc.out, PATIENCE, "synwatch")

    def stop(self):
        """(with the option, all)"""
        self.proc.kill(timeout=PATIENCE)
        told = json.loads(self.proc.out.splitlines()[-1])
        assert told["dropped"] == 0, told
        syns = [line.split() for line in self.vm.read(self.file).splitlines()]
        syns = [s for s in syns if s[1:3] == ["got", "syn"]]
        return sum(s[-1] == "smc" for s in syns), len(syns)


def join(cluster, pod, joins):
    """Have it carry the Service's label, or not any more."""
    cluster.api.merge(PODS + pod["metadata"]["name"], {"metadata": {"labels": {
        "app": "joined" if joins else "stranger"}}})


def since(node, ip, load):
    """(offers, connections) of those that begin now; None: none came here."""
    watch = Watch(node, ip)
    load.wait_more()
    seen = watch.stop()
    return seen if seen[1] else None


def joins_and_leaves(cluster, traffic, load, pod):
    """How many offers reached it before it was known."""
    node, ip = cluster.node_of(pod), pod["status"]["podIP"]
    watch = Watch(node, ip)
    join(cluster, pod, True)
    try:
        traffic.become("tcp", within=30)
        early, _ = watch.stop()
        offers, _ = wait_for(lambda: since(node, ip, load), PATIENCE,
                             "connections to reach the stranger")
        assert not offers, f"{pod['metadata']['name']} is still offered SMC"
    finally:
        join(cluster, pod, False)
    traffic.become("smc", within=30)
    return early


def test_joining_strangers_fail_nobody(cluster, traffic, strangers, mesh, figures):
    with Load(mesh, "joiner", f"{traffic.ip}:{ECHO_PORT}", node="n1",
              pace_us=100000) as load:
        reached = [joins_and_leaves(cluster, traffic, load, pod)
                   for pod in strangers]
    figures("offers that reached each of 20 strangers before it was known",
            reached)
    assert load.result["errors"] == 0, (load.result, load.talk)

# SPDX-License-Identifier: Apache-2.0
"""Armed in time: fifty pods whose program listens as its first act."""
import json
import threading
import time

import pytest

from smclab import workload
from smclab.cluster import is_ready, wait_for
from smclab.workload import ECHO_PORT

COUNT = 50
IN_TIME = 48
CROWD = "/api/v1/namespaces/default/pods?labelSelector=app%3Dcrowd"
LOOK_S = 0.25   # how often a node's map is looked at


class Spread:
    """How long an address takes from the API server to the map of every other
    node: {address: when}, first in a pod's status, and by node in its map."""

    def __init__(self, cluster):
        self.cluster, self.end = cluster, threading.Event()
        self.told, self.mapped = {}, {name: {} for name in cluster.nodes}
        self.watch = cluster.api.watch(CROWD)
        self.threads = [threading.Thread(target=self._api)] + [
            threading.Thread(target=self._map, args=(n,)) for n in cluster.nodes]
        for t in self.threads:
            t.start()

    def _api(self):
        for event in self.watch:
            ip = event["object"].get("status", {}).get("podIP")
            if ip:
                node = event["object"]["spec"]["nodeName"]
                self.told.setdefault(ip, (node, time.monotonic()))

    def _map(self, node):
        seen, last = self.mapped[node], False
        while not last:
            last = self.end.wait(LOOK_S)
            for ip in self.cluster.nodes[node].vm.call("nodeview", "endpoints"):
                seen.setdefault(ip, time.monotonic())

    def stop(self):
        self.end.set()
        self.watch.close()
        for t in self.threads:
            t.join()

    def seconds(self):
        """Sorted, one for each address and other node."""
        return sorted(max(seen[ip] - when, 0) for ip, (home, when) in
                      self.told.items() for node, seen in self.mapped.items()
                      if node != home)


@pytest.fixture(scope="module")
def askers(cluster, mesh):
    """{node: a client there}. Each asks the pods of its own node, over shared memory:
    whether a listener was in time must not depend on an RDMA path, which a node that
    starts so many pods may well take for dead."""
    clients = [workload.idle(f"asker-{n}", node=n, enabled="true")
               for n in cluster.nodes]
    cluster.apply(clients)
    pods = {n: cluster.wait_pods(f"app=asker-{n}", 1)[0] for n in cluster.nodes}
    mesh.wait_armed(*pods.values())
    yield pods
    cluster.remove(clients)


@pytest.fixture(scope="module")
def crowd(cluster, mesh, askers, figures):
    crowd = workload.deployment("crowd", COUNT, command=workload.ECHO,
                                port=ECHO_PORT, enabled="true", every=20)
    spread = Spread(cluster)
    try:
        cluster.apply(crowd)
        pods = cluster.wait_pods("app=crowd", COUNT)
        mesh.wait_armed(*pods)
    finally:
        spread.stop()
    took = spread.seconds()
    assert len(took) == COUNT * (len(cluster.nodes) - 1)
    figures("podIP in the API to the other nodes' maps, seconds",
            f"p50 {took[len(took) // 2]:.2f}, p99 {took[-1 - len(took) // 100]:.2f}"
            f" (looked at every {LOOK_S} s)")
    yield pods
    cluster.remove(crowd)
    cluster.wait_gone("app=crowd")


def stayed_tcp(cluster, askers, pods):
    """Names of those to which a new connection is TCP; a failure is a failure."""
    names = set()
    for node, asker in askers.items():
        here = [p for p in pods if p["spec"]["nodeName"] == node]
        ips = " ".join(p["status"]["podIP"] for p in here)
        told = cluster.exec(asker["metadata"]["name"], "sh", "-c",
                            f"for ip in {ips}; do hammer --to $ip:{ECHO_PORT}"
                            " --count 1 || exit; done")
        results = [json.loads(line) for line in told.out.splitlines()]
        assert [r["ok"] for r in results] == [1] * len(here), told
        names |= {p["metadata"]["name"] for p, r in zip(here, results)
                  if not r["smc"]}
    return names


def late(cluster, mesh, pods):
    """Names of those whose late listeners are reported."""
    names = {p["metadata"]["name"] for p in pods}
    return {p["name"] for node in cluster.nodes
            for p in mesh.ask(node, "pods")["pods"]
            if p["late_listeners"] and p["name"] in names}


def test_nearly_all_listen_over_smc_and_the_rest_is_reported(
        cluster, mesh, askers, crowd, figures):
    assert all(map(is_ready, crowd))
    tcp = stayed_tcp(cluster, askers, crowd)
    wait_for(lambda: tcp <= late(cluster, mesh, crowd), 30,
             "those that stayed TCP to be reported", 1)
    figures(f"armed in time, of {COUNT} pods", COUNT - len(tcp))
    assert COUNT - len(tcp) >= IN_TIME, f"not in time: {tcp}"


def test_the_late_have_an_event(cluster, mesh, crowd):
    """One that says what to do; none for those that were in time. A node's agent
    makes one a second, these before those that tell that a pod is armed."""
    names = {p["metadata"]["name"] for p in crowd}

    def told():
        events = [e for e in cluster.api.items(
            "/api/v1/namespaces/default/events")
            if e["reason"] == "LateListener"
            and e["involvedObject"]["name"] in names]
        assert {e["involvedObject"]["name"] for e in events} == \
            late(cluster, mesh, crowd)
        return events or True
    events = wait_for(told, 30, "an Event for each", 1)
    assert events is True or all("restart the pod" in e["message"]
                                 for e in events)

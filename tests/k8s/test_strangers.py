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


@pytest.fixture(scope="module")
def traffic(mesh):
    with Traffic(mesh, "joined") as t:
        t.become("smc")
        yield t


class Watch:
    """Counts SYNs with the SMC option that arrive in a pod's namespace."""

    def __init__(self, node, ip):
        self.vm, self.file = node.vm, f"/x/{ip}.syn"
        self.proc = node.vm.spawn([progs.path("synwatch"), self.file],
                                  netns=node.namespace_of(ip))
        wait_for(lambda: "ready" in self.proc.out, PATIENCE, "synwatch")

    def stop(self):
        """How many it saw."""
        self.proc.kill(timeout=PATIENCE)
        told = json.loads(self.proc.out.splitlines()[-1])
        assert told["dropped"] == 0, told
        return sum(line.split()[1:3] == ["got", "syn"]
                   and line.split()[-1] == "smc"
                   for line in self.vm.read(self.file).splitlines())


def test_strangers_join(cluster, mesh, traffic, record_property):
    reached = []
    with Load(mesh, "joiner", f"{traffic.ip}:{ECHO_PORT}", node="n1",
              pace_us=5000) as load:
        for i in range(COUNT):
            name = f"stranger{i}"
            pod = workload.echo(name, node="n2", labels={"app": "joined"})
            # ready only when it is watched: no connection comes before
            pod["spec"]["containers"][0]["readinessProbe"] = {
                "exec": {"command": ["test", "-e", "/tmp/watched"]},
                "periodSeconds": 1, "timeoutSeconds": 60}
            cluster.apply(pod)
            path = f"/api/v1/namespaces/default/pods/{name}"
            ip = wait_for(lambda p=path: cluster.api.get(p)["status"].get("podIP"),
                          PATIENCE, f"{name}'s address", 0.5)
            watch = Watch(cluster.nodes["n2"], ip)
            cluster.exec(name, "touch", "/tmp/watched")
            cluster.wait_pods("app=joined", i + 2)
            traffic.become("tcp", within=30)
            reached.append(watch.stop())
            watch = Watch(cluster.nodes["n2"], ip)
            load.wait_more()
            assert watch.stop() == 0, f"{name} is still offered SMC"
        for i in range(COUNT):
            cluster.remove(workload.echo(f"stranger{i}"))
        traffic.become("smc", within=30)
    assert load.result["errors"] == 0, (load.result, load.talk)
    record_property("offers_that_reached_each", reached)
    print("offers that reached each stranger:", reached)

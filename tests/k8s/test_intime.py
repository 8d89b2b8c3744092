# SPDX-License-Identifier: Apache-2.0
"""Armed in time: fifty pods whose program listens as its first act."""
import json

import pytest

from smclab import workload
from smclab.cluster import is_ready, wait_for, PATIENCE
from smclab.workload import ECHO_PORT

COUNT = 50
IN_TIME = 48


@pytest.fixture(scope="module")
def crowd(cluster, mesh):
    client = workload.idle("asker", node="n1", enabled="true")
    crowd = workload.deployment("crowd", COUNT, command=workload.ECHO,
                                port=ECHO_PORT, enabled="true")
    cluster.apply([client, crowd])
    asker, = cluster.wait_pods("app=asker", 1)
    pods = cluster.wait_pods("app=crowd", COUNT)
    mesh.wait_armed(asker, *pods)
    yield pods
    cluster.remove([client, crowd])
    wait_for(lambda: not cluster.pods("app=crowd"), PATIENCE, "the crowd to go")


def mode(cluster, pod):
    """What a new connection to it is: smc or tcp; a failure is a failure."""
    told = cluster.exec("asker", "hammer", "--to",
                        f"{pod['status']['podIP']}:{ECHO_PORT}", "--count", "1")
    result = json.loads(told.out.splitlines()[-1])
    assert result["ok"] == 1, (result, told.err)
    return "smc" if result["smc"] else "tcp"


def test_nearly_all_listen_over_smc_and_the_rest_is_reported(cluster, mesh, crowd):
    assert all(map(is_ready, crowd))
    tcp = [p["metadata"]["name"] for p in crowd if mode(cluster, p) == "tcp"]
    told = {p["name"] for node in cluster.nodes
            for p in mesh.ask(node, "pods")["pods"] if p["late_listeners"]}
    silent = [name for name in tcp if name not in told]
    assert not silent, f"TCP and not reported: {silent}"
    assert COUNT - len(tcp) >= IN_TIME, f"not in time: {tcp}"


def test_the_late_have_an_event(cluster, mesh, crowd):
    """One that says what to do; none for those that were in time."""
    late = {p["name"] for node in cluster.nodes
            for p in mesh.ask(node, "pods")["pods"] if p["late_listeners"]}
    names = {p["metadata"]["name"] for p in crowd}
    events = [e for e in cluster.api.items("/api/v1/namespaces/default/events")
              if e["reason"] == "LateListener"
              and e["involvedObject"]["name"] in names]
    assert {e["involvedObject"]["name"] for e in events} == late & names
    assert all("restart the pod" in e["message"] for e in events)

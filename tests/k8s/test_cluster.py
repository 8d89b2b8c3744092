# SPDX-License-Identifier: Apache-2.0
"""The cluster itself, before anything of ours is in it: what the other tests
stand on, and their control."""
import json

import pytest

from smclab import workload
from smclab.workload import ECHO_PORT


@pytest.fixture(scope="module")
def plain(cluster):
    """A server on n2 behind a Service, a client on n1; nothing annotated."""
    objects = [workload.echo("plain-server", node="n2"),
               workload.idle("plain-client", node="n1"),
               workload.service("plain", app="plain-server")]
    cluster.apply(objects)
    server, = cluster.wait_pods("app=plain-server", 1)
    client, = cluster.wait_pods("app=plain-client", 1)
    yield server, client
    cluster.remove(objects)


def hammer(cluster, to):
    out = cluster.exec("plain-client", "hammer", "--to", f"{to}:{ECHO_PORT}",
                       "--count", "20").out
    return json.loads(out.splitlines()[-1])


def test_nodes_are_ready(cluster):
    names = {n["metadata"]["name"]: n["status"]["nodeInfo"]
             for n in cluster.api.items("/api/v1/nodes")}
    assert sorted(names) == ["n1", "n2"]
    assert all(i["containerRuntimeVersion"].startswith("containerd://")
               for i in names.values())


def test_pods_talk_across_nodes(cluster, plain):
    server, client = plain
    assert cluster.node_of(server) is not cluster.node_of(client)
    result = hammer(cluster, server["status"]["podIP"])
    assert result["tcp"] == 20 and result["smc"] == 0, result


def test_pods_talk_through_a_service(cluster, plain):
    """Also where the answer would come straight over the pods' bridge."""
    result = hammer(cluster, cluster.wait_service("plain"))
    assert result["tcp"] == 20 and result["errors"] == 0, result


def test_names_resolve(cluster, plain):
    told = cluster.exec("plain-client", "nslookup",
                        "plain.default.svc.cluster.local").out
    ip = cluster.api.get("/api/v1/namespaces/default/services/plain")
    assert ip["spec"]["clusterIP"] in told


def test_each_pod_has_an_rdma_device_of_its_own(cluster, plain):
    for pod in plain:
        node = cluster.node_of(pod)
        ns = node.namespace_of(pod["status"]["podIP"])
        links = node.vm.run(["ip", "netns", "exec", ns, "rdma", "link"]).out
        # the others' have no network device there
        own, = [line for line in links.splitlines() if "netdev" in line]
        assert "netdev eth0" in own and "state ACTIVE" in own, links


def test_nothing_is_armed(cluster, plain):
    for node in cluster.nodes.values():
        for ns in node.namespaces():
            assert not ns["armed"] and not ns["hs_ctrl"], ns

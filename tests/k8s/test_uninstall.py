# SPDX-License-Identifier: Apache-2.0
"""Taking it off the cluster again. It runs last."""
import pytest

from smclab import workload
from smclab.cluster import PATIENCE
from smclab.deployed import NAMESPACE, Traffic

KINDS = ("smcnodes.smcmesh.io", "smcmeshes.smcmesh.io",
         "asmmeshconfigs.istio.alibabacloud.com")


@pytest.fixture(scope="module")
def traffic(mesh):
    with Traffic(mesh, "last") as t:
        t.become("smc")
        yield t


def left(node):
    """(pins, programs, selectors by namespace) of ours in this node's kernel."""
    programs = [p["name"] for p in
                node.vm.run(["bpftool", "-j", "prog", "list"]).json()
                if p.get("name", "").startswith("smc")]
    return (node.vm.call("nodeview", "pinned"), programs,
            node.vm.call("nodeview", "selectors"))


@pytest.mark.parametrize("step", ["while pods hold SMC sockets", "after them"])
def test_uninstall(cluster, traffic, step):
    """Listeners are SMC sockets: their pods keep a denying selector and are
    named. Restarted, nothing is left at all."""
    if step == "while pods hold SMC sockets":
        told = cluster.script("deploy/uninstall", "--timeout", "120",
                              check=False, timeout=2 * PATIENCE)
        assert told.rc == 1, told
        server, = traffic.servers()
        assert f"default/{server['metadata']['name']}" in told.out, told.out
        assert traffic.all_are("tcp")
        node = cluster.node_of(server)
        ns = node.namespace_of(server["status"]["podIP"])
        assert ns in left(node)[2]
        return
    cluster.kubectl("rollout", "restart", f"deployment/{traffic.name}")
    cluster.kubectl("rollout", "status", f"deployment/{traffic.name}")
    client = workload.idle(traffic.client_name, node="n1", enabled="true")
    cluster.remove(client)
    cluster.apply(client)
    cluster.wait_pods(f"app={traffic.client_name}", 1)
    cluster.script("deploy/uninstall", timeout=2 * PATIENCE)
    for node in cluster.nodes.values():
        assert left(node) == ([], [], {}), node.name
    assert cluster.api.find(f"/api/v1/namespaces/{NAMESPACE}") is None
    known = cluster.kubectl("get", "crd", "-o", "name").out
    assert not [k for k in KINDS if k in known], known
    assert traffic.all_are("tcp")

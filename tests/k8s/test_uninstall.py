# SPDX-License-Identifier: Apache-2.0
"""Taking it off the cluster again. It runs last."""
import pytest

from smclab import wait_for, workload
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


def try_to_uninstall(cluster, name):
    """Its Result where it names that pod: the nodes may take longer."""
    told = cluster.script("deploy/uninstall", "--timeout", "20", check=False,
                          timeout=2 * PATIENCE)
    if told.rc != 1:
        raise RuntimeError(f"uninstalled, although pods hold sockets: {told}")
    return told if name in told.out else None


def uninstall_until_named(cluster, name):
    return wait_for(lambda: try_to_uninstall(cluster, name), PATIENCE,
                    f"{name} to be named")


@pytest.mark.parametrize("step", ["while pods hold SMC sockets", "after them"])
def test_uninstall_leaves_only_what_open_sockets_need(cluster, mesh, traffic, step):
    """Listeners are SMC sockets: their pods keep a denying selector and are
    named, and one can go back. Restarted, nothing is left at all."""
    if step == "while pods hold SMC sockets":
        server, = traffic.servers()
        name = f"default/{server['metadata']['name']}"
        told = uninstall_until_named(cluster, name)
        # an apply takes it back, as is said there; then once more
        assert "kubectl apply -k" in told.out, told.out
        cluster.kubectl("apply", "-k", "deploy/")
        mesh.wait_agents()
        told = uninstall_until_named(cluster, name)
        # the nodes themselves, and whoever has no SMC socket, are clean
        kept = [line for line in told.out.splitlines() if "pod " in line]
        assert all(f"default/{traffic.name}" in line for line in kept), told.out
        assert traffic.all_are("tcp")
        node = cluster.node_of(server)
        ns = node.namespace_of(server["status"]["podIP"])
        assert ns in left(node)[2]
        return
    cluster.kubectl("rollout", "restart", f"deployment/{traffic.name}")
    cluster.rolled_out(traffic.name)
    client = workload.idle(traffic.client_name, node="n1", enabled="true")
    cluster.remove(client, wait=True)
    cluster.apply(client)
    traffic.find_client()
    cluster.script("deploy/uninstall", timeout=2 * PATIENCE)
    for node in cluster.nodes.values():
        assert left(node) == ([], [], {}), node.name
    assert cluster.api.find(f"/api/v1/namespaces/{NAMESPACE}") is None
    known = cluster.kubectl("get", "crd", "-o", "name").out
    assert not [k for k in KINDS if k in known], known
    shares = cluster.kubectl("get", "-o", "name",
                             "flowschemas,prioritylevelconfigurations").out
    assert "system" in shares and "smcmesh" not in shares, shares
    assert traffic.all_are("tcp")

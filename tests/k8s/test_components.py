# SPDX-License-Identifier: Apache-2.0
"""The optional components at work.

What a boot can do, without one: pods are there before the agent is, and with the
components for that none of them stays TCP for its life. The mesh switch comes
from a server of the mesh's own (here: the same one, by other credentials)."""
import base64
import os

import pytest

from smclab import paths, wait_for, workload
from smclab.cluster import PATIENCE
from smclab.deployed import NAMESPACE
from smclab.workload import ECHO_PORT

TAINT = "smcmesh.io/agent-not-ready"
N2 = "/api/v1/nodes/n2"


COMPONENTS = ("startup-taint", "evict-late-pods", "ack-asm")
READER = "mesh-reader"
RIGHT = [
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
     "metadata": {"name": READER},
     "rules": [{"apiGroups": ["istio.alibabacloud.com"],
                "resources": ["asmmeshconfigs"], "verbs": ["list", "watch"]}]},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
     "metadata": {"name": READER},
     "roleRef": {"apiGroup": "rbac.authorization.k8s.io",
                 "kind": "ClusterRole", "name": READER},
     "subjects": [{"kind": "User", "name": READER}]}]


@pytest.fixture(scope="module")
def equipping(cluster, mesh, tmp_path_factory):
    """The base with components, in a kustomization as a user writes it; the
    mesh's credentials have no right yet."""
    folder = tmp_path_factory.mktemp("equipped")
    base = os.path.relpath(paths.TREE + "/deploy", folder)
    parts = ", ".join(f"{base}/components/{c}" for c in COMPONENTS)
    (folder / "kustomization.yaml").write_text(
        f"resources: [{base}]\ncomponents: [{parts}]\n", encoding="ascii")
    config = cluster.control.certified(READER).encode()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {
        "name": "smcmesh-mesh-kubeconfig", "namespace": NAMESPACE},
        "data": {"kubeconfig": base64.b64encode(config).decode()}}
    cluster.apply(secret)
    cluster.kubectl("apply", "-k", str(folder))
    yield
    cluster.kubectl("apply", "-k", "deploy/")
    mesh.wait_agents()
    cluster.remove([*RIGHT, secret])


@pytest.fixture(scope="module")
def equipped(cluster, mesh, equipping):
    cluster.apply(RIGHT)
    mesh.wait_agents()


def test_a_missing_right_is_said(cluster, mesh, equipping):
    """Who may not do what to which resource; by a client certificate."""
    wait_for(lambda: any(
        f'"{READER}" cannot' in log and '"asmmeshconfigs"' in log
        for log in map(mesh.log, cluster.nodes)), PATIENCE,
        "an agent to say what it may not", 1)


def test_switch_in_the_mesh_reaches_every_node(cluster, mesh, equipped):
    try:
        for on in (False, True):
            mesh.switch(on)
            for node in cluster.nodes:
                wait_for(lambda n=node, v=on: mesh.ask(n, "status")["mesh_enabled"]
                         == v, 30, f"{node} to be switched", 0.5)
    finally:
        mesh.switch(True)


def let_agents_be(cluster, mesh, there):
    """Take the agents away, or let them come back."""
    name = mesh.daemonset()["metadata"]["name"]
    cluster.api.merge(
        f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/{name}",
        {"spec": {"template": {"spec": {"nodeSelector": {
            "smclab/none": None if there else "here"}}}}})
    if not there:
        wait_for(lambda: not cluster.api.items(
            f"/api/v1/namespaces/{NAMESPACE}/pods"), PATIENCE,
            "the agents to be gone", 0.5)


@pytest.fixture
def before_the_agent(cluster, mesh, equipped):
    """Two pods that listened before there was an agent, and one that the node's
    taint keeps away until then."""
    early = workload.deployment("early", 2, command=workload.ECHO, node="n2",
                                port=ECHO_PORT, enabled="true")
    held = workload.deployment("held", command=workload.ECHO, port=ECHO_PORT,
                               enabled="true",
                               nodeSelector={"kubernetes.io/hostname": "n2"})
    asker = workload.idle("early-asker", node="n1", enabled="true")
    let_agents_be(cluster, mesh, False)
    cluster.api.merge(N2, {"spec": {"taints": [
        {"key": TAINT, "effect": "NoSchedule"}]}})
    cluster.apply([early, held, asker])
    first = cluster.wait_pods("app=early", 2)
    waiting, = cluster.pods("app=held")
    assert "nodeName" not in waiting["spec"], waiting["spec"]
    yield {p["metadata"]["uid"] for p in first}
    cluster.remove([early, held, asker])


def late(mesh):
    return [p["name"] for node in mesh.cluster.nodes
            for p in mesh.ask(node, "pods")["pods"] if p["late_listeners"]]


def test_late_pods_are_evicted_until_none_is_late(cluster, mesh, before_the_agent):
    let_agents_be(cluster, mesh, True)
    mesh.wait_agents()
    wait_for(lambda: not any(t["key"] == TAINT for t in cluster.api.get(N2)
                             ["spec"].get("taints", [])), PATIENCE,
             "the taint to be taken off", 0.5)

    def replaced():
        pods = cluster.wait_pods("app=early", 2)
        return pods if not before_the_agent & {
            p["metadata"]["uid"] for p in pods} else None

    pods = [*wait_for(replaced, PATIENCE, "both to be evicted", 0.5),
            *cluster.wait_pods("app=held", 1)]
    mesh.wait_armed(*pods)
    assert not late(mesh)
    for pod in pods:
        told = cluster.exec("early-asker", "hammer", "--to",
                            f"{pod['status']['podIP']}:{ECHO_PORT}", "--count",
                            "5")
        assert '"smc": 5' in told.out, (pod["metadata"]["name"], told.out)
    mesh.wait_agreement()

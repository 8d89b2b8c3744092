# SPDX-License-Identifier: Apache-2.0
"""What an agent's credentials may do, on the real server with real tokens."""
import pytest

from smclab.deployed import NAMESPACE, SMCNODES
from smclab.kubeapi import ApiError


@pytest.fixture(scope="module")
def account(mesh):
    return mesh.daemonset()["spec"]["template"]["spec"]["serviceAccountName"]


def token(cluster, account, pod=None):
    """A token as the kubelet asks for it: bound to a pod, which tells the node."""
    spec = {"expirationSeconds": 3600}
    if pod:
        spec["boundObjectRef"] = {
            "apiVersion": "v1", "kind": "Pod", "name": pod["metadata"]["name"],
            "uid": pod["metadata"]["uid"]}
    made = cluster.api.create(
        f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
         "spec": spec})
    return made["status"]["token"]


@pytest.fixture(scope="module")
def agent(cluster, mesh, account):
    """The API server as the agent of n1 sees it."""
    return cluster.api.as_user(token(cluster, account, mesh.agent("n1")))


def patch(api, node, sub=""):
    """What an agent sends: a server-side apply."""
    body = {"apiVersion": "smcmesh.io/v1alpha1", "kind": "SmcNode",
            "metadata": {"name": node}}
    if sub:
        body["status"] = {"kernel": "test"}
    return api.call("PATCH", f"{SMCNODES}/{node}{sub}?fieldManager=test"
                    "&force=true", body, "application/apply-patch+yaml")


def refused(call, *args):
    with pytest.raises(ApiError) as e:
        call(*args)
    assert e.value.status in (403, 422), e.value
    return e.value.message


def test_agent_may_write_its_own_smcnode(cluster, agent):
    """As it would: its own kernel's name comes back with its next status."""
    assert patch(agent, "n1")["metadata"]["name"] == "n1"
    assert patch(agent, "n1", "/status")["status"]["kernel"] == "test"


def test_agent_may_not_write_another_smcnode(agent):
    assert "n2" in refused(patch, agent, "n2")


def test_agent_may_not_write_another_smcnodes_status(agent):
    assert "n2" in refused(patch, agent, "n2", "/status")


def test_smcnode_of_no_node_is_refused(agent):
    refused(patch, agent, "n3")


def test_token_without_a_node_is_refused(cluster, account):
    nobody = cluster.api.as_user(token(cluster, account))
    assert "node" in refused(patch, nobody, "n1")
    assert "node" in refused(patch, nobody, "n1", "/status")


def test_agent_of_another_namespace_is_refused(cluster, mesh):
    """Whoever has the rights, by another binding: the policy is for it too."""
    told = cluster.kubectl(
        "--as=system:serviceaccount:elsewhere:smcmesh",
        "--as-group=system:masters", "label", "smcnode", "n1", "test=it",
        check=False)
    assert told.rc and "names no node" in told.err, told


@pytest.mark.parametrize("path", [
    "/api/v1/secrets", "/api/v1/nodes", "/api/v1/configmaps",
    "/apis/apps/v1/daemonsets"])
def test_agent_may_read_nothing_else(agent, path):
    """No agent watches Nodes; secrets are none of its business."""
    with pytest.raises(ApiError) as e:
        agent.get(path)
    assert e.value.status == 403


def test_agent_may_write_no_pod(agent, mesh):
    pod = mesh.agent("n1")["metadata"]["name"]
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}"
    with pytest.raises(ApiError) as e:
        agent.merge(path, {"metadata": {"labels": {"x": "y"}}})
    assert e.value.status == 403
    with pytest.raises(ApiError) as e:
        agent.delete(path)
    assert e.value.status == 403

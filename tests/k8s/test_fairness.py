# SPDX-License-Identifier: Apache-2.0
"""The agents' share of the API server, as that server sorts what it is asked."""
import re

import pytest

from smclab import wait_for
from smclab.deployed import NAMESPACE, SMCNODES
from smclab.kubeapi import ApiError

GROUP = "/apis/flowcontrol.apiserver.k8s.io/v1"
PODS = "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1"
# of the server's own metrics: how many requests it has let through
DISPATCHED = re.compile(r"^apiserver_flowcontrol_dispatched_requests_total"
                        r'\{(.*)\} (\S+)$', re.M)


def uid(cluster, kind, name):
    return cluster.api.get(f"{GROUP}/{kind}/{name}")["metadata"]["uid"]


def ask(api, path):
    """The headers of the answer. A server that has just heard of other
    definitions is busy with those for a moment: wait_for() asks again."""
    try:
        return api.answer("GET", path)[1]
    except ApiError as e:
        if e.status != 429:
            raise
        raise OSError(str(e)) from e


def sorted_as(api, path):
    """(uid of the FlowSchema, of the PriorityLevelConfiguration): the server
    says them with every answer."""
    headers = wait_for(lambda: ask(api, path), 30, "an answer", 0.5)
    return (headers["X-Kubernetes-PF-FlowSchema-UID"],
            headers["X-Kubernetes-PF-PriorityLevel-UID"])


def account_of(cluster, namespace, name):
    """The server as that ServiceAccount sees it."""
    made = cluster.api.create(
        f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
         "spec": {"expirationSeconds": 3600}})
    return cluster.api.as_user(made["status"]["token"])


@pytest.fixture(scope="module")
def ours(cluster, mesh):
    return (uid(cluster, "flowschemas", "smcmesh"),
            uid(cluster, "prioritylevelconfigurations", "smcmesh"))


@pytest.mark.parametrize("path", [PODS, SMCNODES, "/api/v1/nodes/n1"])
def test_an_agents_calls_have_their_own_level(cluster, ours, path):
    assert sorted_as(account_of(cluster, NAMESPACE, "smcmesh"), path) == ours


def test_calls_of_others_keep_their_level(cluster, ours):
    """Kubelets, and a service account of the same name in another namespace."""
    kubelet = cluster.api.as_user(cluster.control.tokens["n1"])
    system = (uid(cluster, "flowschemas", "system-nodes"),
              uid(cluster, "prioritylevelconfigurations", "system"))
    assert sorted_as(kubelet, PODS) == system
    node = sorted_as(kubelet, "/api/v1/nodes/n1")
    assert node[0] == uid(cluster, "flowschemas", "system-node-high")
    account = {"apiVersion": "v1", "kind": "ServiceAccount",
               "metadata": {"name": "smcmesh", "namespace": "default"}}
    try:
        cluster.apply(account)
        # whoever it is may ask what it may do
        other = account_of(cluster, "default", "smcmesh")
        assert sorted_as(other, "/apis")[0] == uid(cluster, "flowschemas",
                                                   "service-accounts")
    finally:
        cluster.remove(account)


def let_through(cluster):
    """{FlowSchema: number of requests}"""
    found = {}
    for labels, value in DISPATCHED.findall(cluster.api.get("/metrics")):
        name = re.search(r'flow_schema="([^"]*)"', labels)[1]
        found[name] = found.get(name, 0) + float(value)
    return found


@pytest.mark.long
def test_agents_calls_are_counted_at_their_level(cluster, mesh, ours):
    """Of agents that begin now: none of them waits among all service accounts."""
    before = let_through(cluster).get("smcmesh", 0)
    for node in cluster.nodes:
        mesh.renew_agent(node)
    wait_for(lambda: let_through(cluster).get("smcmesh", 0)
             >= before + 4 * len(cluster.nodes), 60,
             "the agents' requests to be counted", 1)
    level = cluster.kubectl("get", "flowschema", "smcmesh", "-o", "jsonpath="
                            "{.status.conditions[?(@.type=='Dangling')].status}")
    assert level.out == "False", level.out

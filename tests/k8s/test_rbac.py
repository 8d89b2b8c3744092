# SPDX-License-Identifier: Apache-2.0
"""The rights are the calls made in the whole run of these tests, and no more.
It runs late: see the order in conftest.py."""
import json

from smclab.deployed import NAMESPACE, Traffic


def rules(cluster, account):
    """{(verb, group, resource)} that role bindings give to the account."""
    user = f"system:serviceaccount:{NAMESPACE}:{account}"
    base, found = "/apis/rbac.authorization.k8s.io/v1", set()
    for kind in ("clusterrolebindings", "rolebindings"):
        for binding in cluster.api.items(f"{base}/{kind}"):
            named = [s for s in binding.get("subjects", [])
                     if (s["kind"], s.get("namespace"), s["name"]) ==
                     ("ServiceAccount", NAMESPACE, account)
                     or s["name"] == user]
            if not named:
                continue
            ref, where = binding["roleRef"], binding["metadata"].get("namespace")
            path = (f"{base}/clusterroles/{ref['name']}"
                    if ref["kind"] == "ClusterRole" else
                    f"{base}/namespaces/{where}/roles/{ref['name']}")
            for rule in cluster.api.get(path)["rules"]:
                found |= {(v, g, r) for v in rule["verbs"]
                          for g in rule.get("apiGroups", [])
                          for r in rule.get("resources", [])}
    return found


def calls(cluster, account):
    """{(verb, group, resource)} that its agents asked for, from the audit log.
    Those of these tests' own, with its tokens, name no smcmesh."""
    user, found = f"system:serviceaccount:{NAMESPACE}:{account}", set()
    with open(cluster.control.path("audit.log"), encoding="utf-8") as f:
        for line in f:
            event = json.loads(line)
            if event["user"]["username"] != user or \
                    not event.get("userAgent", "").startswith("smcmesh"):
                continue
            ref = event.get("objectRef", {})
            resource = ref.get("resource", event["requestURI"])
            if "subresource" in ref:
                resource += "/" + ref["subresource"]
            found.add((event["verb"], ref.get("apiGroup", ""), resource))
            if event["verb"] == "patch" and \
                    event.get("responseStatus", {}).get("code") == 201:
                # an apply that made the object needs this right too
                found.add(("create", ref.get("apiGroup", ""), resource))
    return found


def without_streaming_lists(cluster, mesh):
    """Agents that begin at a server which has no streaming lists, as older ones:
    they list, what they otherwise only watch."""
    cluster.control.restart("kube-apiserver", "--feature-gates=WatchList=false")
    for node in cluster.nodes:
        mesh.renew_agent(node)


def test_rights_equal_calls(cluster, mesh):
    # with annotated pods, or they watch no Services
    with Traffic(mesh, "lists") as traffic:
        without_streaming_lists(cluster, mesh)
        traffic.become("smc")
        mesh.wait_agreement()
    account = mesh.daemonset()["spec"]["template"]["spec"]["serviceAccountName"]
    given, used = rules(cluster, account), calls(cluster, account)
    assert used - given == set(), "calls without the right"
    assert given - used == set(), "rights that nobody uses"

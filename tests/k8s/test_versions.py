# SPDX-License-Identifier: Apache-2.0
"""Agents and definitions of two versions: fields are only ever added."""
import copy

from smclab.deployed import SMCNODES, Traffic

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAME = "smcnodes.smcmesh.io"


def newer(crd):
    """The definition as a later version may have it: one more field, of a kind
    that today's agents have never heard of."""
    crd = copy.deepcopy(crd)
    status = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"][
        "properties"]["status"]
    status.setdefault("properties", {})["weather"] = {
        "type": "object", "properties": {"sky": {"type": "string"}}}
    crd["metadata"].pop("managedFields", None)
    return crd


def test_fields_that_are_not_known(cluster, mesh):
    """The CRD of version N+1 beside agents N, a field of N+1 in an object that
    they read, and back: SMC throughout."""
    with Traffic(mesh, "ages") as traffic:
        traffic.become("smc")
        old = cluster.api.get(f"{CRDS}/{NAME}")
        try:
            cluster.api.call("PUT", f"{CRDS}/{NAME}", newer(old))
            cluster.api.merge(f"{SMCNODES}/n2/status",
                              {"status": {"weather": {"sky": "clear"}}})
            assert traffic.all_are("smc")
            # what n2 publishes next goes through the new definition
            server, = traffic.replace(labels={"age": "new"})
            mesh.wait_armed(server)
            traffic.become("smc", within=30)
        finally:
            now = cluster.api.get(f"{CRDS}/{NAME}")
            now["spec"] = old["spec"]
            cluster.api.call("PUT", f"{CRDS}/{NAME}", now)
        server, = traffic.replace(labels={"age": "old"})
        mesh.wait_armed(server)
        traffic.become("smc", within=30)
        mesh.wait_agreement()

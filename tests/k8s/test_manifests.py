# SPDX-License-Identifier: Apache-2.0
"""Every manifest and example is one that the real API server takes, and the
agent's container is exactly what its manifest says."""
import glob
import os

import pytest

from smclab import paths, wait_for
from smclab.cluster import PATIENCE, as_text
from smclab.deployed import NAMESPACE
from smclab.machine import CommandFailed

EXAMPLES = sorted(os.path.relpath(p, paths.TREE) for p in
                  glob.glob(paths.TREE + "/deploy/examples/**/*.yaml",
                            recursive=True))
COMPONENTS = sorted(os.path.relpath(os.path.dirname(p), paths.TREE) for p in
                    glob.glob(paths.TREE + "/deploy/components/*/"
                              "kustomization.yaml"))
CAPS = {"DAC_READ_SEARCH": 2, "NET_ADMIN": 12, "SYS_PTRACE": 19, "SYS_ADMIN": 21,
        "PERFMON": 38, "BPF": 39, "SYS_RESOURCE": 24, "NET_RAW": 13}


def operators_kind(kind):
    """A definition for objects of the Prometheus operator, of whatever content."""
    plural = kind.lower() + "s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.monitoring.coreos.com"},
        "spec": {"group": "monitoring.coreos.com", "scope": "Namespaced",
                 "names": {"plural": plural, "singular": kind.lower(),
                           "kind": kind, "listKind": kind + "List"},
                 "versions": [{
                     "name": "v1", "served": True, "storage": True,
                     "schema": {"openAPIV3Schema": {
                         "type": "object",
                         "x-kubernetes-preserve-unknown-fields": True}}}]}}


OPERATORS = {"podmonitor": operators_kind("PodMonitor"),
             "alerts": operators_kind("PrometheusRule")}


@pytest.mark.parametrize("path", EXAMPLES)
def test_example_is_accepted(cluster, mesh, path):
    told = cluster.kubectl("apply", "--dry-run=server", "-f", path)
    assert "(server dry run)" in told.out and "Warning" not in told.err, told


def test_base_is_accepted(cluster, mesh):
    told = cluster.kubectl("apply", "--dry-run=server", "-k", "deploy/")
    assert "(server dry run)" in told.out and "Warning" not in told.err, told


@pytest.mark.parametrize("path", COMPONENTS)
def test_component_is_accepted(cluster, mesh, path, tmp_path):
    """Beside the base, in a kustomization as a user writes it."""
    base = os.path.relpath(paths.TREE + "/deploy", tmp_path)
    part = os.path.relpath(os.path.join(paths.TREE, path), tmp_path)
    (tmp_path / "kustomization.yaml").write_text(
        f"resources: [{base}]\ncomponents: [{part}]\n", encoding="ascii")
    definition = OPERATORS.get(os.path.basename(path))
    if definition:
        cluster.apply(definition)
        cluster.kubectl("wait", "--for=condition=Established",
                        "crd/" + definition["metadata"]["name"])
    told = cluster.kubectl("apply", "--dry-run=server", "-k", str(tmp_path))
    assert "(server dry run)" in told.out, told


def test_manifests_in_another_namespace_name_no_other(cluster, tmp_path):
    """A kustomization's own namespace: nothing goes on naming ours."""
    base = os.path.relpath(paths.TREE + "/deploy", tmp_path)
    parts = ", ".join(os.path.relpath(os.path.join(paths.TREE, p), tmp_path)
                      for p in COMPONENTS if not p.endswith("ack-asm"))
    (tmp_path / "kustomization.yaml").write_text(
        f"namespace: elsewhere\nresources: [{base}]\ncomponents: [{parts}]\n",
        encoding="ascii")
    told = cluster.kubectl("kustomize", str(tmp_path))
    assert "smcmesh-system" not in told.out and "elsewhere" in told.out


def bare_node(name, **labels):
    """A Node of which only the object is there: it has no room for pods."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {
        "name": name, "labels": {"kubernetes.io/os": "linux",
                                 "kubernetes.io/arch": "amd64", **labels}}}


def agents_by_node(cluster):
    """{node: pod} of what the DaemonSet's controller made, scheduled or not."""
    found = {}
    for pod in cluster.pods("", NAMESPACE):
        term, = pod["spec"]["affinity"]["nodeAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        field, = term["matchFields"]
        found[field["values"][0]] = pod["metadata"]["name"]
    return found


def remove_node(cluster, node):
    """And its pod: the controller does not look when a Node goes."""
    name = node["metadata"]["name"]
    cluster.remove(node, wait=True)
    pod = agents_by_node(cluster).get(name)
    if pod:
        cluster.api.delete(f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}", grace=0)


def test_a_virtual_node_gets_no_agent(cluster, mesh):
    """An ordinary node that came later has its pod: the virtual one was seen."""
    virtual = bare_node("virtual", type="virtual-kubelet")
    ordinary = bare_node("ordinary", type="physical")
    try:
        cluster.apply(virtual)
        cluster.apply(ordinary)
        wait_for(lambda: "ordinary" in agents_by_node(cluster), PATIENCE,
                 "an agent for the ordinary node", 0.5)
        assert set(agents_by_node(cluster)) == {*cluster.nodes, "ordinary"}
        # once that has gone, the virtual one keeps no rollout from its end
        remove_node(cluster, ordinary)
        mesh.wait_agents()
        cluster.kubectl("-n", NAMESPACE, "rollout", "status", "ds/smcmesh",
                        "--timeout=60s")
        assert cluster.api.find("/api/v1/nodes/virtual")
    finally:
        for node in ordinary, virtual:
            remove_node(cluster, node)
        mesh.wait_agents()


def a_mesh(spec):
    return {"apiVersion": "smcmesh.io/v1alpha1", "kind": "SmcMesh",
            "metadata": {"name": "default"}, "spec": spec}


@pytest.mark.parametrize("spec, why", [
    ({"excludeCIDRs": ["10.9.0.5/16"]}, "below the prefix"),
    ({"excludeCIDRs": ["10.9.64.0/17"]}, "below the prefix"),
    ({"excludeCIDRs": ["300.1.1.1/8"]}, "should match"),
    ({"excludeCIDRs": ["10.0.0.0/33"]}, "should match"),
    ({"excludeCIDRs": ["fd00::/129"]}, "should match"),
    ({"excludePorts": [0]}, "greater than or equal to 1"),
    ({"excludePorts": ["22"]}, "should match"),
    ({"excludePorts": ["8999-8000"]}, "ends before it begins"),
    ({"excludePorts": ["8000-65536"]}, "beyond 65535"),
    ({"limits": {"pendingPerPod": 65, "pendingPerNode": 64}}, "not above"),
    ({"limits": {"pendingPerNode": 513}}, "less than or equal to 512"),
    ({"limits": {"connectionsPerPod": 0}}, "greater than or equal to 1"),
    ({"limits": {"memoryPercent": 51}}, "less than or equal to 50"),
    ({"lease": "14s"}, "from 15s to 24h"),
    ({"lease": "25h"}, "from 15s to 24h"),
    ({"lease": 300}, "from 15s to 24h"),
    ({"lease": "5m30s"}, "should match"),
    ({"lease": True}, "lease"),
    ({"mark": {"value": 1}}, "outside of the mask"),
    ({"mark": {"value": 0x101, "mask": 0xff00}}, "outside of the mask")])
def test_bad_configuration_is_refused(cluster, mesh, spec, why):
    with pytest.raises(CommandFailed, match=why):
        cluster.kubectl("create", "--dry-run=server", "-f", "-",
                        stdin=as_text(a_mesh(spec)))


def test_good_configuration_is_accepted(cluster, mesh):
    spec = {"excludeCIDRs": ["10.9.128.0/17", "0.0.0.0/0", "1.2.3.4/32",
                             "fd00::/8", "::ffff:10.0.0.0/104"],
            "excludePorts": [1, 65535, "1-65535", "22-22", "8000-8999"],
            "mark": {"value": 0x1000},
            "limits": {"pendingPerPod": 512, "pendingPerNode": 512,
                       "connectionsPerPod": 65536, "memoryPercent": 50}}
    for lease in (0, "0", "0s", "15s", "5m", "24h", "86400s"):
        cluster.kubectl("create", "--dry-run=server", "-f", "-",
                        stdin=as_text(a_mesh({**spec, "lease": lease})))


@pytest.fixture(scope="module")
def agent(cluster, mesh):
    """(container, what /proc says of its process)"""
    pod, node = mesh.agent("n1"), cluster.nodes["n1"]
    pid = mesh.ask("n1", "status")["pid"]
    status = dict(line.split(":\t", 1) for line in
                  node.vm.read(f"/proc/{pid}/status").splitlines()
                  if ":\t" in line)
    return pod["spec"]["containers"][0], status, pid


def test_agent_has_just_the_capabilities_named(agent):
    container, status, _ = agent
    named = container["securityContext"]["capabilities"]["add"]
    mask = sum(1 << CAPS[name] for name in named)
    for kind in ("CapEff", "CapPrm", "CapBnd"):
        assert int(status[kind], 16) == mask, (kind, status[kind], named)


def test_agent_is_confined(agent):
    container, status, _ = agent
    assert not container["securityContext"].get("privileged")
    assert status["Seccomp"].strip() == "2" and status["NoNewPrivs"] == "1"


def test_root_of_the_agent_is_read_only(cluster, agent):
    pid = agent[2]
    mounts = cluster.nodes["n1"].vm.read(f"/proc/{pid}/mountinfo")
    root, = [m.split() for m in mounts.splitlines() if m.split()[4] == "/"]
    assert "ro" in root[5].split(","), root

# SPDX-License-Identifier: Apache-2.0
"""Every manifest and example is one that the real API server takes, and the
agent's container is exactly what its manifest says."""
import glob
import os

import pytest

from smclab import paths

EXAMPLES = sorted(os.path.relpath(p, paths.TREE) for p in
                  glob.glob(paths.TREE + "/deploy/examples/**/*.yaml",
                            recursive=True))
COMPONENTS = sorted(os.path.relpath(os.path.dirname(p), paths.TREE) for p in
                    glob.glob(paths.TREE + "/deploy/components/*/"
                              "kustomization.yaml"))
CAPS = {"DAC_READ_SEARCH": 2, "NET_ADMIN": 12, "SYS_PTRACE": 19, "SYS_ADMIN": 21,
        "PERFMON": 38, "BPF": 39, "SYS_RESOURCE": 24, "NET_RAW": 13}
POD_MONITOR = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "podmonitors.monitoring.coreos.com"},
    "spec": {"group": "monitoring.coreos.com", "scope": "Namespaced",
             "names": {"plural": "podmonitors", "singular": "podmonitor",
                       "kind": "PodMonitor", "listKind": "PodMonitorList"},
             "versions": [{
                 "name": "v1", "served": True, "storage": True,
                 "schema": {"openAPIV3Schema": {
                     "type": "object",
                     "x-kubernetes-preserve-unknown-fields": True}}}]}}


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
    if path.endswith("podmonitor"):
        cluster.apply(POD_MONITOR)
        cluster.kubectl("wait", "--for=condition=Established",
                        "crd/podmonitors.monitoring.coreos.com")
    told = cluster.kubectl("apply", "--dry-run=server", "-k", str(tmp_path))
    assert "(server dry run)" in told.out, told


@pytest.fixture(scope="module")
def agent(cluster, mesh):
    """(container, what /proc says of its process)"""
    pod, node = mesh.agent("n1"), cluster.nodes["n1"]
    pid = mesh.ask("n1", "status")["pid"]
    status = dict(line.split(":\t", 1) for line in
                  node.vm.read(f"/proc/{pid}/status").splitlines()
                  if ":\t" in line)
    return pod["spec"]["containers"][0], status, pid


def test_its_capabilities_are_those_named(agent):
    container, status, _ = agent
    named = container["securityContext"]["capabilities"]["add"]
    mask = sum(1 << CAPS[name] for name in named)
    for kind in ("CapEff", "CapPrm", "CapBnd"):
        assert int(status[kind], 16) == mask, (kind, status[kind], named)


def test_it_is_confined(agent):
    container, status, _ = agent
    assert not container["securityContext"].get("privileged")
    assert status["Seccomp"].strip() == "2" and status["NoNewPrivs"] == "1"


def test_its_root_is_read_only(cluster, agent):
    pid = agent[2]
    mounts = cluster.nodes["n1"].vm.read(f"/proc/{pid}/mountinfo")
    root, = [m.split() for m in mounts.splitlines() if m.split()[4] == "/"]
    assert "ro" in root[5].split(","), root

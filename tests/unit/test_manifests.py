# SPDX-License-Identifier: Apache-2.0
"""What deploy/ says, read without a cluster: on which nodes an agent runs, and with
which arguments."""
import os

import pytest
import yaml

from smclab import paths

OPERATORS = {"In": lambda value, values: value in values,
             "NotIn": lambda value, values: value not in values,
             "Exists": lambda value, values: value is not None,
             "DoesNotExist": lambda value, values: value is None}
LINUX = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
FARGATE = "eks.amazonaws.com/compute-type"
TYPE = "node.kubernetes.io/instance-type"


def manifest(name):
    with open(os.path.join(paths.TREE, "deploy", name), encoding="utf-8") as f:
        return yaml.safe_load(f)


@pytest.fixture(scope="module")
def agents_pod():
    return manifest("daemonset.yaml")["spec"]["template"]["spec"]


def meets(labels, term):
    """Does a node with these labels meet all of a term's expressions? A label
    that it lacks is None, which is in no list of values."""
    assert set(term) == {"matchExpressions"}, term
    return all(OPERATORS[e["operator"]](labels.get(e["key"]), e.get("values"))
               for e in term["matchExpressions"])


def may_run(pod, labels):
    """What the DaemonSet controller asks of a node's labels: the selector, and
    one of the terms."""
    terms = pod["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    return (pod["nodeSelector"].items() <= labels.items()
            and any(meets(labels, t) for t in terms))


@pytest.mark.parametrize("labels", [
    {"type": "virtual-kubelet"}, {FARGATE: "fargate"},
    {"virtualization": "virtualnode2"}, {TYPE: "eklet"},
    {"node-role.kubernetes.io/virtual-node": ""},
    {"liqo.io/type": "virtual-node"},
    {"virtual-kubelet.io/provider": "admiralty"},
    {"kubernetes.io/os": "virtual-kubelet"},
    {"kubernetes.io/os": "windows"}, {"kubernetes.io/arch": "arm64"}],
    ids=lambda labels: "=".join(*labels.items()))
def test_node_of_these_labels_gets_no_agent(agents_pod, labels):
    assert not may_run(agents_pod, LINUX | labels)


@pytest.mark.parametrize("labels", [
    {}, {"type": "physical"}, {FARGATE: "ec2"}, {FARGATE: "auto"},
    {FARGATE: "hybrid"}, {"virtualization": "kvm"}, {TYPE: "m6i.large"},
    {"node-role.kubernetes.io/control-plane": ""}, {"liqo.io/type": "node"}],
    ids=lambda labels: "=".join(*labels.items()) if labels else "no label")
def test_node_of_these_labels_gets_an_agent(agents_pod, labels):
    assert may_run(agents_pod, LINUX | labels)


def added_arguments(component):
    """What its patches add to the agent's arguments."""
    return [op["value"]
            for patch in manifest(f"components/{component}/kustomization.yaml")[
                "patches"]
            for op in yaml.safe_load(patch["patch"])
            if op["path"] == "/spec/template/spec/containers/0/args/-"]


def test_a_component_hides_the_names_of_pods(agents_pod):
    container, = agents_pod["containers"]
    assert container["args"][0] == "agent"
    assert not [a for a in container["args"] if "metrics-labels" in a]
    assert added_arguments("metrics-no-pods") == ["--metrics-labels=namespace"]

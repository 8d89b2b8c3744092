# SPDX-License-Identifier: Apache-2.0
"""Agents and definitions of two versions, N and N+1: fields are only ever added.
The agent of N+1 is this tree with a field more in what it publishes."""
import contextlib
import copy
import os
import shutil
import subprocess

import pytest

from smclab import paths
from smclab.deployed import NAMESPACE, SMCNODES, Load, Traffic
from smclab.workload import ECHO_PORT

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAME = "smcnodes.smcmesh.io"
ENCODER = "user/objects/encode.c"
AFTER = '\tadd_str(doc, obj, "uid", e->pod->uid);\n'
FIELD = '\tadd_str(doc, obj, "shade", "blue");\n'


def newer(crd):
    """The definition of N+1: it knows the field, and has another of a kind that
    today's agents have never heard of."""
    crd = copy.deepcopy(crd)
    status = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"][
        "properties"]["status"]["properties"]
    status["endpoints"]["items"]["properties"]["shade"] = {"type": "string"}
    status["weather"] = {"type": "object",
                         "properties": {"sky": {"type": "string"}}}
    crd["metadata"].pop("managedFields", None)
    return crd


def put(cluster, crd):
    """Have that definition, whatever the server's version of it is by now."""
    now = cluster.api.get(f"{CRDS}/{NAME}")
    now["spec"] = crd["spec"]
    cluster.api.call("PUT", f"{CRDS}/{NAME}", now)


@pytest.fixture(scope="module")
def next_image(cluster, mesh):
    """The name of N+1's image; it is on all nodes."""
    container, = mesh.daemonset()["spec"]["template"]["spec"]["containers"]
    name = container["image"].rpartition(":")[0] + ":next"
    tree = os.path.join(paths.work_dir("next"), "tree")
    shutil.copytree(paths.TREE, tree, ignore=lambda folder, names: (
        {"build", ".git"} if folder == paths.TREE else ()))
    with open(os.path.join(tree, ENCODER), "r+", encoding="utf-8") as f:
        text = f.read()
        assert text.count(AFTER) == 1, f"{ENCODER} has changed: {AFTER}"
        f.seek(0)
        f.write(text.replace(AFTER, AFTER + FIELD))
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    subprocess.run(["make", "-s", "-j2", "BUILD=build", f"IMAGE={name}", "image"],
                   cwd=tree, env=env, check=True, stdout=subprocess.DEVNULL)
    archive = os.path.join(cluster.images, "next.tar")
    shutil.move(os.path.join(tree, "build/smcmesh.oci.tar"), archive)
    for node in cluster.nodes.values():
        node.load("next.tar")
    os.unlink(archive)    # a node that boots takes what it finds there
    shutil.rmtree(os.path.dirname(tree))
    return name


class ByHand:
    """One node's agent becomes another one, the others stay: OnDelete."""

    def __init__(self, cluster, mesh):
        self.cluster, self.mesh, self.before = cluster, mesh, mesh.daemonset()
        self.name = self.before["metadata"]["name"]
        container, = self.before["spec"]["template"]["spec"]["containers"]
        self.container, self.image = container["name"], container["image"]

    def strategy(self, what):
        self.cluster.api.merge(
            f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/{self.name}",
            {"spec": {"updateStrategy": what}})

    def set_image(self, image):
        self.cluster.kubectl("-n", NAMESPACE, "set", "image",
                             f"daemonset/{self.name}",
                             f"{self.container}={image}")

    def __call__(self, node, image):
        self.strategy({"type": "OnDelete", "rollingUpdate": None})
        self.set_image(image)
        new = self.mesh.renew_agent(node)
        assert new["spec"]["containers"][0]["image"] == image


@pytest.fixture
def by_hand(cluster, mesh):
    change = ByHand(cluster, mesh)
    yield change
    change.set_image(change.image)
    change.strategy(change.before["spec"]["updateStrategy"])
    mesh.wait_agents()


def shades(mesh, node):
    return {e.get("shade") for e in mesh.smcnodes()[node]["endpoints"]}


@contextlib.contextmanager
def steady(load):
    """Meanwhile no connection fails, and all are SMC."""
    before = load.wait_more()
    yield
    after = load.wait_more()
    assert after["errors"] == before["errors"] == 0, load.talk
    assert after["tcp"] == before["tcp"], (before, after, load.why_tcp())


def renewed(mesh, traffic, age):
    """A new server becomes SMC: what is published is read."""
    server, = traffic.replace(labels={"age": age})
    mesh.wait_armed(server)
    traffic.settle()
    traffic.become("smc", within=30)
    mesh.wait_agreement()


def test_mixed_versions_interrupt_nothing(cluster, mesh, next_image, by_hand):
    old = cluster.api.get(f"{CRDS}/{NAME}")
    with Traffic(mesh, "ages") as traffic, \
            Load(mesh, "ages-load", f"{traffic.ip}:{ECHO_PORT}",
                 node="n1") as load:
        traffic.become("smc")
        try:
            with steady(load):    # agents N and N+1, definition N
                by_hand("n2", next_image)
            renewed(mesh, traffic, "mixed")
            assert shades(mesh, "n2") == {"blue"}
            with steady(load):    # both N+1, definition N
                by_hand("n1", next_image)
            renewed(mesh, traffic, "new")
            with steady(load):    # agents N and N+1, definition N+1
                put(cluster, newer(old))
                by_hand("n1", by_hand.image)
                cluster.api.merge(f"{SMCNODES}/n1/status",
                                  {"status": {"weather": {"sky": "clear"}}})
            renewed(mesh, traffic, "newer")
            assert shades(mesh, "n1") == {None}
            with steady(load):    # both N, definition N+1, and back to N
                by_hand("n2", by_hand.image)
                put(cluster, old)
        finally:
            put(cluster, old)
        renewed(mesh, traffic, "old")

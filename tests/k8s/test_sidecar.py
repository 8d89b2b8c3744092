# SPDX-License-Identifier: Apache-2.0
"""Pods as a mesh's injector makes them: the application and, as UID 1337, a
proxy to which istio's own rules lead all its connections. What goes between the
two proxies is SMC, what goes inside of a pod is not."""
import json
import os
import subprocess
from collections import Counter

import pytest
import yaml

from smclab import istio, wait_for, workload
from smclab.cluster import FORTIO, PATIENCE
from smclab.flows import become
from smclab.images import TOOLS

APP, PORT, COUNT = 1000, 8080, 5
ECHO = 8078    # fortio's, which says what it hears


class Inside:
    """A pod's namespace as istio.install() wants it."""

    def __init__(self, node, ip):
        self.vm, self.ns = node.vm, node.namespace_of(ip)

    def run(self, cmd, **kw):
        return self.vm.run(cmd, netns=self.ns, **kw)


def sidecar(name, node, user=APP):
    """@user: None: the container's image says it (root), and the containers see
    each other's processes."""
    made = workload.pod(name, command=["echod", f"[::]:{PORT}"], node=node,
                        enabled="true", port=15021)
    spec = made["spec"]
    app = spec["containers"][0]
    app["securityContext"] = {"runAsUser": user} if user else {}
    spec["shareProcessNamespace"] = user is None
    # what the rules leave alone; a probe of PORT would go through the proxy
    app["command"].append("[::]:15021")
    spec["containers"].append(proxy())
    return made


def proxy():
    return {"name": "istio-proxy", "image": TOOLS, "command": ["proxy"],
            "securityContext": {"runAsUser": istio.UID,
                                "runAsGroup": istio.UID}}


def guide():
    """guide.yaml with images that are here, and with what the guide leaves to
    an injector: the proxy."""
    with open(os.path.join(os.path.dirname(__file__), "guide.yaml"),
              encoding="utf-8") as f:
        objects = list(yaml.safe_load_all(f))
    for made in objects:
        if made["kind"] != "Deployment":
            continue
        containers = made["spec"]["template"]["spec"]["containers"]
        captured, anolis = containers
        captured.update(image=FORTIO, args=["server"])
        anolis["image"] = TOOLS
        containers.append(proxy())
    return objects


def injected(cluster, mesh, apps):
    """The pods, one of each app, with a mesh's rules, armed."""
    pods = []
    for app in apps:
        pod, = cluster.wait_pods(f"app={app}", 1)
        pods.append(pod)
        istio.install(Inside(cluster.node_of(pod), pod["status"]["podIP"]),
                      "nftables")
    mesh.wait_armed(*pods)
    return pods


@pytest.fixture(scope="module")
def pair(cluster, mesh):
    objects = [sidecar("side-a", "n1"), sidecar("side-b", "n2", None)]
    cluster.apply(objects)
    pods = injected(cluster, mesh, ("side-a", "side-b"))
    for client, server in (pods, pods[::-1]):
        mesh.first_contact(client, server, PORT)
    yield pods
    cluster.remove(objects)


def modes(cluster, pod):
    """Of the connections that are not between the pod and itself."""
    own = pod["status"]["podIP"]
    return sorted(r["mode"] for r in cluster.diag(pod)
                  if r["remote"] not in (own, "127.0.0.1", "127.0.0.6")
                  and r["local"] not in ("127.0.0.1", "127.0.0.6")
                  and 15021 not in (r["local_port"], r["remote_port"]))


@pytest.mark.parametrize("way", ["there", "back"])
def test_proxy_to_proxy_is_smcr(cluster, pair, way):
    client, server = pair if way == "there" else pair[::-1]
    held = cluster.kubectl_start(
        "exec", "-i", "-c", "app", client["metadata"]["name"], "--", "hold",
        "--count", str(COUNT), f"{server['status']['podIP']}:{PORT}",
        stdin=subprocess.PIPE)
    try:
        for pod in (client, server):
            wait_for(lambda p=pod: modes(cluster, p).count("smcr") == COUNT,
                     PATIENCE, f"{COUNT} SMC-R connections of "
                     + pod["metadata"]["name"], 0.5)
        out, err = held.communicate(timeout=PATIENCE)
    finally:
        held.kill()
    assert held.returncode == 0, out + err
    told = [json.loads(line) for line in out.splitlines()]
    assert told[-1] == {"held": COUNT}, out
    # the application's own sockets were left alone
    assert {x["protocol"] for x in told[:-1]} == {6}, out


@pytest.fixture(scope="module")
def printed(cluster, mesh):
    objects = guide()
    cluster.apply(objects)
    client, server = injected(cluster, mesh, ("guideclient", "guideserver"))
    address = cluster.wait_service("guideserver")
    mesh.first_contact(client, server, ECHO)
    mesh.wait_path(client, server)
    mesh.wait_way(client, address)
    yield client, server
    cluster.remove(objects)


@pytest.mark.long
def test_the_guides_own_pods_are_smcr(cluster, printed):
    """Three containers, one of them root, all seeing each other's processes,
    behind a Service of type LoadBalancer."""
    client, server = printed
    load = cluster.kubectl_start(
        "exec", client["metadata"]["name"], "-c", "captured", "--",
        "fortio", "load", "-c", str(COUNT), "-qps", "0", "-t", "30s",
        "-payload-size", "128", "-timeout", "60s",
        f"http://guideserver:{PORT}/echo")
    try:
        # The client's own sockets, which its rules lead to its proxy, are plain:
        # they have the Service's address, too.
        become(lambda: [Counter(modes(cluster, pod)) for pod in (client, server)],
               [Counter(plain=COUNT, smcr=COUNT), Counter(smcr=COUNT)], 30)
        out, err = load.communicate(timeout=PATIENCE)
    finally:
        load.kill()
    assert load.returncode == 0, out + err
    assert "(100.0 %)" in (out + err).split("Code 200 : ")[1], out + err

# SPDX-License-Identifier: Apache-2.0
"""The guide as it is printed: fortio's page in a browser behind kubectl
port-forward, its table's values, before and after `kubectl edit` of the object
and of the two Deployments. (But for the timeout: a request on an emulated
processor may take seconds.)"""
import base64
import contextlib
import math
import os
import re
from collections import Counter

import pytest
import yaml

from smclab import flows, paths, progs, wait_for
from smclab.browser import Browser
from smclab.cluster import PATIENCE
from smclab.manifest import ENABLED, mesh as smcmesh

HTTP, ECHO, GRPC = 8080, 8078, 8079
CONNECTIONS, PAYLOAD = 64, "x" * 128
PERCENTILES = [50, 75, 90, 99, 99.9]
TABLE = {"[name=url]": f"http://fortioserver:{HTTP}/echo", "[name=qps]": "100000",
         "#duration": "30s", "[name=c]": str(CONNECTIONS),
         "#payload": PAYLOAD, "[name=timeout]": "60s"}
# what the guide has its reader write into the template
ANNOTATE = ("/^  template:/,/^    spec:/s|^    metadata:.*|&\\n"
            f"      annotations:\\n        {ENABLED}: \"true\"|")


def example():
    """fortio.yaml of somebody who has not heard of SMC yet."""
    path = os.path.join(paths.TREE, "deploy/examples/fortio.yaml")
    with open(path, encoding="utf-8") as f:
        objects = list(yaml.safe_load_all(f))
    for made in objects:
        if made["kind"] == "Deployment":
            del made["spec"]["template"]["metadata"]["annotations"]
    return objects


class Guide:
    """The two Deployments, and the newest pods of each."""

    def __init__(self, cluster, mesh):
        self.cluster, self.mesh = cluster, mesh

    def find(self):
        """The pods, once they listen."""
        self.server, = self.cluster.wait_pods("app=fortioserver", 1)
        self.client, = self.cluster.wait_pods("app=fortioclient", 1)
        self.service = self.cluster.wait_service("fortioserver")
        for pod in (self.server, self.client):
            self.cluster.wait_listen(pod, HTTP)

    def prove(self):
        """Until what the two speak over RDMA is known to work: the first link of
        an emulated node may take longer than the kernel waits."""
        self.mesh.wait_armed(self.server, self.client)
        self.mesh.first_contact(self.client, self.server, ECHO)
        self.mesh.wait_path(self.client, self.server)
        self.mesh.wait_way(self.client, self.service)

    def ends(self, port):
        """What the kernels say of the connections between the two to @port."""
        peers = {"client": (self.client, [self.service,
                                          self.server["status"]["podIP"]]),
                 "server": (self.server, [self.client["status"]["podIP"]])}
        return {who: Counter(
            r["mode"] for r in self.cluster.diag(pod) if r["remote"] in remotes
            and port in (r["local_port"], r["remote_port"]))
            for who, (pod, remotes) in peers.items()}

    def flows(self, pod, port, but=()):
        """What `smcmesh flows` on the pod's node says of its flows to or on
        @port, but for those of these ids."""
        told = self.mesh.cli(pod["spec"]["nodeName"], "flows", "--all", "-o",
                             "json").json()["flows"]
        return [f for f in told if f["pod"] == pod["metadata"]["name"]
                and port in (f["local_port"], f["remote_port"])
                and f["id"] not in but]

    def known(self, pod, port):
        """The ids of the flows until now."""
        return {f["id"] for f in self.flows(pod, port)}

    def fortio(self, *argv):
        """Started in the client pod."""
        return self.cluster.kubectl_start("exec", "deploy/fortioclient", "--",
                                          "fortio", *argv)


@pytest.fixture(scope="module")
def guide(cluster, mesh):
    """Before the guide's step that switches SMC on."""
    objects = example()
    cluster.edit("asmmeshconfig/default", "s/smcEnabled: true/smcEnabled: false/")
    try:
        cluster.apply(objects)
        made = Guide(cluster, mesh)
        made.find()
        yield made
    finally:
        cluster.remove(objects)
        mesh.switch(True)


@pytest.fixture(scope="module")
def browser(cluster):
    with Browser(cluster.wire.popen, paths.log_file("k8s-chromium.log")) as b:
        yield b


@contextlib.contextmanager
def started(browser):
    """Somebody who opens fortio's page, fills the form in and presses Start; the
    block is what else is done while the load runs."""
    page = browser.open(f"http://localhost:{HTTP}/fortio/")
    for field, text in TABLE.items():
        page.type(field, text)
    page.click("[name=load]")
    page.wait("#running")
    yield page
    page.wait("#cc1", PATIENCE)
    assert page.complaints == []


def drawn(page):
    """Has the picture curves, or is it still the empty canvas?"""
    return page.colours("#chart1") > 50


def as_shown(value, digits):
    """A number as the page's own rounding writes it."""
    scale = 10 ** digits
    return str(math.floor(value * scale + 0.5) / scale).removesuffix(".0")


def result(page, picture):
    """What the page has of its run, once it was seen drawn."""
    wait_for(lambda: drawn(page), 30, "the result's picture", 0.5)
    page.show("#cc1")
    page.picture(paths.log_file(picture))
    told = page.value("res")
    _, load, times = page.value("chart.options.title.text")
    assert (f"at {TABLE['[name=qps]']} target qps "
            f"({as_shown(told['ActualQPS'], 1)} actual) {CONNECTIONS} connections"
            f" for {TABLE['#duration']} ") in load and ", no error" in load, load
    found = told["DurationHistogram"]["Percentiles"]
    assert [p["Percentile"] for p in found] == PERCENTILES
    for p in found:
        assert (f", p{p['Percentile']} {as_shown(1000 * p['Value'], 2)} ms"
                in times), (p, times)
    return told


def run(cluster, guide, browser, mode, picture):
    """A load from the page, all of whose connections are @mode at both ends."""
    want = {"client": Counter({mode: CONNECTIONS}),
            "server": Counter({mode: CONNECTIONS})}
    with cluster.forwarded("service/fortioclient", HTTP):
        with started(browser) as page:
            flows.become(lambda: guide.ends(HTTP), want, 60)
        told = result(page, picture)
    assert told["URL"] == TABLE["[name=url]"]
    assert base64.b64decode(told["Payload"]) == PAYLOAD.encode()
    assert told["RetCodes"] == {"200": told["DurationHistogram"]["Count"]}
    return told


def write_down(figures, when, told):
    figures(f"fortio's page, {when}", f"{told['ActualQPS']:.1f} QPS, " + ", ".join(
        f"p{p['Percentile']} {1000 * p['Value']:.1f} ms"
        for p in told["DurationHistogram"]["Percentiles"]))


def test_before_it_is_tcp(cluster, guide, browser, figures):
    told = run(cluster, guide, browser, "plain", "k8s-page-before.png")
    write_down(figures, "before, TCP", told)
    for pod in (guide.client, guide.server):
        assert guide.flows(pod, HTTP) == []    # no pod is armed


@pytest.fixture(scope="module")
def edited(cluster, guide):
    """After it: the object, the two Deployments, and with them new pods."""
    cluster.edit("asmmeshconfig/default", "s/smcEnabled: false/smcEnabled: true/")
    for name in ("fortioserver", "fortioclient"):
        cluster.edit("deployment/" + name, ANNOTATE)
    for name in ("fortioserver", "fortioclient"):
        cluster.rolled_out(name)
    guide.find()
    guide.prove()
    return guide


def test_after_it_is_smcr(cluster, edited, browser, figures):
    told = run(cluster, edited, browser, "smcr", "k8s-page-after.png")
    write_down(figures, "after, SMC-R over soft RoCE", told)
    client = [f for f in edited.flows(edited.client, HTTP)
              if f["remote_address"] == edited.service]
    server = [f for f in edited.flows(edited.server, HTTP)
              if f["remote_address"] == edited.client["status"]["podIP"]]
    for found in (client, server):
        assert len(found) >= CONNECTIONS, found
        assert {f["outcome"] for f in found} == {"smcr"}, found


@pytest.mark.parametrize("port, argv, all_well", [
    (ECHO, ["-payload-size", "128", f"tcp://fortioserver:{ECHO}"],
     r"^tcp OK : \d+ \(100\.0 %\)$"),
    (GRPC, ["-grpc", "-ping", f"fortioserver:{GRPC}"],
     r"^Error cases : no data$(?s:.*)^Ping SERVING : \d+$")],
    ids=["tcp-echo", "grpc-ping"])
def test_the_other_two_ports_are_smcr(edited, port, argv, all_well):
    """Four connections; gRPC, too, has one of its own for each of the four."""
    edited.prove()
    pods = edited.client, edited.server
    before = [edited.known(pod, port) for pod in pods]
    load = edited.fortio("load", "-c", "4", "-qps", "40", "-t", "20s", "-timeout",
                         "60s", *argv)
    try:
        flows.become(lambda: edited.ends(port), {
            "client": Counter(smcr=4), "server": Counter(smcr=4)}, 60)
        out, err = load.communicate(timeout=PATIENCE)
    finally:
        load.kill()
    assert load.returncode == 0, out + err
    assert re.search(all_well, out + err, re.M), out + err
    for pod, known in zip(pods, before):
        found = edited.flows(pod, port, but=known)
        assert len(found) >= 4, found
        assert {f["outcome"] for f in found} == {"smcr"}, found


def test_grpcping_is_smcr(edited):
    """fortio's own command for that port, which is its default."""
    edited.prove()
    before = edited.known(edited.client, GRPC)
    ping = edited.fortio("grpcping", "-n", "5", "fortioserver")
    out, err = ping.communicate(timeout=PATIENCE)
    assert ping.returncode == 0 and "RTT histogram" in out + err, out + err
    found = edited.flows(edited.client, GRPC, but=before)
    assert [f["outcome"] for f in found] == ["smcr"], found


def inside(cluster, pod, port):
    """What the pod's kernel says of the connections within the pod to @port."""
    return Counter(r["mode"] for r in cluster.diag(pod)
                   if port in (r["local_port"], r["remote_port"])
                   and r["remote"] in ("127.0.0.1", "::1"))


@pytest.mark.parametrize("what", ["client", "server"])
def test_port_forward_into_an_armed_pod_is_tcp_and_works(cluster, edited, what):
    """It connects inside of the pod's namespace, to the pod itself. The control:
    what comes over the network there is SMC (the tests above)."""
    pod = getattr(edited, what)
    with cluster.forwarded("pod/" + pod["metadata"]["name"], HTTP):
        for size in (1, 100_000):
            body = b"y" * size
            with cluster.wire.connect("127.0.0.1", HTTP, PATIENCE) as s:
                s.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: "
                          b"%d\r\n\r\n" % size + body)
                with s.makefile("rb") as f:
                    assert f.readline() == b"HTTP/1.1 200 OK\r\n"
                    while f.readline() != b"\r\n":
                        pass
                    assert f.read(size) == body
                modes = inside(cluster, pod, HTTP)
                # both of its ends are here, perhaps those of the one before
                assert modes["tcp"] >= 2 and set(modes) == {"tcp"}, modes
    told = [f for f in edited.flows(pod, HTTP)
            if f["remote_address"] in ("127.0.0.1", "::1")]
    assert {f["outcome"] for f in told} <= {"tcp"}, told


def held_ends(guide):
    """Of two connections that are made now."""
    node = guide.cluster.node_of(guide.client)
    argv = [progs.path("hold"), "--count", "2", flows.at(guide.service, ECHO)]
    with flows.held_by(node.vm, argv, netns=node.namespace_of(
            guide.client["status"]["podIP"])):
        return guide.ends(ECHO)


def test_kubectl_edit_of_our_own_object(cluster, edited):
    """SmcMesh wins over the guide's object: off is TCP, and on SMC again. (The
    listener stays the SMC socket that it was made: what it accepts fell back.)"""
    made = smcmesh()
    cluster.apply(made)
    try:
        cluster.edit("smcmesh/default", "s/enabled: true/enabled: false/")
        flows.become(lambda: held_ends(edited), {
            "client": Counter(plain=2), "server": Counter(tcp=2)}, 30)
        cluster.edit("smcmesh/default", "s/enabled: false/enabled: true/")
        edited.prove()
        flows.become(lambda: held_ends(edited), {
            "client": Counter(smcr=2), "server": Counter(smcr=2)}, 30)
    finally:
        cluster.remove(made)

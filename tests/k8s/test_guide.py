# SPDX-License-Identifier: Apache-2.0
"""The guide's own steps, as in the README, and nothing else: deploy and switch
on (the fixture mesh), annotated pods, load; before it one connection that makes
the link, which on an emulated processor may take longer than the kernel waits."""
import re

import pytest

from smclab import wait_for, workload
from smclab.cluster import PATIENCE
from smclab.manifest import ENABLED

HTTP, ECHO = 8080, 8078    # ports of fortio's server


@pytest.fixture(scope="module")
def fortio(cluster, mesh):
    """The example as it is shipped: client and server on two nodes."""
    cluster.kubectl("apply", "-f", "deploy/examples/fortio.yaml")
    server, = cluster.wait_pods("app=fortioserver", 1)
    client, = cluster.wait_pods("app=fortioclient", 1)
    mesh.wait_armed(server, client)
    cluster.wait_service("fortioserver")
    mesh.first_contact(client, server, ECHO)
    yield server, client
    cluster.kubectl("delete", "--wait=false", "-f",
                    "deploy/examples/fortio.yaml")


def test_the_pods_are_on_two_nodes(cluster, fortio):
    server, client = fortio
    assert cluster.node_of(server) is not cluster.node_of(client)


class Failed(Exception):
    """Not "not yet": waiting does not help."""


def all_are_smcr(mesh, pod, load):
    if load.poll() is not None:
        raise Failed("the load has ended: " + "".join(load.communicate()))
    modes = mesh.modes(pod, HTTP)
    assert modes == ["smcr"] * 8, modes
    return True


def test_every_connection_is_smcr(cluster, mesh, fortio):
    """The README's load; on an emulated processor it needs patience to begin."""
    server, client = fortio
    load = cluster.kubectl_start(
        "exec", "deploy/fortioclient", "--", "fortio", "load", "-c", "8",
        "-qps", "100000", "-t", "30s", "-payload-size", "128", "-timeout", "60s",
        "http://fortioserver:8080/echo")
    try:
        for pod in (client, server):
            wait_for(lambda p=pod: all_are_smcr(mesh, p, load), PATIENCE,
                     "8 SMC-R connections in " + pod["metadata"]["name"], 0.2)
        out, err = load.communicate(timeout=PATIENCE)
    finally:
        load.kill()
    assert load.returncode == 0, out + err
    assert "Code 200 : " in out + err
    assert "(100.0 %)" in (out + err).split("Code 200 : ")[1], out + err
    for pod in (client, server):
        told = mesh.cli(pod["spec"]["nodeName"], "flows", "--all", "-o",
                        "json")
        flows = [f for f in told.json()["flows"]
                 if f["pod"] == pod["metadata"]["name"]
                 and HTTP in (f["local_port"], f["remote_port"])]
        assert {f["outcome"] for f in flows} == {"smcr"}, flows


def test_smcnodes_equal_the_armed_namespaces(mesh, fortio):
    mesh.wait_agreement()


def dashboard(cluster):
    """{node: {column: cell}} of `kubectl get smcnodes`; a cell may be empty."""
    head, *rows = cluster.kubectl("get", "smcnodes").out.splitlines()
    columns = [(m[0], m.start()) for m in re.finditer(r"\S+", head)]
    ends = [start for _, start in columns[1:]] + [None]
    return {row.split()[0]: {name: row[start:end].strip() for (name, start), end
                             in zip(columns, ends)} for row in rows}


def test_smcnodes_show_what_each_node_can_and_has(cluster, mesh, fortio):
    """CAPABLE, and ARMED as in 1/1."""
    on = {cluster.node_of(pod).name for pod in fortio}
    assert len(on) == 2

    def shown():
        found = dashboard(cluster)
        assert {n: (found[n]["CAPABLE"], found[n]["ARMED"]) for n in on} == {
            n: ("True", "1/1") for n in on}, found
        return True
    wait_for(shown, 30, "each node's pod to be shown", 1)


@pytest.mark.long
def test_smcnodes_have_what_doctor_finds(cluster, mesh, fortio):
    def told():
        for name in mesh.smcnodes():
            checks = mesh.cli(name, "doctor", "-o", "json").json()["checks"]
            by = {s: {c["id"] for c in checks if c["status"] == s}
                  for s in ("fail", "warn")}
            ids = mesh.smcnodes()[name]["doctor"]
            assert set(ids) <= by["fail"] | by["warn"], (name, ids, by)
            assert len(ids) == min(8, sum(map(len, by.values()))), (ids, by)
            # those that fail first
            n = min(8, len(by["fail"]))
            assert set(ids[:n]) <= by["fail"], (ids, by)
        return True
    # it changes once a minute, and the mesh was switched on meanwhile
    wait_for(told, 150, "the SmcNodes to have what doctor finds", 5)


def described(cluster, pod, pattern):
    """The line of `kubectl describe pod` with this Event, as it comes."""
    return wait_for(lambda: re.search(
        pattern, cluster.kubectl("describe", "pod", pod).out), PATIENCE,
        f"an Event {pattern}", 1)[0]


def test_describe_says_why_a_pod_is_not_armed_and_what_helps(cluster, mesh):
    """And what it says helps: then the pod says that it is armed."""
    pod = workload.idle("undecided", node="n1", enabled="maybe")
    cluster.apply(pod)
    try:
        made, = cluster.wait_pods("app=undecided", 1)
        event = described(cluster, "undecided", r"Warning +NotArmed .*")
        assert ENABLED in event and '"maybe"' in event, event
        assert "correct the annotation" in event, event
        assert cluster.kubectl("describe", "pod", "undecided").out.count(
            "NotArmed") == 1
        cluster.kubectl("annotate", "--overwrite", "pod", "undecided",
                        f"{ENABLED}=true")
        mesh.wait_armed(made)
        event = described(cluster, "undecided", r"Normal +Armed .*")
        assert "new sockets become SMC sockets" in event, event
    finally:
        cluster.remove(pod)
        mesh.wait_agreement(PATIENCE)

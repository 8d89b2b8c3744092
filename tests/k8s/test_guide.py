# SPDX-License-Identifier: Apache-2.0
"""The guide's own steps, as in the README, and nothing else: deploy and switch
on (the fixture mesh), annotated pods, load; before it one connection that makes
the link, which on an emulated processor may take longer than the kernel waits."""
import pytest

from smclab import wait_for
from smclab.cluster import PATIENCE

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

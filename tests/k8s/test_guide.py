# SPDX-License-Identifier: Apache-2.0
"""The guide's own steps and nothing else: deploy, switch on, annotate, load."""
import pytest

from smclab import wait_for
from smclab.cluster import PATIENCE

HTTP = 8080


@pytest.fixture(scope="module")
def fortio(cluster, mesh):
    """The example as it is shipped: client and server on two nodes."""
    cluster.kubectl("apply", "-f", "deploy/examples/fortio.yaml")
    server, = cluster.wait_pods("app=fortioserver", 1)
    client, = cluster.wait_pods("app=fortioclient", 1)
    mesh.wait_armed(server, client)
    yield server, client
    cluster.kubectl("delete", "-f", "deploy/examples/fortio.yaml")


def test_the_pods_are_on_two_nodes(cluster, fortio):
    server, client = fortio
    assert cluster.node_of(server) is not cluster.node_of(client)


def test_every_connection_is_smcr(cluster, mesh, fortio):
    server, client = fortio
    load = cluster.kubectl_start(
        "exec", client["metadata"]["name"], "--", "fortio", "load", "-c", "8",
        "-qps", "0", "-t", "60s", "-payload-size", "128",
        "http://fortioserver:8080/echo")
    try:
        for pod in (client, server):
            wait_for(lambda p=pod: mesh.modes(p, HTTP) == ["smcr"] * 8,
                     60, f"8 SMC-R connections in {pod['metadata']['name']}")
        out, err = load.communicate(timeout=PATIENCE)
    finally:
        load.kill()
    assert load.returncode == 0, out + err
    assert "Code 200 : " in out + err
    assert "(100.0 %)" in (out + err).split("Code 200 : ")[1], out + err


def test_smcnodes_equal_the_armed_namespaces(mesh, fortio):
    mesh.wait_agreement()

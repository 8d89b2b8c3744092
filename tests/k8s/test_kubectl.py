# SPDX-License-Identifier: Apache-2.0
"""kubectl-smcmesh across two nodes: a server on n2 behind a Service, a client on
n1, and one on n1 that is not annotated."""
import pytest

from smclab import workload
from smclab.workload import ECHO_PORT

PLUGIN = "deploy/kubectl/kubectl-smcmesh"


@pytest.fixture(scope="module")
def pods(cluster, mesh):
    objects = [workload.echo("kube-server", node="n2", enabled="true"),
               workload.echo("kube-client", node="n1", enabled="true"),
               workload.idle("kube-plain", node="n1"),
               workload.service("kube-server")]
    cluster.apply(objects)
    server, = cluster.wait_pods("app=kube-server", 1)
    client, = cluster.wait_pods("app=kube-client", 1)
    cluster.wait_pods("app=kube-plain", 1)
    mesh.wait_armed(server, client)
    address = cluster.wait_service("kube-server")
    # The first link of an emulated node may take longer than the kernel waits;
    # who connects has one, and who accepts another.
    mesh.first_contact(client, server, ECHO_PORT)
    mesh.first_contact(server, client, ECHO_PORT)
    mesh.wait_path(client, server)
    mesh.wait_way(client, address)
    yield server, client
    cluster.remove(objects)


def ask(cluster, *argv, check=True):
    return cluster.script(PLUGIN, *argv, check=check)


def test_every_node_answers(cluster, pods):
    nodes = sorted(cluster.nodes)
    told = ask(cluster, "status").out
    assert [x[3:] for x in told.splitlines() if x.startswith("== ")] == nodes
    assert told.startswith("NAME "), "the SmcNodes first"
    got = {}
    for command, member in (("pods", "pods"), ("flows", "flows"),
                            ("doctor", "checks")):
        told = ask(cluster, command, "-o", "json").json()["nodes"]
        assert [(n["node"], n["exit"]) for n in told] == [
            (n, 0) for n in nodes], told
        got[command] = {n["node"]: n["answer"][member] for n in told}
    armed = {(node, p["name"]) for node, all_of_it in got["pods"].items()
             for p in all_of_it if p["armed"]}
    assert {("n2", "kube-server"), ("n1", "kube-client")} <= armed


def test_explain_has_both_halves(cluster, pods):
    got = ask(cluster, "explain", "default/kube-plain",
              f"default/kube-server:{ECHO_PORT}", "-o", "json", check=False)
    halves = got.json()["halves"]
    assert [(h["of"], h["node"]) for h in halves] == [
        ("default/kube-plain", "n1"), ("default/kube-server", "n2")], got
    assert got.rc == halves[0]["exit"] == 1 and "answer" in halves[1], got


def test_check_of_two_nodes_is_smcr_by_pod_and_by_service(cluster, mesh, pods):
    got = ask(cluster, "check", "default/kube-client", "default/kube-server",
              "-o", "json", check=False)
    assert got.rc == 0, got.out + got.err
    ways = [(part["answer"]["checks"][0], part["node"])
            for part in got.json()["checks"]]
    assert [(w["end"], node, w["service"]) for w, node in ways] == [
        ("client", "n1", False), ("server", "n2", False),
        ("client", "n2", False), ("server", "n1", False),
        ("client", "n1", True)], ways
    for way, _ in ways:
        assert way["smc"] == way["wanted"] == 3, way
        assert way["end"] == "server" or way["smcr"] == 3, way


def test_check_says_where_it_stops(cluster, pods):
    got = ask(cluster, "check", "default/kube-plain", "default/kube-server",
              "--count", "1", check=False)
    assert got.rc == 1, got.out + got.err
    assert "stopped before     socket converted: not armed: " in got.out
    assert "stopped before     option sent: TCP: the peer is not an endpoint" \
        in got.out


def test_what_is_wrong_is_said(cluster, pods):
    got = ask(cluster, "check", "default/kube-client", "default/nobody",
              check=False)
    assert got.rc == 3 and "pod default/nobody is not found" in got.err
    got = ask(cluster, "pods", "--node", "n9", check=False)
    assert got.rc == 3 and "node n9 has no agent" in got.err

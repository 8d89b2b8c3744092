# SPDX-License-Identifier: Apache-2.0
"""kubectl-smcmesh across two nodes: a server on n2 behind a Service, a client on
n1, and one on n1 that is not annotated."""
import json
import os
import re
import tarfile

import pytest

from smclab import wait_for, workload
from smclab.cluster import PATIENCE
from smclab.workload import ECHO_PORT

PLUGIN = "deploy/kubectl/kubectl-smcmesh"
# what the agents are asked, and what is looked at without them
OF_NODE = {"status.json", "pods.json", "endpoints.json", "flows.json",
           "metrics.txt", "doctor.json", "version.json", "namespaces.json",
           "kernel-log.txt", "agent.log"}


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


def sysdump(cluster, path, *argv):
    """{name: text} of the archive."""
    told = ask(cluster, "sysdump", "-o", str(path), *argv)
    assert told.out == "", told
    with tarfile.open(path) as tar:
        return {os.path.normpath(m.name): tar.extractfile(m).read().decode()
                for m in tar.getmembers() if m.isreg()}


@pytest.fixture(scope="module")
def restarted(cluster, mesh, pods):
    """The process id of the agent of n1 that was killed; another runs."""
    old = mesh.ask("n1", "status")["pid"]
    cluster.nodes["n1"].vm.run(["kill", "-9", str(old)])

    def another():
        status = mesh.ask("n1", "status")
        return status["ready"] and status["pid"] != old
    wait_for(another, PATIENCE, "the agent of n1 to run again", 1)
    mesh.wait_agents()
    return old


def test_sysdump_has_each_node_and_its_agents_logs(cluster, restarted, tmp_path):
    files = sysdump(cluster, tmp_path / "all.tar")
    for node in cluster.nodes:
        have = {os.path.relpath(f, node) for f in files if f.startswith(node)}
        assert OF_NODE <= have, (sorted(have), files["errors.txt"])
        assert any(f.startswith("maps/") for f in have), sorted(have)
        assert json.loads(files[f"{node}/version.json"])["node"] == node
        assert json.loads(files[f"{node}/doctor.json"])["capable"] is True
    pods = {node: {p["name"] for p in json.loads(
        files[f"{node}/pods.json"])["pods"]} for node in cluster.nodes}
    assert "kube-client" in pods["n1"] and "kube-server" in pods["n2"], pods
    # what was said before the restart, and since
    said = files["n1/agent-previous.log"], files["n1/agent.log"]
    assert all("kube-client" in text for text in said), said
    assert said[0] != said[1] and "n2/agent-previous.log" not in files
    assert "n2: agent-previous.log: " in files["errors.txt"], files["errors.txt"]
    # no bearer's token, of the agents' account or another
    assert not [f for f, text in files.items() if "eyJhbGciOi" in text]


def test_sysdump_with_hashes_has_no_names(cluster, restarted, tmp_path):
    files = sysdump(cluster, tmp_path / "all.tar", "--hash-names")
    tops = {f.split("/")[0] for f in files} - {"errors.txt"}
    assert len(tops) == len(cluster.nodes), tops
    assert all(re.fullmatch(r"name-[0-9a-f]{10}", top) for top in tops), tops
    agents = [p["metadata"]["name"] for p in
              cluster.pods("", "smcmesh-system")]
    names = ["kube-client", "kube-server", *agents, *cluster.nodes]
    assert len(agents) == len(cluster.nodes)
    for name in names:
        word = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])")
        assert not [(f, found[0]) for f, text in files.items()
                    if (found := word.search(text))], name
    # the same hash on every node: by addresses, which were not hashed
    names = {a: p["name"] for top in tops for p in json.loads(
        files[top + "/pods.json"])["pods"] for a in p["addresses"]}
    peers = [(f["remote_address"], f["peer_pod"], f["peer_node"]) for top in tops
             for f in json.loads(files[top + "/flows.json"])["flows"]
             if f.get("peer_pod") and f["remote_address"] in names]
    assert peers, files
    for address, pod, node in peers:
        assert pod == names[address] and node in tops, (address, pod, node)
    assert "logs are left out" in files["errors.txt"]
    assert not [f for f in files if f.endswith(".log")]

# SPDX-License-Identifier: Apache-2.0
"""`smcmesh bench --cluster`: on one node, where shared memory gains; between nodes,
where soft RoCE, RDMA made of software, loses, and it says so. Then it is interrupted,
and loses its server. Its namespace is gone each time. (What goes wrong with kubectl
itself: net/test_bench_cluster.py.)"""
import contextlib
import json
import os
import signal

from smclab import paths, wait_for
from smclab.cluster import PATIENCE

SMCMESH = os.path.join(paths.build(), "smcmesh")
NS, COUNT = "smcmesh-bench", 4
ARGV = [SMCMESH, "bench", "--cluster", f"-c{COUNT}", "-t4", "--no-paced"]


def gone(cluster):
    return not cluster.api.find(f"/api/v1/namespaces/{NS}")


def wait_gone(cluster):
    wait_for(lambda: gone(cluster), PATIENCE, f"the namespace {NS} to go", 1)


@contextlib.contextmanager
def started(cluster, *options):
    """A bench that is under way; what it says is read by talk()."""
    proc = cluster.script_start(*ARGV, *options)
    try:
        yield proc
    finally:
        proc.kill()
        proc.communicate()
        cluster.kubectl("delete", "namespace", NS, "--ignore-not-found",
                        "--wait=false", check=False)
        wait_gone(cluster)


def talk(proc, until):
    """Its standard error, up to the line that has this."""
    said = ""
    for line in proc.stderr:
        said += line
        if until in line:
            return said
    raise AssertionError(f"it ended before it said {until!r}: {said}")


def measure(cluster, tmp_path, *options):
    with started(cluster, "-ojson", f"--directory={tmp_path}", *options) as proc:
        out, err = proc.communicate(timeout=4 * PATIENCE)
        assert proc.returncode == 0, out + err
        wait_gone(cluster)
    told = json.loads(out)
    assert json.loads((tmp_path / "bench.json").read_text()) == told
    assert told["verdict"] == "said" and told["load"]["generator"] == "fortio"
    return told, (tmp_path / "bench.html").read_text()


def check_sides(told, kind):
    for side, what in ("smc", kind), ("tcp", "tcp"), ("control", "tcp"):
        for run in told["sides"][side]["runs"]:
            found = {k: run["connections"][k] for k in ("smcr", "smcd", "tcp")}
            # with one that keeps the RDMA path in use
            many = found.pop(what)
            assert COUNT <= many <= COUNT + (what == "smcr"), (side, run)
            assert not any(found.values()), (side, run)
            assert run["requests"] > 0 and run["errors"] == 0, run
            assert run["cpu_seconds_per_request"] > 0, run


def note(figures, where, told):
    rate = told["ratio"]["requests_per_second"]
    figures(f"bench --cluster, {where}: SMC/TCP and control/TCP, requests/s", ", ".join(
        "{median:.2f} ({low:.2f}-{high:.2f})".format(**rate[k])
        for k in ("smc", "control")))


def test_one_node_gains_by_shared_memory(cluster, mesh, figures, tmp_path):
    told, page = measure(cluster, tmp_path, "--one-node")
    note(figures, "one node", told)
    check_sides(told, "smcd")
    rate = told["ratio"]["requests_per_second"]
    # how clear that is the noise of this machine decides: it is said
    assert rate["smc"]["median"] > max(1, rate["control"]["median"]), rate
    assert "server_machine" not in told and told["software_rdma"] == ""
    assert told["machine"]["name"] in cluster.nodes
    assert told["machine"]["kernel"] == cluster.api.get(
        "/api/v1/nodes/" + told["machine"]["name"])["status"]["nodeInfo"][
            "kernelVersion"]
    assert f"SMC-D {COUNT}" in page and "made of software" not in page


def test_soft_roce_between_nodes_loses_and_says_why(cluster, mesh, figures,
                                                    tmp_path):
    told, page = measure(cluster, tmp_path)
    note(figures, "two nodes", told)
    check_sides(told, "smcr")
    rate = told["ratio"]["requests_per_second"]
    assert rate["smc"]["median"] < min(1, rate["control"]["median"]), rate
    assert {told[m]["name"] for m in ("machine", "server_machine")} == set(
        cluster.nodes)
    device = told["software_rdma"]
    assert device and f"{device}, an RDMA device made of software" in page


def test_mesh_that_is_off_is_the_reason(cluster, mesh):
    mesh.switch(False)
    try:
        with started(cluster, "--one-node") as proc:
            out, err = proc.communicate(timeout=4 * PATIENCE)
            assert proc.returncode == 1 and out == "", out + err
            wait_gone(cluster)
    finally:
        mesh.switch(True)
    assert "nothing was measured: connections between the annotated pods are TCP" \
        in err
    assert "\nWhy: " in err and "\nWhat to do: " in err, err
    assert "off" in err.split("\nWhy: ")[1].splitlines()[0], err


def test_interrupted_bench_takes_its_pods_away(cluster, mesh):
    with started(cluster, "--one-node") as proc:
        talk(proc, "round 1 of 3")
        proc.send_signal(signal.SIGINT)
        proc.communicate(timeout=PATIENCE)
        assert proc.returncode == -signal.SIGINT
        wait_gone(cluster)


def test_server_that_ends_is_said(cluster, mesh):
    with started(cluster, "--one-node", "-t60") as proc:
        talk(proc, "round 1 of 3")
        cluster.kubectl("-n", NS, "scale", "--replicas=0", "deployment",
                        "plain-server", "smc-server")
        cluster.kubectl("-n", NS, "delete", "pods", "-l", "role=server",
                        "--grace-period=1", "--wait=false")
        out, err = proc.communicate(timeout=4 * PATIENCE)
        assert proc.returncode in (1, 3), out + err
        assert "a run of side tcp failed: " in err, err
        wait_gone(cluster)

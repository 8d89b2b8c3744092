# SPDX-License-Identifier: Apache-2.0
"""Nodes that die and come back."""
import pytest

from smclab import wait_for, workload
from smclab.cluster import PATIENCE
from smclab.deployed import Traffic


@pytest.fixture(scope="module")
def traffic(mesh):
    """The server is on n2, the node that will die; one more on n1."""
    near = workload.echo("near", node="n1", enabled="true")
    mesh.cluster.apply(near)
    with Traffic(mesh, "far") as t:
        t.near, = mesh.cluster.wait_pods("app=near", 1)
        mesh.wait_armed(t.near)
        yield t
    mesh.cluster.remove(near)


def boot_id(node):
    return node.vm.read("/proc/sys/kernel/random/boot_id").strip()


def containers(pod):
    return {c["containerID"] for c in pod["status"]["containerStatuses"]}


def capable(mesh, name):
    """The SmcNode's condition of that type."""
    return {c["type"]: c for c in mesh.smcnodes()[name]["conditions"]}["Capable"]


def started_anew(traffic, before):
    """The server's pod, once its status is not that of before the boot. (A node
    whose disk is memory counts no restart.)"""
    server, = traffic.servers()
    return None if containers(server) & before else server


def test_rebooted_node_fails_none_and_names_late_pods(cluster, mesh, traffic):
    """Its pods start anew. Those armed late are said to be; none is silently
    TCP, and no connection fails."""
    node = cluster.nodes["n2"]
    before, (server,) = boot_id(node), traffic.servers()
    assert mesh.smcnodes()["n2"]["bootID"] == before
    can = capable(mesh, "n2")
    assert (can["status"], can["reason"]) == ("True", "Possible"), can
    assert can["message"] == ("converter sockproto: sockets made by io_uring stay "
                              "TCP; selector hs_ctrl"), can
    node.reboot()
    assert boot_id(node) != before
    node.wait_ready()
    mesh.wait_agents()
    wait_for(lambda: mesh.smcnodes()["n2"]["bootID"] == boot_id(node), PATIENCE,
             "the SmcNode of this boot", 1)
    assert capable(mesh, "n2") == can    # the same since then: so is its time
    old = containers(server)
    server = wait_for(lambda: started_anew(traffic, old), PATIENCE,
                      "the server to run again", 1)
    wait_for(mesh.agrees, PATIENCE, "SmcNodes to equal what is armed", 1)
    late = [p["name"] for p in mesh.ask("n2", "pods")["pods"]
            if p["late_listeners"]]
    if server["metadata"]["name"] in late:
        assert traffic.all_are("tcp", server["status"]["podIP"])
    else:
        mesh.wait_armed(server)
        assert traffic.all_are_smcr(server)


def test_endpoints_of_a_killed_node_are_forgotten(cluster, mesh, traffic):
    """The others go on; when its Node is gone so is its SmcNode, and its
    endpoints leave the others' maps."""
    node = cluster.nodes["n2"]
    server, = traffic.servers()
    lost = server["status"]["podIP"]
    node.crash()
    assert traffic.all_are("smc", traffic.near["status"]["podIP"])
    cluster.kubectl("delete", "node", "n2")
    wait_for(lambda: "n2" not in mesh.smcnodes(), PATIENCE,
             "the SmcNode to be collected", 1)
    wait_for(lambda: lost not in mesh.known_to("n1"), 30,
             "its endpoints to be forgotten", 0.5)
    assert traffic.all_are("smc", traffic.near["status"]["podIP"])
    node.power_on()
    node.up()
    node.wait_ready()
    mesh.wait_agents()
    server, = traffic.servers()
    wait_for(lambda: "n2" in mesh.smcnodes(), PATIENCE, "its new SmcNode", 1)
    wait_for(mesh.agrees, PATIENCE, "SmcNodes to equal what is armed", 1)
    got = traffic.connect(f"{server['status']['podIP']}")
    assert got["errors"] == 0, got

# SPDX-License-Identifier: Apache-2.0
"""`smcmesh check`: on a node without an agent, and between two of its pods.

     a        b        p
   armed    armed    stranger      strip: the option leaves a's SYNs on
    .10      .11      .12          their way into b
"""
import contextlib

import pytest

from smclab import Vm, topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, serve
from smclab.mesh import Mesh

CHECK = "/build/smcmesh check "
STRIP = """table inet strip { chain in { type filter hook prerouting priority 0;
    tcp flags & (syn | ack) == syn reset tcp option 254; }; }"""


@pytest.fixture(scope="module")
def node():
    """A VM without an agent."""
    with Vm("check", mem=1024) as vm:
        yield vm


@pytest.fixture(scope="module")
def lab(node):
    return Lab(node)


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        for name, host, enabled in ("a", 10, "true"), ("b", 11, "true"), (
                "p", 12, None):
            pod = topo.pod(vm, name, f"10.244.1.{host}/16")
            setattr(self, name, self.mesh.add(pod, enabled=enabled))
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        for name in "ab":
            become(lambda n=name: self.agent.pod(n)["armed"], True, 30)

    def checked(self, *args):
        """(exit status, the two ways)"""
        got = self.agent.cli("check", *args, "-o", "json", check=False,
                             timeout=120)
        assert got.rc in (0, 1), got.err
        assert got.json()["ok"] is (got.rc == 0)
        return got.rc, got.json()["checks"]


def steps(way):
    return {s["step"]: s["passed"] for s in way["steps"]}


def all_passed(count, *left_out):
    return {s: count for s in ("converted", "sent", "seen", "answered", "clc",
                               "byte") if s not in left_out}


def left(vm):
    """What there is of an agent."""
    return vm.run("ls -A /sys/fs/bpf /run/smcmesh /tmp | grep -i smcmesh; "
                  "ip netns; ip -br link; /build/smcmesh cleanup --list",
                  check=False).out


def test_local_is_smc_and_leaves_nothing(node):
    before = left(node)
    got = node.run(CHECK + "--local -o json", check=False, timeout=300)
    assert got.rc == 0, got.out + got.err
    ways = got.json()["checks"]
    assert [(w["from"], w["to"]) for w in ways] == [
        ("smcmesh-check/a", "smcmesh-check/b"),
        ("smcmesh-check/b", "smcmesh-check/a")]
    for way in ways:
        assert way["smcd"] == way["connections"] == way["wanted"] == 3, way
        assert steps(way) == all_passed(3), way
        assert way["stopped_before"] == way["why"] == "", way
        for time in ("first_byte_ms", "tcp_first_byte_ms", "round_trip_ms",
                     "tcp_round_trip_ms"):
            assert way[time] > 0, way
    assert left(node) == before


def test_local_that_is_ended_leaves_nothing(node):
    before = left(node)
    proc = node.spawn("exec " + CHECK + "--local --count 100")
    wait_for(lambda: node.run("test -S /run/smcmesh/agent.sock",
                              check=False).rc == 0, 60, "its agent")
    proc.kill(timeout=120)
    assert proc.rc != 0
    assert left(node) == before


def test_pods_of_one_node(lab):
    rc, ways = lab.checked("default/a", "default/b", "--count", "5")
    assert rc == 0, ways
    for way in ways:
        assert way["smcd"] == 5 and steps(way) == all_passed(5), way


def test_pod_that_is_no_endpoint_is_named(lab):
    rc, (there, back) = lab.checked("default/a", "default/p")
    assert rc == 1 and there["smc"] == back["smc"] == 0
    assert steps(there) == {**all_passed(0), "converted": 3, "byte": 3}
    assert there["stopped_before"] == "sent"
    assert there["why"] == "TCP: the peer is not an endpoint", there
    assert "annotate the peer's pod" in there["remedy"]
    assert back["stopped_before"] == "converted"
    assert back["why"].startswith("not armed: "), back
    # control
    assert lab.checked("default/a", "default/b")[0] == 0


def test_exclusion_is_named(lab):
    with lab.mesh.changed(spec={"excludeCIDRs": ["10.244.1.11/32"]}):
        wait_for(lambda: lab.checked("default/a", "default/b")[0] == 1, 20,
                 "the exclusion")
        _, (there, _) = lab.checked("default/a", "default/b")
        assert there["stopped_before"] == "sent"
        assert "excluded CIDR" in there["why"], there
    wait_for(lambda: lab.checked("default/a", "default/b")[0] == 0, 20,
             "its end")


@contextlib.contextmanager
def stripped(pod):
    pod.run("nft -f -", stdin=STRIP)
    try:
        yield
    finally:
        pod.run("nft delete table inet strip")


def test_option_that_is_lost_on_the_way_is_found(lab):
    with stripped(lab.b):
        rc, (there, back) = lab.checked("default/a", "default/b")
    assert rc == 1 and there["smc"] == 0, there
    assert steps(there) == {**all_passed(0), "converted": 3, "sent": 3,
                            "byte": 3}, there
    assert there["stopped_before"] == "seen"
    assert "something on the way takes it out" in there["why"], there
    # the other way only SYNs are touched that come into b
    assert back["smcd"] == 3, back
    assert lab.checked("default/a", "default/b")[0] == 0


def test_halves_make_a_whole(lab):
    """As kubectl-smcmesh calls them on two nodes."""
    served = lab.vm.spawn("exec " + CHECK + "--serve default/b -o json")
    line = wait_for(lambda: served.out.split("\n")[0], 20, "the server's half")
    word, at = line.split()
    assert word == "listening" and at.startswith("10.244.1.11:")
    rc, (way,) = lab.checked("--connect", "default/a", at)
    assert rc == 0 and way["end"] == "client", way
    assert steps(way) == all_passed(3, "seen") and way["smcd"] == 3, way
    wait_for(lambda: not served.alive, 20, "the server's half to end")
    assert served.rc == 0, served.err
    assert '"end":"server"' in served.out and '"smc":3' in served.out


def test_service_is_only_connected_to(lab):
    """Who answers may be any program: nothing is sent to it."""
    serve(lab.b, 7070)
    rc, (way,) = lab.checked("--connect", "default/a", "10.244.1.11:7070",
                             "--service")
    assert rc == 0 and way["smcd"] == way["connections"] == 3, way
    assert way["service"] and way["first_byte_ms"] is None, way


@pytest.mark.parametrize("args, rc, said", [
    ("--local", 3, "an agent runs here"),
    ("default/a default/nobody", 3, "knows no pod default/nobody"),
    ("default/a", 2, "expected two pods"),
    ("default/a default/a", 2, "to itself"),
    ("--connect default/a nowhere", 2, "expected ADDRESS:PORT"),
    ("--count 0 default/a default/b", 2, "from 1 to 100")])
def test_what_cannot_be_told(lab, args, rc, said):
    got = lab.vm.run(CHECK + args, check=False)
    assert (got.rc, got.out) == (rc, "") and said in got.err, got.err

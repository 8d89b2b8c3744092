# SPDX-License-Identifier: Apache-2.0
"""What people and machines get wrong. Nothing of it may change what works.

           VM n1, agent
    a         b         c         x
  armed     armed     armed     not annotated       10.244.1.0/16
    |         |         |         |
  --+---------+-- br0 --+---------+--

Every case is a pair: the mistake is named where a person looks for it (status,
pods, the log), and a and b go on as before in the same moment.
"""
import json

import pytest

from smclab import manifest, topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, ends, reason, serve
from smclab.mesh import Mesh
from smclab.pins import ABI, PINS

SMCD = ("smcd", "smcd")
RUN2 = ["--run", "/run/second", "--listen", "127.0.0.1:9470"]


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        for name, host in zip("abcx", (10, 11, 12, 20)):
            setattr(self, name, self.mesh.add(
                topo.pod(vm, name, f"10.244.1.{host}/16"),
                enabled="true" if name in "abc" else None))
        self.agent = Agent(vm, None)
        self.mesh.agents.append(self.agent)

    def raw(self, text):
        self.vm.write(self.agent.path, text)

    def problem(self):
        return self.agent.get("/v1/status")["source"]["problem"]

    def problem_with(self, *words):
        wait_for(lambda: all(w in self.problem() for w in words), 10,
                 f"a problem with {words}")
        return self.problem()

    def notes(self):
        return "\n".join(self.agent.get("/v1/status")["source"]["notes"])

    def begin(self):
        """The agent runs; what it and everyone else needs."""
        self.mesh.apply()
        self.agent.wait_ready()
        self.servers = [serve(p, 7000) for p in (self.a, self.b, self.c)]
        self.works()

    def works(self):
        assert ends(self.a, self.b) == SMCD

    def good(self):
        self.mesh.apply()
        wait_for(lambda: not self.problem(), 10, "the source to be good")
        become(lambda: ends(self.a, self.b), SMCD)


@pytest.fixture(scope="module")
def lab(vm):
    return Lab(vm)


@pytest.fixture(autouse=True)
def as_before(request, lab):
    """Each test starts and ends with the good List."""
    if request.node.name == "test_agent_without_a_file_is_alive_and_not_ready":
        yield
        return
    if not lab.agent.proc:    # that one was not asked for
        lab.agent.start(wait=False)
        lab.begin()
    yield
    lab.good()


# ---- the file -----------------------------------------------------------------

def test_agent_without_a_file_is_alive_and_not_ready(lab):
    """Alive, not ready, and the path is named; the file appears: armed."""
    lab.agent.start(wait=False)
    wait_for(lambda: lab.agent.path in lab.problem(), 30, "the problem")
    assert lab.vm.run("curl -sf http://127.0.0.1:9469/healthz").rc == 0
    answer = lab.vm.run("curl -s -w '%{http_code}' "
                        "http://127.0.0.1:9469/readyz").out
    assert "503" in answer and lab.agent.path in answer, answer
    lab.begin()


def test_broken_json_keeps_the_last_state(lab):
    lab.raw('{"kind": "List",\n "items": [\n  {"kind": "Pod",, }]}\n')
    said = lab.problem_with("line 3, column 18", lab.agent.path)
    assert said in lab.agent.proc.err, lab.agent.proc.err
    lab.works()
    wait_for(lab.agent.ready, 5, "ready")    # the last good state is in force
    status = lab.agent.cli("status", check=False)
    assert "line 3, column 18" in status.out + status.err, status


def test_half_a_file_keeps_the_last_state(lab):
    """A writer that does not rename: the first half is there for a while."""
    text = manifest.text(*lab.mesh.objects())
    lab.raw(text[:len(text) // 2])
    lab.problem_with("line ")
    lab.works()
    lab.raw(text)
    wait_for(lambda: not lab.problem(), 10, "the other half")


def test_file_that_goes_keeps_the_last_state(lab):
    lab.vm.run(["rm", lab.agent.path])
    lab.problem_with(lab.agent.path)
    lab.works()


@pytest.mark.parametrize("text", ["", "[]", "7", "null", '"List"',
                                  '{"kind": "List", "items": {"a": 1}}',
                                  '{"kind": "ConfigMap"}', "\0\0\0"])
def test_what_is_no_list_keeps_the_last_state(lab, text):
    lab.raw(text)
    wait_for(lab.problem, 10, "a problem")
    lab.works()


# ---- objects ------------------------------------------------------------------

def test_bad_objects_are_left_out_and_named(lab):
    """What is not understood is left out and named; the rest is used."""
    broken = manifest.pod("broken", "n1", "10.244.1.99", "/run/netns/c")
    broken["spec"] = "n1"
    lab.mesh.apply(extra=(
        {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "k"}},
        {"kind": 7}, "a string", None, broken))
    wait_for(lambda: "broken" in lab.notes(), 10, "the notes")
    notes = lab.notes()
    assert "spec" in notes and "items[" in notes, notes
    assert lab.agent.pod("broken") == {}
    assert "10.244.1.99" not in str(lab.agent.get("/v1/endpoints"))
    lab.works()


@pytest.mark.parametrize("value", ["yes", "True", "1", "", " true", True, 7])
def test_annotation_neither_true_nor_false_is_named(lab, value):
    """The pod and the value are named, and it is not enabled."""
    with lab.mesh.changed(c={"enabled": value}):
        become(lambda: lab.agent.pod("c")["reason"], "bad-annotation")
        state = lab.agent.pod("c")
        shown = value if isinstance(value, str) else json.dumps(value)
        assert not state["armed"] and shown in state["sentence"], state
        assert manifest.ENABLED in state["sentence"], state
        pods = lab.agent.cli("pods").out
        assert any("c" in line.split()[0] or "c" in line.split()[1]
                   for line in pods.splitlines() if "bad-annotation" in line
                   ), pods
        lab.works()
    become(lambda: lab.agent.pod("c")["armed"], True)


@pytest.mark.parametrize("value", ["http", "80,0", "80;81", "70000", "-1"])
def test_pod_with_a_bad_port_list_is_not_enabled(lab, value):
    """Not enabled: an exclusion that cannot be read must not be an offer."""
    with lab.mesh.changed(c={"annotations": {manifest.OUT_PORTS: value}}):
        become(lambda: lab.agent.pod("c")["reason"], "bad-annotation")
        assert manifest.OUT_PORTS in lab.agent.pod("c")["sentence"]
        assert ends(lab.c, lab.b) == ("plain", "tcp")
        lab.works()
    become(lambda: ends(lab.c, lab.b), SMCD)


def test_invalid_addresses_are_left_out_alone(lab):
    """Left out alone; what the pod has of good ones is used."""
    bad = lab.mesh.objects()
    for o in bad:
        if o["metadata"]["name"] == "c":
            o["status"]["podIPs"] = [{"ip": x} for x in (
                "10.244.1.999", "", "::1", "169.254.1.1", "224.0.0.1",
                "127.0.0.1", "fe80::1", "0.0.0.0", 12, lab.c.v4)]
    lab.agent.set(*bad)
    wait_for(lambda: "10.244.1.999" in lab.notes(), 10, "the note")
    found = {e["address"] for e in lab.agent.get("/v1/endpoints")["endpoints"]}
    assert found == {lab.a.v4, lab.b.v4, lab.c.v4}
    assert ends(lab.a, lab.c) == SMCD
    lab.works()


def test_address_claimed_twice_is_the_younger_pods(lab):
    """The pod created later owns it. Equal: neither, and it is said."""
    def twin(created):
        return manifest.pod("twin", "n2", lab.c.v4, created=created)

    lab.mesh.apply(extra=[twin(manifest.CREATED)])
    become(lambda: ends(lab.a, lab.c), ("tcp", "tcp"))
    warnings = "\n".join(lab.agent.get("/v1/status")["warnings"])
    assert lab.c.v4 in warnings and "twin" in warnings, warnings
    assert reason(lab.agent, lab.a, 7000) == "not-endpoint"
    lab.works()
    # c is the younger: it owns the address
    lab.mesh.apply(extra=[twin("2024-01-01T00:00:00Z")])
    become(lambda: ends(lab.a, lab.c), SMCD)


def test_pod_that_has_ended_owns_nothing(lab):
    with lab.mesh.changed(c={"phase": "Succeeded"}):
        become(lambda: ends(lab.a, lab.c)[0], "tcp")
        assert lab.agent.pod("c")["reason"] == "pod-ended"
        lab.works()


# ---- namespaces -----------------------------------------------------------------

def test_pod_is_armed_only_while_its_namespace_is_there(lab):
    ghost = manifest.pod("ghost", "n1", "10.244.1.77", "/run/netns/ghost")
    lab.mesh.apply(extra=[ghost])
    become(lambda: lab.agent.pod("ghost").get("reason"), "no-netns")
    assert "10.244.1.77" not in str(lab.agent.get("/v1/endpoints"))
    lab.works()
    # it appears, and is armed without being told
    pod = topo.pod(lab.vm, "ghost", "10.244.1.77/16")
    wait_for(lambda: lab.agent.pod("ghost")["armed"], 30, "ghost to be armed")
    assert ends(pod, lab.b) == SMCD
    # and goes while it is armed
    topo.delete_pod(pod)
    become(lambda: lab.agent.pod("ghost")["reason"], "no-netns", 60)
    lab.works()


def test_pod_at_a_path_of_no_namespace_is_not_armed(lab):
    lab.vm.run("echo no > /run/notns")
    fake = manifest.pod("fake", "n1", "10.244.1.78", "/run/notns")
    lab.mesh.apply(extra=[fake])
    become(lambda: lab.agent.pod("fake").get("reason"), "no-netns")
    lab.works()


# ---- the machine ------------------------------------------------------------------

def refused(lab, *words, args=(), env=None, prefix=()):
    """Another agent that must not start: exit 1 and a message with @words."""
    argv = [*prefix, lab.agent.binary, "agent", "--source",
            "file:" + lab.agent.path, "--node", "n1", *args]
    r = lab.vm.run(argv, check=False, timeout=30, env=env)
    assert r.rc == 1, r
    for word in words:
        assert word in r.err, f"{word} is not in: {r.err}"
    return r.err


def test_second_agent_is_refused(lab):
    pid = str(lab.agent.get("/v1/status")["pid"])
    refused(lab, "already", pid)
    lab.works()
    assert lab.agent.proc.alive


def test_pins_of_another_abi_are_refused(lab):
    """Refused with the way out; the datapath stays as it is, and works."""
    pin = PINS + "smc_config"
    raw = lab.vm.run(f"bpftool -j map lookup pinned {pin} key 0 0 0 0").json()
    value = raw["value"]
    assert [int(x, 16) for x in value[:4]] == [ABI, 0, 0, 0], raw

    def set_version(n):
        new = " ".join([str(n), *(str(int(x, 16)) for x in value[1:])])
        lab.vm.run(f"bpftool map update pinned {pin} key 0 0 0 0 value {new}")

    lab.agent.stop()
    set_version(9)
    before = lab.vm.run("bpftool prog show; find /sys/fs/bpf").out
    refused(lab, "9", "cleanup")
    assert lab.vm.run("bpftool prog show; find /sys/fs/bpf").out == before
    lab.works()
    set_version(ABI)
    lab.agent.start()


def test_agent_without_bpffs_is_refused(lab):
    lab.agent.stop()
    lab.vm.run("mkdir -p /run/nobpffs")
    refused(lab, "/run/nobpffs", args=["--bpffs", "/run/nobpffs", *RUN2])
    lab.works()
    lab.agent.start()


def test_agent_without_capabilities_is_refused(lab):
    lab.agent.stop()
    lab.vm.run("install -d -m 700 -o 65534 /run/third")
    refused(lab, "CAP_", args=["--run", "/run/third", *RUN2[2:]], prefix=[
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
    lab.works()
    lab.agent.start()


def test_agent_without_cgroup2_records_by_smc(lab):
    """The recorder that hangs on it is not possible, and it is said; flows are
    SMC, and recorded, all the same."""
    lab.agent.stop()
    lab.agent.cli("cleanup", "--force", check=False)
    lab.vm.run("mkdir -p /run/nocgroup")
    other = Agent(lab.vm, None, node="n1", path=lab.agent.path,
                  args=["--cgroup", "/run/nocgroup"])
    other.start()
    lab.mesh.apply(spec={"recorder": "sockops"})
    wait_for(lambda: "the wished recorder is not possible" in other.proc.err,
             20, "the recorder to be refused")
    assert other.get("/v1/status")["recorder"] == "smc"
    for server in lab.servers:
        server.kill()
    lab.servers = [serve(p, 7000) for p in (lab.a, lab.b, lab.c)]
    become(lambda: ends(lab.a, lab.b), SMCD)
    assert any(f["outcome"] == "smcd" for f in other.flows())
    other.stop()
    lab.agent.cli("cleanup", "--force", check=False)
    lab.agent.start()


@pytest.mark.parametrize("argv", [
    ["agent", "--source", "kubernetes"], ["agent", "--source", "file:"],
    ["agent", "--what"], ["agnet"], [], ["pods", "-o", "xml"],
    ["agent", "--listen", "nowhere"]])
def test_wrong_usage_exits_with_2(lab, argv):
    r = lab.vm.run([lab.agent.binary, *argv], check=False, timeout=20)
    assert r.rc == 2 and r.err and not r.out, r

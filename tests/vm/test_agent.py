# SPDX-License-Identifier: Apache-2.0
"""The agent's own life in one VM: pods that come late, restarts, what it tells.

    VM n1, agent with --source file:
    a .10    b .11    late .12      10.244.1.0/16
    |        |        |
  --+--------+- br0 --+--

Who is accelerated and why not is in test_matrix.py.
"""
import json
import re

import pytest

from smclab import manifest, topo, wait_for
from smclab.agents import SOCKET, Agent
from smclab.crowd import hammering, stop
from smclab.flows import become, ends, held, serve
from smclab.mesh import two_pods
from smclab.pins import PINS

SMCD = ("smcd", "smcd")
FOLLOWED = 4    # SMC_USE_FOLLOWED


class Lab:
    def __init__(self, vm):
        self.vm = vm
        self.mesh, self.a, self.b = two_pods(vm)
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        self.server = serve(self.b, 7000)

    def ctrl(self, pod):
        return pod.run("cat /proc/sys/net/smc/hs_ctrl").out.strip()

    def ueids(self):
        return self.vm.call("smcnl", "ueid")


@pytest.fixture(scope="module")
def lab(vm):
    return Lab(vm)


def test_state_is_the_kernels(lab):
    """What is shown is what the maps hold."""
    pods = {p["name"]: p for p in lab.agent.get("/v1/pods")["pods"]}
    rows = {r["key"]: r["value"] for r in
            (x["formatted"] for x in lab.agent.map("smc_netns"))}
    for name in ("a", "b"):
        assert pods[name]["armed"], pods[name]
        row = rows[pods[name]["netns_cookie"]]
        assert row["pod_id"] == pods[name]["pod_id"]
    assert len(rows) == 2
    shown = {e["address"] for e in lab.agent.get("/v1/endpoints")["endpoints"]}
    assert shown == {"10.244.1.10", "10.244.1.11"}
    assert lab.agent.metric("smcmesh_endpoints") == 2
    assert lab.agent.metric("smcmesh_capability", feature="smc") == 1
    # someone takes an endpoint away behind our back: not shown, then healed
    key = "0 0 0 0 0 0 0 0 0 0 255 255 10 244 1 11"
    lab.vm.run(f"bpftool map delete pinned {PINS}smc_endpoint key {key}")
    become(lambda: len(lab.agent.map("smc_endpoint")), 2, 15)


def test_pod_is_armed_when_its_namespace_comes_later(lab):
    """The pod is in the List before its namespace: armed soon after it comes,
    long before a resync would see it if those were rare."""
    late = manifest.pod("late", "n1", "10.244.1.12", "/run/netns/late")
    lab.mesh.extra.append(late)
    lab.mesh.apply()
    become(lambda: lab.agent.pod("late").get("reason"), "no-netns")
    pod = topo.pod(lab.vm, "late", "10.244.1.12/16")
    wait_for(lambda: lab.agent.pod("late")["armed"], 10, "late to be armed")
    assert ends(pod, lab.b) == SMCD
    # the namespace goes while the pod stays in the List
    lab.vm.run("ip netns del late")
    become(lambda: lab.agent.pod("late")["reason"], "no-netns", 15)
    assert len(lab.agent.map("smc_netns")) == 2
    lab.mesh.extra.remove(late)
    lab.mesh.apply()
    become(lambda: lab.agent.pod("late"), {})


def test_late_listener_is_named(lab):
    with lab.mesh.changed(a={"enabled": None}):
        become(lambda: lab.agent.pod("a")["armed"], False)
        server = serve(lab.a, 7100)
    become(lambda: lab.agent.pod("a")["armed"], True)
    wait_for(lambda: any(x.endswith(":7100") for x in
                         lab.agent.pod("a")["late_listeners"]), 15, "7100")
    assert lab.agent.metric("smcmesh_late_listeners", pod="a") >= 1
    assert "plain TCP" in lab.agent.cli("pods").out
    server.kill()
    wait_for(lambda: not lab.agent.pod("a")["late_listeners"], 15, "none")


def test_restart_interrupts_nothing(lab):
    """Numbers, counters and connections outlive the agent; the namespaces get
    the new generation of the selector, and the old one is unregistered."""
    ids = {n: lab.agent.pod(n)["pod_id"] for n in "ab"}
    flows = lab.agent.metric("smcmesh_flows_total", outcome="smcd")
    old = lab.ctrl(lab.a)
    with held(lab.a, lab.b.v4, 7000) as before:
        lab.agent.stop()
        assert ends(lab.a, lab.b) == SMCD    # nobody is there, and it works
        lab.agent.start()
        assert before.ends(lab.b) == [SMCD]
    assert {n: lab.agent.pod(n)["pod_id"] for n in "ab"} == ids
    assert lab.agent.metric("smcmesh_flows_total", outcome="smcd") == flows + 4
    new = lab.ctrl(lab.a)
    assert new.startswith("smcmesh_") and new != old
    assert lab.ctrl(lab.b) == new
    # the old name cannot be chosen any more
    r = lab.a.run(f"sysctl -w net.smc.hs_ctrl={old}", check=False)
    assert r.rc != 0 and lab.ctrl(lab.a) == new


@pytest.mark.parametrize("fault", [
    {"SMCMESH_STARVED": "3"},
    {"SMCMESH_SLOW": "4"},    # two looks, and the control of each
], ids=["for_want_of_a_processor", "on_a_slow_machine"])
def test_restart_with_endless_first_looks_disarms_nobody(lab, fault):
    """What the agent before armed stays armed, and is looked at again."""
    real = lab.agent.binary
    lab.agent.stop()
    lab.agent.binary = "/build/faults/smcmesh"
    traffic = hammering(lab.a, f"{lab.b.v4}:7000", threads=2, pace=20000)
    try:
        lab.agent.start(env=fault)
        said = lab.agent.proc.output
        # of one pod or of both: where looks take long the agent has one at a time
        assert re.search("too slow for the first look into pods, n=[12]:", said), said
        told = stop(traffic)
        assert told["errors"] == told["tcp"] == 0 < told["smc"], (
            told, lab.agent.why_tcp())
    finally:
        traffic.kill()
        lab.agent.stop()
        lab.agent.binary = real
        lab.agent.start()
    assert ends(lab.a, lab.b) == SMCD


def test_counters_of_a_pod_that_left_go_at_the_next_start(lab):
    """Its counters go at the next start, all others stay."""
    def counted(number):
        """At its slot: {counter: sum over the CPUs}, of the first part."""
        cpus = lab.agent.row("smc_counter", number % 1024)
        sums = {k: sum(cpu[k] for cpu in cpus) for k in cpus[0]
                if isinstance(cpus[0][k], int)}
        return {k: v for k, v in sums.items() if v}

    gone = topo.pod(lab.vm, "gone", "10.244.1.13/16")
    lab.mesh.extra.append(manifest.of(gone))
    lab.mesh.apply()
    wait_for(lambda: lab.agent.pod("gone").get("armed"), 15, "gone to be armed")
    assert ends(gone, lab.b) == SMCD
    number = lab.agent.pod("gone")["pod_id"]
    others = {lab.agent.pod(n)["pod_id"] for n in "ab"}
    before = {n: counted(n) for n in others | {number}}
    assert all(before.values()), before
    lab.agent.stop()
    lab.mesh.extra.pop()
    lab.mesh.apply()
    lab.vm.run("ip netns del gone")
    lab.agent.start()
    # a look that was put off puts this off, too
    become(lambda: counted(number), {}, 15)
    for n in others:
        now = counted(n)
        assert all(now[k] >= v for k, v in before[n].items()), (before, now)


def test_restart_with_a_broken_source_changes_nothing(lab):
    """Nothing is applied before a good world: all stays as it was."""
    lab.agent.stop()
    good = lab.vm.run(f"cat {lab.agent.path}").out
    lab.vm.write(lab.agent.path, good[:-20])
    lab.agent.start(wait=False)
    wait_for(lambda: lab.agent.get("/v1/status")["source"]["problem"], 20,
             "the problem")
    answer = lab.vm.run("curl -s http://127.0.0.1:9469/readyz").out
    assert "not ready" in answer and lab.agent.path in answer, answer
    # whose the counters are is not known yet
    told = {name for name, _ in lab.agent.metrics()}
    assert "smcmesh_endpoints" in told
    assert not told & {"smcmesh_pods", "smcmesh_flows_total"}, told
    assert len(lab.agent.map("smc_endpoint")) == 2
    assert ends(lab.a, lab.b) == SMCD
    lab.vm.write(lab.agent.path, good)
    lab.agent.wait_ready()
    assert ends(lab.a, lab.b) == SMCD


def test_ueid_follows_the_configuration(lab):
    assert lab.ueids() == ["SMCMESH"]
    with lab.mesh.changed(spec={"ueid": "OTHER.NAME"}):
        become(lab.ueids, ["OTHER.NAME"])
        assert ends(lab.a, lab.b) == SMCD
        assert lab.agent.get("/v1/status")["ueids"] == ["OTHER.NAME"]
    become(lab.ueids, ["SMCMESH"])
    # taken away by someone: put back
    lab.vm.call("smcnl", "ueid", "del", "SMCMESH")
    become(lab.ueids, ["SMCMESH"], 15)
    become(lambda: ends(lab.a, lab.b), SMCD)


def test_host_network_pod_is_armed_by_its_cgroup(lab):
    """It shares its namespace with the machine's own programs, which stay as
    they are; disarmed, its cgroup denies for as long as it is there."""
    def rows():
        return [r["formatted"]["value"] for r in lab.agent.map("smc_cgroup")]

    cgroup = "kubepods/poduid-default-h"
    inside, outside = topo.HostPod(lab.vm, cgroup), topo.HostPod(lab.vm, None)
    pod = manifest.pod("h", "n1", "10.244.1.1", host_network=True)
    lab.mesh.extra.append(pod)
    lab.mesh.apply()
    become(lambda: lab.agent.pod("h").get("reason"), "no-cgroup2")
    assert lab.vm.run("cat /proc/sys/net/smc/hs_ctrl").out.strip() == ""
    lab.vm.run(f"mkdir -p /sys/fs/cgroup/{cgroup}")
    wait_for(lambda: lab.agent.pod("h")["armed"], 15, "h to be armed")
    with held(inside, lab.b.v4, 7000) as h:
        assert h.ends(lab.b) == [SMCD]
        assert ends(outside, lab.b) == ("plain", "tcp")
        lab.mesh.extra.remove(pod)
        lab.mesh.apply()
        become(lambda: [r["flags"] for r in rows()], [2])
        assert ends(inside, lab.b) == ("plain", "tcp")
        assert h.ends(lab.b) == [SMCD]    # what was, lives on
    lab.vm.run(f"rmdir /sys/fs/cgroup/{cgroup}")
    become(rows, [], 15)


# a socket that connects when it is told to, and says what it became
LATER = """
import socket, sys
s = socket.socket()
print("ready", flush=True)
sys.stdin.readline()
s.connect((sys.argv[1], int(sys.argv[2])))
print(s.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL), flush=True)
"""


def test_host_network_sockets_outlive_their_cgroup(lab):
    """A process of the pod goes on in another cgroup, and the pod's is removed,
    its row with it: what it has opened there says SMC to no stranger, beside
    programs that are none of our business."""
    cgroup = "kubepods/poduid-default-h"
    inside, outside = topo.HostPod(lab.vm, cgroup), topo.HostPod(lab.vm, None)
    x = topo.pod(lab.vm, "x", "10.244.1.20/16")
    serve(x, 7401, native=True)
    serve(outside, 7402, native=True)
    pod = manifest.pod("h", "n1", "10.244.1.1", host_network=True)
    lab.mesh.extra.append(pod)
    lab.vm.run(f"mkdir -p /sys/fs/cgroup/{cgroup}")
    lab.mesh.apply()
    wait_for(lambda: lab.agent.pod("h")["armed"], 15, "h to be armed")
    serve(inside, 7400)
    client = inside.spawn(["python3", "-c", LATER, x.v4, "7401"])
    wait_for(lambda: "ready" in client.out, 20, "the client")
    modes = {r["local_port"]: r["mode"] for r in inside.diag(every=True)}
    assert 7400 in modes, modes    # an SMC listener

    def answered(port):
        return ends(x, inside, port, address="10.244.1.1", protocol="smc")

    assert answered(7400) == ("tcp", "tcp") and answered(7402) == SMCD
    lab.mesh.extra.remove(pod)
    lab.mesh.apply()
    lab.vm.run(f"for pid in $(cat /sys/fs/cgroup/{cgroup}/cgroup.procs);"
               f" do echo $pid > /sys/fs/cgroup/{x.cgroup}/cgroup.procs; done;"
               f" rmdir /sys/fs/cgroup/{cgroup}")
    become(lambda: lab.agent.map("smc_cgroup"), [], 15)
    assert answered(7400) == ("tcp", "tcp")
    client.stdin("now\n")
    wait_for(lambda: len(client.out.split()) == 2, 20, "its connection")
    assert client.out.split()[1] == "6"
    assert answered(7402) == SMCD


def test_stream_tells_flows_as_they_happen(lab):
    """Lines of JSON as things happen, from the socket and from the client. The
    datapath tells them only while somebody reads."""
    def followed():
        return bool(lab.agent.row("smc_config", 0)["uses"] & FOLLOWED)

    assert not followed()
    raw = lab.vm.spawn(["curl", "-sSN", "--unix-socket", SOCKET,
                        "http://agent/v1/flows?follow=1"])
    cli = lab.vm.spawn([lab.agent.binary, "flows", "-f"])

    def flows_of_a():
        """{id: {event: its line}}; a flow that is older ends perhaps."""
        whole, _, _ = raw.out.rpartition("\n")
        flows = {}
        for e in map(json.loads, whole.splitlines()):
            if e["pod"] == "a":
                flows.setdefault(e["id"], {})[e["event"]] = e
        return flows.values()

    def connect_until_both_see():
        assert ends(lab.a, lab.b) == SMCD
        assert "SMC-D" in cli.out, cli.out + cli.err
        whole = [f for f in flows_of_a() if {"upgraded", "closed"} <= f.keys()]
        assert whole, raw.out
        return whole[0]

    flow = wait_for(connect_until_both_see, 30, "events")
    for e in flow["upgraded"], flow["closed"]:
        assert e["outcome"] == "smcd" and e["remote_port"] == 7000
        assert e["remote_address"] == "10.244.1.11"
    assert followed()
    raw.kill()
    cli.kill()
    become(followed, False, 20)
    assert lab.agent.get("/v1/status")["ready"]


def test_pin_taken_away_is_put_back_and_counted(lab):
    """A link that someone took away is put back and counted."""
    before = lab.agent.metric("smcmesh_drift_repairs_total")
    lab.vm.run(f"rm {PINS}smc_endpoint")
    wait_for(lambda: lab.agent.metric("smcmesh_drift_repairs_total") > before,
             20, "the repair")
    assert len(lab.agent.map("smc_endpoint")) == 2


def test_doctor_says_what_is_there(lab):
    report = lab.agent.cli("doctor", "-o", "json").json()
    assert report["capable"]
    assert (report["converter"], report["selector"], report["recorder"]) == \
        ("sockproto", "hs_ctrl", "smc")
    assert report["ueids"] == ["SMCMESH"]
    rows = {n["path"]: n for n in report["namespaces"]}
    for name in "ab":
        assert rows[f"/run/netns/{name}"]["armed"], rows
        assert rows[f"/run/netns/{name}"]["guarded"], rows
    assert any("signal" in w for w in report["warnings"])
    checks = {c["id"]: c for c in report["checks"]}
    assert report["ok"] and checks["ueid"]["status"] == "pass", report["checks"]
    assert checks["ueid"]["found"] == "SMCMESH"
    assert checks["signal-during-connect"]["status"] == "warn"
    assert lab.agent.cli("doctor", "--check").rc == 0
    text = lab.agent.cli("doctor").out
    assert re.search(r"^hs_ctrl +present", text, re.M)
    limits = r"^limits +sockproto: sockets made by io_uring stay TCP$"
    for told in text, lab.agent.cli("status").out:
        assert re.search(limits, told, re.M), told
        assert not re.search(r"^(limits +hs_ctrl|lacks)\b", told, re.M), told
    assert text.rstrip().endswith("pods SMC.")


def test_doctor_without_rights_does_not_say_no(lab):
    """What the kernel does not tell a user is not known, which is not "no"."""
    report = lab.agent.cli("doctor", "-o", "json", user=1000).json()
    assert report["capable"] is None, report["features"]
    assert report["conclusion"].endswith("run it as root."), report
    assert not report["ok"]
    assert lab.agent.cli("doctor", "--check", user=1000, check=False).rc == 3
    r = lab.agent.cli("doctor", user=1000)
    assert "not every namespace" in r.err, r.err


def test_metrics_are_clean(lab):
    text = lab.agent.http("/metrics", unix=False)
    r = lab.vm.run("promtool check metrics", stdin=text, check=False)
    assert r.rc == 0 and not r.out + r.err, r

# SPDX-License-Identifier: Apache-2.0
"""The agent on this machine's own kernel, which cannot do SMC: it runs, says
so, is ready with capability 0, and changes nothing. Everything here is private:
run directory, BPF file system, port.
"""
import json
import os
import re
import signal
import socket
import stat
import subprocess

import pytest

from smclab import manifest, native, rootfs, wait_for
from smclab.native import SMCMESH, UnixConnection, smcmesh_as_nobody
from smclab.pins import ABI

RIGHTS = ("smcmesh cleanup: not all could be looked at: run it as root, or with the "
          "capabilities of the agent")
SAMPLE = re.compile(r"^((?:smcmesh|process)_[a-z_]+)(?:\{(.*)\})? (\S+)$", re.M)


def smcmesh(*args, **kw):
    return subprocess.run([SMCMESH, *args], text=True, capture_output=True,
                          timeout=60, check=False, **kw)


def capable():
    return json.loads(smcmesh("doctor", "-o", "json").stdout)["capable"]


pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(os.geteuid() == 0 and capable(),
                       reason="this kernel can do SMC: see tests/vm"),
]


class Agent(native.Agent):
    """With a List in a file as its source."""

    def __init__(self, tmp, *args):
        self.list = f"{tmp}/pods.json"
        super().__init__(tmp, f"file:{self.list}", *args)

    def set(self, *objects):
        self.write(manifest.text(*objects))

    def write(self, text):
        with open(self.list + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(self.list + ".new", self.list)

    def pods(self):
        return {p["name"]: p for p in self.get("/v1/pods")["pods"]}

    def resident(self):
        """Its memory, in KiB."""
        with open(f"/proc/{self.proc.pid}/status", encoding="utf-8") as f:
            return int(re.search(r"^VmRSS:\s+(\d+) kB$", f.read(), re.M)[1])

    def samples(self):
        status, text = self.request("/metrics", unix=False)
        assert status == 200, text
        return {(m[1], m[2] or ""): float(m[3])
                for m in SAMPLE.finditer(text)}

    def cli(self, *args):
        return smcmesh(*args, "--run", self.run_dir)


def world(**enabled):
    return [manifest.mesh()] + [
        manifest.pod(name, "n1", f"10.99.0.{i + 1}", f"/run/netns/no-{name}",
                     enabled=value)
        for i, (name, value) in enumerate(enabled.items())]


@pytest.fixture
def agent(tmp_path):
    a = Agent(tmp_path)
    a.set(*world(a="true", b=None))
    with native.bpffs(a.bpffs):
        try:
            yield a.start()
        finally:
            a.end()


def test_ready_with_capability_0(agent):
    wait_for(lambda: agent.request("/readyz", unix=False)[0] == 200, 10,
             "ready")
    assert "cannot make connections SMC" in agent.request("/readyz",
                                                          unix=False)[1]
    assert "\nknowledge of endpoints: 0 s old\n" in agent.request(
        "/readyz", unix=False)[1]
    assert agent.request("/healthz", unix=False) == (200, "alive\n")
    status = agent.get("/v1/status")
    assert status["ready"] and status["capability"] == 0, status
    assert (status["converter"], status["selector"]) == ("none", "none")
    assert status["pid"] == agent.proc.pid
    found = agent.samples()
    assert found["smcmesh_capability", 'feature="smc"'] == 0
    assert found["smcmesh_ready", ""] == 1
    assert found["smcmesh_source_age_seconds", ""] == 0
    assert status["source"]["age_seconds"] == 0
    assert "cannot make connections SMC" in agent.said()


def test_not_ready_before_the_first_sync(tmp_path):
    a = Agent(tmp_path)
    a.start()
    try:
        status, why = a.request("/readyz", unix=False)
        assert status == 503 and "nothing was read" in why, why
        wait_for(lambda: "No such file" in
                 a.request("/readyz", unix=False)[1], 10, "the problem")
        # each line names the file, and once
        for said in (a.request("/readyz", unix=False)[1],
                     a.cli("status").stdout, a.said()):
            lines = [x for x in said.splitlines() if "No such file" in x]
            assert lines and all(x.count(a.list) == 1 for x in lines), lines
        assert f"source       file:{a.list}: No such file" in \
            a.cli("status").stdout
        a.set(*world(a="true"))
        wait_for(lambda: a.request("/readyz", unix=False)[0] == 200, 10,
                 "ready")
    finally:
        assert a.stop() == 0


def test_pods_that_are_not_armed_say_why(agent):
    pods = wait_for(agent.pods, 10, "the pods")
    assert not pods["a"]["armed"] and pods["a"]["reason"] == "no-converter"
    assert not pods["b"]["armed"] and pods["b"]["reason"] == "not-annotated"
    found = agent.samples()
    assert found["smcmesh_pods", 'state="not-armed",reason="no-converter"'] == 1
    assert found["smcmesh_pods", 'state="armed",reason="none"'] == 0
    table = agent.cli("pods").stdout
    assert re.search(r"default +a +no +no-converter .*cannot make SMC", table), table
    # below it each reason once with what to do, here and in the status
    todo = pods["a"]["remedy"]
    assert "smcmesh doctor" in todo, pods["a"]
    assert re.search(rf"^no-converter +1 +{re.escape(todo)}$", table, re.M), table
    assert re.search(r"^not-annotated +1 +if it should", table, re.M), table
    status = agent.cli("status").stdout
    assert re.search(rf"^not armed    1 no-converter: .*\n  to do +{todo}$", status,
                     re.M), status
    assert "not-annotated" not in status, status
    assert json.loads(agent.cli("pods", "-o", "json").stdout)["pods"]


def test_status_waits_until_the_agent_is_ready(tmp_path):
    a = Agent(tmp_path)
    a.start()
    try:
        wait_for(lambda: "No such file" in a.request("/readyz", unix=False)[1], 10,
                 "the problem")
        r = a.cli("status", "--wait=1s")
        assert (r.returncode, r.stdout) == (1, ""), r
        said = a.request("/readyz", unix=False)[1].splitlines()[0]
        assert r.stderr == f"smcmesh status: {said} (waited for 1 s)\n", r
        with subprocess.Popen([SMCMESH, "status", "--wait", "--run", a.run_dir],
                              text=True, stdout=subprocess.PIPE) as waiting:
            a.set(*world(a="true"))
            out = waiting.communicate(timeout=60)[0]
        assert waiting.returncode == 0, out
        assert re.search(r"^state +ready: ", out, re.M), out
    finally:
        assert a.stop() == 0


def test_wanted_are_the_annotated_pods(agent):
    """Whatever keeps them from being armed; here it is the kernel."""
    pods = wait_for(agent.pods, 10, "the pods")
    assert pods["a"]["wanted"] and not pods["b"]["wanted"], pods
    assert "\npods         2 here, 1 wanted, 0 armed\n" in agent.cli("status").stdout
    agent.set(*world(a=None, b=None))
    wait_for(lambda: agent.get("/v1/status")["pods"]["wanted"] == 0, 10, "none")


def test_empty_list_of_pods_says_where_they_are(agent):
    agent.set(manifest.mesh(), manifest.pod("x", "n2", "10.99.0.9", enabled="true"),
              manifest.pod("y", "n3", "10.99.0.10"))
    wait_for(lambda: not agent.pods(), 10, "no pod of this node")
    r = agent.cli("pods")
    assert r.stderr == ("smcmesh: no pod of this node (n1); "
                        "the source has 2 of others\n"), r
    assert r.stdout.split() == ["NAMESPACE", "POD", "ARMED", "REASON", "TRANSPORTS",
                                "WHY"]


def test_explain_says_at_which_step_a_pod_stands(agent):
    wait_for(agent.pods, 10, "the pods")
    told = agent.cli("explain", "default/a")
    assert told.returncode == 1, told
    lines = [line.split(None, 2) for line in told.stdout.splitlines()]
    assert lines[0] == ["STEP", "DONE", "READ BACK"], told.stdout
    assert ["node-capable", "no", "converter none, selector none"] in lines
    assert ["row", "-", "-"] in lines, "it is not asked any more"
    assert told.stdout.splitlines()[-1].startswith(
        "what to do: smcmesh doctor says"), told.stdout
    data = json.loads(agent.cli("explain", "-o", "json", "default/a").stdout)
    assert data["known"] and data["accelerated"] is False, data
    assert data["reason"] == "no-converter", data
    assert [s["step"] for s in data["steps"] if s["ok"] is False] == \
        ["node-capable"], data
    # a peer is asked about with it, and the pod's own reason stays the first
    data = agent.get("/v1/explain?pod=default/a&peer=10.99.0.2:80")
    assert data["reason"] == "no-converter", data
    assert data["peer"]["verdict"] == "unknown", data


def test_explain_of_a_pod_of_no_node(agent):
    wait_for(agent.pods, 10, "the pods")
    told = agent.cli("explain", "default/nobody")
    assert told.returncode == 1, told
    assert "has 2 pods of this node (n1), none of that name" in told.stdout
    assert "run it on the pod's node" in told.stdout.splitlines()[-1]
    for query in "", "?pod=a", "?pod=default/a&peer=10.0.0.1", "?pod=/a&peer=x":
        assert agent.request("/v1/explain" + query)[0] == 400, query


def test_agent_without_smc_changes_nothing(agent):
    wait_for(agent.pods, 10, "the pods")
    assert not os.path.exists(f"{agent.bpffs}/smcmesh")
    assert agent.get("/v1/endpoints") == {"endpoints": [], "services": [],
                                         "paths": []}
    assert agent.stop() == 0
    assert not os.path.exists(f"{agent.bpffs}/smcmesh")
    r = smcmesh("cleanup", *agent.args)
    assert r.returncode == 0, r.stderr
    assert "Nothing of smcmesh is left" in r.stdout
    assert not os.path.exists(agent.run_dir)


def test_fault_points_are_not_in_this_build(tmp_path):
    """What has a test's build take this kernel for another means nothing here."""
    a = Agent(tmp_path)
    a.env["SMCMESH_MAPS_ONLY"] = "1"
    a.set(*world(a="true"))
    with native.bpffs(a.bpffs):
        try:
            a.start()
            wait_for(a.pods, 10, "the pods")
            assert a.get("/v1/status")["capability"] == 0
            assert not os.path.exists(f"{a.bpffs}/smcmesh")
        finally:
            a.end()


def endpoints_said(run_dir, services):
    """What `smcmesh endpoints` prints of an agent's answer: a line for each."""
    body = json.dumps({"endpoints": [], "services": services}).encode()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(f"{run_dir}/agent.sock")
        s.listen()
        with subprocess.Popen([SMCMESH, "endpoints", f"--run={run_dir}"],
                              text=True, stdout=subprocess.PIPE) as cli:
            with s.accept()[0] as c:
                c.recv(4096)
                c.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
                          b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            out = cli.stdout.read()
        assert cli.returncode == 0, out
    return out.splitlines()[-len(services):]


def test_endpoints_say_why_a_service_is_not_offered(tmp_path):
    row = {"address": "10.96.0.1", "port": 80, "namespace": "shop",
           "service": "web", "pod": "", "stranger": "", "why": "unread",
           "transports": [], "expires_in_seconds": 0}
    whole = {"transports": ["smcd"], "expires_in_seconds": 9.5, "why": ""}
    said = endpoints_said(tmp_path, [
        row | {"stranger": "10.1.0.9", "why": "backend"}, row, row | whole,
        row | whole | {"expires_in_seconds": 0},
        row | {"why": "external"}, row | {"why": "local"},
        row | {"why": "elsewhere"}])
    assert "its backend 10.1.0.9 is no endpoint" in said[0], said
    assert "not all of its backends could be read" in said[1], said
    assert said[2].split()[-1] == "-", said
    assert "expired: the agent is behind" in said[3], said
    assert "its external address is also a pod's, a node's or" in said[4], said
    assert "its address is local on this node" in said[5], said
    assert "its EndpointSlices do not tell who" in said[6], said


def test_doctor_run_by_nobody_says_what_it_cannot_see():
    """A kernel without SMC says so to everybody; namespaces are not shown."""
    r = smcmesh_as_nobody("doctor", "-o", "json")
    report = json.loads(r.stdout)
    assert report["capable"] is False and not report["namespaces"], r.stdout
    assert "not every namespace could be looked at; run it as root" in r.stderr
    rules = next(c for c in report["checks"] if c["id"] == "synproxy")
    assert rules["status"] == "unknown" and rules["fix"] == "Run it as root.", rules


def test_doctor_answers_scripts_by_its_exit_status():
    report = json.loads(smcmesh("doctor", "-o", "json").stdout)
    assert report["capable"] is False and report["ok"] is False
    checks = {c["id"]: c for c in report["checks"]}
    assert len(checks) == len(report["checks"])
    assert smcmesh("doctor").returncode == 0
    assert smcmesh("doctor", "--check").returncode == 1
    for name, status in ("ipproto_smc", "fail"), ("ueid", "skip"), ("btf", "pass"):
        r = smcmesh("doctor", "--explain", name, "-o", "json")
        assert json.loads(r.stdout) == checks[name], name
        assert checks[name]["status"] == status, checks[name]
        assert r.returncode == (status == "fail"), name
        r = smcmesh("doctor", "--explain", name)
        assert r.stdout.startswith(f"{status:8} {name}\n"), r.stdout
        # what it would mean is said although nothing is wrong
        assert re.search(r"^  (means|else) ", r.stdout, re.M), r.stdout
    r = smcmesh("doctor", "--explain", "ueids")
    assert r.returncode == 2 and "no check ueids, but: btf " in r.stderr, r.stderr
    assert smcmesh("doctor", "--explain", "ueid", "--check").returncode == 2


def test_what_each_way_needs_and_cannot_do_is_said(agent):
    """Of a row that is taken its limits, of one that cannot be had its needs."""
    status = agent.get("/v1/status")
    rows = {(m["kind"], m["name"]): m for m in status["methods"]}
    smc, ctrl = rows["converter", "sockproto"], rows["selector", "hs_ctrl"]
    assert not smc["possible"] and "ipproto_smc" in smc["lacks"], smc
    assert not ctrl["possible"] and "hs_ctrl" in ctrl["lacks"], ctrl
    assert "io_uring" in smc["cannot"] and ctrl["cannot"] == ""
    report = json.loads(smcmesh("doctor", "-o", "json").stdout)
    assert report["methods"] == status["methods"]
    text = agent.cli("status").stdout
    assert f"lacks        sockproto: {','.join(smc['lacks'])}\n" in text, text
    assert f"lacks        hs_ctrl: {','.join(ctrl['lacks'])}\n" in text, text
    # control: what is not taken has no limits here; what is taken lacks nothing
    assert "io_uring" not in text and "sockops: cgroup2" not in text, text
    limits = f"sockops: {rows['recorder', 'sockops']['cannot']}\n"
    assert f"limits     {limits}" in smcmesh("doctor").stdout
    assert limits not in text and status["recorder"] == "none", text


def test_cleanup_run_by_nobody_does_not_say_clean():
    """Who may not look does not say that it is clean."""
    r = smcmesh_as_nobody("cleanup", "--list", "--bpffs", "/nonexistent")
    assert r.returncode == 1 and "Nothing of" not in r.stdout, r.stdout
    assert "/ns/net: Operation not permitted" in r.stderr, r.stderr
    assert RIGHTS in r.stderr, r.stderr
    r = smcmesh_as_nobody("cleanup", "--bpffs", "/nonexistent",
                          "--run", "/nonexistent")
    assert r.returncode == 1 and "as root" in r.stdout, r.stdout
    assert r.stderr.endswith(RIGHTS + "\n"), r.stderr


def test_cleanup_run_by_nobody_is_refused_by_the_lock(tmp_path):
    """Its lock is in a directory of root's."""
    os.mkdir(tmp_path / "run", 0o700)
    os.chmod(tmp_path, 0o755)
    r = smcmesh_as_nobody("cleanup", f"--run={tmp_path}/run")
    assert r.returncode == 1 and r.stdout == "", r.stdout
    assert "agent.lock: Permission denied" in r.stderr and RIGHTS in r.stderr, \
        r.stderr


def test_cleanup_that_gets_in_nowhere_keeps_the_selector(tmp_path):
    """A namespace of which nothing is known may need the selector: it stays."""
    bpffs, net = tmp_path / "bpf", tmp_path / "proc/7/ns/net"
    net.parent.mkdir(parents=True)
    net.symlink_to("/proc/self/ns/uts")    # of another kind: setns() refuses
    args = [f"--proc={tmp_path}/proc", f"--bpffs={bpffs}",
            f"--run={tmp_path}/run"]
    for how in ([], ["--list"]):
        r = smcmesh("cleanup", *how, *args)
        assert r.returncode == 1 and "Nothing of" not in r.stdout, r.stdout
        assert f"{net}: Invalid argument" in r.stderr, r.stderr
        assert how or "The selector stays for them" in r.stdout, r.stdout
    net.unlink()
    assert smcmesh("cleanup", "--list", *args).returncode == 0
    # and pins that cannot be looked for
    bpffs.write_text("")
    r = smcmesh("cleanup", "--list", *args)
    assert r.returncode == 1 and "smcmesh: Not a directory" in r.stderr, r.stderr
    # which is said once, and not for want of rights
    r = smcmesh("cleanup", *args)
    said = r.stderr.splitlines()
    assert len([x for x in said if "look for pins" in x]) == 1, r.stderr
    assert said and len(said) == len(set(said)), r.stderr
    assert RIGHTS not in r.stderr, r.stderr


def test_cleanup_says_once_what_fails_in_both_passes(tmp_path):
    links = tmp_path / f"bpf/smcmesh/v{ABI}/links"
    links.parent.mkdir(parents=True)
    links.write_text("")
    (tmp_path / "proc").mkdir()
    r = smcmesh("cleanup", f"--proc={tmp_path}/proc", f"--bpffs={tmp_path}/bpf",
                f"--run={tmp_path}/run")
    said = r.stderr.splitlines()
    assert r.returncode == 1, r.stderr
    assert f"list the links in {links}: Not a directory" in r.stderr, r.stderr
    assert len(said) == len(set(said)), r.stderr


def test_metrics_are_clean(agent):
    promtool = os.path.join(rootfs.find(), "usr/bin/promtool")
    wait_for(agent.pods, 10, "the pods")
    text = agent.request("/metrics", unix=False)[1]
    r = subprocess.run([promtool, "check", "metrics"], input=text, text=True,
                       capture_output=True, check=False)
    assert r.returncode == 0 and not r.stdout + r.stderr, r.stdout + r.stderr


def test_metrics_say_what_was_built(agent):
    built = json.loads(smcmesh("version", "-o", "json").stdout)
    assert len(built["commit"]) >= 12, built
    assert agent.samples()["smcmesh_build_info", f'version="{built["version"]}",'
                           f'revision="{built["commit"]}"'] == 1


def test_metrics_tell_what_the_process_uses(agent):
    found = agent.samples()
    with open(f"/proc/{agent.proc.pid}/limits", encoding="ascii") as f:
        most = re.search(r"^Max open files +(\d+)", f.read(), re.M)[1]
    assert found["process_max_fds", ""] == int(most)
    opened = len(os.listdir(f"/proc/{agent.proc.pid}/fd"))
    # with the connection that asks, and without
    assert abs(found["process_open_fds", ""] - opened) <= 2, (found, opened)
    resident = found["process_resident_memory_bytes", ""] / 1024
    assert abs(resident - agent.resident()) < 8192
    # the kernel counts /proc in ticks
    cpu = native.cpu_seconds(agent.proc.pid)
    assert 0 < found["process_cpu_seconds_total", ""] < cpu + 0.5
    assert found["process_start_time_seconds", ""] == found[
        "smcmesh_start_time_seconds", ""]


def test_news_is_timed_until_the_maps_have_it(agent):
    def counted():
        return agent.samples()["smcmesh_event_to_map_seconds_count", ""]

    before = wait_for(counted, 10, "the first news")
    agent.set(*world(a="true", b="true"))
    wait_for(lambda: counted() > before, 10, "the next news")
    found = agent.samples()
    assert found["smcmesh_event_to_map_seconds_bucket", 'le="+Inf"'] == found[
        "smcmesh_event_to_map_seconds_count", ""]
    # nothing is armed here
    assert found["smcmesh_pod_arming_seconds_count", ""] == 0


@pytest.mark.parametrize("labels", ["namespace", "none"])
def test_metrics_name_no_pod_where_told(tmp_path, labels):
    a = Agent(tmp_path, "--metrics-labels", labels)
    a.set(*world(very_secret="true"))
    with native.bpffs(a.bpffs):
        try:
            a.start()
            wait_for(a.pods, 10, "the pods")
            text = a.request("/metrics", unix=False)[1]
        finally:
            a.end()
    assert "secret" not in text and "pod=" not in text
    assert 'smcmesh_pods{state="not-armed",reason="no-converter"} 1' in text


def test_control_socket_is_private(agent):
    def mode(path):
        return stat.S_IMODE(os.stat(path).st_mode)

    assert mode(agent.run_dir) == 0o700
    assert mode(f"{agent.run_dir}/agent.sock") == 0o600
    r = smcmesh_as_nobody("status", "--run", agent.run_dir)
    assert r.returncode == 1 and r.stdout == "", r.stdout


def test_second_agent_is_refused(agent):
    r = subprocess.run(agent.argv, text=True, capture_output=True, timeout=30,
                       check=False)
    assert r.returncode == 1
    assert f"pid={agent.proc.pid} " in r.stderr, r.stderr
    assert agent.get("/v1/status")["pid"] == agent.proc.pid


def test_cleanup_is_refused_while_it_runs(agent):
    r = smcmesh("cleanup", *agent.args)
    assert r.returncode == 1 and r.stdout == ""
    assert f"pid {agent.proc.pid}:" in r.stderr, r.stderr
    assert agent.get("/v1/status")["ready"]


def test_killed_agent_is_replaced(agent):
    """The lock and the socket of a dead one are no obstacle."""
    assert agent.stop(signal.SIGKILL) == -signal.SIGKILL
    r = agent.cli("status")
    assert r.returncode == 1 and "no agent answers" in r.stderr
    os.truncate(agent.log, 0)
    agent.start()
    assert agent.get("/v1/status")["pid"] == agent.proc.pid


def test_broken_json_keeps_the_state(agent):
    wait_for(agent.pods, 10, "the pods")

    def problem():
        return agent.get("/v1/status")["source"]["problem"]

    agent.write('{"kind": "List",\n "items": [}')
    wait_for(lambda: "line 2" in problem(), 10, "the problem")
    assert set(agent.pods()) == {"a", "b"}
    assert agent.get("/v1/status")["ready"]
    assert agent.samples()["smcmesh_source_ok", ""] == 0
    assert "stays in force" in agent.said()
    os.unlink(agent.list)
    wait_for(lambda: "No such file" in problem(), 10, "the other problem")
    assert set(agent.pods()) == {"a", "b"}
    agent.set(*world(a="true"))
    wait_for(lambda: set(agent.pods()) == {"a"}, 10, "the new world")
    assert problem() == "" and agent.samples()["smcmesh_source_ok", ""] == 1


def test_annotation_that_is_not_understood_is_named(agent):
    agent.set(*world(a="yes"))
    pod = wait_for(lambda: (p := agent.pods()["a"])["reason"] ==
                   "bad-annotation" and p, 10, "the reason")
    assert "yes" in pod["sentence"] and "true" in pod["sentence"], pod


def test_empty_list_forgets_all_pods(agent):
    wait_for(agent.pods, 10, "the pods")
    agent.set()
    wait_for(lambda: not agent.pods(), 10, "no pods")
    assert agent.get("/v1/status")["ready"]


def test_sighup_reads_again(agent):
    wait_for(agent.pods, 10, "the pods")
    before = agent.get("/v1/status")["reconciles"]
    agent.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: agent.get("/v1/status")["reconciles"] > before, 4,
             "another reconcile")
    assert "SIGHUP" in agent.said()


def test_stop_ends_the_readers_of_the_stream(agent):
    """Their connections are suspended, which libmicrohttpd does not forgive."""
    sock = f"{agent.run_dir}/agent.sock"
    readers = [UnixConnection(sock) for _ in range(3)]
    for c in readers:
        c.request("GET", "/v1/flows?follow=1")
    answers = [c.getresponse() for c in readers]
    assert [r.status for r in answers] == [200] * 3
    half = UnixConnection(sock)
    half.connect()
    half.sock.sendall(b"GET /v1/fl")    # a request that never ends
    assert agent.get("/v1/status")["ready"]    # nobody is kept waiting
    assert agent.stop() == 0
    assert [r.read() for r in answers] == [b""] * 3    # ended, not cut off
    for c in [*readers, half]:
        c.close()
    assert not os.path.exists(sock)


def test_quarantine_without_maps_is_empty(agent):
    """There are no maps here: nothing is held against anybody."""
    assert agent.get("/v1/quarantine") == {"quarantine": []}
    told = agent.cli("quarantine", "--no-headers")
    assert (told.returncode, told.stdout) == (0, ""), told
    assert told.stderr == "smcmesh: no peer is in quarantine\n", told
    for peer in "all", "10.1.0.2:80", "[fd00::2]:80":
        told = agent.cli("quarantine", "clear", peer)
        assert told.returncode == 1, told
        assert "nothing was held against" in told.stdout
        told = agent.cli("quarantine", "-o", "json", "clear", peer)
        assert told.returncode == 1, told
        assert json.loads(told.stdout) == {"peer": peer, "cleared": 0}
    path = "/v1/quarantine/clear"
    assert agent.request(path + "?peer=all")[0] == 405    # a GET does nothing
    for bad in "", "?peer", "?peer=10.1.0.2", "?peer=fd00::2:80":
        status, body = agent.request(path + bad, "POST")
        assert status == 400 and "expected ADDRESS:PORT" in body, (bad, body)


def test_what_a_large_world_took_is_given_back(agent):
    """A list of the cluster is freed in small pieces, all over the heap, which
    malloc() keeps. With the next resync they go back."""
    mib, resident = 1 << 10, agent.resident
    small = world(a="true")
    wait_for(agent.pods, 10, "the pods")
    before = resident()
    agent.set(*small, *(
        manifest.node(f"m{n}", [
            manifest.endpoint(f"10.{n}.{i >> 8}.{i & 255}", f"p{i}")
            for i in range(400)]) for n in range(100)))
    wait_for(lambda: resident() > before + 16 * mib, 30, "a large world")
    agent.set(*small)
    wait_for(lambda: resident() < before + 4 * mib, 100, "a small process")


def test_what_is_large_is_given_back_at_once(agent):
    """A file's text; also when it is read again, where malloc() would have
    learnt to keep so much."""
    wait_for(agent.pods, 10, "the pods")
    before = agent.resident()
    for name in "cdef":
        agent.write(manifest.text(*world(**{name: "true"})) + " " * (24 << 20))
        wait_for(lambda n=name: n in agent.pods(), 30, f"pod {name}")
        assert agent.resident() < before + (8 << 10), name


def test_requests_that_cannot_be_are_refused(agent):
    status, body = agent.request("/v2/status")
    assert status == 404 and "/v1/status" in body
    assert agent.request("/v1/status", "POST")[0] == 405
    assert agent.request("/metrics", "DELETE", unix=False)[0] == 405
    assert agent.request("/v1/status", unix=False)[0] == 404
    assert agent.request("/metrics")[0] == 404
    assert agent.get("/v1/flows?limit=3") == {
        "total": 0, "matched": 0, "shown": 0, "flows": [],
        "lost": {"events": 0, "flows": 0}}
    status, body = agent.request("/v1/flows?limit=3x")
    assert status == 400 and "limit=3x: expected a number" in body


@pytest.mark.parametrize("rc,option,value,says", [
    (2, "--listen", "nowhere", "expected ADDRESS:PORT"),
    (2, "--listen", "127.0.0.1:99999", "expected ADDRESS:PORT"),
    (2, "--listen", "::1:80", "expected ADDRESS:PORT, e.g. 127.0.0.1:9469\n"),
    (1, "--listen", "192.0.2.1:80", "listen on 192.0.2.1:80"),
    (2, "--source", "ftp://x", "--source ftp://x: expected file:PATH or kube\n"),
])
def test_options_that_cannot_be_are_refused(tmp_path, rc, option, value, says):
    options = {"--listen": "127.0.0.1:0", "--run": f"{tmp_path}/run",
               "--source": f"file:{tmp_path}/pods.json", option: value}
    r = smcmesh("agent", *[x for o in options.items() for x in o])
    assert r.returncode == rc and says in r.stderr, r


def test_agent_without_capabilities_says_which(tmp_path):
    """It says which, and what to do."""
    os.chmod(tmp_path, 0o777)
    for parent in list(tmp_path.parents)[:2]:
        os.chmod(parent, 0o755)
    r = smcmesh_as_nobody("agent", "--run", f"{tmp_path}/run", "--listen",
                          "127.0.0.1:0", "--source",
                          f"file:{tmp_path}/pods.json")
    assert r.returncode == 1
    assert "CAP_BPF" in r.stderr and "run the agent as root" in r.stderr, r

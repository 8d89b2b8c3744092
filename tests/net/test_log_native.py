# SPDX-License-Identifier: Apache-2.0
"""The agent's log, and what it tells a service manager, on this machine's own
kernel."""
import datetime
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import time

import pytest

from smclab import manifest, native, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class Agent(native.Agent):
    """With a List in a file as its source; it is started by who made it."""

    def __init__(self, tmp, *args, env=None):
        self.list = f"{tmp}/pods.json"
        super().__init__(tmp, f"file:{self.list}", *args, env=env)
        self.set("true")

    def set(self, enabled):
        pod = manifest.pod("web", "n1", "10.99.0.1", "/run/netns/no-web",
                           enabled=enabled)
        with open(self.list + ".new", "w", encoding="utf-8") as f:
            f.write(manifest.text(manifest.mesh(), pod))
        os.rename(self.list + ".new", self.list)

    def launch(self, says="running,"):
        with open(self.log, "a", encoding="utf-8") as log:
            self.proc = subprocess.Popen(self.argv, stderr=log, env=self.env)
        wait_for(lambda: says in self.said(), 30, "the agent")
        wait_for(lambda: "pod default/web is not armed" in self.said(), 10,
                 "the pod's line")

    def lines(self):
        return self.said().splitlines()

    def cli(self, *args):
        return subprocess.run([native.SMCMESH, *args, "--run", self.run_dir],
                              text=True, capture_output=True, timeout=60,
                              check=False)


@pytest.fixture
def make(tmp_path):
    made = []

    def start(*args, env=None, **kw):
        a = Agent(tmp_path, *args, env=env)
        made.append(a)
        a.launch(**kw)
        return a

    with native.bpffs(f"{tmp_path}/bpf"):
        yield start
        for a in made:
            a.end()


def is_now(text):
    then = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    return abs(then - datetime.datetime.utcnow()).total_seconds() < 120


def pod_line(lines):
    return next(x for x in lines if "is not armed" in x)


# ---- formats ----------------------------------------------------------------

def test_text_has_the_time_and_the_reasons_word(make):
    lines = make().lines()
    for x in lines:
        m = re.match(rf"({TIME}) (info|warning): ", x)
        assert m and is_now(m[1]), x
    assert re.search(r", reason=[a-z-]+$", pod_line(lines)), lines
    assert "namespace=" not in pod_line(lines)    # the sentence has it


def test_json_is_an_object_a_line(make):
    lines = [json.loads(x) for x in make("--log-format", "json").lines()]
    assert all(is_now(x["time"]) and x["level"] and x["msg"] for x in lines)
    pod = next(x for x in lines if "is not armed" in x["msg"])
    assert (pod["namespace"], pod["pod"]) == ("default", "web"), pod
    assert re.fullmatch(r"[a-z-]+", pod["reason"]), pod
    assert list(pod)[:3] == ["time", "level", "msg"], pod


def test_logfmt_is_pairs(make):
    a = make("--log-format=logfmt")
    for x in a.lines():
        pairs = [p.partition("=") for p in shlex.split(x)]
        assert [p[0] for p in pairs[:3]] == ["time", "level", "msg"], x
        assert all(p[1] == "=" and re.fullmatch(r"[a-z_]+", p[0])
                   for p in pairs), x
    pod = dict(p.split("=", 1) for p in shlex.split(pod_line(a.lines())))
    assert pod["namespace"] == "default" and pod["pod"] == "web", pod
    assert re.fullmatch(r"[a-z-]+", pod["reason"]), pod


def journal(tmp_path, other=0):
    """JOURNAL_STREAM, for a log at the place where the agent's is."""
    log = tmp_path / "log"
    log.touch()
    st = log.stat()
    return {"JOURNAL_STREAM": f"{st.st_dev}:{st.st_ino + other}"}


@pytest.mark.parametrize("form, begins", [
    ("text", r"<[46]>(info|warning): "),
    ("logfmt", r"<[46]>level=(info|warning) msg="),
    ("json", r'<[46]>\{"level":"(info|warning)",')])
def test_the_journal_gets_levels_and_no_time(make, tmp_path, form, begins):
    lines = make("--log-format", form, env=journal(tmp_path)).lines()
    level = {"info": "<6>", "warning": "<4>"}
    for x in lines:
        m = re.match(begins, x)
        assert m and x.startswith(level[m[1]]), x
    assert "<6>" in {x[:3] for x in lines}
    assert not re.search(TIME, "".join(lines)), lines


def test_stderr_that_is_not_the_journals_has_the_time(make, tmp_path):
    """The variable is inherited; it names another stream."""
    for x in make(env=journal(tmp_path, other=1)).lines():
        assert re.match(TIME, x), x


def test_unknown_format_is_refused(tmp_path):
    r = subprocess.run([native.SMCMESH, "agent", "--log-format", "xml"],
                       text=True, capture_output=True, timeout=60, check=False)
    assert r.returncode == 2 and "text|logfmt|json, not xml" in r.stderr, r


# ---- level ------------------------------------------------------------------

def test_level_is_changed_while_it_runs(make):
    a = make()
    assert a.get("/v1/log-level") == {"level": "info", "was": "info"}
    assert " debug: " not in a.said()
    r = a.cli("log-level", "debug")
    assert (r.returncode, r.stdout) == (0, "debug, and was info\n"), r
    assert "the log's level is debug, and was info" in a.said()
    a.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: " debug: reconciled, pods=1 " in a.said(), 20,
             "a line of that level")
    r = a.cli("log-level", "error", "-o", "json")
    assert json.loads(r.stdout) == {"level": "error", "was": "debug"}, r
    assert "the log's level is error, and was debug" in a.said()
    before = len(a.lines())
    a.proc.send_signal(signal.SIGHUP)
    turns = a.get("/v1/status")["reconciles"]
    a.set("maybe")
    wait_for(lambda: a.get("/v1/status")["reconciles"] > turns and
             a.get("/v1/pods")["pods"][0]["reason"] == "bad-annotation", 10,
             "the pod")
    assert a.lines()[before:] == []
    assert a.cli("log-level").stdout == "error\n"


def test_level_that_there_is_not_is_refused(make):
    a = make()
    r = a.cli("log-level", "loud")
    assert r.returncode == 2 and r.stdout == "", r
    assert "expected error|warning|info|debug, not loud" in r.stderr, r
    for query in "", "?level", "?level=DEBUG", "?level=debug%20":
        status, body = a.request("/v1/log-level/set" + query, "POST")
        assert status == 400 and "expected error|warning" in body, (query, body)
    # to ask is no change, and the other way round
    assert a.request("/v1/log-level/set?level=debug")[0] == 405
    assert a.request("/v1/log-level", "POST")[0] == 405
    assert a.request("/v1/log-level", unix=False)[0] == 404
    assert a.get("/v1/log-level")["level"] == "info"


def test_level_is_for_root_only(make):
    r = native.smcmesh_as_nobody("log-level", "debug", "--run", make().run_dir)
    assert r.returncode == 1 and r.stdout == "", r


# ---- a service manager ------------------------------------------------------

class Manager:
    """Its socket, and what the agent said there."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("\0" + path[1:] if path.startswith("@") else path)
        self.got = []

    def take(self, seconds):
        """The next message; None: there was none for so long."""
        self.sock.settimeout(seconds)
        try:
            self.got.append(self.sock.recv(65536).decode())
        except TimeoutError:
            return None
        return self.got[-1]

    def until(self, word, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            said = self.take(end - time.monotonic())
            if said and word in said.splitlines():
                return said
        raise AssertionError(f"no {word} in {self.got}")

    def drain(self):
        while self.take(0.001):
            pass


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    path = f"{tmp_path}/notify" if request.param == "path" else \
        f"@smcmesh-test-{os.getpid()}"
    m = Manager(path)
    m.env = {"NOTIFY_SOCKET": path}
    yield m
    m.sock.close()


def test_states_are_told(make, manager):
    a = make(env=manager.env)
    said = manager.until("READY=1")
    assert re.search(r"^STATUS=pods armed: 0; not ready: nothing was read", said,
                     re.M), said
    wait_for(lambda: "STATUS=pods armed: 0; ready: " in
             (manager.take(1) or ""), 20, "the other status")
    manager.drain()
    a.proc.send_signal(signal.SIGHUP)
    said = manager.until("RELOADING=1")
    usec = int(re.search(r"^MONOTONIC_USEC=(\d+)$", said, re.M)[1])
    assert abs(usec / 1e6 - time.clock_gettime(time.CLOCK_MONOTONIC)) < 60
    assert "READY=1" not in said
    manager.until("READY=1")
    # nobody wants signs of life
    assert a.stop() == 0
    manager.drain()
    assert manager.got[-1] == "STOPPING=1"
    assert "WATCHDOG=1" not in manager.got


def test_the_watchdog_hears_of_the_loop(make, manager):
    a = make(env={**manager.env, "WATCHDOG_USEC": "400000"})
    manager.until("READY=1")
    began = time.monotonic()
    for _ in range(5):
        manager.until("WATCHDOG=1", 10)
    assert time.monotonic() - began > 0.5    # not as fast as it can
    # the loop stands still: no thread says that it goes
    a.proc.send_signal(signal.SIGSTOP)
    manager.drain()
    assert manager.take(2) is None
    a.proc.send_signal(signal.SIGCONT)
    manager.until("WATCHDOG=1", 10)


def test_signs_of_life_are_the_processes_that_was_asked(make, manager):
    make(env={**manager.env, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"})
    manager.until("READY=1")
    while manager.take(1):
        pass
    assert "WATCHDOG=1" not in manager.got


def test_manager_that_is_not_there_is_said_once(make, tmp_path):
    a = make(env={"NOTIFY_SOCKET": f"{tmp_path}/gone",
                  "WATCHDOG_USEC": "20000"})
    said = f"tell the service manager (NOTIFY_SOCKET={tmp_path}/gone): "
    before = a.get("/v1/status")["reconciles"]
    a.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: a.get("/v1/status")["reconciles"] > before, 10, "a turn")
    assert a.said().count(said) == 1, a.said()

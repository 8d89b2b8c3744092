# SPDX-License-Identifier: Apache-2.0
"""`smcmesh run` where it can accelerate nothing: without an agent, with one on a
kernel without SMC, with one that never answers. The program runs, its own master, and
one line says why it is plain TCP. And what an agent says of smcmesh.io/cgroup.
"""
import contextlib
import glob
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from smclab import manifest, native, paths, wait_for
from smclab.native import SMCMESH

SIGNALS = ["grep", "^Sig[BI]", "/proc/self/status"]    # blocked, ignored
# the network namespace of process 1 is the host's, and these tests have another
AS_HOST = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def capable():
    done = subprocess.run([SMCMESH, "doctor", "-o", "json"], text=True,
                          capture_output=True, timeout=60, check=False)
    return json.loads(done.stdout)["capable"]


def run(*argv, rundir="/nonexistent", options=(), **kw):
    return subprocess.run([*(AS_HOST if rundir != "/nonexistent" else []), SMCMESH,
                           "run", "--run", rundir, *options, *argv], text=True,
                          capture_output=True, timeout=60, check=False, **kw)


def plain(done, why, rc=0):
    """It ran, and one line says why as plain TCP."""
    line, = done.stderr.splitlines()
    assert line.startswith("smcmesh run: ") and " runs as plain TCP: " in line
    assert why in line and done.returncode == rc, done
    return done.stdout


@pytest.fixture(name="rundir")
def _rundir(tmp_path):
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    return str(path)


@contextlib.contextmanager
def mute(rundir):
    """An agent that takes each connection, and says nothing."""
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(f"{rundir}/agent.sock")
        s.listen(16)
        yield


def own_cgroups():
    return set(glob.glob("/sys/fs/cgroup/**/smcmesh.run-*", recursive=True))


# ---- without an agent ------------------------------------------------------------

def test_without_an_agent_the_program_runs_as_it_would():
    done = run("--", "sh", "-c", "cat; echo of $1 >&2; exit 7", "x", "--run",
               input="in\n")
    said, of = done.stderr.splitlines()
    assert "no agent answers on /nonexistent/agent.sock" in said
    assert of == "of --run" and done.stdout == "in\n" and done.returncode == 7


def test_what_follows_the_program_is_its_own():
    for dashes in ((), ("--",)):
        out = plain(run(*dashes, "echo", "-h", "--wait", "--", "x"), "no agent")
        assert out == "-h --wait -- x\n"


def test_signals_are_the_programs():
    done = run("sh", "-c", "kill -USR1 $$")
    assert done.returncode == -signal.SIGUSR1
    assert plain(run(*SIGNALS), "no agent") == subprocess.run(
        SIGNALS, text=True, capture_output=True, check=True).stdout


def test_program_that_cannot_be_started_has_the_shells_status(tmp_path):
    (tmp_path / "data").write_text("no program")
    for name, rc in (("/nonexistent/program", 127), ("no-such-program", 127),
                     (str(tmp_path / "data"), 126), (str(tmp_path), 126)):
        done = run(name)
        assert done.returncode == rc, done
        assert done.stderr.splitlines()[1].startswith(f"smcmesh run: {name}: ")


@pytest.mark.parametrize("argv", [(), ("--",), ("--wait", "x", "true"),
                                  ("--wait", "-1", "true"),
                                  ("--wait", "61", "true"),
                                  ("--wait", "nan", "true"), ("--who", "true")])
def test_wrong_usage_starts_nothing(argv):
    done = subprocess.run([SMCMESH, "run", *argv], text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 2 and done.stdout == "", done
    assert done.stderr.startswith("smcmesh run: "), done


# ---- with something that answers, or does not ------------------------------------

def test_agent_that_says_nothing_is_waited_for_no_longer(rundir):
    before = own_cgroups()
    with mute(rundir):
        start = time.monotonic()
        out = plain(run("echo", "ran", rundir=rundir,
                        options=["--wait", "0.3"]), "the agent's answer")
        assert out == "ran\n" and time.monotonic() - start < 10
    assert own_cgroups() == before


def test_dead_agents_socket_is_no_agent(rundir):
    with mute(rundir):
        pass
    before = own_cgroups()
    plain(run("true", rundir=rundir), "no agent answers on")
    assert own_cgroups() == before


def test_other_network_namespace_is_plain(rundir):
    with mute(rundir):
        done = subprocess.run([*AS_HOST, "sh", "-c", 'unshare -n "$@"; :', "x",
                               SMCMESH, "run", "--run", rundir, "true"],
                              text=True, capture_output=True,
                              timeout=60, check=False)
        plain(done, "this network namespace is not the host's")


def test_others_than_root_are_plain(rundir):
    """The program is found by whoever asks, the agent is not."""
    os.chmod(os.path.dirname(rundir), 0o755)
    with mute(rundir), open(SMCMESH, "rb") as f:
        done = subprocess.run([f"/proc/self/fd/{f.fileno()}", "run", "--run",
                               rundir, "id", "-u"], text=True, pass_fds=[f.fileno()],
                              capture_output=True, timeout=60, check=False,
                              user=65534, group=65534, extra_groups=[])
    assert plain(done, "is for root only") == "65534\n"


# ---- with an agent that cannot ---------------------------------------------------

@pytest.fixture(name="agent")
def _agent(tmp_path):
    if capable():
        pytest.skip("this kernel can do SMC: see tests/vm")
    source = tmp_path / "pods.json"
    example = pathlib.Path(paths.TREE, "deploy/examples/programs.json")
    source.write_text(manifest.text(
        *json.loads(example.read_text())["items"],
        manifest.pod("bad", "n1", [], annotations={
            "smcmesh.io/cgroup": "nginx.service"})))
    with native.bpffs(f"{tmp_path}/bpf"):
        agent = native.Agent(str(tmp_path), f"file:{source}")
        try:
            yield agent.start()
        finally:
            agent.end()


def test_incapable_kernel_is_said_and_leaves_no_cgroup(agent):
    before = own_cgroups()
    start = time.monotonic()
    done = run("sh", "-c", "cat /proc/self/cgroup; exit 3", rundir=agent.run_dir,
               options=["--wait", "30"])
    out = plain(done, "no-", 3)
    # it is told at once that waiting is of no use
    assert time.monotonic() - start < 20
    assert "smcmesh.run" not in out
    assert own_cgroups() == before


def test_cgroup_of_an_entry_is_read(agent):
    pods = {p["name"]: p for p in agent.get("/v1/pods")["pods"]}
    for name in ("nginx", "redis"):
        assert pods[name]["host_network"]
        assert pods[name]["reason"] == "no-converter"
    assert pods["bad"]["reason"] == "bad-annotation"
    assert "annotation smcmesh.io/cgroup is \"nginx.service\", expected a " \
        "cgroup's path" in pods["bad"]["sentence"]


@pytest.mark.parametrize("path,why", [
    ("", "no cgroup of smcmesh run"), ("/", "no cgroup of smcmesh run"),
    ("/a/../smcmesh.run-x-1", "no cgroup of smcmesh run"),
    ("smcmesh.run-x-1", "no cgroup of smcmesh run"),
    ("/smcmesh.run-x-1/below", "no cgroup of smcmesh run")])
def test_only_cgroups_of_run_are_taken(agent, path, why):
    status, body = agent.request("/v1/run?cgroup=" + path, "POST")
    assert status in (400, 500) and why in body, body
    wait_for(lambda: {p["namespace"] for p in agent.get("/v1/pods")["pods"]} ==
             {"default"}, 5, "only the entries to be known")

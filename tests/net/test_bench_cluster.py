# SPDX-License-Identifier: Apache-2.0
"""`smcmesh bench --cluster` with a kubectl that has no cluster (fakekubectl.py): what
it asks for and in which order, what it makes of the answers, and that it takes away
what it made, whatever ended it. In a real cluster: k8s/test_bench.py.
"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess

import pytest
import yaml

from smclab import wait_for
from smclab.fakekubectl import NS, FakeKubectl
from smclab.native import FAULTS, SMCMESH

REPORT = str(pathlib.Path(__file__).parent / "bench/fortio.json")
DELETE = ["delete", "namespace", NS, "--wait=false"]


class Place:
    def __init__(self, tmp):
        self.tmp, self.results, fake = tmp / "tmp", tmp / "results", tmp / "kube"
        for path in (self.tmp, self.results, fake):
            path.mkdir()
        self.kube = FakeKubectl(fake)
        self.env = {**self.kube.env, "TMPDIR": str(self.tmp)}
        self.order()

    def order(self, **kw):
        self.kube.order(report=REPORT, **kw)

    def argv(self, *options):
        return ["bench", "--cluster", "-t1", "-c4", "--kubectl",
                self.kube.command, *options]

    def bench(self, *options, binary=SMCMESH, **env):
        return subprocess.run([binary, *self.argv(*options)], text=True,
                              env={**self.env, **env}, capture_output=True,
                              timeout=300, check=False)

    @contextlib.contextmanager
    def started(self, *options):
        with subprocess.Popen([SMCMESH, *self.argv(*options)], env=self.env,
                              text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as proc:
            try:
                yield proc
            finally:
                proc.kill()

    def is_clean(self):
        return not list(self.tmp.iterdir())


@pytest.fixture(name="place")
def _place(tmp_path):
    return Place(tmp_path)


def test_two_pairs_are_made_measured_and_taken_away(place):
    place.order(smc={"smcr": 4, "software_rdma": "rxe0"})
    r = place.bench("--no-paced", "-ojson", f"--directory={place.results}")
    assert r.returncode == 0, r
    told = json.loads(r.stdout)
    assert told["verdict"] == "said" and told["software_rdma"] == "rxe0"
    for side, kind in ("tcp", "plain"), ("smc", "smc"), ("control", "plain"):
        one = told["sides"][side]
        assert one["target"] == kind + "-server:8080"
        assert one["started_by"] == f"{NS}/{kind}-client-x"
        for run in one["runs"]:
            assert run["connections"]["smcr" if kind == "smc" else "tcp"] == 4
            assert run["cpu_seconds_per_request"] > 0
            assert run["client_cpu_seconds_per_request"] is None
    assert (told["machine"]["name"], told["server_machine"]["name"]) == ("n1", "n2")
    assert told["machine"]["kernel"] == "7.3.4"
    # the guide's load, from inside of the pods, in turns
    started = place.kube.called("load")
    loads = [c for c in started if c[c.index("-c") + 1] == "4"]
    pods = [c[c.index("exec") + 1] for c in loads]
    assert pods == ["plain-client-x", "smc-client-x"] + [
        "plain-client-x", "smc-client-x", "plain-client-x"] * 3
    assert all(c[-1] == f"http://{pod.split('-')[0]}-server:8080/echo"
               for c, pod in zip(loads, pods))
    assert all(c[c.index("-qps") + 1] == "100000" for c in loads[2:])
    # before each of SMC one connection that keeps the RDMA path in use
    keepers = [i for i, c in enumerate(started) if c not in loads]
    assert len(keepers) == 4
    for i in keepers:
        assert started[i][started[i].index("-qps") + 1] == "1"
        assert "smc-client-x" in started[i] and "smc-client-x" in started[i + 1]
    # who looks: the agent of the client's node, and for its CPU the server's
    looks = place.kube.called("look")
    assert sorted(c[c.index("-i") + 1] for c in looks) == sorted(
        ["agent-1", "agent-2"] * len(loads))
    assert ["10.96.0.1:8080", "--pod", f"{NS}/plain-client-x"] in [
        c[-3:] for c in looks]
    assert place.kube.calls()[0] == ["create", "namespace", NS]
    assert DELETE in place.kube.calls()
    assert yaml.safe_load_all(place.kube.applied())
    page = (place.results / "bench.html").read_text()
    assert "rxe0, an RDMA device made of software" in page and "n1 to n2" in page
    assert json.loads((place.results / "bench.json").read_text()) == told
    assert place.is_clean()


def test_on_one_node_one_agent_looks(place):
    place.order(server="n1", smc={"smcd": 4})
    r = place.bench("--no-paced", "--one-node", "--image=registry/fortio:1")
    assert r.returncode == 0 and "SMC-D 4" in r.stdout, r
    assert {c[c.index("-i") + 1] for c in place.kube.called("look")} == {"agent-1"}
    made = list(yaml.safe_load_all(place.kube.applied()))
    for spec in (d["spec"]["template"]["spec"] for d in made
                 if d["kind"] == "Deployment"):
        assert list(spec["affinity"]) == ["podAffinity"], "on no other node"
        assert spec["containers"][0]["image"] == "registry/fortio:1"


def test_pair_that_stays_tcp_is_explained_and_not_measured(place):
    place.order(smc={"tcp": 4, "why": "the mesh is switched off",
                     "remedy": "switch it on"})
    r = place.bench(binary=FAULTS, SMCMESH_HURRY="30")
    assert r.returncode == 1 and r.stdout == "", r
    assert "nothing was measured: connections between the annotated pods are TCP" \
        in r.stderr
    assert "\nWhy: the mesh is switched off\nWhat to do: switch it on\n" in r.stderr
    assert DELETE in place.kube.calls() and place.is_clean()


def test_namespace_of_another_bench_is_left_alone(place):
    place.order(exists=True)
    r = place.bench()
    assert r.returncode == 3 and r.stdout == "", r
    assert f"the namespace {NS} is there already" in r.stderr
    assert f"kubectl delete namespace {NS}" in r.stderr
    assert place.kube.calls() == [["create", "namespace", NS]] and place.is_clean()


def wait_called(place, *words):
    wait_for(lambda: place.kube.called(*words), 60, f"a call with {words}")


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_signal_while_it_waits_for_pods_takes_them_away(place, sig):
    place.order(ready=False)
    with place.started() as proc:
        wait_called(place, "--for=condition=Available")
        proc.send_signal(sig)
        assert proc.wait(60) == -sig, proc.stderr.read()
    assert place.kube.calls()[-1] == DELETE and place.is_clean()


def running():
    """Command lines of fake kubectls that have not ended."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b"fakekubectl.py" in path.read_bytes():
                found.append(path.read_bytes())
    return found


def test_signal_during_a_run_ends_it_and_takes_the_pods_away(place):
    before = running()
    place.order(load="waits")
    with place.started() as proc:
        wait_called(place, "load")
        proc.send_signal(signal.SIGINT)
        assert proc.wait(60) == -signal.SIGINT, proc.stderr.read()
    assert place.kube.calls()[-1] == DELETE and place.is_clean()
    wait_for(lambda: len(running()) <= len(before), 20, "kubectl's end")


def test_kept_pods_stay(place):
    place.order(look=False)
    r = place.bench("--keep")
    assert r.returncode == 3 and f"the namespace {NS} stays" in r.stderr, r
    assert not place.kube.called("delete")


def test_agent_that_cannot_look_is_named(place):
    place.order(look=False)
    r = place.bench()
    assert r.returncode == 3, r
    assert "smcmesh-system/agent-1 does not look at connections" in r.stderr
    assert "expected server, not look" in r.stderr, "what it said"
    assert DELETE in place.kube.calls()


def test_client_that_is_killed_is_said(place):
    place.order(load="killed")
    r = place.bench(binary=FAULTS, SMCMESH_HURRY="30")
    assert r.returncode == 1 and r.stdout == "", r
    assert "nothing was measured: fortio: " in r.stderr
    assert "command terminated with exit code 137" in r.stderr
    assert DELETE in place.kube.calls() and place.is_clean()


def test_node_without_an_agent_is_named(place):
    place.order(agents={"n1": "agent-1"})
    r = place.bench("--agents=elsewhere")
    assert r.returncode == 3 and "smcmesh bench: n2: no pod of the agent runs " \
        "there, in the namespace elsewhere" in r.stderr, r
    assert DELETE in place.kube.calls()


def test_what_kubectl_says_is_passed_on(place):
    place.order(forbidden="apply")
    r = place.bench()
    assert r.returncode == 3 and "apply is forbidden" in r.stderr, r
    assert DELETE in place.kube.calls()
    place.order(forbidden="delete", look=False)
    r = place.bench()
    assert r.returncode == 3, r
    assert f"{NS} could not be deleted and stays: Error from server (Forb" in r.stderr


def test_without_kubectl_it_says_so(place):
    r = subprocess.run([SMCMESH, "bench", "--cluster", "--kubectl=kubectl-none x"],
                       env=place.env, text=True, capture_output=True, timeout=60,
                       check=False)
    assert r.returncode == 3 and "kubectl-none: No such file" in r.stderr, r
    assert place.is_clean()


@pytest.mark.parametrize("argv,said", [
    (["--cluster", "client"], "--cluster with an operand"),
    (["--cluster", "--tcp=a:1"], "--tcp is for client"),
    (["--cluster", "--pod=a/b"], "--pod is for client"),
    (["--cluster", "--generator=wrk"], "--cluster has fortio make the load"),
    (["--cluster", "--kubectl="], "--kubectl names no program"),
    (["--cluster", "--rounds=1"], "--rounds is a number from 3 to 100, not 1"),
    (["look", "10.0.0.1:80"], "look takes ADDRESS:PORT and --pod"),
    (["look", "x", "--pod=a/b"], "expected ADDRESS:PORT, not x"),
    (["look", "10.0.0.1:80", "--pod=ab"], "expected NAMESPACE/POD, not ab"),
])
def test_wrong_usage_is_said(argv, said):
    r = subprocess.run([SMCMESH, "bench", *argv], text=True, capture_output=True,
                       timeout=60, check=False)
    assert r.returncode == 2 and r.stdout == "" and said in r.stderr, r


# ---- what the agents' containers run ---------------------------------------------

def test_look_tells_each_second_until_nobody_asks():
    with subprocess.Popen([SMCMESH, "bench", "look"], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as proc:
        first, second = (json.loads(proc.stdout.readline()) for _ in range(2))
        proc.stdin.close()
        assert proc.wait(20) == 0
    assert second["busy_seconds"] >= first["busy_seconds"] > 0
    assert first["tcp"] == first["smcr"] == 0
    assert first["machine"]["kernel"] == os.uname().release


def test_look_of_an_unknown_pod_is_refused(tmp_path):
    r = subprocess.run([SMCMESH, "bench", "look", "10.0.0.1:80", "--pod=a/b",
                        f"--run={tmp_path}"], text=True, capture_output=True,
                       stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert r.returncode == 3 and r.stdout == "" and r.stderr, r

# SPDX-License-Identifier: Apache-2.0
"""`smcmesh bench` on this machine's own kernel, which cannot do SMC: the load
generators themselves against its server, recorded reports of theirs, and a bench
that is cut short. Everything is TCP here, so it never says a ratio.
"""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import urllib.request

import pytest
import yaml

from smclab import paths, wait_for
from smclab.native import SMCMESH

RECORDED = pathlib.Path(__file__).parent / "bench"
METRICS = ["requests_per_second", "p50_seconds", "p75_seconds", "p90_seconds",
           "p99_seconds", "p99_9_seconds"]
# what a generator was called with decides where its report goes
FAKES = {
    "fortio": 'while [ "$1" != -json ]; do shift; done\ncp {}/fortio.json "$2"',
    "h2load": 'for a; do case $a in --log-file=*) log=${{a#*=}} ;; esac; done\n'
              'cp {0}/h2load.log "$log"\ncat {0}/h2load.txt',
    "wrk": "cat {}/wrk.txt",
}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")



@contextlib.contextmanager
def serving(*prefix):
    """Our server; gives its HOST:PORT."""
    with subprocess.Popen([*prefix, SMCMESH, "bench", "server", "--listen",
                           "127.0.0.1:0"], text=True,
                          stdout=subprocess.PIPE) as proc:
        try:
            word, at = proc.stdout.readline().split()
            assert word == "listening"
            yield proc, at
        finally:
            proc.terminate()
            assert proc.wait(20) in (0, -signal.SIGKILL)


@pytest.fixture(name="server")
def _server():
    with serving() as (proc, at):
        yield proc, at


class Place:
    """Where a bench runs: its temporary files, the programs that it finds."""

    def __init__(self, tmp):
        self.tmp, self.bin, self.results = tmp / "tmp", tmp / "bin", tmp / "results"
        for path in (self.tmp, self.bin, self.results):
            path.mkdir()
        self.env = {**os.environ, "TMPDIR": str(self.tmp)}

    def only(self, name, script):
        """One program alone is on the PATH, a fake one."""
        path = self.bin / name
        path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        path.chmod(0o755)
        self.env["PATH"] = str(self.bin)

    def argv(self, at, *options):
        return [SMCMESH, "bench", "client", at, "--run=/nonexistent", "-t1", "-c4",
                *options]

    def bench(self, at, *options):
        return subprocess.run(self.argv(at, *options), env=self.env, text=True,
                              capture_output=True, timeout=500, check=False)

    def is_clean(self):
        return not list(self.tmp.iterdir())


@pytest.fixture(name="place")
def _place(tmp_path):
    return Place(tmp_path)


# ---- the server ------------------------------------------------------------------

def test_server_sends_back_what_it_gets(server):
    url = f"http://{server[1]}/echo"
    for body in b"", b"x" * 128, os.urandom(1 << 20):
        with urllib.request.urlopen(url, data=body, timeout=20) as r:
            assert r.status == 200 and r.read() == body
    with pytest.raises(OSError):
        urllib.request.urlopen(url, data=b"x" * ((1 << 20) + 1), timeout=20)
    with urllib.request.urlopen(url, timeout=20) as r:    # and serves on
        assert r.status == 200


def test_server_that_cannot_listen_says_why(server):
    for where, rc, said in ((server[1], 1, f"listen on {server[1]}: Address"),
                            ("8080", 2, "ADDRESS:PORT or [ADDRESS]:PORT, not 8080"),
                            ("nowhere:1", 2, "not nowhere:1")):
        r = subprocess.run([SMCMESH, "bench", "server", "--listen", where],
                           text=True, capture_output=True, timeout=20, check=False)
        assert r.returncode == rc and said in r.stderr, r


# ---- reports that generators left ------------------------------------------------

def recorded(place, name):
    """What is read of a recorded report; the server that is named is not asked."""
    place.only(name, FAKES[name].format(RECORDED))
    r = place.bench("127.0.0.1:9", "-ojson", f"--directory={place.results}")
    told = json.loads(r.stdout)
    # nobody saw a connection, and so there is no ratio
    assert r.returncode == 1 and told["verdict"] == "unseen", r
    assert told["ratio"] is None and place.is_clean()
    assert json.loads((place.results / "bench.json").read_text()) == told
    return told


def test_fortios_json_is_read(place):
    report = json.loads((RECORDED / "fortio.json").read_text())
    told = recorded(place, "fortio")
    run, _, _ = told["sides"]["tcp"]["runs"]
    assert run["requests"] == report["DurationHistogram"]["Count"]
    assert run["requests_per_second"] == pytest.approx(report["ActualQPS"])
    want = {p["Percentile"]: p["Value"]
            for p in report["DurationHistogram"]["Percentiles"]}
    for key, p in zip(METRICS[1:], (50, 75, 90, 99, 99.9)):
        assert run[key] == pytest.approx(want[p], rel=1e-3), key
    bins = told["sides"]["smc"]["histogram"]
    assert sum(b[2] for b in bins) == 3 * report["DurationHistogram"]["Count"]


def test_wrks_lines_are_read(place):
    run = recorded(place, "wrk")["sides"]["smc"]["runs"][2]
    lines = dict(line.split()[1:] for line in
                 (RECORDED / "wrk.txt").read_text().splitlines()
                 if line.startswith("smcmesh-at"))
    assert run["requests"] == 520 and run["errors"] == 0
    assert run["requests_per_second"] == pytest.approx(520 / 1.048773)
    for key, p in (("p50_seconds", "50.0000"), ("p75_seconds", "75.0000"),
                   ("p90_seconds", "90.0000")):
        assert run[key] == pytest.approx(int(lines[p]) / 1e6, rel=1e-6), key


def test_h2loads_log_is_read(place):
    times = sorted(int(line.split()[2]) for line in
                   (RECORDED / "h2load.log").read_text().splitlines())
    run = recorded(place, "h2load")["sides"]["tcp"]["runs"][0]
    assert run["requests"] == 80 and run["requests_per_second"] == 40
    for key, p in (("p50_seconds", .5), ("p75_seconds", .75), ("p90_seconds", .9)):
        at = times[int(p * len(times)) - 1] / 1e6
        assert run[key] == pytest.approx(at, rel=1 / 32), key


# ---- generators at work ----------------------------------------------------------

@pytest.mark.parametrize("name", ["wrk", "h2load"])
def test_no_ratio_where_nothing_is_smc(place, server, name):
    at = server[1]
    r = place.bench(at, "-t2", f"--control={at}", f"--generator={name}", "-ojson",
                    f"--directory={place.results}")
    assert r.stdout, r
    told = json.loads(r.stdout)
    assert r.returncode == 1 and told["verdict"] == "not-smc", r
    assert told["ratio"] is None and told["paced"] is None
    # the reason is the one that `smcmesh run` has
    assert "no agent answers on /nonexistent/agent.sock" in told["why"], told["why"]
    assert "smcmesh doctor" in told["remedy"]
    assert told["machine"]["kernel"] == os.uname().release
    assert told["load"]["generator"] == name and told["closed_loop"] is True
    assert told["command"][:4] == ["smcmesh", "bench", "client", at]
    assert "--seconds=2" in told["command"], told["command"]
    for side in "tcp", "smc", "control":
        runs = told["sides"][side]["runs"]
        assert len(runs) == 3
        for run in runs:
            c = run["connections"]
            # a machine that is busy may leave no time to look
            assert bool(c["looks"]) == bool(c["tcp"]) and c["tcp"] <= 4, run
            assert (c["smcr"], c["smcd"]) == (0, 0) and not run["errors"], run
            assert run["cpu_seconds_per_request"] > 0
            assert 0 < run["client_cpu_seconds_per_request"]
            values = [run[key] for key in METRICS[1:]]
            assert values == sorted(values) and values[0] > 0
        assert any(run["connections"]["tcp"] for run in runs), runs
        rates = sorted(run["requests_per_second"] for run in runs)
        assert told["sides"][side]["spread"]["requests_per_second"] == {
            "median": rates[1], "low": rates[0], "high": rates[2]}
    assert told["sides"]["smc"]["started_by"] == "smcmesh run"
    page = (place.results / "bench.html").read_text()
    assert "No ratio: the accelerated runs were not SMC" in page
    assert place.is_clean()


def test_table_says_that_there_is_no_ratio(place, server):
    r = place.bench(server[1], "--generator=wrk")
    assert r.returncode == 1, r
    rows = {line.split("  ")[0]: line.split() for line in r.stdout.splitlines()}
    assert rows["requests/s"][-2:] == ["-", "-"], r.stdout
    assert rows["connections"][1] == "TCP", r.stdout
    assert "\nNo ratio: " in r.stdout and "\nWhat to do: " in r.stdout


# ---- what goes wrong -------------------------------------------------------------

def generators_of(pid):
    """Processes that this one has started."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(x) for x in f.read().split()]


@contextlib.contextmanager
def at_work(place, at, *options):
    """A bench whose generator runs; gives it and the generator's number."""
    with subprocess.Popen(place.argv(at, "-t60", "--generator=wrk", *options),
                          env=place.env, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as proc:
        try:
            wait_for(lambda: any("wrk" in command(p) for p in
                                 generators_of(proc.pid)), 30, "a generator")
            yield proc, generators_of(proc.pid)[0]
        finally:
            proc.kill()


def command(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    return ""


def test_server_that_ends_during_a_run_is_said(place):
    place.only("wrk", "exec /usr/bin/wrk \"$@\"")
    with serving() as (server, at):
        argv = place.argv(at, "-t4", "-ojson")
        with subprocess.Popen(argv, env=place.env, text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as proc:
            wait_for(lambda: any("wrk" in command(p) for p in
                                 generators_of(proc.pid)), 30, "a generator")
            port = f":{at.rsplit(':', 1)[1]}"
            wait_for(lambda: subprocess.run(
                ["ss", "-Htn", "state", "established", f"dport = {port}"],
                text=True, capture_output=True, check=True).stdout, 20,
                "a connection")
            server.kill()
            out, err = proc.communicate(timeout=120)
    assert proc.returncode == 3 and out == "", (proc.returncode, out, err)
    assert "a run of side tcp failed" in err, err
    assert at in err or "no request was answered" in err, err
    assert place.is_clean()


def test_nobody_serves_there(place):
    place.only("wrk", "exec /usr/bin/wrk \"$@\"")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))    # and does not listen
        r = place.bench(f"127.0.0.1:{s.getsockname()[1]}")
    assert r.returncode == 3 and r.stdout == "", r
    assert "a run of side tcp failed: wrk: " in r.stderr
    assert "Connection refused" in r.stderr, "what the generator said"


def test_interrupted_bench_leaves_nothing(place, server):
    with at_work(place, server[1]) as (proc, generator):
        proc.send_signal(signal.SIGINT)
        assert proc.wait(20) == -signal.SIGINT
        assert command(generator) == "" and place.is_clean()


def test_killed_bench_takes_its_generator_along(place, server):
    with at_work(place, server[1]) as (proc, generator):
        proc.kill()
        proc.wait(20)
        wait_for(lambda: command(generator) == "", 20, "the generator's end")


def test_full_directory_is_said_and_the_table_printed(place):
    place.only("fortio", FAKES["fortio"].format(RECORDED))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs",
                    place.results], check=True)
    try:
        r = place.bench("127.0.0.1:9", f"--directory={place.results}")
        left = list(place.results.iterdir())
    finally:
        subprocess.run(["umount", place.results], check=True)
    assert r.returncode == 1 and "\nrequests/s" in r.stdout, r
    assert f"cannot write {place.results}/bench.json: No space left" in r.stderr
    assert not left, "no half of a file"


def test_directory_that_is_none_is_said_before_anything_runs(place):
    place.only("fortio", f"touch {place.tmp}/ran")
    r = place.bench("127.0.0.1:9", "--directory=/nonexistent/dir")
    assert r.returncode == 1 and r.stdout == "", r
    assert "--directory /nonexistent/dir: No such file" in r.stderr
    assert place.is_clean()


def test_full_temporary_directory_is_said(place):
    place.only("h2load", FAKES["h2load"].format(RECORDED))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=3", "tmpfs",
                    place.tmp], check=True)
    try:
        r = place.bench("127.0.0.1:9")
        left = list(place.tmp.iterdir())
    finally:
        subprocess.run(["umount", place.tmp], check=True)
    assert r.returncode == 3 and "failed: " in r.stderr, r
    assert not left


def test_without_a_generator_it_says_which_packages_have_one(place):
    place.env["PATH"] = str(place.bin)
    r = place.bench("127.0.0.1:9")
    assert r.returncode == 3 and r.stdout == "", r
    for word in "fortio.org", "package wrk", "nghttp2-client":
        assert word in r.stderr, r.stderr
    r = place.bench("127.0.0.1:9", "--generator=h2load")
    assert r.returncode == 3 and "h2load is not on the PATH" in r.stderr
    assert "nghttp2-client" in r.stderr and "fortio" not in r.stderr, r.stderr


@pytest.mark.parametrize("name,prints", [
    ("fortio", 'while [ "$1" != -json ]; do shift; done; echo "{}" > "$2"'),
    ("fortio", "echo nothing"),
    ("fortio", 'while [ "$1" != -json ]; do shift; done; truncate -s 70M '
               '"$2"'),
    ("wrk", "echo 'smcmesh 1 x 3'"), ("wrk", "echo 'smcmesh 10 1000000 0'"),
    ("wrk", "cat /dev/null"), ("h2load", "echo 'finished in 1.00s, 2 req/s'"),
    ("h2load", "for a; do case $a in --log-file=*) echo a b c > ${a#*=} ;; esac; "
               "done; cat %s/h2load.txt" % RECORDED),
])
def test_report_that_is_none_is_said(place, name, prints):
    place.only(name, prints)
    r = place.bench("127.0.0.1:9")
    assert r.returncode == 3 and r.stdout == "", r
    assert f"failed: {name}: " in r.stderr and "report" in r.stderr, r.stderr
    assert place.is_clean()


def test_what_a_generator_said_is_passed_on(place):
    place.only("wrk", "echo one >&2; echo 'the last word' >&2; exit 3")
    r = place.bench("127.0.0.1:9")
    assert r.returncode == 3 and r.stderr.rstrip().endswith(
        "it said: the last word"), r.stderr


@pytest.mark.parametrize("argv,said", [
    ([], "expected server, client HOST:PORT, look, page FILE, --cluster or --manifest, not nothing"),
    (["client"], "not client"), (["serve"], "not serve"),
    (["server", "x"], "not x"), (["server", "--manifest"], "with an operand"),
    (["client", "x"], "expected HOST:PORT"),
    (["client", "x:1", "--rounds=2"], "--rounds is a number from 3 to 100, not 2"),
    (["client", "x:1", "-t0"], "--seconds is a number from 1 to 3600, not 0"),
    (["client", "x:1", "-c", "-1"], "--connections is a number"),
    (["client", "x:1", "--rate=1e3"], "--rate is a number"),
    (["client", "x:1", "--payload=9999999999"], "--payload is a number"),
    (["client", "127.0.0.1:1", "--tcp=y"], "expected HOST:PORT"),
    (["client", "127.0.0.1:1", "--pod=web"], "expected NAMESPACE/POD, not web"),
    (["client", "127.0.0.1:1", "--generator=ab"], "fortio|wrk|h2load, not ab"),
])
def test_wrong_usage_is_said(argv, said):
    r = subprocess.run([SMCMESH, "bench", *argv], text=True, capture_output=True,
                       timeout=60, check=False)
    assert r.returncode == 2 and r.stdout == "" and said in r.stderr, r


# ---- for a cluster ---------------------------------------------------------------

def test_manifest_is_two_pairs_of_which_one_is_annotated():
    out = subprocess.run([SMCMESH, "bench", "--manifest"], text=True,
                         capture_output=True, check=True).stdout
    docs = list(yaml.safe_load_all(out))
    assert docs[0]["kind"] == "Namespace"
    assert {d["metadata"].get("namespace") for d in docs[1:]} == {
        docs[0]["metadata"]["name"]}
    with open(os.path.join(paths.TREE, "deploy/examples/fortio.yaml"),
              encoding="utf-8") as f:
        image = next(yaml.safe_load_all(f))["spec"]["template"]["spec"][
            "containers"][0]["image"]
    enabled = {}
    for d in docs:
        if d["kind"] != "Deployment":
            continue
        template = d["spec"]["template"]
        labels = d["spec"]["selector"]["matchLabels"]
        assert labels.items() <= template["metadata"]["labels"].items()
        assert template["spec"]["containers"][0]["image"] == image
        enabled[d["metadata"]["name"]] = template["metadata"]["annotations"][
            "smc.asm.alibabacloud.com/enabled"]
    assert enabled == {"plain-server": "false", "plain-client": "false",
                       "smc-server": "true", "smc-client": "true"}
    assert [d["metadata"]["name"] for d in docs if d["kind"] == "Service"] == [
        "plain-server", "smc-server"]

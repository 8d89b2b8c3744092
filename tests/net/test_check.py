# SPDX-License-Identifier: Apache-2.0
"""`smcmesh check --local` on this machine's own kernel, which cannot do SMC: it says
at which step that ends, and leaves nothing. Everything here is private."""
import json
import os
import re
import subprocess

import pytest

from smclab import native
from smclab.native import SMCMESH, smcmesh_as_nobody


def capable():
    return json.loads(subprocess.run([SMCMESH, "doctor", "-o", "json"], text=True,
                                     capture_output=True, check=False).stdout)[
        "capable"]


pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(os.geteuid() == 0 and capable(),
                       reason="this kernel can do SMC: see tests/vm"),
]
STEPS = {"converted": 0, "sent": 0, "seen": 0, "answered": 0, "clc": 0, "byte": 2}


class Place:
    def __init__(self, tmp):
        self.run, self.bpffs, self.tmp = tmp / "run", tmp / "bpf", tmp

    def check(self, *argv):
        return subprocess.run(
            [SMCMESH, "check", f"--run={self.run}", f"--bpffs={self.bpffs}",
             *argv], text=True, capture_output=True, timeout=100, check=False)


@pytest.fixture
def place(tmp_path):
    p = Place(tmp_path)
    with native.bpffs(str(p.bpffs)):
        yield p


def left():
    """Directories of a check, and its namespaces."""
    return ([n for n in os.listdir("/tmp") if n.startswith("smcmesh-check-")],
            subprocess.run(["ip", "-br", "link"], text=True, check=True,
                           capture_output=True).stdout)


def test_without_smc_it_ends_at_the_first_step(place):
    before = left()
    r = place.check("--local", "--count=2", "-ojson")
    assert r.returncode == 1, r.stderr
    told = json.loads(r.stdout)
    assert told["ok"] is False and len(told["checks"]) == 2
    for way in told["checks"]:
        assert {s["step"]: s["passed"] for s in way["steps"]} == STEPS, way
        assert way["stopped_before"] == "converted"
        assert way["why"].startswith("not armed: this kernel cannot"), way
        assert "smcmesh doctor" in way["remedy"]
        assert way["first_byte_ms"] > 0 and way["tcp_round_trip_ms"] > 0
    assert left() == before
    assert not place.run.exists() and not (place.bpffs / "smcmesh").exists()


def test_table_says_the_same(place):
    r = place.check("--local", "--count=1")
    assert re.search(r"^  transport +TCP 1$", r.stdout, re.M), r.stdout
    assert r.stdout.endswith("SMC was used by 0 of 2 connections\n")


def test_beside_an_agent_and_what_one_left_nothing_is_done(place, tmp_path):
    source = tmp_path / "list.json"
    source.write_text('{"kind":"List","apiVersion":"v1","items":[]}')
    agent = native.Agent(str(tmp_path), f"file:{source}").start()
    try:
        r = place.check("--local")
        assert r.returncode == 3 and r.stdout == ""
        assert f"an agent runs here, pid {agent.proc.pid}" in r.stderr
    finally:
        agent.stop()
    # control: it has gone, and left no pins on this kernel
    assert place.check("--local", "--count=1").returncode == 1
    os.mkdir(place.bpffs / "smcmesh")
    r = place.check("--local")
    assert r.returncode == 3 and "is an agent's" in r.stderr
    os.rmdir(place.bpffs / "smcmesh")


def test_nobody_may_not():
    r = smcmesh_as_nobody("check", "--local")
    assert (r.returncode, r.stdout) == (3, "") and "run it as root" in r.stderr

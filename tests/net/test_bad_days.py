# SPDX-License-Identifier: Apache-2.0
"""A node of a cluster of 500 nodes and 15,000 endpoints, and an API server that
has every trouble there is, one after the other (smclab.badday).

The agent is the one with fault points: it takes this kernel for one that can do
SMC, fills its real BPF maps and attaches nothing. In `make check` all its times,
and the server's, are 20 times shorter.
"""
import contextlib
import glob
import json
import os
import re
import subprocess
import time

import pytest

from smclab import badday, native, paths, pins, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

NODES, EACH = 500, 30
HURRY = 20
RESYNC_S = 5   # which is not hurried
MCPU = 20    # thousandths of a processor


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """The day that goes on; one that ended badly is followed by another."""
    open_days = []

    def day():
        if not open_days:
            folder = tmp_path_factory.mktemp("day")
            open_days.append(badday.Day(folder, NODES, EACH, HURRY).__enter__())
        return open_days[0]

    day.over = lambda: open_days and open_days.pop().__exit__()
    yield day
    day.over()


def test_pods_that_are_not_armed_say_so(days):
    """Two are annotated, and have no namespace: an Event each, once and not both
    at once; and the node's object has how many are armed, and doctor's ids."""
    day = days()
    told = wait_for(lambda: [e for e in [day.api.order("events")] if e[1:]], 30,
                    "two Events", day.pause)[0]
    names = [e["involvedObject"]["name"] for e in told]
    assert sorted(names) == ["p0", "p1"], told
    assert all(e["reason"] == "NotArmed" and e["type"] == "Warning" and e["message"]
               .startswith("the pod's network namespace was not found; wait until")
               for e in told), told
    assert told[1]["at"] - told[0]["at"] >= 0.99, told
    status = wait_for(lambda: [s for s in [day.api.order(
        "get", kind="smcnodes", key="/n1")["status"]] if "doctor" in s], 30,
        "doctor's checks", day.pause)[0]
    assert status["armed"] == "0/2", status
    assert 1 <= len(status["doctor"]) <= 8, status
    # once for the reason, however often the agent looks at them
    day.lasts((RESYNC_S + 1) * HURRY)
    assert len(day.api.order("events")) == 2


@pytest.mark.parametrize("trouble", badday.TROUBLES, ids=lambda f: f.__name__)
def test_trouble_loses_no_endpoint_and_is_named(days, trouble):
    day = days()
    try:
        print(day.goes_through(trouble))
    except BaseException:
        days.over()
        raise


def test_agent_with_maps_only_attaches_nothing(days):
    """The maps are the kernel's and filled, but nobody's traffic meets them."""
    day = days()
    assert day.far <= day.map.keys()
    assert not os.listdir(f"{day.agent.bpffs}/smcmesh/v{pins.ABI}/links")
    held = []
    for path in glob.glob(f"/proc/{day.pid}/fdinfo/*"):
        # a descriptor may be closed just now
        with contextlib.suppress(OSError), open(path, encoding="ascii") as f:
            held += re.findall(r"^(map_id|prog_id|link_id):", f.read(), re.M)
    assert held.count("map_id") > 1, held
    # the one program is explain's, which runs when it is asked
    assert set(held) == {"map_id", "prog_id"} and held.count("prog_id") == 1, held


def test_doctor_is_not_deceived():
    """The fault point is the agent's: of this kernel the truth is told."""
    env = {**os.environ, "SMCMESH_MAPS_ONLY": "1"}
    told = [subprocess.run([binary, "doctor", "-o", "json"], env=env, timeout=60,
                           stdout=subprocess.PIPE, check=False).stdout
            for binary in (native.SMCMESH, native.FAULTS)]
    sane, deceived = [json.loads(text)["capable"] for text in told]
    assert sane == deceived


def test_resource_taken_away_leaves_no_endpoints_until_back(days):
    """No SmcNodes are no endpoints, and no trouble; when they are back all is as
    before."""
    day = days()
    day.well()
    try:
        all_of_them = day.map.keys()
        day.keeper.end()
        day.api.order("refuse", status=404, kinds=badday.NODES)
        day.tell("end", badday.NODES)
        day.takes(lambda: not day.map.keys(), badday.BACK_OFF_S, "no endpoints")
        assert not day.problem()
        day.api.order("serve")
        day.takes(lambda: day.map.keys() == all_of_them, badday.BACK_OFF_S,
                  "all endpoints")
    finally:
        days.over()


@pytest.mark.long
def test_troubles_in_real_time_cost_little_processor(days, tmp_path):
    """All of it in real time. What it cost is what the agent had of a processor,
    start and quiet times included; the figures are in build/log/bad-days.txt."""
    days.over()
    began = time.monotonic()
    with badday.Day(tmp_path, NODES, EACH, hurry=1) as day, \
            open(paths.log_file("bad-days.txt"), "w", encoding="utf-8") as log:
        for trouble in badday.TROUBLES:
            print(day.goes_through(trouble), file=log, flush=True)
        mcpu = day.cpu() * 1000 / (time.monotonic() - began)
        print(f"all: {mcpu:.1f} mCPU, looked {day.keeper.looks} times for lost "
              "endpoints", file=log)
        assert mcpu < MCPU, mcpu
        assert day.keeper.looks > 1000

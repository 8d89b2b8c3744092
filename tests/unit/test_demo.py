# SPDX-License-Identifier: Apache-2.0
"""What the demonstration makes of its runs, and what the README shows of it."""
import os
import re
import sys
import types
import xml.etree.ElementTree as ET

import pytest

from smclab import paths

sys.path.insert(0, os.path.join(paths.TREE, "tests/demo"))

import picture    # noqa: E402
import report    # noqa: E402
import run as demo    # noqa: E402
from rounds import (ANNOTATED, CONTROL, PLAIN, ROUNDS, Figures,  # noqa: E402
                    Row, take_turns)

SVG = "{http://www.w3.org/2000/svg}"
FIGURE = "deploy/docs/demo.svg"
PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8">
<style>:root{--back:#fff}.curve{fill:none}</style></head><body><input checked>
<svg viewBox="0 0 860 380" aria-labelledby="times-linear-t x"><path d="M1 1"/></svg>
<svg viewBox="0 0 860 380" role="img" aria-labelledby="times-log-t times-log-d">
<title id="times-log-t">T</title><desc id="times-log-d">D</desc>
<path class="curve smc" d="M0 0H3"/></svg></body></html>"""
SPREAD = {"median": 2.5, "low": 2.25, "high": 3}
TOLD = {"sides": {s: {"spread": {"requests_per_second": {"median": m}}}
                  for s, m in (("tcp", 1000), ("smc", 2500))},
        "ratio": {"requests_per_second": {"smc": SPREAD, "control": SPREAD}},
        "load": {"generator": "wrk", "connections": 8, "seconds": 2}, "rounds": 3,
        "machine": {"kernel": "<7&"}}


def read(name):
    with open(os.path.join(paths.TREE, name), encoding="utf-8") as f:
        return f.read()


@pytest.fixture(name="row")
def _row():
    """On a machine that is half as fast in its second round."""
    speed = {PLAIN: 1000, ANNOTATED: 3000, CONTROL: 1100}
    asked = []

    def run(side, last):
        pace = .5 if len(asked) // 3 == 1 else 1
        asked.append((side, last and last.rate))
        return Figures(speed[side] * pace, 10 / pace), "SMC-D"

    row = take_turns(Row("nginx", "one node"), run)
    assert [side for side, _ in asked] == [PLAIN, ANNOTATED, CONTROL] * ROUNDS
    assert [last for side, last in asked if side == PLAIN][:3] == [None, 1000, 500]
    return row


def test_ratio_is_of_runs_beside_each_other(row):
    """Not of medians: the machine's own changes are in neither."""
    ratio = row.ratio(ANNOTATED)
    assert (ratio.median, ratio.low, ratio.high) == pytest.approx((3, 3, 3))
    assert row.ratio(CONTROL).median == pytest.approx(1.1)
    assert row.ratio(ANNOTATED, CONTROL).median == pytest.approx(3 / 1.1)
    assert row.rate(PLAIN) == 1000 and row.p99(PLAIN) == 10
    row.runs[ANNOTATED][2] = Figures(4500, 5)
    ratio = row.ratio(ANNOTATED)
    assert (ratio.median, ratio.low, ratio.high) == pytest.approx((3, 3, 4.5))


def test_table_is_as_the_readme_shows_it(row, capsys):
    report.speeds([row])
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert max(map(len, lines)) <= 90
    gain, control = lines[5:7]
    assert gain.split() == ["nginx", "one", "node", "1000", "10.0", "3000", "10.0",
                            "3.00x", "(3.00-3.00)", "2.73x", "SMC-D"]
    assert control.split()[-3:] == ["1.10x", "(1.10-1.10)", "SMC-D"]
    shown = read("README.md")
    for same in lines[1:5]:
        assert same in shown, same
    assert report.MEANING in shown


def test_ratio_that_the_control_has_too_is_noise(row, capsys):
    row.runs[CONTROL][0] = Figures(3100, 1)
    assert not row.is_clear()
    report.speeds([row])
    assert "x  SMC-D, in the noise\n" in capsys.readouterr().out
    row.runs[CONTROL][0] = Figures(2900, 1)
    assert row.is_clear()


def test_connections_that_differ_are_named(row):
    row.take(ANNOTATED, Figures(1, 1), "TCP")
    assert row.mode(ANNOTATED) == "SMC-D and TCP"


class Load:
    """A program and its pod: what the kernel shows of its connections at each look;
    it ends with the last."""

    def __init__(self, *looks):
        self.looks = list(looks)

    @property
    def alive(self):
        return bool(self.looks)

    def diag(self):
        other = [{"mode": "tcp", "remote": "10.0.0.9", "remote_port": 80},
                 {"mode": "tcp", "remote": "10.0.0.1", "remote_port": 81}]
        return other + [{"mode": mode, "remote": "10.0.0.1", "remote_port": 80}
                        for mode in self.looks.pop(0)]


@pytest.mark.parametrize("looks, found", [
    ([["smcd"] * 3, ["smcd"] * 8, ["tcp"] * 8], {"SMC-D": 8}),
    ([["smcr"] * 5, ["smcr"]], {"SMC-R": 5}),
    ([["smcr"] * 2, ["smcr"] * 6 + ["tcp", "plain"]], {"SMC-R": 6, "TCP": 2}),
    ([[], []], {})])
def test_connections_are_those_of_the_look_with_most(looks, found):
    load, server = Load(*looks), types.SimpleNamespace(v4="10.0.0.1")
    assert demo.Demo.connections(load, load, server, 80) == found


@pytest.mark.parametrize("bad", [0, 2, 3])
def test_run_that_is_cut_short_is_made_again(bad):
    """Twice, and not for ever."""
    tried = []

    def run():
        tried.append(1)
        if len(tried) <= bad:
            raise demo.Other("TCP instead of SMC-D")
        return "figures"

    nodes = types.SimpleNamespace(vms=[])
    if bad < demo.TRIES:
        assert demo.Demo.patiently(nodes, run) == "figures"
    else:
        with pytest.raises(demo.Other):
            demo.Demo.patiently(nodes, run)
    assert len(tried) == min(bad + 1, demo.TRIES)


def is_self_contained(text):
    root = ET.fromstring(text)
    assert root.tag == SVG + "svg" and root.get("width") and root.get("height")
    assert not re.search(r"script|href|url\(|@import|src=|\bon[a-z]+=", text)
    return "".join(root.itertext())


def test_figure_stands_alone():
    svg = picture.draw(PAGE, TOLD)
    text = is_self_contained(svg)
    assert 'd="M0 0H3"' in svg and 'd="M1 1"' not in svg
    assert "2500 requests/s over SMC-D, 1000 over TCP: 2.50 (2.25 to 3.00)" in text
    assert "Linux <7&." in text and "--back:#fff" in text


def test_readme_shows_a_figure_that_stands_alone():
    assert f"]({FIGURE})" in read("README.md")
    text = is_self_contained(read(FIGURE))
    assert "requests/s over SMC-D" in text and "emulated in software" in text

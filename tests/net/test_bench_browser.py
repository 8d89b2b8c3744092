# SPDX-License-Identifier: Apache-2.0
"""The page of `smcmesh bench` as Chromium shows it: on a screen and on a telephone,
light and dark, with both scales. What a person would see at once is measured in the
DOM: texts that are cut off, lie on one another or are too small to read, a number in
the wrong place. (The numbers themselves: test_bench_page.py.)
"""
import json
import math
import random
import subprocess

import pytest

from smclab import paths
from smclab.browser import Browser
from smclab.native import SMCMESH

pytestmark = pytest.mark.long

SIDES = ("tcp", "smc", "control")
METRICS = ["requests_per_second", "p50_seconds", "p75_seconds", "p90_seconds",
           "p99_seconds", "p99_9_seconds", "cpu_seconds_per_request",
           "client_cpu_seconds_per_request"]
READABLE = 8    # pixels that a line of text is high

# Of each text of the drawing that is to be seen: what it says, where it is.
TEXTS = """(figure => [...document.querySelectorAll(figure + ' svg text')].map(t => {
  const b = t.getBoundingClientRect();
  return {text: t.textContent, left: b.left, right: b.right, top: b.top,
          bottom: b.bottom, turned: t.hasAttribute('transform')};
}))"""
BOX = """(selector => {
  const b = document.querySelector(selector).getBoundingClientRect();
  return {left: b.left, right: b.right, top: b.top, bottom: b.bottom};
})"""
MARKS = """(figure => [...document.querySelectorAll(figure + ' circle')].map(c => {
  const b = c.getBoundingClientRect();
  return {x: (b.left + b.right) / 2, y: (b.top + b.bottom) / 2,
          seconds: +c.dataset.seconds, percentile: +c.dataset.percentile};
}))"""
CUT = """[...document.querySelectorAll('table, td, th, figcaption, label, legend')]
  .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"""


def times(random_, median, spread, count=3000):
    """A histogram as fortio's is, of lognormal times."""
    bins = {}
    for _ in range(count):
        at = int(random_.lognormvariate(math.log(median), spread) / 1e-5)
        bins[at] = bins.get(at, 0) + 1
    return [[k * 1e-5, (k + 1) * 1e-5, n] for k, n in sorted(bins.items())]


def run(values, kinds, **more):
    return {**dict(zip(METRICS, values)), "requests": 1000, "errors": 0,
            "seconds": 30, "connections": {
                "looks": 8, "smcr": 0, "smcd": 0, "tcp": 0, "kernel_code": 0,
                **kinds}, **more}


def result(medians, spread):
    """@medians: seconds of each side's times."""
    rng = random.Random(16)
    sides = {}
    for side, median in zip(SIDES, medians):
        values = [64 / median, *(median * x for x in (1, 1.4, 1.9, 3.2, 4.7)),
                  80e-6, 31e-6]
        kinds = {"smcd": 64} if side == "smc" else {"tcp": 64}
        sides[side] = {
            "target": "10.244.1.10:8080", "address": "10.244.1.10:8080",
            "started_by": "smcmesh run" if side == "smc" else "",
            "runs": [run(values, kinds)] * 3,
            "spread": {m: {"median": v, "low": v * .93, "high": v * 1.08}
                       for m, v in zip(METRICS, values)},
            "histogram": times(rng, median, spread)}
    one = {"median": 1.93, "low": 1.81, "high": 2.04}
    return {
        "schema": 1, "smcmesh": "0.1.0", "began": "2026-01-01T00:00:00Z",
        "command": ["smcmesh", "bench", "client", "10.244.1.10:8080"],
        "machine": {"name": "n1", "kernel": "7.3.4", "architecture": "x86_64",
                    "processor": "QEMU Virtual CPU version 2.5+", "processors": 2},
        "load": {"generator": "fortio", "latency": "from when it was sent",
                 "connections": 64, "payload_bytes": 128, "seconds": 30,
                 "wanted_requests_per_second": 100000},
        "rounds": 3, "verdict": "said", "sentence": "", "why": "", "remedy": "",
        "software_rdma": "", "closed_loop": True, "sides": sides,
        "ratio": {m: {"smc": one, "control": one, "clear": True} for m in METRICS},
        "paced": {"wanted_requests_per_second": 8000, **{
            s: {**sides[s]["runs"][0], "histogram": times(rng, m / 2, spread)}
            for s, m in zip(SIDES, medians)}}}


RESULTS = {"narrow": ((.0052, .0021, .0054), .5),
           # from microseconds to seconds, as a server that is late now and then
           "wide": ((.0052, .00003, .0054), 2.2)}


@pytest.fixture(scope="module")
def browser():
    with Browser(log=paths.log_file("bench-page.log")) as b:
        yield b


@pytest.fixture(params=RESULTS, scope="module")
def shown(request, browser, tmp_path_factory):
    """(its name, the page)."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "bench.json").write_text(json.dumps(result(*RESULTS[request.param])))
    with open(folder / "bench.html", "w", encoding="utf-8") as f:
        subprocess.run([SMCMESH, "bench", "page", folder / "bench.json"],
                       stdout=f, check=True)
    yield request.param, browser.open(f"file://{folder}/bench.html")


def look(page, width, scheme="light"):
    page.order("Emulation.setDeviceMetricsOverride", width=width, height=2400,
               deviceScaleFactor=1, mobile=False)
    page.order("Emulation.setEmulatedMedia", features=[
        {"name": "prefers-color-scheme", "value": scheme}])


def choose(page, scale):
    """As a person does: a click at the word. Gives both drawings' selectors."""
    for i in (1, 2):
        page.click(f"fieldset:nth-of-type({i}) label:nth-of-type("
                   f"{1 if scale == 'linear' else 2}) input")
    shown, hidden = (f".{s}-figure" for s in (
        ("linear", "log") if scale == "linear" else ("log", "linear")))
    assert not page.value(f"{TEXTS}('{hidden}').some(t => t.right > t.left)")
    return [f"fieldset:nth-of-type({i}) {shown}" for i in (1, 2)]


def overlap(a, b):
    return (min(a["right"], b["right"]) - max(a["left"], b["left"]) > .5
            and min(a["bottom"], b["bottom"]) - max(a["top"], b["top"]) > .5)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1000, 420])
@pytest.mark.parametrize("scale", ["linear", "log"])
def test_every_text_of_a_drawing_can_be_read(shown, scale, width, scheme):
    name, page = shown
    look(page, width, scheme)
    figures = choose(page, scale)
    page.picture(paths.log_file(f"bench-page-{name}-{scale}-{width}-{scheme}.png"))
    for figure in figures:
        texts = page.value(f"{TEXTS}('{figure}')")
        box = page.value(f"{BOX}('{figure} svg')")
        assert len(texts) > 15, texts
        for i, t in enumerate(texts):
            assert box["left"] <= t["left"] and t["right"] <= box["right"], t
            assert box["top"] <= t["top"] and t["bottom"] <= box["bottom"], t
            high = (t["right"] - t["left"] if t["turned"]
                    else t["bottom"] - t["top"])
            assert high >= READABLE, t
            assert not [u for u in texts[:i] if overlap(t, u)], t
    assert page.complaints == []


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_marks_are_where_the_axes_say(shown, scale):
    """By the labels of the axes, as a person reads them."""
    page = shown[1]
    look(page, 1000)
    for figure in choose(page, scale):
        texts = page.value(f"{TEXTS}('{figure}')")
        marks = page.value(f"{MARKS}('{figure}')")
        ticks = sorted(((t["left"] + t["right"]) / 2, float(t["text"]) / 1e3)
                       for t in texts if t["text"].replace(".", "").replace(
                           "e-", "").isdigit())
        percents = {t["text"]: (t["top"] + t["bottom"]) / 2 for t in texts
                    if t["text"] in ("0%", "100%")}
        assert len(ticks) >= 3 and len(percents) == 2 and len(marks) >= 12
        (x0, t0), (x1, t1) = ticks[-2], ticks[-1]
        of = math.log if scale == "log" else float
        for m in marks:
            part = (of(m["seconds"]) - of(t0)) / (of(t1) - of(t0))
            assert m["x"] == pytest.approx(x0 + part * (x1 - x0), abs=3), m
            y = percents["0%"] + (percents["100%"] - percents["0%"]) * (
                m["percentile"] / 100)
            assert m["y"] == pytest.approx(y, abs=4), m


def test_nothing_of_the_tables_is_cut_off_on_a_screen(shown):
    page = shown[1]
    look(page, 1000)
    assert page.value(CUT) == []


def test_telephone_scrolls_a_table_and_not_the_page(shown):
    page = shown[1]
    look(page, 420)
    assert page.value("document.documentElement.scrollWidth") <= 420
    assert page.value(CUT), "a table that is wider scrolls by itself"


def test_dark_is_dark(shown):
    page = shown[1]
    seen = {}
    for scheme in "light", "dark":
        look(page, 1000, scheme)
        seen[scheme] = page.value(
            "getComputedStyle(document.body).backgroundColor")
    assert seen["light"] == "rgb(255, 255, 255)" != seen["dark"], seen

# SPDX-License-Identifier: Apache-2.0
"""The page of `smcmesh bench`: it is parsed, and its numbers are those of the JSON,
in the tables and in what is drawn. The result is a made-up one, with SMC in it.
"""
import html.parser
import json
import re
import subprocess
import xml.etree.ElementTree as ET

import pytest

from smclab.native import SMCMESH

METRICS = ["requests_per_second", "p50_seconds", "p75_seconds", "p90_seconds",
           "p99_seconds", "p99_9_seconds", "cpu_seconds_per_request",
           "client_cpu_seconds_per_request"]
TIMES = {
    "tcp": [[.0001, .0002, 300], [.0002, .0004, 500], [.0004, .0010, 190],
            [.0010, .0100, 10], [.0002, .0003, 100]],
    "smc": [[.00005, .0001, 700], [.0001, .0002, 290], [.0002, .0040, 10]],
    "control": [[.0001, .0003, 900], [.0003, .0020, 100]],
}
VOID = {"meta", "input", "br"}


def spread(median):
    return {"median": median, "low": median * .9, "high": median * 1.2}


def run(factor, smcd=0, tcp=0, **more):
    return {**{m: (i + 1) * factor for i, m in enumerate(METRICS)},
            "requests": 1000, "errors": 0, "seconds": 2.5,
            "connections": {"looks": 8, "smcr": 0, "smcd": smcd, "tcp": tcp,
                            "kernel_code": 0}, **more}


def side(name, factor, **kinds):
    return {"target": f"{name}.example:8080", "address": "10.0.0.5:8080",
            "started_by": "smcmesh run" if name == "smc" else "",
            "runs": [run(factor, **kinds)] * 3,
            "spread": {m: spread((i + 1.123456789) * factor)
                       for i, m in enumerate(METRICS)},
            "histogram": TIMES[name]}


def document():
    return {
        "schema": 1, "smcmesh": "0.1.0", "began": "2026-01-01T00:00:00Z",
        "command": ["smcmesh", "bench", "client", "<i>10.0.0.5:8080</i>"],
        "machine": {"name": "<script>alert(\"x\")</script>", "kernel": "7.3.4",
                    "architecture": "x86_64", "processor": "A & B",
                    "processors": 4},
        "load": {"generator": "fortio", "latency": "from when it was sent",
                 "connections": 64, "payload_bytes": 128, "seconds": 30,
                 "wanted_requests_per_second": 100000},
        "rounds": 3, "verdict": "said", "sentence": "", "why": "", "remedy": "",
        "closed_loop": True,
        "ratio": {m: {"smc": spread(1.5 + i), "control": spread(1 + i / 100),
                      "clear": True} for i, m in enumerate(METRICS)},
        "sides": {"tcp": side("tcp", 1, tcp=64), "smc": side("smc", 2, smcd=64),
                  "control": side("control", 1.1, tcp=64)},
        "paced": {"wanted_requests_per_second": 700,
                  **{s: run(.7, histogram=TIMES[s]) for s in TIMES}},
    }


def draw(tmp_path, doc):
    path = tmp_path / "bench.json"
    path.write_text(doc if isinstance(doc, str) else json.dumps(doc))
    return subprocess.run([SMCMESH, "bench", "page", path], text=True,
                          capture_output=True, timeout=60, check=False)


class Page(html.parser.HTMLParser):
    """Every element is closed; cells by what they are of."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.cells, self.text = [], [], {}, []
        self.cell = None
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if tag not in VOID:
            self.open.append(tag)
        key = attrs.get("data-connections") or (attrs.get("data-of"),
                                                attrs.get("data-metric"))
        if tag == "td" and key != (None, None):
            self.cells[key] = [attrs, ""]
            self.cell = self.cells[key]

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag
        self.cell = None

    def handle_data(self, data):
        self.text.append(data)
        if self.cell:
            self.cell[1] += data


@pytest.fixture(name="doc", scope="module")
def _doc():
    return document()


@pytest.fixture(name="text", scope="module")
def _text(tmp_path_factory, doc):
    r = draw(tmp_path_factory.mktemp("page"), doc)
    assert r.returncode == 0 and r.stderr == "", r
    return r.stdout


@pytest.fixture(name="page", scope="module")
def _page(text):
    return Page(text)


@pytest.fixture(name="figures", scope="module")
def _figures(text):
    """The drawings, the first ones those of all rounds."""
    return [ET.fromstring(x) for x in re.findall(r"<svg.*?</svg>", text, re.S)]


# ---- tables ----------------------------------------------------------------------

def test_cells_have_the_numbers_of_the_json(page, doc):
    for metric in METRICS:
        for name, value in [
                *((s, v["spread"][metric]) for s, v in doc["sides"].items()),
                ("ratio-smc", doc["ratio"][metric]["smc"]),
                ("ratio-control", doc["ratio"][metric]["control"])]:
            attrs, shown = page.cells[name, metric]
            for key in "median", "low", "high":
                assert float(attrs[f"data-{key}"]) == value[key], (name, metric)
            scale = 1 if name.startswith("ratio") else (
                1e6 if "cpu" in metric else 1e3 if metric[0] == "p" else 1)
            told = [float(x) for x in re.findall(r"[\d.]+", shown)]
            assert told == pytest.approx([value[k] * scale for k in
                                          ("median", "low", "high")],
                                         rel=.01, abs=.51), (name, metric)
        for s in doc["sides"]:
            attrs, _ = page.cells[f"paced-{s}", metric]
            assert float(attrs["data-value"]) == doc["paced"][s][metric]
    assert page.cells["smc"][1] == "SMC-D 64" and page.cells["tcp"][1] == "TCP 64"


def test_fall_back_of_one_run_is_seen_in_the_page(tmp_path, doc):
    one = json.loads(json.dumps(doc))
    one["sides"]["smc"]["runs"][1]["connections"].update(smcd=60, tcp=4)
    one.update(ratio=None, verdict="not-smc", paced=None, why="it fell back",
               sentence="the accelerated runs were not SMC", remedy="do this")
    page = Page(draw(tmp_path, one).stdout)
    assert page.cells["smc"][1] == "SMC-D 60, TCP 4"
    assert ("ratio-smc", METRICS[0]) not in page.cells
    said = "".join(page.text)
    assert "No ratio: the accelerated runs were not SMC." in said
    assert "Why: it fell back" in said and "What to do: do this" in said
    assert not any("paced" in str(k) for k in page.cells)


# ---- drawings --------------------------------------------------------------------

def below(bins, t):
    return sum(n * min(max((t - a) / (b - a), 0), 1) for a, b, n in bins)


def percentile(bins, p):
    low, high = 0, max(b for _, b, _ in bins)
    for _ in range(80):
        middle = (low + high) / 2
        if below(bins, middle) < sum(n for _, _, n in bins) * p / 100:
            low = middle
        else:
            high = middle
    return high


class Plot:
    """A drawing and its scales, as its attributes tell them."""

    def __init__(self, svg):
        self.svg, a = svg, svg.attrib
        self.log = a["data-scale"] == "log"
        (self.min, self.max, self.left, self.right, self.top, self.bottom,
         self.peak) = (float(a["data-" + k]) for k in (
             "min", "max", "left", "right", "top", "bottom", "peak"))
        self.bins = int(a["data-bins"])

    def time(self, part):
        if self.log:
            return self.min * (self.max / self.min) ** part
        return self.min + (self.max - self.min) * part

    def part(self, y):
        return (self.bottom - float(y)) / (self.bottom - self.top)

    def path(self, kind, name):
        found = [e for e in self.svg.iter("path")
                 if e.get("class") == f"{kind} {name}"]
        return found[0].get("d")


def test_each_scale_is_drawn_for_both_parts(figures):
    assert [f.get("data-scale") for f in figures] == ["linear", "log"] * 2
    for f in figures:
        assert float(f.get("data-max")) == pytest.approx(max(
            percentile(bins, 99.9) for bins in TIMES.values()), rel=1e-6)


def test_steps_and_curves_are_the_histograms_of_the_json(figures):
    for plot in map(Plot, figures):
        for name, bins in TIMES.items():
            count = sum(n for _, _, n in bins)
            tops = re.findall(r"V([\d.]+) H", plot.path("steps", name))
            assert len(tops) == plot.bins
            for i, y in enumerate(tops):
                want = (below(bins, plot.time((i + 1) / plot.bins))
                        - below(bins, plot.time(i / plot.bins))) / count
                assert plot.part(y) * plot.peak == pytest.approx(want, abs=1e-4)
            points = re.findall(r"[ML]([\d.]+) ([\d.]+)",
                                plot.path("curve", name))
            assert len(points) > 100
            for x, y in points:
                part = (float(x) - plot.left) / (plot.right - plot.left)
                assert plot.part(y) == pytest.approx(
                    below(bins, plot.time(part)) / count, abs=2e-3)


def test_marks_are_the_percentiles(figures):
    for plot in map(Plot, figures):
        marks = [e for e in plot.svg.iter("circle")]
        assert len(marks) == 15
        for e in marks:
            p = float(e.get("data-percentile"))
            want = percentile(TIMES[e.get("class").split()[1]], p)
            assert float(e.get("data-seconds")) == pytest.approx(want, rel=1e-6)
            assert plot.part(e.get("cy")) == pytest.approx(p / 100, abs=1e-3)
            part = (float(e.get("cx")) - plot.left) / (plot.right - plot.left)
            assert plot.time(part) == pytest.approx(want, rel=.01, abs=1e-6)
            assert f"P{p:g}: {want * 1e3:.3f} ms" in e.find("title").text


# ---- what a page may not do, and must ----------------------------------------------

def test_page_loads_and_runs_nothing(page, text):
    for tag, attrs in page.tags:
        assert tag not in ("script", "link", "img", "iframe", "object", "use")
        assert not {"src", "href", "xlink:href", "style"} & set(attrs), (tag, attrs)
        assert not [a for a in attrs if a.startswith("on")]
    assert "url(" not in text and "@import" not in text and "http:" not in text
    policy = [a["content"] for _, a in page.tags
              if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_what_others_named_is_text(page, text):
    assert "<script" not in text and "<i>" not in text
    said = "".join(page.text)
    assert '<script>alert("x")</script>' in said and "A & B" in said


def test_page_can_be_heard_and_switched_by_keys(page, figures):
    html_tag = next(a for t, a in page.tags if t == "html")
    assert html_tag["lang"] == "en"
    ids = {e.get("id") for f in figures for e in f.iter()} - {None}
    for f in figures:
        assert f.get("role") == "img"
        assert set(f.get("aria-labelledby").split()) <= ids
    assert len(ids) == 2 * len(figures), "no id twice"
    switches = [a for t, a in page.tags if t == "input"]
    assert [a["type"] for a in switches] == ["radio"] * 4
    tags = [t for t, _ in page.tags]
    assert tags.count("label") == 4 and tags.count("legend") == 2
    assert tags.count("caption") == tags.count("table") == 3
    assert all("scope" in a for t, a in page.tags if t == "th")


def test_dark_and_light_have_colours_of_their_own(text):
    light, dark = (dict(re.findall(r"--(\w+):(#\w+)", x)) for x in
                   re.findall(r":root\{([^}]*)\}", text))
    assert light.keys() == dark.keys() >= {"back", "text", "tcp", "smc"}

    def luminance(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(
            c * 2 for c in colour[1:])
        v = [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]
        v = [c / 12.92 if c <= .03928 else ((c + .055) / 1.055) ** 2.4 for c in v]
        return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]

    for colours in light, dark:
        for name in "text", "soft", "tcp", "smc", "control":
            a, b = sorted((luminance(colours[name]), luminance(colours["back"])))
            assert (b + .05) / (a + .05) >= 4.5, (name, colours)


@pytest.mark.parametrize("text,said", [
    ("nothing", "it is no JSON"), ("[]", "its schema is not 1"),
    ('{"schema": 2}', "its schema is not 1"),
    ('{"schema": 1, "machine": {}}', "it has no load"),
])
def test_file_that_is_no_result_is_refused(tmp_path, text, said):
    r = draw(tmp_path, text)
    assert r.returncode == 1 and r.stdout == "" and said in r.stderr, r


def test_file_that_is_not_there_is_named():
    r = subprocess.run([SMCMESH, "bench", "page", "/nonexistent/x"], text=True,
                       capture_output=True, timeout=60, check=False)
    assert r.returncode == 1 and "/nonexistent/x" in r.stderr, r


def test_result_with_strange_numbers_is_drawn(tmp_path, doc):
    strange = json.loads(json.dumps(doc))
    strange["sides"]["tcp"]["histogram"] = [[2, 1, 1], ["a"], [0, 0, 0]]
    strange["sides"]["smc"]["histogram"] = []
    del strange["sides"]["control"]
    strange["sides"]["tcp"]["runs"] = []
    r = draw(tmp_path, strange)
    assert r.returncode == 0, r
    assert "nan" not in r.stdout and "inf" not in r.stdout
    assert Page(r.stdout).cells["tcp"][1] == "none seen"

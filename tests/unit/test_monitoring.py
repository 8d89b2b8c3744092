# SPDX-License-Identifier: Apache-2.0
"""Dashboard, alerts and runbook against the tables of the metrics, and each other."""
import json
import os
import re
import xml.etree.ElementTree

import pytest
import yaml

from smclab import paths, promql

LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")
TEMPLATED = re.compile(r"\$labels\.(\w+)")


def read(path):
    with open(os.path.join(paths.TREE, path), encoding="utf-8") as f:
        return f.read()


def alerts():
    spec = yaml.safe_load(read("deploy/prometheus/rules.yaml"))["spec"]
    return [rule for group in spec["groups"] for rule in group["rules"]]


def panels():
    return [p for p in json.loads(read("deploy/grafana/smcmesh.json"))["panels"]
            if p["type"] != "row"]


@pytest.fixture(scope="module")
def known():
    return promql.reference()


# ---- that something is found, and what is wrong ---------------------------------


@pytest.mark.parametrize("expr, legend, bad", [
    ('sum by (node) (rate(smcmesh_flows_total{role="client"}[5m]))', ["node"], ""),
    ("smcmesh_flow_total", [], "no metric smcmesh_flow_total"),
    ('smcmesh_flows_total{reason="x"}', [], "no label reason"),
    ("sum by (code) (smcmesh_flows_total)", [], "nothing has the label code"),
    ("smcmesh_ready", ["code"], "label code of the legend"),
    ("sum(smcmesh_flows_total) or vector(0)", [], "made-up"),
    ("smcmesh_event_to_map_seconds", [], "no metric"),
    ("smcmesh_ready_bucket", [], "no metric"),
    ("sum by (le) (smcmesh_event_to_map_seconds_bucket)", [], ""),
    ("sum by (le) (smcmesh_event_to_map_seconds_sum)", [], "label le"),
    ("smcmesh_reconcile_duration_seconds_sum", [], "")])
def test_what_does_not_exist_is_found(known, expr, legend, bad):
    found = promql.complaints(expr, known, legend)
    assert bool(found) == bool(bad) and bad in " ".join(found), found


def test_reference_has_all_kinds(known):
    kinds = {kind for kind, _ in known.values()}
    assert kinds == {"gauge", "counter", "histogram", "summary"}
    assert known["smcmesh_flows_total"][1] == {"namespace", "pod", "role", "outcome"}
    assert len(known) >= 60


# ---- the dashboard --------------------------------------------------------------


@pytest.mark.parametrize("panel", panels(), ids=lambda p: p["title"])
def test_panel_asks_what_exists(known, panel):
    assert panel["targets"]
    for target in panel["targets"]:
        bad = promql.complaints(target["expr"], known,
                                LEGEND.findall(target["legendFormat"]))
        assert not bad, bad
        assert 'node=~"$node"' in target["expr"], target


def test_dashboard_shows_what_one_looks_for():
    asked = " ".join(t["expr"] for p in panels() for t in p["targets"])
    for name in ("bytes_total", "flows_total", "fallbacks_total",
                 "connect_latency_seconds_bucket", "late_listeners", "late_flows",
                 "sockets_rationed_total", "limit", "rdma_paths",
                 "quarantined_peers", "source_age_seconds", "capability"):
        assert "smcmesh_" + name in asked, name


def test_panels_do_not_overlap():
    taken = {}
    for p in json.loads(read("deploy/grafana/smcmesh.json"))["panels"]:
        at = p["gridPos"]
        assert at["x"] + at["w"] <= 24, p["title"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, (p["title"], taken[x, y])
                taken[x, y] = p["title"]


def test_panels_have_numbers_of_their_own():
    found = json.loads(read("deploy/grafana/smcmesh.json"))["panels"]
    assert len({p["id"] for p in found}) == len(found)


def test_drawn_panels_are_the_dashboards():
    """tests/k8s/test_prometheus.py draws them."""
    page = xml.etree.ElementTree.parse(os.path.join(
        paths.TREE, "deploy/docs/dashboard.svg")).getroot()
    words = {e.text for e in page.iter("{http://www.w3.org/2000/svg}text")}
    assert {p["title"] for p in panels()} <= words
    drawn = [e for e in page.iter("{http://www.w3.org/2000/svg}path")
             if e.get("class") == "line"]
    assert len(drawn) >= len(panels())


# ---- alerts and the runbook -----------------------------------------------------


@pytest.mark.parametrize("rule", alerts(), ids=lambda r: r["alert"])
def test_alert_asks_what_exists(known, rule):
    texts = " ".join(rule["annotations"].values())
    bad = promql.complaints(rule["expr"], known, TEMPLATED.findall(texts))
    assert not bad, bad
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert rule["labels"]["severity"] in ("info", "warning", "critical")


def test_every_alert_has_an_entry_and_every_entry_an_alert():
    entries = re.findall(r"^## (\w+)$", read("deploy/docs/runbook.md"), re.M)
    names = [r["alert"] for r in alerts()]
    assert sorted(entries) == sorted(names)
    assert len(set(names)) == len(names) > 15


@pytest.mark.parametrize("rule", alerts(), ids=lambda r: r["alert"])
def test_alert_leads_to_its_entry(rule):
    path, anchor = rule["annotations"]["runbook"].split("#")
    titles = re.findall(r"^## (.+)$", read(path), re.M)
    assert anchor in map(promql.slug, titles)
    assert anchor == promql.slug(rule["alert"])


def test_every_alert_is_seen_to_fire_and_to_end():
    tests = yaml.safe_load(read("deploy/prometheus/rules_test.yaml"))["tests"]
    assert sorted(t["name"] for t in tests) == sorted(r["alert"] for r in alerts())
    for test in tests:
        asked = test["promql_expr_test"]
        assert all(f'alertname="{test["name"]}"' in q["expr"] for q in asked)
        fires = [bool(q["exp_samples"]) for q in sorted(
            asked, key=lambda q: int(q["eval_time"].rstrip("m")))]
        assert fires == [False, True, False], test["name"]


@pytest.mark.parametrize("page", ["runbook.md", "metrics.md"])
def test_links_of_the_page_lead_somewhere(page):
    text = read("deploy/docs/" + page)
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert links
    for link in links:
        assert os.path.exists(os.path.join(paths.TREE, "deploy/docs", link)), link
    for name in re.findall(r"`((?:components|deploy)/[\w./-]+)`", text):
        path = name if name.startswith("deploy/") else "deploy/" + name
        assert os.path.exists(os.path.join(paths.TREE, path)), name


def test_commands_of_the_runbook_are_in_the_manual():
    manual = read("user/cli/smcmesh.8")
    commands = set(re.findall(r"(?<!kubectl )(?<!get )\bsmcmesh ([a-z]+)\b",
                              read("deploy/docs/runbook.md")))
    assert {"status", "pods", "quarantine", "reopen"} <= commands
    for command in commands:
        assert f".SS smcmesh {command}\n" in manual, command


def test_reasons_and_codes_of_the_runbook_exist():
    text, metrics = read("deploy/docs/runbook.md"), read("deploy/docs/metrics.md")
    named = {word for line in re.findall(r"^- (`[^:]+):", text, re.M)
             for word in re.findall(r"`([a-z]+(?:-[a-z]+)+)`", line)}
    assert {"no-ueid", "owner-rule"} <= named
    for word in named:
        assert f"`{word}`" in metrics, word

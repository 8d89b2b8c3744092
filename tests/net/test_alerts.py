# SPDX-License-Identifier: Apache-2.0
"""The alerts of deploy/prometheus, by promtool: they fire when they should, and not
before; and the queries of deploy/grafana are queries."""
import json
import os
import re
import subprocess

import pytest
import yaml

from smclab import paths, rootfs

DEPLOY = os.path.join(paths.TREE, "deploy")
RULES = os.path.join(DEPLOY, "prometheus/rules.yaml")
LEASE = os.path.join(paths.TREE, "user/pods/lease.h")
AGENT = '{node="n1",namespace="smcmesh-system",pod="smcmesh-x"}'
OLD, ENDS = "SmcmeshKnowledgeOld", "SmcmeshOffersEnd"


def promtool(*argv):
    return subprocess.run(
        [os.path.join(rootfs.find(), "usr/bin/promtool"), *argv], text=True,
        capture_output=True, check=False)


@pytest.fixture(scope="module")
def spec():
    with open(RULES, encoding="utf-8") as f:
        return yaml.safe_load(f)["spec"]


@pytest.fixture
def rules(tmp_path):
    """A file of Prometheus' own, made as deploy/prometheus/README.md says."""
    with open(os.path.join(DEPLOY, "prometheus/README.md"), encoding="utf-8") as f:
        command = re.search(r"^    (sed .*) > smcmesh.rules.yaml$", f.read(), re.M)[1]
    text = subprocess.run(command, shell=True, text=True, cwd=paths.TREE,
                          stdout=subprocess.PIPE, check=True).stdout
    path = tmp_path / "smcmesh.rules.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_alerts_are_rules(rules, spec):
    r = promtool("check", "rules", str(rules))
    assert r.returncode == 0, r.stdout + r.stderr
    assert yaml.safe_load(rules.read_text(encoding="utf-8")) == spec


def rules_test(rules, change=lambda text: text):
    """promtool over deploy/prometheus/rules_test.yaml, as changed."""
    with open(os.path.join(DEPLOY, "prometheus/rules_test.yaml"),
              encoding="utf-8") as f:
        test = rules.with_name("rules_test.yaml")
        test.write_text(change(f.read()), encoding="utf-8")
    return promtool("test", "rules", str(test))


def test_each_alert_fires_and_ends(rules):
    r = rules_test(rules)
    assert r.returncode == 0, r.stdout + r.stderr


def test_a_cause_that_is_not_there_fires_nothing(rules):
    """The control: with all values 1 the alerts that need another one are missing."""
    r = rules_test(rules, lambda text: re.sub(r"(?m)^    values: .*$",
                                              "    values: 1+0x120", text))
    said = r.stdout + r.stderr
    assert r.returncode != 0
    for name in "SmcmeshNotReady", "SmcmeshCapabilityLost", "SmcmeshFallbacks":
        assert f'alertname="{name}"' in said, said


def test_texts_of_alerts_can_be_made(rules, spec):
    """Each while it fires: promtool prints them when it expects none."""
    with open(os.path.join(DEPLOY, "prometheus/rules_test.yaml"),
              encoding="utf-8") as f:
        whole = yaml.safe_load(f)
    for test in whole["tests"]:
        fired, = [q for q in test.pop("promql_expr_test") if q["exp_samples"]]
        test["alert_rule_test"] = [{"eval_time": fired["eval_time"],
                                    "alertname": test["name"], "exp_alerts": []}]
    r = rules_test(rules, lambda _: yaml.safe_dump(whole))
    said = r.stdout + r.stderr
    for group in spec["groups"]:
        for rule in group["rules"]:
            assert f"alertname: {rule['alert']}" in said, said
    assert "<no value>" not in said and "error expanding" not in said, said


def test_queries_of_the_dashboard_are_queries(tmp_path):
    with open(os.path.join(DEPLOY, "grafana/smcmesh.json"), encoding="utf-8") as f:
        asked = [t["expr"] for p in json.load(f)["panels"]
                 for t in p.get("targets", ())]
    rules = [{"record": f"panel:{i}", "expr": e.replace("$__rate_interval", "5m")}
             for i, e in enumerate(asked)]
    path = tmp_path / "panels.json"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}),
                    encoding="utf-8")
    r = promtool("check", "rules", str(path))
    assert r.returncode == 0 and f"{len(asked)} rules" in r.stdout, r.stdout + r.stderr
    assert promtool("check", "config", "--syntax-only", os.path.join(
        DEPLOY, "prometheus/scrape.yaml")).returncode == 0


def test_knowledge_is_old_when_the_agent_thinks_so(spec):
    with open(LEASE, encoding="utf-8") as f:
        ms = re.search(r"#define LEASE_KNOWLEDGE_MS (\d+)", f.read())[1]
    asked = [rule["expr"] for group in spec["groups"] for rule in group["rules"]
             if rule["alert"] in (OLD, ENDS)]
    assert len(asked) == 2
    for expr in asked:
        assert f"smcmesh_source_age_seconds > {int(ms) // 1000}" in expr


def fires(rules, age, left, at):
    """The names of the alerts that fire for one agent at that time. @age, @left:
    its series, a value for every 30 s, in promtool's notation."""
    found = set()
    for name in OLD, ENDS:
        test = {"rule_files": [str(rules)], "evaluation_interval": "30s",
                "tests": [{
                    "interval": "30s", "input_series": [
                        {"series": "smcmesh_source_age_seconds" + AGENT,
                         "values": age},
                        {"series": "smcmesh_offers_left_seconds" + AGENT,
                         "values": left}],
                    "alert_rule_test": [{"eval_time": at, "alertname": name,
                                         "exp_alerts": []}]}]}
        path = rules.with_name("test.json")
        path.write_text(json.dumps(test), encoding="utf-8")
        r = promtool("test", "rules", str(path))
        said = r.stdout + r.stderr
        assert r.returncode == 0 or f"alertname: {name}" in said, said
        if r.returncode:
            assert "n1" in said and "<no value>" not in said, said
            found.add(name)
    return found


@pytest.mark.parametrize("age, left, expected", [
    ("0+0x20", "300+0x20", set()),
    # a bookmark a minute; a watch that hung, and was opened anew
    ("0 30 60 0 30 60 90 120 0 30 60 0 0 0 0 0 0", "300+0x20", set()),
    # silent: the lease is moved until two minutes, then it runs out
    ("0+30x20", "300 300 300 300 300 270 240 210 180", {OLD}),
    ("0+30x20", "300 300 300 300 150 120 90 60 30 0", {OLD, ENDS}),
    # no end: nothing runs out; a lease that others let run out
    ("0+30x20", "Inf+0x20", {OLD}),
    ("0+0x20", "30+0x20", set())])
def test_alerts_fire_when_they_should(rules, age, left, expected):
    assert fires(rules, age, left, "4m") == expected

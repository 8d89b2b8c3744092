# SPDX-License-Identifier: Apache-2.0
"""The alerts of deploy/components/alerts, by promtool: they fire when they should,
and not before."""
import json
import os
import re
import subprocess

import pytest
import yaml

from smclab import paths, rootfs

RULES = os.path.join(paths.TREE, "deploy/components/alerts/rules.yaml")
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
def rules(spec, tmp_path):
    """As a file of Prometheus' own: it is what the operator makes of it."""
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(spec), encoding="utf-8")
    return path


def test_alerts_are_rules(rules):
    r = promtool("check", "rules", str(rules))
    assert r.returncode == 0, r.stdout + r.stderr


def test_alerts_name_metrics_that_exist(spec):
    known = subprocess.run([paths.build() + "/smcmesh", "version", "--metrics"],
                           text=True, capture_output=True, check=True).stdout
    for group in spec["groups"]:
        for rule in group["rules"]:
            named = re.findall(r"smcmesh_\w+", rule["expr"])
            assert named and all(f"`{n}`" in known for n in named), rule


def test_knowledge_is_old_when_the_agent_thinks_so(spec):
    with open(LEASE, encoding="utf-8") as f:
        ms = re.search(r"#define LEASE_KNOWLEDGE_MS (\d+)", f.read())[1]
    for group in spec["groups"]:
        for rule in group["rules"]:
            assert f"smcmesh_source_age_seconds > {int(ms) // 1000}" in \
                rule["expr"], rule


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

# SPDX-License-Identifier: Apache-2.0
"""Queries of Prometheus against the reference of the metrics: does every name and
every label in them exist?"""
import os
import re

from . import paths

ROW = re.compile(r"^\| `((?:smcmesh|process)_\w+)` \| (\w+) \| ([\w, ]*) \| (.+) \|$",
                 re.M)
# what a scrape adds; namespace and pod are the agent's where a series has none
TARGET = {"node", "job", "instance", "namespace", "pod"}
SELECTOR = re.compile(r"\b((?:smcmesh|process)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
GROUPED = re.compile(r"\b(?:by|on|without|ignoring|group_left)\s*\(([^)]*)\)")


def reference():
    """{metric: (type, labels)}, of deploy/docs/metrics.md; a unit test says that it
    is what the tables of the program say."""
    with open(os.path.join(paths.TREE, "deploy/docs/metrics.md"),
              encoding="utf-8") as f:
        return {name: (kind, set(filter(None, labels.split(", "))))
                for name, kind, labels, _ in ROW.findall(f.read())}


def labels_of(name, known):
    """All that a series of that name can have, or None: there is no such."""
    if name in known and known[name][0] != "histogram":
        return known[name][1] | TARGET
    base, _, suffix = name.rpartition("_")
    if suffix in ("bucket", "sum", "count") and known.get(base, ("",))[0] in (
            "histogram", "summary"):
        return known[base][1] | TARGET | ({"le"} if suffix == "bucket" else set())
    return None


def complaints(expr, known, shown=()):
    """What in a query does not exist; @shown: labels that its legend names."""
    bad, had = [], set()
    for name, matchers in SELECTOR.findall(expr):
        labels = labels_of(name, known)
        if labels is None:
            bad.append(f"no metric {name}")
            continue
        had |= labels
        bad += [f"{name} has no label {label}" for label, _, _ in
                MATCHER.findall(matchers) if label not in labels]
    if expr.startswith("up{"):
        had |= TARGET
    for group in GROUPED.findall(expr):
        bad += [f"nothing has the label {label} of ({group})" for label in
                re.findall(r"\w+", group) if label not in had]
    bad += [f"nothing has the label {label} of the legend" for label in shown
            if label not in had]
    if "vector(0)" in expr.replace(" ", ""):
        bad.append("a made-up 0")
    return bad


def slug(title):
    """The anchor of a heading."""
    return re.sub(r"[^\w-]", "", title.lower().replace(" ", "-"))

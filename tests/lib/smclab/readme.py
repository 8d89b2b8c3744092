# SPDX-License-Identifier: Apache-2.0
"""The commands that the README shows, to be run as they stand there."""
import os
import re

from . import paths

# before a line that a VM's shell runs: it is in the tree, and has the program
HERE = "cd /src; PATH=/build:$PATH; "


def block(heading, word):
    """The lines of the one code block below that heading which has @word in it,
    without comments and `sudo`: whoever tests is root."""
    with open(os.path.join(paths.TREE, "README.md"), encoding="utf-8") as f:
        section = f.read().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", section, re.M)
    found, = [b for b in blocks if word in b]
    lines = [re.sub(r"\s+# .*|\bsudo ", "", x).strip() for x in found.split("\n")]
    return [line for line in lines if line]


def two_pods():
    """(the lines that make two namespaces, the agent's, the rest)"""
    lines = block("Use it on one machine", "ip netns add")
    agent, = [x for x in lines if x.startswith("smcmesh agent ")]
    at = lines.index(agent)
    return lines[:at], agent, lines[at + 1:]

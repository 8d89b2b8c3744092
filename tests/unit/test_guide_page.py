# SPDX-License-Identifier: Apache-2.0
"""The page for who comes from the vendor's guide: what it tells to type is there."""
import os
import re
import subprocess

import pytest

from smclab import paths

PAGE = os.path.join(paths.TREE, "deploy/docs/guide.md")
SMCMESH = os.path.join(paths.TREE, "deploy/kubectl/kubectl-smcmesh")
MANUAL = os.path.join(paths.TREE, "user/cli/smcmesh.8")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def told(pattern):
    return sorted(set(re.findall(pattern, read(PAGE))))


def test_files_are_there():
    links = told(r"\]\(([^)#:]+)\)")
    shipped = told(r"(?<![\w./])(?<!exec )(deploy/[\w./-]+)")
    assert links and shipped
    for path in ([os.path.join("deploy/docs", link) for link in links]
                 + shipped):
        assert os.path.exists(os.path.join(paths.TREE, path)), path


@pytest.mark.parametrize("command", told(r"(?<!kubectl )smcmesh ([a-z_]+)[ `,\n]"))
def test_commands_are_in_the_manual(command):
    manual = read(MANUAL)
    if command == "syn_check":    # the alias
        assert "syn_check" in manual
    elif command not in ("does", "needs", "sees"):    # the product's name
        assert f".SS smcmesh {command}\n" in manual


def test_commands_of_kubectl_smcmesh_are_its():
    usage = subprocess.run([SMCMESH, "--help"], text=True, check=True,
                           capture_output=True).stdout
    commands = told(r"kubectl smcmesh ([a-z]+)")
    assert commands
    for command in commands:
        assert re.search(rf"^  {command} ", usage, re.M), command


def test_checks_of_doctor_are_in_the_manual():
    manual = read(MANUAL).replace("\\", "")
    for check in told(r"--explain ([a-z-]+)") + told(r"`(alinux-[\d.]+)`"):
        assert check in manual, check

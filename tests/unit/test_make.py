# SPDX-License-Identifier: Apache-2.0
"""What `make` says to whoever types it first, and what it installs."""
import calendar
import os
import re
import shutil
import stat
import subprocess
import time

import pytest

from smclab import paths


def make(*argv):
    """Of this tree; not as a part of the make that may run this test."""
    env = {k: v for k, v in os.environ.items()
           if not re.match("MAKE|MFLAGS|PREFIX|DESTDIR", k)}
    return subprocess.run(["make", *argv], cwd=paths.TREE, env=env, text=True,
                          capture_output=True, timeout=60, check=False)


def planned(tmp_path, *argv):
    """A build from nothing, as far as that can be told without doing it."""
    return make("-n", f"BUILD={tmp_path}/build", *argv)


@pytest.mark.parametrize("lacking, name", [
    ("CLANG=no-clang", "no-clang"), ("CC=no-cc -m64", "no-cc"),
    ("BPFTOOL=/nowhere/no-bpftool", "no-bpftool"),
    ("LIBS=libbpf libnone", "libnone")])
@pytest.mark.parametrize("target", ["all", "check-programs"])
def test_what_is_missing_is_named(tmp_path, lacking, name, target):
    r = planned(tmp_path, lacking, target)
    assert r.returncode == 2, r.stdout[-1000:]
    assert f"the build lacks {name}. " in r.stderr, r.stderr
    assert "installs it: sudo tests/deps build." in r.stderr, r.stderr


def test_deps_command_knows_what_the_build_needs():
    """By the name of the package."""
    with open(os.path.join(paths.TREE, "tests/deps"), encoding="utf-8") as f:
        group = re.search(r'^build="([^"]*)"', f.read(), re.M)[1].split()
    assert {"clang", "gcc", "bpftool", "pkg-config"} <= set(group)


def test_nothing_is_missing_here(tmp_path):
    r = planned(tmp_path)
    assert r.returncode == 0 and "smcmesh.skel.h" in r.stdout, r.stderr


@pytest.mark.parametrize("prefix", ["/usr/local", "/opt/smcmesh"])
def test_install_puts_each_file_in_place(tmp_path, prefix):
    """The units start what was installed beside them. (-o: `all` was made.)"""
    build, root = tmp_path / "build", tmp_path / "root"
    build.mkdir()
    (build / "smcmesh").write_text('#!/bin/sh\necho "$*"\n', encoding="ascii")
    (build / "smcmesh").chmod(0o755)
    r = make("-o", "all", f"BUILD={build}", f"DESTDIR={root}",
             f"PREFIX={prefix}", "install")
    assert r.returncode == 0, r.stderr
    at = f"{root}{prefix}"
    files = {os.path.relpath(os.path.join(d, f), at): os.path.join(d, f)
             for d, _, names in os.walk(root) for f in names}
    units = {f"lib/systemd/system/{u}.service"
             for u in ("smcmesh", "smcmesh-node-setup")}
    scripts = {"bash": "share/bash-completion/completions/smcmesh",
               "zsh": "share/zsh/site-functions/_smcmesh",
               "fish": "share/fish/vendor_completions.d/smcmesh.fish"}
    assert set(files) == {"bin/smcmesh", "share/man/man8/smcmesh.8",
                          *scripts.values()} | units
    for shell, script in scripts.items():
        with open(files[script], encoding="ascii") as f:
            assert f.read() == f"completion {shell}\n"
        assert stat.S_IMODE(os.stat(files[script]).st_mode) == 0o644
    for unit in units:
        assert stat.S_IMODE(os.stat(files[unit]).st_mode) == 0o644
        with open(files[unit], encoding="utf-8") as f:
            text = f.read()
        assert re.findall(r"^ExecStart=(\S+)", text, re.M) == [
            prefix + "/bin/smcmesh"]
        assert str(tmp_path) not in text
        assert prefix == "/usr/local" or "/usr/local" not in text


def built(build):
    """What main.c is compiled with, made anew; whether it was written."""
    header = build / "built.h"
    before = header.stat().st_mtime_ns if header.exists() else None
    r = make(f"BUILD={build}", f"{build}/built.h")
    assert r.returncode == 0, r.stderr
    found = dict(re.findall(r'#define SMCMESH_(\w+) "(.*)"',
                            header.read_text(encoding="ascii")))
    return found, before != header.stat().st_mtime_ns


def git(*argv):
    r = subprocess.run(["git", *argv], cwd=paths.TREE, text=True,
                       capture_output=True, check=False)
    return r.stdout.strip() if not r.returncode else ""


@pytest.mark.skipif(not git("rev-parse", "HEAD"), reason="no clone of git")
def test_revision_is_the_commit_and_is_written_once(tmp_path):
    found, _ = built(tmp_path)
    commit, _, dirty = found["COMMIT"].partition("-")
    assert git("rev-parse", "HEAD").startswith(commit) and len(commit) >= 12
    assert dirty == ("dirty" if git("diff", "HEAD", "--name-only") else "")
    assert re.fullmatch(r"\d{4}(-\d\d){2}T\d\d:\d\d:\d\dZ", found["DATE"]), found
    assert git("log", "-1", "--format=%ct") == str(calendar.timegm(
        time.strptime(found["DATE"], "%Y-%m-%dT%H:%M:%SZ")))
    assert found["ARCH"] == os.uname().machine
    # what is the same is not compiled again
    again, written = built(tmp_path)
    assert again == found and not written


@pytest.mark.parametrize("said, commit, date", [
    ("1.2", "unknown", "unknown"),
    ("1.2 abc 2026-11-30T00:00:00Z", "abc", "2026-11-30T00:00:00Z")])
def test_revision_of_an_archive_is_in_its_file(tmp_path, said, commit, date):
    """.version: where there is no git it says what the tree is of."""
    tree = tmp_path / "tree"
    tree.mkdir()
    shutil.copy(os.path.join(paths.TREE, "Makefile"), tree)
    (tree / ".version").write_text(said + "\n", encoding="ascii")
    r = make("-C", str(tree), "built.h", "BUILD=.")
    assert r.returncode == 0, r.stderr
    text = (tree / "built.h").read_text(encoding="ascii")
    assert f'COMMIT "{commit}"' in text and f'DATE "{date}"' in text, text

# SPDX-License-Identifier: Apache-2.0
"""What `make` says to whoever types it first, and what it installs."""
import os
import re
import stat
import subprocess

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
def test_install_puts_program_page_and_units_in_place(tmp_path, prefix):
    """The units start what was installed beside them. (-o: `all` was made.)"""
    build, root = tmp_path / "build", tmp_path / "root"
    build.mkdir()
    (build / "smcmesh").write_text("", encoding="ascii")
    r = make("-o", "all", f"BUILD={build}", f"DESTDIR={root}",
             f"PREFIX={prefix}", "install")
    assert r.returncode == 0, r.stderr
    at = f"{root}{prefix}"
    files = {os.path.relpath(os.path.join(d, f), at): os.path.join(d, f)
             for d, _, names in os.walk(root) for f in names}
    units = {f"lib/systemd/system/{u}.service"
             for u in ("smcmesh", "smcmesh-node-setup")}
    assert set(files) == {"bin/smcmesh", "share/man/man8/smcmesh.8"} | units
    for unit in units:
        assert stat.S_IMODE(os.stat(files[unit]).st_mode) == 0o644
        with open(files[unit], encoding="utf-8") as f:
            text = f.read()
        assert re.findall(r"^ExecStart=(\S+)", text, re.M) == [
            prefix + "/bin/smcmesh"]
        assert str(tmp_path) not in text
        assert prefix == "/usr/local" or "/usr/local" not in text

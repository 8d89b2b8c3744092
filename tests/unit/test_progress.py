# SPDX-License-Identifier: Apache-2.0
"""How far a long build says that it is: no count passes its total."""
import os
import re
import subprocess

import pytest

from smclab import paths

PROGRESS = os.path.join(paths.TREE, "tests/lib/progress.sh")
BUILD = os.path.join(paths.TREE, "tests/k8s/build")
PACKAGES = 40
# a go that has 40 packages to compile, and says more: modules it fetches, a package
# twice, complaints with slashes
GO = f"""#!/bin/sh
case $1 in
version) echo "go version go1.26.1 linux/amd64" ;;
list)
	seq -f 'go: downloading example.org/module%g v1' 300 >&2
	sleep 1
	seq -f example.org/package%g {PACKAGES}
	;;
build)
	echo "go: downloading example.org/late v1" >&2
	seq -f example.org/package%g 10 >&2
	sleep 1
	seq -f example.org/package%g {PACKAGES} >&2
	seq -f 'example.org/vendor/file%g: is odd' 300 >&2
	sleep 1
	;;
esac
"""


def shell(script, *argv):
    r = subprocess.run(["sh", "-euc", f". {PROGRESS}\n{script}", "sh", *argv],
                       text=True, capture_output=True, timeout=60, check=False)
    assert r.returncode == 0, r
    return r


@pytest.fixture(name="log")
def _log(tmp_path):
    log = tmp_path / "log"
    log.write_text("go: downloading a/b v1\na/b\na/b\na/bc\nfmt\n  CC      x.o\n"
                   "  LD      x\n# a/b: warning\n", encoding="ascii")
    return log


def test_what_is_not_in_the_list_does_not_count(tmp_path, log):
    names = tmp_path / "list"
    names.write_text("a/b\nfmt\nc.d/e\n", encoding="ascii")
    say = 'named "$1" "$2" packages'
    assert shell(say, names, log).stdout == "2 of at most 3 packages\n"
    log.write_text("", encoding="ascii")
    assert shell(say, names, log).stdout == "0 of at most 3 packages\n"


def test_what_has_no_total_is_said_without(log):
    say = 'lines "$2" "$1" files'
    assert shell(say, log, "^  (CC|LD) ").stdout == "2 files\n"
    assert shell(say, log, "^  AS ").stdout == "0 files\n"


def test_progress_ends_with_its_process():
    r = shell('sleep 0.5 & PROGRESS_SECONDS=0.1 progress $! AREA "a step" echo far')
    assert re.fullmatch("(  AREA    a step: far, 0 min\n)+", r.stderr), r


def test_build_of_kubernetes_counts_what_it_was_told(tmp_path):
    """All of it, with a go that compiles nothing."""
    programs, cache = tmp_path / "bin", tmp_path / "cache"
    programs.mkdir()
    (programs / "go").write_text(GO, encoding="ascii")
    (programs / "df").write_text("#!/bin/sh\nprintf 'x\\nx x x 9000\\n'\n",
                                 encoding="ascii")
    for name in "go", "df":
        (programs / name).chmod(0o755)
    env = {**os.environ, "SMCMESH_CACHE": str(cache), "PROGRESS_SECONDS": "0.05",
           "PATH": f"{programs}:{os.environ['PATH']}"}
    r = subprocess.run([BUILD], env=env, text=True, capture_output=True,
                       timeout=60, check=False)
    assert r.returncode == 0, r
    assert os.path.isdir(r.stdout.strip())
    assert "1/3 kubernetes: 300 modules fetched, 0 min" in r.stderr, r.stderr
    counts = [[int(n) for n in found] for found in
              re.findall(r": (\d+) of at most (\d+) ", r.stderr)]
    assert counts and all(n <= most == PACKAGES for n, most in counts), counts
    assert not list(cache.glob("*.packages"))

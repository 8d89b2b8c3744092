# SPDX-License-Identifier: Apache-2.0
"""Where things are: the tree, its build directory, the cache, the logs."""
import glob
import os
import re
import shutil
import subprocess
import tempfile

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))


def build():
    """The build directory: $SMCMESH_BUILD, or build/ in the tree."""
    path = os.environ.get("SMCMESH_BUILD") or os.path.join(TREE, "build")
    path = os.path.realpath(path)
    os.makedirs(path, exist_ok=True)
    return path


def cache():
    """Large things that outlive a tree: the kernel and the root."""
    path = os.environ.get("SMCMESH_CACHE") or "/var/cache/smcmesh"
    os.makedirs(path, exist_ok=True)
    return os.path.realpath(path)


def log_file(name):
    path = os.path.join(build(), "log")
    os.makedirs(path, exist_ok=True)
    return os.path.join(path, name)


def console_log(vm):
    """TEST-VM-console.log: files of tests run side by side, and call their VMs
    alike."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").split("::")[0]
    test = os.path.splitext(os.path.basename(test))[0]
    return log_file(f"{test}-{vm}-console.log".lstrip("-"))


def go():
    """A Go of at least 1.24: the one on the PATH, or the newest of Debian's
    versioned packages, which are not on it (tests/deps installs one)."""
    for exe in ["go", *sorted(glob.glob("/usr/lib/go-1.*/bin/go"))[::-1]]:
        try:
            out = subprocess.run([exe, "env", "GOVERSION"], check=False,
                                 text=True, stdout=subprocess.PIPE).stdout
        except FileNotFoundError:
            continue
        m = re.match(r"go1\.(\d+)", out)
        if m and int(m.group(1)) >= 24:
            return exe
    return "go"


def work_dir(name):
    """A directory for one VM's files. Those of drivers that were killed are
    removed here, by the process id in their names."""
    base = os.path.join(build(), "run")
    os.makedirs(base, exist_ok=True)
    for old in os.listdir(base):
        if not os.path.exists("/proc/" + old.split("-")[0]):
            shutil.rmtree(os.path.join(base, old), ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{os.getpid()}-{name}-", dir=base)

# SPDX-License-Identifier: Apache-2.0
"""The agent of an earlier commit, built once and kept in the cache.

    oldtree.agent("2f2934b", "abi1")    # the path in a VM, or None

None: this clone has no history (a source archive, a shallow clone).
"""
import fcntl
import os
import shutil
import subprocess

from . import paths


def _has(commit):
    return subprocess.run(["git", "cat-file", "-e", commit + "^{commit}"],
                          cwd=paths.TREE, capture_output=True,
                          check=False).returncode == 0


def _build(commit, out):
    """From that commit's own files, by its own Makefile."""
    tree = os.path.join(paths.work_dir("old"), "tree")
    os.makedirs(tree)
    archive = subprocess.Popen(["git", "archive", commit], cwd=paths.TREE,
                               stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", tree], stdin=archive.stdout, check=True)
    if archive.wait():
        raise RuntimeError(f"git archive {commit}: {archive.returncode}")
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    subprocess.run(["make", "-s", "-j2", "BUILD=build", "all"], cwd=tree,
                   env=env, check=True, stdout=subprocess.DEVNULL)
    shutil.copy2(os.path.join(tree, "build/smcmesh"), out + ".new")
    os.rename(out + ".new", out)
    shutil.rmtree(os.path.dirname(tree))


def agent(commit, name):
    if not _has(commit):
        return None
    kept = os.path.join(paths.cache(), f"smcmesh-{commit}")
    with open(kept + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(kept):
            _build(commit, kept)
    folder = os.path.join(paths.build(), name)
    os.makedirs(folder, exist_ok=True)
    shutil.copy2(kept, os.path.join(folder, "smcmesh"))
    return f"/build/{name}/smcmesh"

# SPDX-License-Identifier: Apache-2.0
"""Where things are: the tree, its build directory, the cache, the logs."""
import os

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

# SPDX-License-Identifier: Apache-2.0
"""Finds the test kernel; tests/kernel/build makes one when there is none."""
import glob
import os

from . import paths


def candidates():
    """Kernel images in the order of preference."""
    given = os.environ.get("SMCMESH_KERNEL")
    if given:
        return [given]
    found = sorted(glob.glob(os.path.join(paths.cache(), "kernel-*/bzImage")),
                   key=os.path.getmtime, reverse=True)
    beside = os.path.join(os.path.dirname(paths.TREE), "shared/kernels")
    return found + sorted(glob.glob(beside + "/*/bzImage"))


def find():
    for path in candidates():
        if os.path.exists(path):
            return path
    raise FileNotFoundError("there is no test kernel: `make kernel` builds one")

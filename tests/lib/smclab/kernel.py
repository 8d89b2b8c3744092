# SPDX-License-Identifier: Apache-2.0
"""Finds the test kernel, and has one built where there is none."""
import functools
import os
import subprocess

from . import paths

FIND = os.path.join(paths.TREE, "tests/kernel/find")
BUILD = os.path.join(paths.TREE, "tests/kernel/build")


@functools.cache
def find():
    env = dict(os.environ, SMCMESH_CACHE=paths.cache())
    subprocess.run([BUILD], check=True, env=env)
    return subprocess.run([FIND], check=True, env=env, text=True,
                          stdout=subprocess.PIPE).stdout.strip()

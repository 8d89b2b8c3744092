# SPDX-License-Identifier: Apache-2.0
"""Finds the root file system that the VMs share."""
import os


def find():
    return os.environ.get("SMCMESH_ROOT") or "/"

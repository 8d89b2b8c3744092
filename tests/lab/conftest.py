# SPDX-License-Identifier: Apache-2.0
"""Tests in two virtual machines on one link: two nodes of a mesh."""
import pytest

from smclab.pair import Pair


@pytest.fixture(scope="module")
def pair():
    """Two nodes, fresh for every test file; they boot side by side."""
    machines = Pair()
    try:
        for machine in machines:
            machine.wait_boot()
        yield machines
    finally:
        machines.stop()

# SPDX-License-Identifier: Apache-2.0
"""Tests in one virtual machine."""
import pytest

from smclab import Vm


@pytest.fixture(scope="module")
def vm():
    """One node, fresh for every test file."""
    with Vm("n1") as machine:
        yield machine

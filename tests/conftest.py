# SPDX-License-Identifier: Apache-2.0
"""What all pytest tiers share: the library's path, the VMs' consoles in the
report of a failure, and the kernels' health."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "lib"))

from smclab import Vm  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Show the end of every running VM's console with a failure."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for vm in sorted(Vm.running, key=lambda v: v.name):
            report.sections.append((f"console of {vm.name}", vm.console_tail()))


@pytest.fixture(autouse=True)
def kernels_are_well():
    """No test may leave a warning, a BUG or an oops in a VM's kernel log."""
    yield
    for vm in list(Vm.running):
        complaints = vm.complaints()
        if complaints:
            pytest.fail(f"the kernel of {vm.name} complains:\n{complaints}")

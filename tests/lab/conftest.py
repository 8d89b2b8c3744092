# SPDX-License-Identifier: Apache-2.0
"""Tests in two virtual machines on one link: two nodes of a mesh."""
import pytest

from smclab import Link, Vm


class Pair:
    """
        n1 eth0 ======== link ======== eth0 n2
    """

    def __init__(self):
        self.link = Link()
        self.n1 = Vm("n1", nics=[self.link.ends[0]])
        self.n2 = Vm("n2", nics=[self.link.ends[1]])

    def __iter__(self):
        return iter((self.n1, self.n2))

    def stop(self):
        for machine in self:
            machine.stop()
        self.link.close()


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

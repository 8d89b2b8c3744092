# SPDX-License-Identifier: Apache-2.0
"""Two virtual machines on one link: two nodes of a mesh."""
from .machine import Link, Vm


class Pair:
    """
        n1 eth0 ======== link ======== eth0 n2
    """

    def __init__(self, kernel=None):
        self.link = Link()
        self.n1 = Vm("n1", kernel=kernel, nics=[self.link.ends[0]])
        self.n2 = Vm("n2", kernel=kernel, nics=[self.link.ends[1]])

    def __iter__(self):
        return iter((self.n1, self.n2))

    def stop(self):
        for machine in self:
            machine.stop()
        self.link.close()

# SPDX-License-Identifier: Apache-2.0
import os
import subprocess

import pytest

from smclab.nodens import Netns


@pytest.fixture
def netns(request):
    """Makes namespaces named after the test, and always removes them."""
    made = []

    def make(suffix=""):
        # names of interfaces derive from it: short, and one per test run
        n = Netns(f"node{os.getpid() % 10000}{request.node.name[5:12]}{suffix}"
                  .replace("[", "-").replace("]", ""))
        made.append(n)
        return n

    yield make
    for n in made:
        subprocess.run(["ip", "netns", "del", n.name], check=False)

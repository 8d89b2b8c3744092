# SPDX-License-Identifier: Apache-2.0
"""The README's first steps, as they stand there, on a kernel that can do SMC: they
end with a connection over shared memory. net/test_first_steps.py has the others."""
import re

from smclab import readme, wait_for
from smclab.readme import HERE


def test_the_first_steps_end_with_smc(vm):
    pods, agent, (armed, serve, connect, flows) = readme.two_pods()

    def run(line):
        return vm.run(HERE + line).out

    def background(line):
        assert line.endswith(" &")
        return vm.spawn(HERE + "exec " + line[:-2])

    def is_armed(pod):
        told = vm.run(HERE + armed, check=False).out
        return re.search(rf"^default +{pod} +yes ", told, re.M)

    for line in pods:
        run(line)
    background(agent)
    for pod in "web", "client":
        wait_for(lambda p=pod: is_armed(p), 30, f"{pod} to be armed", 0.5)
    background(serve)
    wait_for(lambda: 8080 in vm.call("smcdiag", "listening", netns="web"), 30,
             "the server", 0.5)
    run(connect)
    said = run(flows)
    for pod, role in ("client", "client"), ("web", "server"):
        assert re.search(rf"^default/{pod} +{role} .*SMC-D, over shared memory",
                         said, re.M), said

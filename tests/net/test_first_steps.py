# SPDX-License-Identifier: Apache-2.0
"""The README's first steps on this machine, as they stand there: its kernel cannot
do SMC, so they end with the reason. vm/test_first_steps.py has the other end."""
import json
import os
import re
import subprocess

import pytest

from smclab import paths, readme, wait_for


def root_is_mounted():
    """`ip netns exec` makes / private, which only a mount point can be."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return any(line.split()[4] == "/" for line in f)


pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not root_is_mounted(), reason="/ is no mount point here")]
# a network, processes, /run and BPF file system of its own; with the shell all
# that it started is gone
PRIVATE = ["unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
SETUP = ["mount -t tmpfs tmpfs /run", "mount -t bpf bpf /sys/fs/bpf",
         "ip link set lo up"]


class Shell:
    def __init__(self, log):
        env = dict(os.environ,
                   PATH=f"{paths.build()}:{os.environ['PATH']}")
        self.log = log
        with open(log, "w", encoding="utf-8") as err:
            self.proc = subprocess.Popen(
                [*PRIVATE, "bash"], cwd=paths.TREE, env=env, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err)

    def run(self, line):
        """What it prints; one that goes to the background prints to the log."""
        line = re.sub(r"&$", ">&2 &", line)
        self.proc.stdin.write(f"{line}\necho \"-- $?\"\n")
        self.proc.stdin.flush()
        out = []
        for text in self.proc.stdout:
            if text.startswith("-- "):
                assert text == "-- 0\n", (line, text, out, self.said())
                return "".join(out)
            out.append(text)
        raise AssertionError(f"{line}: the shell has ended: {self.said()}")

    def said(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def stop(self):
        self.proc.kill()
        self.proc.communicate()


@pytest.fixture
def shell(tmp_path):
    doctor = json.loads(subprocess.run(
        [paths.build() + "/smcmesh", "doctor", "-o", "json"], text=True,
        capture_output=True, check=True).stdout)
    if doctor["capable"]:
        pytest.skip("this kernel can do SMC: see tests/vm")
    sh = Shell(tmp_path / "log")
    for line in SETUP:
        sh.run(line)
    yield sh
    sh.stop()


def test_the_first_steps_end_with_the_reason(shell):
    pods, agent, (armed, serve, connect, flows) = readme.two_pods()
    for line in pods:
        shell.run(line)
    shell.run(agent)
    wait_for(lambda: "/client is not armed" in shell.said(), 20, "the agent")
    for pod in "web", "client":
        assert re.search(rf"^default +{pod} +no +no-converter .*cannot make SMC",
                         shell.run(armed), re.M), shell.run(armed)
    shell.run(serve)
    # the server takes its time to begin; what stands there is run once it has
    wait_for(lambda: ":8080" in shell.run(
        "ip netns exec web ss -Hltn"), 20, "the server")
    shell.run(connect)
    assert "GET / HTTP" in shell.said()
    assert "default" not in shell.run(flows)
    assert re.search(r"^mesh +on$", shell.run("smcmesh status"), re.M)

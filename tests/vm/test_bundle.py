# SPDX-License-Identifier: Apache-2.0
"""The bundle on a node that has nothing: a root of busybox alone, into which the
archive is unpacked. Its agent arms, its commands tell, and it may lie anywhere.

    VM n1: /bare: bin/busybox, opt/smcmesh; /dev, /proc, /run, /sys are the VM's
    agent in /bare      web, client: annotated cgroups, 10.244.1.1 both
"""
import glob
import json
import os
import shutil
import subprocess

import pytest

from smclab import manifest, paths, topo
from smclab.agents import Agent
from smclab.flows import become, ends, serve

# to make the archive takes a while, where the machine is busy
pytestmark = pytest.mark.long

NODE, PORT = "10.244.1.1", 7000
BUNDLED = "/run/smclab/bundled"
LAY_OUT = """cd /bare && mkdir bin dev etc proc run sys tmp && cp /x/busybox bin/
chroot /bare /bin/busybox --install -s /bin
for d in dev proc run sys; do mount --rbind /$d $d; done
chroot /bare tar -xzf - -C / </x/bundle.tar.gz
mkdir -p /run/smclab"""


def bare(vm, *argv, **kw):
    return vm.run(["chroot", "/bare", *argv], **kw)


@pytest.fixture(scope="module", autouse=True)
def bundle(vm):
    subprocess.run([os.path.join(paths.TREE, "deploy/bundle/build"),
                    paths.build(), "0-test"], check=True, timeout=900)
    archive, = glob.glob(os.path.join(paths.build(), "smcmesh-0-test-*.tar.gz"))
    shutil.move(archive, os.path.join(vm.exchange, "bundle.tar.gz"))
    shutil.copy(shutil.which("busybox"), os.path.join(vm.exchange, "busybox"))
    vm.run("mkdir /bare && " + LAY_OUT)
    vm.write(BUNDLED, "#!/bin/sh\nexec chroot /bare /opt/smcmesh/bin/smcmesh "
             '"$@"\n', mode=0o755)


def test_root_has_busybox_alone(vm):
    """No library to fall back upon."""
    assert set(vm.run("ls /bare").out.split()) == {
        "bin", "dev", "etc", "opt", "proc", "run", "sys", "tmp"}
    assert vm.run("find /bare/bin -type f").out.split() == ["/bare/bin/busybox"]


def test_commands_tell_and_may_lie_anywhere(vm):
    version = bare(vm, "/opt/smcmesh/bin/smcmesh", "version").out
    assert version.startswith("smcmesh ")
    found = bare(vm, "/opt/smcmesh/bin/smcmesh", "doctor", "-o", "json",
                 check=False)
    assert json.loads(found.out)["capable"] is True, found
    bare(vm, "sh", "-c", "cp -r /opt/smcmesh /tmp/elsewhere && "
         "ln -s /tmp/elsewhere/bin/smcmesh /bin/smcmesh")
    assert bare(vm, "smcmesh", "version").out == version
    wrong = bare(vm, "smcmesh", "nonsense", check=False)
    assert wrong.rc == 2 and "there is no command nonsense" in wrong.err


def test_completions_are_those_of_its_program(vm):
    for shell, path in (("bash", "bash-completion/completions/smcmesh"),
                        ("zsh", "zsh/site-functions/_smcmesh"),
                        ("fish", "fish/vendor_completions.d/smcmesh.fish")):
        said = bare(vm, "/opt/smcmesh/bin/smcmesh", "completion", shell).out
        assert said and said == bare(vm, "cat", f"/opt/smcmesh/share/{path}").out


def test_agent_arms_and_cleans_up(vm):
    topo.bridge(vm, NODE + "/16")
    vm.run("mkdir -p /sys/fs/cgroup/lab/web /sys/fs/cgroup/lab/client")
    agent = Agent(vm, [manifest.mesh(), *(
        manifest.pod(n, "n1", [], annotations={"smcmesh.io/cgroup": f"/lab/{n}"})
        for n in ("web", "client"))], binary=BUNDLED).start()
    become(lambda: [agent.pod(n).get("armed") for n in ("web", "client")],
           [True, True], 20)
    web, client = (topo.HostPod(vm, f"lab/{n}", NODE) for n in ("web", "client"))
    server = serve(web, PORT)
    become(lambda: ends(client, web, PORT), ("smcd", "smcd"), 20)
    run = agent.cli("run", "--wait", "20", "--", "cat", "/proc/self/cgroup")
    assert "/smcmesh.run-cat-" in run.out and run.err == ""
    server.kill()
    agent.stop()
    assert "Nothing of smcmesh is left" in agent.cli("cleanup").out

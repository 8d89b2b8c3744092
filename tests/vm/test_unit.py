# SPDX-License-Identifier: Apache-2.0
"""The unit that is installed, deploy/systemd/smcmesh.service, under a real systemd.

           VM n1, its agent the unit's
    a         b
  armed     armed                   10.244.1.0/16
    |         |
  --+-- br0 --+--

What the agent says to a manager, word by word: net/test_log_native.py.
"""
import json
import re

import pytest

from smclab import Vm, manifest, systemd, wait_for
from smclab.flows import ends, held, serve
from smclab.mesh import two_pods

pytestmark = pytest.mark.long

SMCMESH = "/build/smcmesh"
LIST = "/etc/smcmesh/pods.json"
DROP_IN = "/etc/systemd/system/smcmesh.service.d"
SMCD = ("smcd", "smcd")
# it stands still before its first instruction, until somebody says CONT
STANDS = ('[Service]\nExecStart=\n'
          'ExecStart=/bin/sh -c "kill -STOP $$$$; exec /build/smcmesh agent --source'
          f' file:{LIST}"\n')
WATCHDOG = 10    # seconds, and a third of them without a sign of life is nothing
QUICK = f"[Service]\nWatchdogSec={WATCHDOG}\n"


class Node:
    def __init__(self, vm):
        self.vm = vm
        self.mesh, self.a, self.b = two_pods(vm)
        vm.write("/etc/hostname", vm.name + "\n")    # of which the agent is
        vm.write(LIST, manifest.text(*self.mesh.objects()))
        self.boot = systemd.Boot(vm)
        wait_for(lambda: self.systemctl("is-system-running").out.strip() in
                 ("running", "degraded"), 120, "the boot")

    def systemctl(self, *args):
        return self.boot.run("systemctl", *args)

    def shows(self, *properties):
        return self.boot.shows("smcmesh", *properties)

    def shown(self, name):
        return self.shows(name)[name]

    def drop_in(self, text):
        """The unit with these lines besides; "": as it is installed."""
        self.vm.run(f"rm -rf {DROP_IN}; mkdir -p {DROP_IN}")
        if text:
            self.vm.write(f"{DROP_IN}/test.conf", text)
        assert self.systemctl("daemon-reload").rc == 0

    def start(self, text=""):
        self.drop_in(text)
        done = self.systemctl("start", "smcmesh")
        assert done.rc == 0, (done, self.systemctl("status", "smcmesh").out)

    def stop(self):
        assert self.systemctl("stop", "smcmesh").rc == 0
        self.drop_in("")

    def pid(self):
        """Of the agent: as systemd, and who runs beside it, see it."""
        return self.shown("MainPID")

    def kill(self, signal):
        assert self.boot.run("kill", f"-{signal}", self.pid()).rc == 0

    def armed(self):
        got = self.boot.run(SMCMESH, "pods", "-o", "json")
        return got.rc == 0 and sorted(p["name"] for p in got.json()["pods"]
                                      if p["armed"])

    def wait_armed(self):
        wait_for(lambda: self.armed() == ["a", "b"], 60, "both pods to be armed")

    def journal(self):
        """[(priority, message)] of what this agent said."""
        got = self.boot.run("journalctl", "-o", "json", "_SYSTEMD_UNIT=smcmesh.service",
                            "_PID=" + self.pid())
        rows = [json.loads(line) for line in got.out.splitlines()]
        return [(r["PRIORITY"], r["MESSAGE"]) for r in rows]


@pytest.fixture(scope="module")
def booted():
    with Vm("n1") as vm:
        yield Node(vm)


@pytest.fixture
def node(booted):
    yield booted
    booted.stop()


def test_start_is_over_when_the_agent_answers(node):
    node.drop_in(STANDS)
    start = node.boot.spawn("sh", "-c", f"systemctl start smcmesh && {SMCMESH} status")
    wait_for(lambda: node.pid() != "0" and node.boot.run(
        "grep", "-q", "^State:.T", f"/proc/{node.pid()}/status").rc == 0, 60,
        "it to stand still")
    assert node.shown("ActiveState") == "activating"
    assert node.boot.run(SMCMESH, "status").rc != 0
    assert start.alive
    node.kill("CONT")
    done = start.wait(60)
    assert done.rc == 0 and re.search(r"^state ", done.out, re.M), done
    assert node.shown("ActiveState") == "active"
    node.wait_armed()
    wait_for(lambda: node.shown("StatusText").startswith("pods armed: 2; ready: "), 20,
             "the status in `systemctl status`")


def test_journal_has_levels_and_the_level_is_changed(node):
    node.start()
    node.wait_armed()
    said = node.journal()
    assert {"6"} <= {p for p, _ in said} <= {"6", "4"}, said
    assert any("pod default/a is armed" in text for _, text in said), said
    # the journal has the time, and took the level away
    assert not any(re.match(r"<\d>|\d{4}-", text) for _, text in said), said

    def debugs():
        return [text for p, text in node.journal() if p == "7"]
    assert node.systemctl("reload", "smcmesh").rc == 0 and not debugs()
    assert node.boot.run(SMCMESH, "log-level", "debug").out == "debug, and was info\n"
    assert node.systemctl("reload", "smcmesh").rc == 0
    wait_for(lambda: any("reconciled, pods=2 " in text for text in debugs()), 20,
             "a line of level debug")
    assert node.shown("ActiveState") == "active"


def test_watchdog_ends_an_agent_that_stands_still_and_pods_lose_nothing(node):
    node.start()
    assert node.shown("WatchdogUSec") == "2min"    # as installed
    node.stop()
    node.start(QUICK)
    node.wait_armed()
    server = serve(node.b, 7000)
    with held(node.a, node.b.v4, 7000) as h:
        assert h.ends(node.b) == [SMCD]
        before = node.shows("MainPID", "NRestarts")
        node.kill("STOP")
        assert ends(node.a, node.b) == SMCD    # the datapath goes on
        wait_for(lambda: node.pid() not in ("0", before["MainPID"]), 6 * WATCHDOG,
                 "another agent")
        assert node.boot.wait_done("smcmesh")["ActiveState"] == "active"
        assert int(node.shown("NRestarts")) == int(before["NRestarts"]) + 1
        said = node.boot.run("journalctl", "-u", "smcmesh").out
        assert re.search("Watchdog timeout", said), said
        assert "result 'watchdog'" in said, said
        node.wait_armed()
        assert h.ends(node.b) == [SMCD] and ends(node.a, node.b) == SMCD
    # control: one that goes on is left alone
    before = node.shows("MainPID", "NRestarts")
    uptime = float(node.vm.read("/proc/uptime").split()[0])
    wait_for(lambda: float(node.vm.read("/proc/uptime").split()[0]) >
             uptime + 2 * WATCHDOG, 600, "two times of the watchdog")
    assert node.shows("MainPID", "NRestarts") == before
    server.kill()

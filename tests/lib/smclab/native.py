# SPDX-License-Identifier: Apache-2.0
"""The agent on this machine's own kernel, everything of it private: run
directory, BPF file system, port."""
import contextlib
import glob
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from . import paths
from .machine import wait_for
from .pins import ABI

SMCMESH = os.path.join(paths.build(), "smcmesh")
FAULTS = os.path.join(paths.build(), "faults/smcmesh")
NOBODY = 65534


def smcmesh_as_nobody(*args):
    """A user who may not even enter the directory of this clone (/root)."""
    with tempfile.TemporaryDirectory(dir="/tmp") as d:
        os.chmod(d, 0o755)
        binary = shutil.copy(SMCMESH, d)
        return subprocess.run([binary, *args], text=True, capture_output=True,
                              timeout=60, check=False, user=NOBODY,
                              group=NOBODY, extra_groups=[])


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("agent", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


@contextlib.contextmanager
def bpffs(path):
    """A BPF file system of its own, mounted there."""
    os.mkdir(path)
    subprocess.run(["mount", "-t", "bpf", "bpf", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


class Agent:
    """`smcmesh agent --source SOURCE`, with its files below @tmp; env: more of its
    environment."""

    def __init__(self, tmp, source, *args, binary=SMCMESH, env=None):
        self.run_dir, self.bpffs = f"{tmp}/run", f"{tmp}/bpf"
        self.log = f"{tmp}/log"
        self.args = ["--run", self.run_dir, "--bpffs", self.bpffs]
        self.argv = [binary, "agent", "--source", source, "--node", "n1",
                     "--listen", "127.0.0.1:0", *self.args, *args]
        self.env = {**os.environ, **(env or {})}
        self.proc = None

    def start(self):
        with open(self.log, "a", encoding="utf-8") as log:
            self.proc = subprocess.Popen(self.argv, stderr=log, env=self.env)
        wait_for(lambda: "info: running," in self.said(), 30, "the agent")
        return self

    def said(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def request(self, path, method="GET", unix=True):
        """(status, body)"""
        c = UnixConnection(f"{self.run_dir}/agent.sock")
        if not unix:
            host, port = self.get("/v1/status")["listen"].rsplit(":", 1)
            c = http.client.HTTPConnection(host, int(port), timeout=20)
        c.request(method, path)
        r = c.getresponse()
        body = r.read().decode()
        c.close()
        return r.status, body

    def get(self, path):
        status, body = self.request(path)
        assert status == 200, body
        return json.loads(body)

    def stop(self, sig=signal.SIGTERM):
        self.proc.send_signal(sig)
        return self.proc.wait(20)

    def end(self):
        """Whatever it does."""
        if self.proc and self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()


def mapped(ip):
    """An IPv4 address as the maps have it."""
    return bytes(10) + b"\xff\xff" + bytes(map(int, ip.split(".")))


class MapsAgent(Agent):
    """With a List in a file, on a kernel that need not know SMC: its maps are real
    (SMCMESH_MAPS_ONLY), and the test puts into them what BPF would."""

    def __init__(self, tmp, *args, env=None):
        self.list = f"{tmp}/pods.json"
        super().__init__(tmp, f"file:{self.list}", *args, binary=FAULTS,
                         env={"SMCMESH_MAPS_ONLY": "1", **(env or {})})
        self.pins = f"{self.bpffs}/smcmesh/v{ABI}/"

    def write(self, text):
        with open(self.list + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(self.list + ".new", self.list)

    def put(self, name, key, value):
        subprocess.run(["bpftool", "map", "update", "pinned", self.pins + name,
                        "key", *map(str, key), "value", *map(str, value)],
                       check=True)

    def delete(self, name, key):
        subprocess.run(["bpftool", "map", "delete", "pinned", self.pins + name,
                        "key", *map(str, key)], check=True)

    def row(self, name, key):
        told = subprocess.run(["bpftool", "-j", "map", "lookup", "pinned",
                               self.pins + name, "key", *map(str, key)],
                              check=True, capture_output=True, text=True)
        return bytes(int(b, 16) for b in json.loads(told.stdout)["value"])


def cpu_seconds(pid):
    """What a process, and those of its children that have ended, had."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        field = f.read().rsplit(")", 1)[1].split()
    return sum(map(int, field[11:15])) / os.sysconf("SC_CLK_TCK")


def waited_seconds(pid):
    """For how long its threads were ready to run and had no processor."""
    waited = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as f:
            waited += int(f.read().split()[1])
    return waited / 1e9

# SPDX-License-Identifier: Apache-2.0
"""user/node on this machine's own kernel: nodectl (tests/net/nodectl.c) calls one
function and prints what it returned, in namespaces made for it."""
import contextlib
import ctypes
import json
import os
import socket
import subprocess

from . import paths

NODECTL = os.path.join(paths.build(), "net/nodectl")
CLONE_NEWNET = 0x40000000


def nodectl(*args, netns=None, preexec_fn=None):
    argv = [NODECTL, *map(str, args)]
    if netns:
        argv = netns.argv(argv)
    done = subprocess.run(argv, check=True, text=True, timeout=60,
                          stdout=subprocess.PIPE, preexec_fn=preexec_fn)
    return json.loads(done.stdout)


def setns(file):
    """os.setns(), which Python has from 3.12 on."""
    if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Netns:
    """A network namespace, with what istio.py needs of a pod."""

    def __init__(self, name):
        self.name, self.path = name, f"/run/netns/{name}"
        subprocess.run(["ip", "netns", "add", name], check=True)

    def argv(self, cmd):
        cmd = ["sh", "-ec", cmd] if isinstance(cmd, str) else list(cmd)
        # not `ip netns exec`: that needs a / that is a mount point, which a
        # chroot has not
        return ["nsenter", f"--net={self.path}", *cmd]

    def run(self, cmd, check=True, stdin=None):
        done = subprocess.run(self.argv(cmd), text=True, input=stdin,
                              capture_output=True, timeout=60, check=False)
        done.rc, done.out = done.returncode, done.stdout
        assert not check or done.rc == 0, done.stderr
        return done

    @contextlib.contextmanager
    def socket(self, *args):
        """A socket of that namespace in this process."""
        with open("/proc/self/ns/net", "rb") as home, \
                open(self.path, "rb") as there:
            setns(there)
            try:
                s = socket.socket(*args)
            finally:
                setns(home)
        with s:
            yield s

    def spawn(self, cmd):
        return subprocess.Popen(self.argv(cmd), text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)

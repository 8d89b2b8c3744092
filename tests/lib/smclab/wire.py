# SPDX-License-Identifier: Apache-2.0
"""A network of the driver's own: a bridge in a nameless namespace, taps on it.

The namespace is a descriptor of this process: it goes when the driver and what
it started have gone, however they ended, and nothing of it is seen outside.
"""
import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def _call(result, what):
    if result:
        err = ctypes.get_errno()
        raise OSError(err, f"{what}: {os.strerror(err)}")


def _make_namespace():
    """In a thread that does nothing else: it stays in there."""
    _call(_LIBC.unshare(CLONE_NEWNET), "unshare")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Tap:
    """A port of the bridge for a NIC of a Vm; it outlives the Vm."""

    def __init__(self, fd, name):
        self.fd, self.name = fd, name

    def fileno(self):
        return self.fd

    def close(self):
        os.close(self.fd)


class Wire:
    """The namespace; its bridge has @address, "10.244.0.1/16"."""

    def __init__(self, address):
        # the one thread that is in there makes sockets and taps for the others
        self.inside = ThreadPoolExecutor(1, "wire")
        self.ns = self.inside.submit(_make_namespace).result()
        self.taps = []
        self.run(["ip", "link", "set", "lo", "up"])
        self.run(["ip", "link", "add", "br0", "type", "bridge",
                  "forward_delay", "0"])
        self.run(["ip", "addr", "add", address, "dev", "br0"])
        self.run(["ip", "link", "set", "br0", "up"])

    def _enter(self):
        """In a new child: into the namespace, and to die with the driver."""
        _call(_LIBC.setns(self.ns, CLONE_NEWNET), "setns")
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def popen(self, argv, **kw):
        """Start a program in the namespace, from a thread that stays: Linux
        ends it together with the thread that made it."""
        return subprocess.Popen(argv, preexec_fn=self._enter, **kw)

    def run(self, argv, **kw):
        return subprocess.run(argv, preexec_fn=self._enter, check=True, **kw)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        return self.inside.submit(socket.socket, family, kind).result()

    def connect(self, host, port, timeout=None):
        s = self.socket()
        try:
            s.settimeout(timeout)
            s.connect((host, port))
        except OSError:
            s.close()
            raise
        return s

    def _open_tap(self, name):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
        try:
            fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(),
                                                   flags))
        except OSError:
            os.close(fd)
            raise
        return fd

    def tap(self, name):
        """A new port of the bridge."""
        t = Tap(self.inside.submit(self._open_tap, name).result(), name)
        self.taps.append(t)
        self.run(["ip", "link", "set", name, "master", "br0", "up"])
        return t

    def close(self):
        for t in self.taps:
            t.close()
        self.inside.shutdown()
        os.close(self.ns)

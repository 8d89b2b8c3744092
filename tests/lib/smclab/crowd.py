# SPDX-License-Identifier: Apache-2.0
"""Thousands of connections: the C programs of tests/progs, seen from Python.

    with watch(a) as seen:
        result = hammer(a, "10.244.1.11:7000", count=1000, threads=8)
    assert result["smc"] == 1000
    assert not [p for p in seen.packets if p.sent and p.smc and ...]

The programs count in the guest; only their results travel. What a connection
is, they ask the kernel (SO_PROTOCOL, which a fall-back turns into TCP's).
"""
import contextlib
import json
import os
from collections import namedtuple

from . import progs
from .machine import wait_for

Packet = namedtuple("Packet", "at sent ack src sport dst dport seq smc")


def ready(proc, what):
    def check():
        assert proc.alive, f"{what}: exit {proc.rc}: {proc.output}"
        return "ready" in proc.out
    wait_for(check, 30, f"{what} to be ready")
    return proc


def result(proc):
    """The JSON object that a program printed as its last line."""
    assert proc.rc == 0, f"{proc.cmd}: exit {proc.rc}: {proc.output}"
    return json.loads(proc.out.splitlines()[-1])


def addresses(pod, first, count):
    """Give the pod @count consecutive addresses from @first; they are its
    alone. Returns them. @first is IPv4, or IPv6 with a plain last group."""
    head, sep, last = first.rpartition(":" if ":" in first else ".")
    base = 16 if sep == ":" else 10
    every = [f"{head}{sep}{int(last, base) + i:{'x' if base == 16 else 'd'}}"
             for i in range(count)]
    tail = "/64 dev eth0 nodad" if sep == ":" else "/16 dev eth0"
    batch = "".join(f"addr add {ip}{tail}\n" for ip in every)
    pod.vm.run(f"ip -n {pod.name} -batch -", stdin=batch)
    return every


def options(opts):
    argv = []
    for name, value in opts.items():
        if value is True:
            argv.append("--" + name)
        elif value not in (None, False):
            argv += ["--" + name, str(value)]
    return argv


def hammering(pod, to, **opts):
    """Start a hammer (its options: tests/progs/hammer.c); returns the Proc."""
    return pod.spawn([progs.path("hammer"), "--to", to, *options(opts)])


def hammer(pod, to, timeout=120, **opts):
    """Run one to its end; its result, with what went wrong as "talk"."""
    proc = hammering(pod, to, **opts)
    proc.stdin(None)
    proc.wait(timeout)
    return {**result(proc), "talk": proc.err}


def stop(proc):
    """End a hammer or a server; its result."""
    proc.kill(timeout=60)
    return {**result(proc), "talk": proc.err}


class Watch:
    """Every SYN and SYN-ACK of a namespace."""

    def __init__(self, pod):
        self.pod, self.packets = pod, None
        self.file = f"/x/{pod.name}.syn"
        self.proc = ready(pod.spawn([progs.path("synwatch"), self.file]),
                          f"synwatch in {pod.name}")

    def close(self):
        """Read what was seen; a tap that lost packets proves nothing."""
        told = stop(self.proc)
        assert told["dropped"] == 0, told
        path = os.path.join(self.pod.vm.exchange, f"{self.pod.name}.syn")
        with open(path, encoding="ascii") as f:
            self.packets = [packet(line) for line in f]
        assert len(self.packets) == told["seen"]
        return self.packets


def packet(line):
    at, way, kind, src, sport, dst, dport, seq, smc = line.split()
    return Packet(int(at), way == "sent", kind == "synack", src, int(sport),
                  dst, int(dport), int(seq), smc == "smc")


@contextlib.contextmanager
def watch(pod):
    w = Watch(pod)
    try:
        yield w
        w.close()
    finally:
        if w.proc.alive:
            w.proc.kill(9)


def parrot(pod, network, mode, dev="tun0", first=()):
    """Echo servers on a whole network that get the SMC option wrong, in the
    way that tests/progs/parrot.c calls @mode; the pod becomes its router. @first:
    a program that starts it, with arguments."""
    # where it is a module, nobody makes the node that would load it
    pod.vm.run("[ -e /dev/net/tun ] || modprobe tun")
    pod.run(f"ip tuntap add mode tun name {dev} && ip link set {dev} up && "
            f"ip route add {network} dev {dev} && "
            "sysctl -qw net.ipv4.ip_forward=1")
    return ready(pod.spawn([*first, progs.path("parrot"), dev, mode]), "parrot")


def clock(vm):
    """The guest's wall clock, in nanoseconds: that of a tap's time stamps."""
    return int(vm.run(["date", "+%s%N"]).out)

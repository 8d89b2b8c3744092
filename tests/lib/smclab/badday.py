# SPDX-License-Identifier: Apache-2.0
"""A node's agent on an API server that has its bad days, and what is asked of it:

    no endpoint that stays is ever missing from the BPF map;
    what lasts is named in /v1/status;
    when it is over a change is in the map within 5 s, silence ends within 120 s.

Only a server that forgets again and again is asked less and less often: every 30 s.

All limits are for a real server's times; they are `hurry` times shorter, as the
agent's own are with SMCMESH_HURRY. What agent or server waited for a processor
does not count.
"""
import contextlib
import itertools
import os
import re
import signal
import socket
import subprocess
import threading
import time

from . import manifest, native
from .bpfmap import PinnedMap
from .fakeapi import FakeApi
from .machine import wait_for
from .nodens import Netns
from .pins import ABI

NODES = ["smcnodes"]
RECOVERY_S, SILENCE_S, BACK_OFF_S = 5, 120, 30
SPREAD_S = 0.006     # for each object to be listed anew after an absence
GRACE_S = 0.4        # for the work itself, and for looking at the map
LOOK_S = 0.05        # between two looks into the map
DRIP_S = 2           # for an object to come byte by byte
SYN_S = 3            # until the kernel has sent a lost SYN twice more
CPU_S = 2            # for the work of one trouble
DUPLICATES_S = 0.4   # to decode 20,000 of them takes twice that
SETTLED_S = 11       # what fails after that is a trouble of its own
SERVICES = 20


def address(number, block=10):
    return f"{block}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def in_map(ip):
    return bytes(10) + b"\xff\xff" + socket.inet_aton(ip)


def smc_node(name, ips):
    return manifest.node(name, [manifest.endpoint(ip, f"{name}-{i}")
                                for i, ip in enumerate(ips)])


def service(i, backends):
    meta = {"name": f"s{i}", "namespace": "default"}
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": dict(meta),
         "spec": {"clusterIP": f"172.30.0.{i + 1}", "type": "ClusterIP",
                  "clusterIPs": [f"172.30.0.{i + 1}"], "ports": ports}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
         "metadata": {**meta, "labels": {"kubernetes.io/service-name": f"s{i}"}},
         "addressType": "IPv4", "ports": ports,
         "endpoints": [{"addresses": [ip], "conditions": {"ready": True}}
                       for ip in backends]}]


class Keeper(threading.Thread):
    """Looks at the map again and again: which of @keys was ever missing?"""

    def __init__(self, pinned, keys):
        super().__init__(daemon=True)
        self.pinned, self.keys = pinned, keys
        self.lost, self.looks = set(), 0
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(LOOK_S):
            self.lost |= self.keys - self.pinned.keys()
            self.looks += 1

    def end(self):
        self.over.set()
        self.join()


class Day:
    """@nodes SmcNodes of @each endpoints; the last one of them changes."""

    numbers = itertools.count()

    def __init__(self, tmp, nodes, each, hurry):
        self.tmp, self.each, self.hurry = str(tmp), each, hurry
        self.n_nodes = nodes
        self.pause = 1 / hurry    # between two questions, which cost the agent
        self.changes, self.far, self.before = 0, set(), set()
        self.figures = []
        self.ns = self.api = self.agent = self.map = self.keeper = None
        self.stack = contextlib.ExitStack()

    # ---- begin and end ----

    def world(self):
        names = {f"m{k}": [address(k * 128 + i + 2) for i in range(self.each)]
                 for k in range(self.n_nodes - 1)}
        ips = [ip for own in names.values() for ip in own]
        out = [manifest.mesh(),
               *(manifest.pod(f"p{i}", "n1", address(i + 2, 11),
                              enabled="true" if i < 2 else None)
                 for i in range(4)),
               *(smc_node(name, own) for name, own in names.items()),
               self.next_far()]
        for i in range(SERVICES):
            out += service(i, ips[i::SERVICES][:10])
        return out, {in_map(ip) for ip in ips}

    def next_far(self):
        """The node that changes, with other endpoints than before."""
        self.changes += 1
        ips = [address(self.changes * self.each + i, 12)
               for i in range(self.each)]
        self.before |= self.far
        self.far = {in_map(ip) for ip in ips}
        return smc_node("far", ips)

    def network(self):
        """A link to where the server is, in a network for such things (RFC 2544):
        its namespace, and its address."""
        # each day has its own: a namespace's end, and its links', takes a while
        number = next(self.numbers)
        name = f"bad{os.getpid()}n{number}"
        block = (os.getpid() + number) * 4 & 0x1fffc
        host, server = (f"198.{18 + (n >> 16)}.{n >> 8 & 255}.{n & 255}"
                        for n in (block + 1, block + 2))
        ns = Netns(name)
        self.stack.callback(subprocess.run, ["ip", "netns", "del", name],
                            check=True)
        subprocess.run(["ip", "-batch", "-"], check=True, text=True, input=(
            f"link add {name} type veth peer name eth0 netns {name}\n"
            f"addr add {host}/30 dev {name}\nlink set {name} up\n"))
        ns.run(f"ip addr add {server}/30 dev eth0; ip link set eth0 up; "
               "ip link set lo up; nft add table ip lab; "
               "nft 'add chain ip lab in { type filter hook input priority 0; }'")
        return ns, server

    def __enter__(self):
        with contextlib.ExitStack() as self.stack:
            self.begin()
            self.stack = self.stack.pop_all()
        return self

    def begin(self):
        objects, stays = self.world()
        self.ns, host = self.network()
        self.api = FakeApi(self.tmp, objects, self.hurry, tls=True,
                           netns=self.ns, host=host)
        self.stack.callback(self.api.close)
        env = {"SMCMESH_MAPS_ONLY": "1", "SMCMESH_HURRY": str(self.hurry)}
        self.agent = native.Agent(
            self.tmp, "kube", "-v", "--server", self.api.url, "--ca",
            self.api.ca, binary=native.FAULTS, env=env)
        self.stack.enter_context(native.bpffs(self.agent.bpffs))
        self.stack.callback(self.agent.end)
        self.agent.start()
        self.map = wait_for(lambda: PinnedMap(
            f"{self.agent.bpffs}/smcmesh/v{ABI}/smc_endpoint", 16, 16), 10,
            "the map of endpoints")
        self.stack.callback(self.map.close)
        wait_for(lambda: stays <= self.map.keys() and self.seen(), 30,
                 "all endpoints")
        self.keep(stays)

    def keep(self, stays):
        self.keeper = Keeper(self.map, stays)
        self.keeper.start()
        self.stack.callback(self.keeper.end)

    def __exit__(self, *_):
        self.stack.close()

    # ---- what is asked ----

    @property
    def pid(self):
        return self.agent.proc.pid

    def problem(self):
        return self.agent.get("/v1/status")["source"]["problem"]

    def cpu(self):
        return native.cpu_seconds(self.pid)

    def waited(self):
        return sum(map(native.waited_seconds, (self.pid, self.api.proc.pid)))

    def change(self):
        self.api.put("smcnodes", self.next_far())

    def seen(self):
        """Is the newest state of the far node in the map, and no older one?"""
        keys = self.map.keys()
        return self.far <= keys and not keys & (self.before - self.far)

    def takes(self, fn, limit, what, pause=LOOK_S, besides=GRACE_S):
        """How long it takes until @fn is true, as far as is known: until it was
        last seen not to be. @limit is in a real server's seconds, @besides comes
        on top of it and is not hurried. A figure like "0.20 s (0.05)": of it so
        much was spent waiting for a processor, by agent and server together."""
        waited = self.waited()
        began = last = time.monotonic()

        def look():
            nonlocal last
            now = time.monotonic()
            found = fn()
            last = last if found else now
            return found

        most = limit / self.hurry + besides
        wait_for(look, most + 5, what, pause)
        waited = self.waited() - waited
        took = last - began
        figure = f"{took:.2f} s ({waited:.2f})"
        assert took - waited <= most, f"{what}: {figure}, expected {most} s"
        return figure

    def recovers(self, limit=RECOVERY_S, anew=False, besides=GRACE_S):
        """A change made now is in the map in time. @anew: the agent comes back
        after an absence, so it spreads what it has to list."""
        limit += SPREAD_S * self.n_nodes * anew
        self.change()
        took = self.takes(self.seen, limit, "a change in the map",
                          besides=besides)
        self.figures.append("recovered after " + took)

    def named(self, pattern, limit=SILENCE_S):
        took = self.takes(lambda: re.search(pattern, self.problem()), limit,
                          f"status to name the trouble: {pattern}", self.pause)
        self.figures.append("named after " + took)

    def well(self):
        """Where a trouble may begin: nothing is left of the one before."""
        wait_for(lambda: not self.problem() and self.seen(), 60, "a good day",
                 self.pause)

    def goes_through(self, trouble):
        """A trouble, and what holds for each. Return: a sentence of figures."""
        self.well()
        self.lasts(SETTLED_S)
        self.figures = []
        cpu, began = self.cpu(), time.monotonic()
        trouble(self)
        self.well()
        assert self.agent.proc.poll() is None
        assert self.keeper.is_alive()
        assert not self.keeper.lost, f"{len(self.keeper.lost)} endpoints"
        cpu, took = self.cpu() - cpu, time.monotonic() - began
        assert cpu < CPU_S, f"{cpu} s of CPU"
        return (f"{trouble.__name__}: {', '.join(self.figures) or 'well'}; "
                f"{took:.1f} s, of them {cpu:.2f} s of CPU")

    def lasts(self, seconds):
        time.sleep(seconds / self.hurry)

    def tell(self, what, kinds=None, **given):
        wait_for(lambda: self.api.tell(what, kinds, **given), 10,
                 f"a watch to {what}")

    def refused(self, status, lasts, retry_after=None):
        """All requests are answered so for a while, and no watch goes on."""
        self.api.order("refuse", status=status, retry_after=retry_after)
        self.tell("end")
        self.named(str(status) if status else "no answer")
        self.lasts(lasts)
        self.api.order("serve")
        self.recovers(anew=True)


# ---- troubles ----------------------------------------------------------------------
# One function for each. It is called on a good day, and ends when all is well.

def nothing(day):
    day.recovers(0)


def expired(day):
    """410 in the stream of one kind."""
    day.tell("error", NODES, code=410, message="too old resource version")
    day.recovers()


def expired_everywhere(day):
    """On all watches, and none can be taken up again."""
    day.change()
    day.api.order("forget")
    day.tell("error", code=410, message="too old resource version")
    day.recovers()


def expired_again_and_again(day):
    """It asks for lists less and less often."""
    began = time.monotonic()
    while time.monotonic() - began < 20 / day.hurry:
        day.tell("error", NODES, code=410, message="too old resource version")
        day.lasts(2)
    day.recovers(BACK_OFF_S)


def expired_lists(day):
    """Lists are answered 410, too."""
    day.api.order("refuse", status=410, kinds=NODES)
    day.tell("error", NODES, code=410, message="too old resource version")
    day.named("410")
    day.lasts(2)
    day.api.order("serve")
    day.recovers()


def error_in_the_stream(day):
    day.tell("error", NODES, code=500, message="etcdserver: leader changed")
    day.recovers()


def cut_inside_an_object(day):
    day.tell("cut", NODES)
    day.recovers()


def garbage(day):
    day.tell("garbage", NODES)
    day.recovers()


def large_object(day):
    day.tell("big", NODES, size=1400000)
    day.recovers()


def unknown_fields(day):
    day.tell("fields", NODES, count=100000)
    day.recovers()


def endless_line(day):
    """Not all of it is read, and what was is let go."""
    before = memory(day.pid)["VmRSS"]
    with open(f"/proc/{day.pid}/clear_refs", "w", encoding="ascii") as f:
        f.write("5")    # the peak begins anew
    day.tell("endless", NODES, size=64 << 20)
    day.recovers()
    wait_for(lambda: memory(day.pid)["VmRSS"] < before + 16384, 10, "memory back")
    most = memory(day.pid)["VmHWM"] - before
    day.figures.append(f"{most} KiB more memory at most")
    assert most < 49152


def memory(pid):
    """KiB, by what /proc calls it."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return {name: int(kib) for name, kib in
                re.findall(r"^(Vm\w+):\s*(\d+) kB", f.read(), re.M)}


def duplicates(day):
    """Nothing is new in them: they are not even decoded."""
    before = day.cpu()
    day.tell("again", NODES, count=20000)
    day.recovers()
    assert day.cpu() - before < DUPLICATES_S


def byte_by_byte(day):
    day.tell("drip", NODES, us=30)
    day.recovers(besides=DRIP_S)
    day.tell("end", NODES)


def withheld(day):
    """Of a change only the version is sent: the next list brings it."""
    day.tell("withhold", NODES)
    day.change()
    time.sleep(0.3)
    assert not day.seen()
    day.tell("error", NODES, code=410, message="too old resource version")
    day.takes(day.seen, RECOVERY_S, "the change that was withheld")


def older_state(day):
    """What a node was comes after what it is, and then that once more."""
    old = day.api.order("get", kind="smcnodes", key="/far")
    day.recovers(0)
    day.tell("older", NODES, obj=old)
    day.recovers()


def moved_address(day):
    """An endpoint's address is another node's before the first one lets it go."""
    moved = address(day.changes * day.each, 12)
    near = day.api.order("get", kind="smcnodes", key="/m0")
    more = manifest.endpoint(moved, "moved", created="2025-02-01T00:00:00Z")
    status = {**near["status"],
              "endpoints": [*near["status"]["endpoints"], more]}
    day.api.put("smcnodes", {**near, "status": status})
    day.before |= day.far
    day.far = {in_map(moved)}
    day.api.put("smcnodes", smc_node("far", []))
    day.takes(day.seen, 0, "the moved address alone")
    day.api.put("smcnodes", near)
    day.recovers(0)


def too_many_requests(day):
    day.refused(429, lasts=15, retry_after=3)


def internal_error(day):
    day.refused(500, lasts=40)


def unavailable(day):
    day.refused(503, lasts=5)


def unauthorized(day):
    """As while a server starts."""
    day.refused(401, lasts=2)


def forbidden(day):
    day.refused(403, lasts=2)


def no_answers(day):
    day.refused(0, lasts=20)


def away(day):
    day.api.kill()
    day.named("refused")
    day.lasts(40)
    day.api.again()
    day.recovers(anew=True)


def another_certificate(day):
    """Its CA comes later, in the same file."""
    day.api.kill()
    day.api.certify()
    day.api.again()
    day.named("certificate")
    day.lasts(20)
    day.api.trust()
    day.recovers(anew=True)


def versions_back(day):
    """The store was restored from a backup."""
    day.api.kill()
    day.api.again(version=1000)
    day.recovers(anew=True)


def hang(day):
    """One watch stays open and silent; new ones are fine."""
    day.tell("hang", NODES)
    day.change()
    time.sleep(0.3)
    assert not day.seen()
    day.recovers(SILENCE_S)


def stopped(day):
    """The server's kernel says that all is well, the server nothing."""
    day.api.proc.send_signal(signal.SIGSTOP)
    try:
        day.named(".")
    finally:
        day.api.proc.send_signal(signal.SIGCONT)
    day.recovers(anew=True)


def vanishing_packets(day):
    """The kernel ends such a connection after half a minute. It cannot be hurried:
    in a hurried run the agent notices first, by the silence (115 s at most) and by
    the watch that it then opens, which has no answer for 30 s."""
    day.ns.run("nft add rule ip lab in drop")
    try:
        day.named(".", 40 if day.hurry == 1 else 115 + 30)
    finally:
        day.ns.run("nft flush chain ip lab in")
    day.recovers(anew=True, besides=SYN_S)


TROUBLES = [
    nothing, expired, expired_everywhere, expired_again_and_again,
    expired_lists, error_in_the_stream, cut_inside_an_object, garbage,
    large_object, unknown_fields, endless_line, duplicates, byte_by_byte,
    withheld, older_state, moved_address, too_many_requests, internal_error,
    unavailable, unauthorized, forbidden, no_answers, away,
    another_certificate, versions_back, hang, stopped, vanishing_packets,
]

# SPDX-License-Identifier: Apache-2.0
"""A node with a primary NIC and an auxiliary one, in a namespace of this machine:

    eth0 10.0.0.5/24, default route by 10.0.0.253, metric 100 each
    eth1 down, 00:16:3e:00:00:06; the cloud's metadata service has 10.0.0.6/24

No RDMA device can be had here, so `smcmesh node` is told the NIC by --netdev.
"""
import contextlib
import json
import os
import socket
import struct
import subprocess

from . import metadata, native, wait_for

MAC = "00:16:3e:00:00:06"
CLOUD = {"primary-ip-address": "10.0.0.6", "netmask": "255.255.255.0",
         "vswitch-cidr-block": "10.0.0.0/24", "gateway": "10.0.0.253"}
# of rtnetlink: links, addresses, routes and rules of both families
GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400 | 0x80 | 0x40000
PICTURE = "; echo --; ".join(("ip -j addr", "ip -j rule", "ip -j route show table all",
                              "ip -j -6 route show table all"))
# of the build with fault points: its waits and times are divided by this
HURRY = "20"


class Node:
    """netns: nodens.Netns. dir: for the state file and the root of managers' files.
    cloud: metadata.Metadata, that has the address of eth1."""

    def __init__(self, netns, directory, cloud):
        self.netns, self.cloud = netns, cloud
        self.state = os.path.join(directory, "state")
        self.root = os.path.join(directory, "root")
        os.mkdir(self.root)
        netns.run(
            "sysctl -qw net.ipv6.conf.all.disable_ipv6=1"
            " net.ipv6.conf.default.disable_ipv6=1; ip link set lo up;"
            " ip link add eth0 type veth peer name far0;"
            f" ip link add eth1 address {MAC} type veth peer name far1;"
            " ip link set far0 up; ip link set far1 up; ip link set eth0 up;"
            # a NIC that was up once has another qdisc than one that never was
            " ip link set eth1 up; ip link set eth1 down;"
            " ip addr add 10.0.0.5/24 dev eth0 metric 100;"
            " ip route add default via 10.0.0.253 metric 100")
        cloud.values[MAC] = dict(CLOUD)
        self.picture()

    def argv(self, *args, netdev="eth1"):
        return self.netns.argv(
            [native.FAULTS, "node", *args, "-o", "json", "--state", self.state,
             "--root", self.root, *(["--netdev", netdev] if netdev else [])])

    def env(self, env=None):
        return {**os.environ, "SMCMESH_HURRY": HURRY, **(env or {})}

    def run(self, *args, netdev="eth1", env=None, before=()):
        """(exit status, its JSON). @before: what runs it, in the namespace."""
        argv = self.argv(*args, netdev=netdev)
        at = len(self.netns.argv([]))
        done = subprocess.run(argv[:at] + list(before) + argv[at:], text=True,
                              timeout=60, capture_output=True, check=False,
                              env=self.env(env))
        assert done.stdout, (done.returncode, done.stderr)
        return done.returncode, json.loads(done.stdout)

    def one(self, *args, **how):
        """(exit status, the one NIC's result)."""
        status, got = self.run(*args, **how)
        assert len(got["nics"]) == 1, got
        assert got["ok"] == (status == 0), got
        return status, got["nics"][0]

    # ---- what is

    def ip(self, *args):
        return json.loads(self.netns.run(["ip", "-j", *args]).out or "[]")

    def picture(self):
        """All addresses, links, routes and rules, once they have settled: the
        kernel tells of a carrier a moment later (linkwatch)."""
        def settled():
            out = self.netns.run(PICTURE).out.split("--\n")
            now = [json.loads(x or "[]") for x in out]
            quiet = all((x["operstate"] == "UP") == ("LOWER_UP" in x["flags"])
                        for x in now[0] if x["ifname"] != "lo")
            return quiet and dict(zip(("links", "rules", "routes", "routes6"), now))
        return wait_for(settled, 5, "the carriers")

    def returns_to(self, before):
        """Waits until all is as in an earlier picture, and says what is not."""
        def same():
            now = self.picture()
            assert now == before, [
                (k, [x for x in now[k] if x not in before[k]],
                 [x for x in before[k] if x not in now[k]])
                for k in now if now[k] != before[k]]
            return True
        return wait_for(same, 2, "what was before")

    def addresses(self, dev="eth1"):
        return [f"{a['local']}/{a['prefixlen']}"
                for a in self.ip("addr", "show", dev)[0]["addr_info"]]

    def routes(self, dev="eth1"):
        return [(r["dst"], r.get("metric", 0))
                for r in self.ip("route", "show", "dev", dev)]

    def is_up(self, dev="eth1"):
        return "UP" in self.ip("link", "show", dev)[0]["flags"]

    def records(self):
        path = os.path.join(self.state, "nics")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="ascii") as f:
            return f.read()

    @contextlib.contextmanager
    def changes(self):
        """A list that has, at the end, the types of rtnetlink's messages."""
        seen = []
        self.picture()
        with self.netns.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
            s.bind((0, GROUPS))
            yield seen
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    data = s.recv(1 << 16)
                    seen.append(struct.unpack_from("=IH", data)[1])

    def put(self, path, text):
        """A file of the node's root."""
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)

    def index(self, dev="eth1"):
        return self.ip("link", "show", dev)[0]["ifindex"]


@contextlib.contextmanager
def node(netns, directory):
    with metadata.served(netns) as cloud:
        yield Node(netns, directory, cloud)

# SPDX-License-Identifier: Apache-2.0
"""What a node's kernel says of its pods' namespaces. It runs in the guest (see
Vm.call) and asks the kernel only: no code of the project, no API server. ask()
alone is the other side, the agent's."""
import ctypes
import http.client
import ipaddress
import json
import os
import socket
import struct

import netlink
from pins import PINS, ROOT

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
SO_NETNS_COOKIE = 71
NETLINK_ROUTE = 0
RTM_GETADDR = 22
IFA_ADDRESS, IFA_LOCAL = 1, 2
RT_SCOPE_UNIVERSE = 0
SYS_BPF = 321
BPF_MAP_LOOKUP_ELEM, BPF_MAP_GET_NEXT_KEY, BPF_OBJ_GET = 1, 4, 7
NAMES = "/run/netns"


def _check(result, what):
    if result < 0:
        err = ctypes.get_errno()
        raise OSError(err, f"{what}: {os.strerror(err)}")
    return result


def enter(path):
    with open(path, "rb") as f:
        _check(LIBC.setns(f.fileno(), CLONE_NEWNET), path)


def cookie():
    """The calling thread's namespace's cookie."""
    with socket.socket() as s:
        raw = s.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8)
    return struct.unpack("=Q", raw)[0]


def addresses():
    """The global addresses of the calling thread's namespace."""
    found = []
    nl = netlink.Netlink(NETLINK_ROUTE)
    try:
        for p in nl.request(RTM_GETADDR, netlink.NLM_F_DUMP, bytes(8)):
            scope, attrs = p[3], dict(netlink.attrs(p[8:]))
            raw = attrs.get(IFA_LOCAL) or attrs.get(IFA_ADDRESS)
            if scope == RT_SCOPE_UNIVERSE and raw:
                found.append(str(ipaddress.ip_address(raw)))
    finally:
        nl.sock.close()
    return sorted(found)


def bpf(cmd, attr):
    buf = ctypes.create_string_buffer(attr.ljust(128, b"\0"), 128)
    return _check(LIBC.syscall(SYS_BPF, cmd, buf, 128), f"bpf({cmd})")


def keys(name, size=8):
    """The keys of a pinned map, as integers; none where it is not pinned."""
    path = ctypes.create_string_buffer((PINS + name).encode())
    try:
        fd = bpf(BPF_OBJ_GET, struct.pack("=Q", ctypes.addressof(path)))
    except FileNotFoundError:
        return []
    found, last = [], None
    key = ctypes.create_string_buffer(size)
    try:
        while True:
            old = ctypes.addressof(last) if last is not None else 0
            try:
                bpf(BPF_MAP_GET_NEXT_KEY,
                    struct.pack("=IxxxxQQ", fd, old, ctypes.addressof(key)))
            except FileNotFoundError:
                return found
            found.append(int.from_bytes(key.raw, "little"))
            last = ctypes.create_string_buffer(key.raw, size)
    finally:
        os.close(fd)


def hs_ctrl():
    """The selector of the calling thread's namespace: "" if there is none."""
    try:
        with open("/proc/sys/net/smc/hs_ctrl", encoding="ascii") as f:
            return f.read().strip()
    except OSError:
        return ""


def namespaces():
    """[{name, cookie, addresses, hs_ctrl, armed}] of the named namespaces."""
    armed, seen = set(keys("smc_netns")), []
    for name in sorted(os.listdir(NAMES)):
        try:
            enter(os.path.join(NAMES, name))
        except OSError:    # it goes, or is not there yet
            continue
        number = cookie()
        seen.append({"name": name, "cookie": number, "addresses": addresses(),
                     "hs_ctrl": hs_ctrl(), "armed": number in armed})
    return seen


def endpoints():
    """The addresses in smc_endpoint, as text."""
    found = []
    for number in keys("smc_endpoint", 16):
        ip = ipaddress.IPv6Address(number.to_bytes(16, "little"))
        found.append(str(ip.ipv4_mapped or ip))
    return sorted(found)


class _Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.host)


def ask(what):
    """What the node's agent answers to /v1/WHAT: for this one the agent is
    asked, without a program that starts in its container."""
    conn = _Unix("/run/smcmesh/agent.sock", timeout=60)
    try:
        conn.request("GET", "/v1/" + what)
        answer = conn.getresponse()
        text = answer.read().decode()
    finally:
        conn.close()
    if answer.status != 200:
        raise OSError(f"/v1/{what}: {answer.status}: {text}")
    return json.loads(text)


def pinned():
    """Everything below the project's directory in bpffs."""
    return sorted(os.path.join(d, f) for d, _, files in os.walk(ROOT)
                  for f in files)


def selectors():
    """{name of a namespace, or "" for the node's own: its selector}, of those
    that have one."""
    found = {"": hs_ctrl()}
    for name in sorted(os.listdir(NAMES)):
        enter(os.path.join(NAMES, name))
        found[name] = hs_ctrl()
    return {name: ctrl for name, ctrl in found.items() if ctrl}

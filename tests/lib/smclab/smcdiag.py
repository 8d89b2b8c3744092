#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the kernel says each connection of this network namespace is.

Run it in the guest, in the namespace asked about (ip netns exec). It prints a
JSON list, one object for a connection's end:

  mode         smcd, smcr: the data goes that way. tcp: an SMC socket that fell
               back. plain: a TCP socket that never was one.
  local, remote, local_port, remote_port
  reason, peer_reason   why it fell back (SMC_CLC_DECL_*), 0 otherwise
  device       smcr: the RDMA device
  inode, uid

The kernel names a mode for sockets that failed or listen as well, so only
state 1 (SMC_ACTIVE) is an answer; --all prints the others too. The inner TCP
socket of a handshake under way is established before the SMC socket is active,
and on a server even before there is one: neither is an end of anybody's yet,
and neither is a row here. It fills no
addresses for IPPROTO_SMC sockets (net/smc/smc_diag.c looks for protocol 0 and
1): they are taken from the inner TCP socket, which has the same ports.
"""
import ipaddress
import json
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netlink    # noqa: E402  (runs as a script in the guest, not as a package)

AF_SMC, AF_INET, AF_INET6 = 43, 2, 10
SOCK_DIAG_BY_FAMILY = 20
IPPROTO_TCP = 6
TCP_ESTABLISHED, TCP_FIN_WAIT2, TCP_TIME_WAIT = 1, 5, 6
TCP_CLOSE, TCP_CLOSE_WAIT, TCP_LISTEN, TCP_NEW_SYN_RECV = 7, 8, 10, 12
TCP_STATES = range(TCP_ESTABLISHED, TCP_NEW_SYN_RECV + 1)
SMC_ACTIVE, SMC_LISTEN = 1, 10
SMC_DIAG_LGRINFO, SMC_DIAG_FALLBACK = 2, 5
MODES = {0: "smcr", 1: "tcp", 2: "smcd"}
SOCKID = struct.Struct("!HH16s16s")    # ports, source, destination


def address(raw, family):
    if family == AF_INET:
        return str(ipaddress.IPv4Address(raw[:4]))
    ip = ipaddress.IPv6Address(raw)
    return str(ip.ipv4_mapped or ip)


def tcp_in(nl, *states):
    """The inet_diag_msg of each TCP socket in one of these states."""
    mask = sum(1 << s for s in states)
    for family in (AF_INET, AF_INET6):
        body = struct.pack("=BBBBI48x", family, IPPROTO_TCP, 0, 0, mask)
        yield from nl.request(SOCK_DIAG_BY_FAMILY, netlink.NLM_F_DUMP, body)


def owner(msg):
    """(uid, inode) of an inet_diag_msg; inode 0: no program and no SMC socket has
    it, not yet or no more."""
    # expires, rqueue, wqueue, uid, inode after the id
    return struct.unpack_from("=II", msg, 52 + 12)


def tcp_sockets(nl):
    """Established TCP sockets: (lport, rport) -> [(local, remote, inode, uid)]."""
    found = {}
    for p in tcp_in(nl, TCP_ESTABLISHED):
        lport, rport, src, dst = SOCKID.unpack_from(p, 4)
        uid, inode = owner(p)
        found.setdefault((lport, rport), []).append(
            (address(src, p[0]), address(dst, p[0]), inode, uid))
    return found


def listening():
    """The ports that TCP sockets listen on, those inside SMC's too."""
    nl = netlink.Netlink(netlink.NETLINK_SOCK_DIAG)
    return sorted({SOCKID.unpack_from(p, 4)[0] for p in tcp_in(nl, TCP_LISTEN)})


def smc_sockets(nl):
    """Rows for the SMC sockets, in any state, addresses not filled in."""
    rows = []
    ext = 1 << (SMC_DIAG_LGRINFO - 1)
    body = struct.pack("=B2xB48x", AF_SMC, ext)
    for p in nl.request(SOCK_DIAG_BY_FAMILY, netlink.NLM_F_DUMP, body):
        lport, rport, _, _ = SOCKID.unpack_from(p, 4)
        uid, inode = struct.unpack_from("=IQ", p, 52)
        row = {"mode": MODES.get(p[2], str(p[2])), "state": p[1],
               "local_port": lport, "remote_port": rport, "local": None,
               "remote": None, "reason": 0, "peer_reason": 0, "device": None,
               "inode": inode, "uid": uid}
        for kind, data in netlink.attrs(p[64:]):
            if kind == SMC_DIAG_FALLBACK:
                row["reason"], row["peer_reason"] = struct.unpack("=II", data)
            elif kind == SMC_DIAG_LGRINFO:
                row["device"] = data[1:65].split(b"\0")[0].decode()
        rows.append(row)
    return rows


def all_smc(nl):
    try:
        return smc_sockets(nl)
    except FileNotFoundError:    # no SMC, or no SMC_DIAG, in this kernel
        return []


def dump(every=False):
    nl = netlink.Netlink(netlink.NETLINK_SOCK_DIAG)
    rows = all_smc(nl)
    tcp = tcp_sockets(nl)
    for row in rows:
        inner = tcp.pop((row["local_port"], row["remote_port"]), None)
        if inner:
            row["local"], row["remote"] = inner[0][:2]
    # three looks are not one: what became SMC meanwhile was never plain
    for row in all_smc(nl) if tcp else []:
        tcp.pop((row["local_port"], row["remote_port"]), None)
    if not every:
        rows = [r for r in rows if r["state"] == SMC_ACTIVE]
    for (lport, rport), socks in tcp.items():
        for local, remote, inode, uid in socks:
            if not inode:    # not accepted yet, by a program or by SMC
                continue
            rows.append({"mode": "plain", "state": TCP_ESTABLISHED,
                         "local_port": lport, "remote_port": rport,
                         "local": local, "remote": remote, "reason": 0,
                         "peer_reason": 0, "device": None, "inode": inode,
                         "uid": uid})
    return rows


def held():
    """[[local port, remote port, SMC's state, TCP's state]], 0 where there is no
    such socket: the connections that somebody holds. An SMC socket that its program
    has closed is in no list of SMC's any more; while its peer has not closed, the
    TCP socket inside is the only trace of it."""
    nl = netlink.Netlink(netlink.NETLINK_SOCK_DIAG)
    found = {(r["local_port"], r["remote_port"]): [r["state"], 0]
             for r in all_smc(nl)
             if r["state"] != SMC_LISTEN and r["remote_port"]}
    connected = [s for s in TCP_STATES if s not in (
        TCP_TIME_WAIT, TCP_CLOSE, TCP_LISTEN, TCP_NEW_SYN_RECV)]
    for p in tcp_in(nl, *connected):
        lport, rport, _, _ = SOCKID.unpack_from(p, 4)
        if owner(p)[1]:
            found.setdefault((lport, rport), [0, 0])[1] = p[1]
    return [[*ports, *states] for ports, states in sorted(found.items())]


if __name__ == "__main__":
    print(json.dumps(dump("--all" in sys.argv[1:])))

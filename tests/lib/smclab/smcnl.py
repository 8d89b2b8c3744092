#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The kernel's own SMC tables, over generic netlink; runs in the guest.

  smcnl.py ueid [add|del NAME]   user-defined EIDs of this kernel
  smcnl.py pnet [add ID WHERE]   pnet entries of this namespace; WHERE: an
                [del ID]         interface, or device/port; del: all of that id
  smcnl.py fback                 fall-back reasons of this namespace
  smcnl.py stats                 connections of this namespace that became SMC,
                                 as client and as server, by transport; those
                                 that failed; bytes by transport
  smcnl.py allocated             bytes of all SMC buffers of this kernel
  smcnl.py linked DEVICE         connections on the links of an RDMA device

Prints JSON.
"""
import json
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netlink    # noqa: E402  (runs as a script in the guest, not as a package)

DUMP = netlink.NLM_F_DUMP
GET_LGR_SMCR, GET_LINK_SMCR, GET_LGR_SMCD = 2, 3, 4
GET_STATS, GET_FBACK_STATS, DUMP_UEID, ADD_UEID, DEL_UEID = 7, 8, 9, 10, 11
# include/uapi/linux/smc.h: SMC_GEN_STATS, and SMC_NLA_STATS_*
GEN_STATS = 7
TECHS = {"smcd": 1, "smcr": 2}
SUCCESSES = {"client": (7, 8), "server": (9, 10)}    # version 1, version 2
ERRORS = {"client": 3, "server": 4}    # handshakes that neither became SMC nor TCP
BYTES = {"rx": 16, "tx": 17}
# SMC_GEN_LGR_*, and SMC_NLA_LGR_{R,D}_*: what a group's send and receive
# buffers take
GROUPS = {GET_LGR_SMCR: (2, 12, 13), GET_LGR_SMCD: (4, 12, 13)}
# SMC_GEN_LINK_SMCR, and SMC_NLA_LINK_*
GEN_LINK_SMCR, LINK_IB_DEV, LINK_CONN_CNT = 3, 2, 6
EID_LEN = 32    # EIDs are padded with blanks to exactly this (smc_clc.c)


def text(data):
    return data.split(b"\0")[0].decode().rstrip()


def smc(cmd, flags=DUMP, payload=b""):
    return netlink.Genl("SMC_GEN_NETLINK").call(cmd, flags, payload)


def ueid(verb=None, name=None):
    if verb:
        smc(ADD_UEID if verb == "add" else DEL_UEID, netlink.NLM_F_ACK,
            netlink.attr(1, name.encode().ljust(EID_LEN) + b"\0"))
    return [text(v) for msg in smc(DUMP_UEID) for k, v in msg if k == 1]


def pnet(verb=None, name=None, where=None):
    if verb:
        what = netlink.attr(1, name.encode() + b"\0")
        device, _, port = (where or "").partition("/")
        if port:
            what += (netlink.attr(3, device.encode() + b"\0") +
                     netlink.attr(4, bytes([int(port)])))
        elif where:
            what += netlink.attr(2, where.encode() + b"\0")
        netlink.Genl("SMC_PNETID").call(2 if verb == "add" else 3,
                                        netlink.NLM_F_ACK, what)
    rows = []
    for msg in netlink.Genl("SMC_PNETID").call(1, DUMP):
        got = dict(msg)
        rows.append({"name": text(got[1]), "eth": text(got.get(2, b"")),
                     "ib": text(got.get(3, b"")),
                     "port": got[4][0] if 4 in got else None})
    return rows


def fback():
    rows = []
    for msg in smc(GET_FBACK_STATS):
        for _, nest in msg:
            got = dict(netlink.attrs(nest))
            if 5 not in got:
                continue
            rows.append({"server": got[1][0] == 1,
                         "reason": struct.unpack("=I", got[4])[0],
                         "count": struct.unpack("=H", got[5])[0]})
    return rows


def stats():
    """{"client": {"smcd": N, "smcr": N, "failed": N}, "server": likewise,
    "bytes": {"smcd": {"rx": N, "tx": N}, "smcr": likewise}}"""
    found = {}
    for msg in smc(GET_STATS):
        found.update(netlink.attrs(dict(msg)[GEN_STATS]))

    def number(nest, k):
        return struct.unpack("=Q", nest[k])[0] if k in nest else 0

    techs = {tech: dict(netlink.attrs(found.get(nest, b"")))
             for tech, nest in TECHS.items()}
    out = {role: {tech: sum(number(nest, k) for k in which)
                  for tech, nest in techs.items()}
           for role, which in SUCCESSES.items()}
    for role, k in ERRORS.items():
        out[role]["failed"] = number(found, k)
    out["bytes"] = {tech: {way: number(nest, k) for way, k in BYTES.items()}
                    for tech, nest in techs.items()}
    return out


def allocated():
    total = 0
    for cmd, (group, *numbers) in GROUPS.items():
        for msg in smc(cmd):
            found = dict(netlink.attrs(dict(msg)[group]))
            total += sum(int.from_bytes(found[n], sys.byteorder)
                         for n in numbers)
    return total


def linked(device):
    """Also those that no socket is left of: the kernel waits for the peer."""
    total = 0
    for msg in smc(GET_LINK_SMCR):
        got = dict(netlink.attrs(dict(msg).get(GEN_LINK_SMCR, b"")))
        if LINK_IB_DEV in got and text(got[LINK_IB_DEV]) == device:
            total += struct.unpack("=I", got[LINK_CONN_CNT])[0]
    return total


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("ueid", "pnet", "fback",
                                                "stats", "allocated", "linked"):
        sys.exit(__doc__)
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))

# SPDX-License-Identifier: Apache-2.0
"""What a namespace does that is not looked at in peace: its lists change while
they are read. And what encrypts, as far as this machine's kernel has it.

tests/net/nodectl.c calls one function and prints what it returned.
"""
import errno
import os
import socket
import struct
import sys
import time

import pytest

from smclab import wait_for
from smclab.nodens import nodectl

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

LINKS = 150    # pairs: several parts of a list, of 32 KiB each
RTM_GETLINK, NLM_F_REQUEST, NLM_F_DUMP = 18, 1, 0x300
NLMSG_DONE, NLM_F_DUMP_INTR = 3, 0x10

# A device comes and goes, some dozen times a second.
COME_AND_GO = """
while :; do
    ip link add z0 type veth peer name z1; sleep 0.01
    ip link del z0; sleep 0.01
done
"""


def is_torn(n):
    """One list of the devices: does the kernel say that it was interrupted?"""
    torn = False
    with n.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.send(struct.pack("=IHHIIBBHiII", 32, RTM_GETLINK,
                           NLM_F_REQUEST | NLM_F_DUMP, 1, 0, 0, 0, 0, 0, 0, 0))
        while True:
            data = s.recv(65536)
            while data:
                length, kind, flags = struct.unpack("=IHH", data[:8])
                torn |= bool(flags & NLM_F_DUMP_INTR)
                if kind == NLMSG_DONE:
                    return torn
                data = data[(length + 3) & ~3:]


def test_a_list_that_changes_is_asked_for_again(netns):
    n = netns()
    n.run(["ip", "-batch", "-"], stdin="".join(
        f"link add a{i} type veth peer name b{i}\n" for i in range(LINKS)))
    changer = n.spawn(["sh", "-c", COME_AND_GO])
    try:
        wait_for(lambda: is_torn(n), 30, "a list that is torn")
        torn = sum(is_torn(n) for _ in range(40))
        told = [nodectl("encrypt", netns=n) for _ in range(40)]
    finally:
        changer.kill()
        changer.wait()
    print(f"{torn} of 40 lists were torn")
    assert told == [{"result": 0, "what": ""}] * 40


# ---- nftables ------------------------------------------------------------------

# Rules enough that a look at them takes a while, and others that come and go.
CHANGE_RULES = """
import subprocess
many = ",".join(f"10.{i // 65536}.{i // 256 % 256}.{i % 256}" for i in range(2000))
nft = ["nft", "-f", "-"]
subprocess.run(nft, input="table ip a { set s { type ipv4_addr; elements = { "
               + many + " }; }; }", text=True, check=True)
print("ready", flush=True)
while True:
    subprocess.run(nft, input="add table ip b; delete table ip b;" * 20,
                   text=True, check=True)
"""


# seconds: what a helper has, three times as much where it has no processor
# (node/helper.h), and a program's start
MOST = 1 + 3 + 1


def sidecar(n):
    began = time.monotonic()
    got = nodectl("sidecar", 1337, netns=n)
    return got, time.monotonic() - began


def test_rules_of_others_that_change_delay_nothing(netns):
    """Only our own table is read: the rule is there, and soon."""
    n = netns()
    changer = n.spawn([sys.executable, "-c", CHANGE_RULES])
    try:
        assert changer.stdout.readline() == "ready\n"
        told = [sidecar(n) for _ in range(10)]
    finally:
        changer.kill()
        changer.wait()
    assert [got["result"] for got, _ in told] == [1] + [0] * 9, told
    assert max(seconds for _, seconds in told) < MOST, told


def test_table_that_takes_too_long_is_given_up(netns):
    """Somebody has filled ours: the look ends, and says why."""
    n = netns()
    many = ",".join(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(100000))
    n.run(["nft", "-f", "-"], stdin="table inet smcmesh { set s { type ipv4_addr; "
          f"elements = {{ {many} }}; }}; }}")
    got, seconds = sidecar(n)
    assert got["result"] == -errno.ETIMEDOUT and seconds < MOST, (got, seconds)
    assert "came to no end" in got["detail"], got
    n.run("nft delete table inet smcmesh")
    assert sidecar(n)[0]["result"] == 1


# ---- encryption ----------------------------------------------------------------

def test_ipsec_policy_is_told_as_encryption(netns):
    n = netns()
    assert nodectl("encrypt", netns=n) == {"result": 0, "what": ""}
    n.run("ip xfrm policy add src 10.1.0.0/16 dst 10.2.0.0/16 dir out "
          "tmpl src 10.0.0.1 dst 10.0.0.2 proto esp mode tunnel")
    assert nodectl("encrypt", netns=n) == {"result": 1,
                                           "what": "an IPsec policy"}
    n.run("ip xfrm policy flush")
    assert nodectl("encrypt", netns=n)["result"] == 0

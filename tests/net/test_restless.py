# SPDX-License-Identifier: Apache-2.0
"""What a namespace does that is not looked at in peace: its lists change while
they are read. And what encrypts, as far as this machine's kernel has it.

tests/net/nodectl.c calls one function and prints what it returned.
"""
import os
import socket
import struct

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


# ---- encryption ----------------------------------------------------------------

def test_what_encrypts(netns):
    n = netns()
    assert nodectl("encrypt", netns=n) == {"result": 0, "what": ""}
    n.run("ip xfrm policy add src 10.1.0.0/16 dst 10.2.0.0/16 dir out "
          "tmpl src 10.0.0.1 dst 10.0.0.2 proto esp mode tunnel")
    assert nodectl("encrypt", netns=n) == {"result": 1,
                                           "what": "an IPsec policy"}
    n.run("ip xfrm policy flush")
    assert nodectl("encrypt", netns=n)["result"] == 0


def test_wireguard(netns):
    n = netns()
    if n.run("ip link add wg7 type wireguard", check=False).rc:
        pytest.skip("this kernel has no WireGuard")
    assert nodectl("encrypt", netns=n) == {
        "result": 1, "what": "the WireGuard device wg7"}

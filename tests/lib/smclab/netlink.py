# SPDX-License-Identifier: Apache-2.0
"""Just enough netlink for the judges: requests, multipart answers, attributes.

The judges do not use the project's own code or libraries: what they say about
the kernel is independent of what they judge.
"""
import os
import socket
import struct

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NETLINK_SOCK_DIAG, NETLINK_GENERIC = 4, 16
NLA_TYPE_MASK = 0x3FFF
GENL_ID_CTRL = 16


def attr(kind, data):
    length = 4 + len(data)
    return struct.pack("=HH", length, kind) + data + b"\0" * (-length % 4)


def attrs(data):
    """The attributes in @data as [(type, payload)]."""
    out = []
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        out.append((kind & NLA_TYPE_MASK, data[4:length]))
        data = data[(length + 3) & ~3:]
    return out


class Netlink:
    def __init__(self, protocol):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self.sock.bind((0, 0))

    def request(self, kind, flags, body):
        """Send one request; the payloads of its answer. OSError on refusal."""
        self.sock.send(struct.pack("=IHHII", 16 + len(body), kind,
                                   NLM_F_REQUEST | flags, 1, 0) + body)
        payloads = []
        while True:
            data = self.sock.recv(1 << 18)
            while data:
                length, got, mflags = struct.unpack_from("=IHH", data)
                payload, data = data[16:length], data[(length + 3) & ~3:]
                if got == NLMSG_ERROR:
                    err = -struct.unpack_from("=i", payload)[0]
                    if err:
                        raise OSError(err, os.strerror(err))
                    return payloads
                if got == NLMSG_DONE:
                    return payloads
                payloads.append(payload)
                if not mflags & 2 and not flags & (NLM_F_ACK | NLM_F_DUMP):
                    return payloads


class Genl(Netlink):
    def __init__(self, family):
        super().__init__(NETLINK_GENERIC)
        body = struct.pack("=BBH", 3, 1, 0) + attr(2, family.encode() + b"\0")
        answer = self.request(GENL_ID_CTRL, 0, body)[0]
        self.family = struct.unpack("=H", dict(attrs(answer[4:]))[1])[0]

    def call(self, cmd, flags=NLM_F_ACK, payload=b""):
        """A command of the family; its answers as lists of attributes."""
        body = struct.pack("=BBH", cmd, 1, 0) + payload
        return [attrs(p[4:]) for p in self.request(self.family, flags, body)]

# SPDX-License-Identifier: Apache-2.0
"""TCP peers that treat options of kind 254 in one way each, by their port: what
`smcmesh syncheck` is tried with. Run as a program, in a network namespace that
packets for PREFIXES are routed to and that has none of these addresses: so its
kernel is silent, and this answers. Addresses from .200 (::200) on are of a plain
peer at every port.

Of each SYN a line on stdout: port, source, its port, and the bytes of its options
of kind 254.
"""
import ipaddress
import socket
import struct
import sys
import threading

PREFIXES = ("10.77.0.0/24", "fd77::/64")
FIRST_PORT = 7001
KIND = 254
SMC, OTHER = b"\xe2\xd4\xc3\xd9", b"\x12\x34\x56\x78"
FIN, SYN, RST, ACK = 1, 2, 4, 16
MSS = b"\x02\x04\x05\xb4"
ISN = 1000


def option(experiment, more=b""):
    return bytes((KIND, 6 + len(more))) + experiment + more


def experiments(options):
    """Of kind 254, each as bytes with its kind and length."""
    out = []
    while options and options[0]:
        n = 1 if options[0] == 1 else max(2, options[1])
        if options[0] == KIND:
            out.append(options[:n])
        options = options[n:]
    return out


def has_smc(got):
    return option(SMC) in got


class Alternate:
    """Repeats in each second connection with the option, and begins with it."""

    def __init__(self):
        self.seen = {}

    def __call__(self, got, who):
        peers = self.seen.setdefault(who[1], [])
        if got and who not in peers:
            peers.append(who)
        return got if got and peers.index(who) % 2 == 0 else []


# What a SYN-ACK has, by the SYN's options of kind 254: options; None: silence;
# RST: it is refused.
PEERS = {
    "plain": lambda got, who: [],
    "repeats": lambda got, who: got,
    "repeats-first": lambda got, who: got[:1],
    "repeats-last": lambda got, who: got[-1:],
    "repeats-some": Alternate(),
    "always": lambda got, who: [option(SMC)],
    "smc": lambda got, who: [option(SMC)] if has_smc(got) else [],
    "other": lambda got, who: [option(OTHER)] if got else [],
    "other-short": lambda got, who: [b"\xfe\x04\xf9\x89"] if got else [],
    "longer": lambda got, who: [option(SMC, b"\0\0")] if got else [],
    "filters": lambda got, who: None if got else [],
    "refuses": lambda got, who: RST if got else [],
    "cuts": lambda got, who: [],
    "cuts-all": lambda got, who: [],
    "silent": lambda got, who: None,
    "closed": lambda got, who: RST,
    "cuts-late": lambda got, who: [],
}
# of "cuts-late": how long its reset, and all that it says after a SYN-ACK, takes
LATE_S = 0.1
PORTS = {name: FIRST_PORT + i for i, name in enumerate(PEERS)}
NAMES = {port: name for name, port in PORTS.items()}
LATE = struct.pack("!H", PORTS["cuts-late"])


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) & ~1]))
    total += data[-1] << 8 if len(data) & 1 else 0
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def tcp(src, dst, ports, seq, ack, flags, options):
    options += b"\1" * (-len(options) % 4)
    head = struct.pack("!HHIIBBHHH", *ports, seq & 0xffffffff, ack & 0xffffffff,
                       (20 + len(options)) << 2, flags, 65535, 0, 0) + options
    pseudo = src + dst + struct.pack("!II", len(head), socket.IPPROTO_TCP)
    return head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:]


def packet(src, dst, segment):
    if len(src) == 16:
        return struct.pack("!IHBB", 6 << 28, len(segment), socket.IPPROTO_TCP,
                           64) + src + dst + segment
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64,
                       socket.IPPROTO_TCP, 0) + src + dst
    return (head[:10] + struct.pack("!H", checksum(head)) + head[12:] + segment)


def segment_of(data):
    """(source, destination, TCP) of an IP packet; None: it is no TCP of ours."""
    if data[0] >> 4 == 4 and data[9] == socket.IPPROTO_TCP:
        end = struct.unpack("!H", data[2:4])[0]
        got = data[12:16], data[16:20], data[(data[0] & 15) * 4:end]
    elif data[0] >> 4 == 6 and data[6] == socket.IPPROTO_TCP:
        got = data[8:24], data[24:40], data[40:]
    else:
        return None
    ours = any(ipaddress.ip_address(got[1]) in ipaddress.ip_network(p)
               for p in PREFIXES)
    return got if ours else None


def answer(src, dst, head, offered):
    """The segment to send back, or None. @offered: who has sent options."""
    sport, dport, seq, ack, offset, flags = struct.unpack("!HHIIBB", head[:14])
    who, back = (src, dst, sport, dport), (dport, sport)
    name = "plain" if dst[-1] >= 200 else NAMES.get(dport, "closed")
    if flags & RST:
        return None
    if not flags & SYN:
        cut = name == "cuts-all" or (name in ("cuts", "cuts-late")
                                     and who in offered)
        if cut:
            return tcp(dst, src, back, ack, 0, RST, b"")
        return tcp(dst, src, back, ack, seq + 1, ACK, b"") if flags & FIN else None
    got = experiments(head[20:(offset >> 4) * 4])
    if got:
        offered.add(who)
    print(dport, ipaddress.ip_address(src), sport, *(o.hex() for o in got),
          flush=True)
    says = PEERS[name](got, who)
    if says is None:
        return None
    if says == RST:
        return tcp(dst, src, back, 0, seq + 1, RST | ACK, b"")
    return tcp(dst, src, back, ISN, seq + 1, SYN | ACK, MSS + b"".join(says))


def main():
    offered = set()
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                       socket.htons(0x0003)) as s:
        print("ready", flush=True)
        while True:
            data, (dev, proto, kind, _, mac) = s.recvfrom(65536)
            if kind != socket.PACKET_HOST or not data:
                continue
            got = segment_of(data)
            back = got and answer(*got, offered)
            if not back:
                continue
            send = (packet(got[1], got[0], back), (dev, proto, 0, 0, mac))
            if back[:2] == LATE and not back[13] & SYN:
                threading.Timer(LATE_S, s.sendto, send).start()
            else:
                s.sendto(*send)


if __name__ == "__main__":
    sys.exit(main())

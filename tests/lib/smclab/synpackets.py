# SPDX-License-Identifier: Apache-2.0
"""Random packets for synfilter: most are handshakes, half carry SMC's option."""
import collections
import struct

from .synref import IN, SHARED, MAGIC, folded, words

SYN, ACK = 2, 16
FLAGS = [SYN] * 9 + [SYN | ACK] * 6 + [ACK, ACK | 8, SYN | 1, SYN | 4, SYN | 0xc0,
                                       SYN | ACK | 0xc0, 0]
EXTENSIONS = (0, 43, 60, 51, 44, 135)
# of what else a SYN carries: MSS, SACK, timestamps, window scale, TFO, MD5, a
# program's own experiment
OTHERS = [b"\x02\x04\x05\xb4", b"\x04\x02", b"\x08\x0a" + bytes(8), b"\x03\x03\x07",
          b"\x22\x0a" + b"c" * 8, b"\x13\x12" + b"m" * 16, b"\xfd\x06" + MAGIC,
          b"\xfe\x04\x0a\x0b", b"\x01", b"\x01\x01"]
# what looks like SMC's option and is none
NEAR = [b"\xfd\x06" + MAGIC, b"\xfe\x07" + MAGIC + b"x", b"\xfe\x05" + MAGIC[:3],
        b"\xfe\x06" + MAGIC[::-1], b"\xfe\x04" + MAGIC[:2], b"\xfe\x06" + MAGIC[:3] + b"\xd8"]
# what is one, as the kernel reads it
WHOLE = [b"\xfe\x06" + MAGIC] * 7 + [b"\xfe\x08" + MAGIC + b"ab", b"\xfe\x0a" + MAGIC + b"abcd",
                                   b"\xfe\x0c" + MAGIC + b"abcdef"]


class Packets:
    """@rng decides; counts what it made in `kinds`."""

    def __init__(self, rng):
        self.rng = rng
        self.kinds = collections.Counter()
        self.asked = collections.deque([(1, 1)], maxlen=64)  # of SYNs that left

    def often(self, part):
        return self.rng.random() < part

    def area(self, carries):
        """Options, filled up to whole words."""
        rng = self.rng
        parts = rng.sample(OTHERS, rng.randrange(4))
        if carries:
            parts += rng.choices(WHOLE, k=1 + self.often(.05))
        elif self.often(.4):
            parts.append(rng.choice(NEAR))
            self.kinds["near misses"] += 1
        rng.shuffle(parts)
        area = b"".join(parts)[:40]
        if self.often(.04):        # broken: an option that is too long, or too short
            area = (area + rng.choice([b"\xfe\x28", b"\x02\x00", b"\x02\x01"]))[:40]
            self.kinds["broken lengths"] += 1
        fill = -len(area) % 4
        return area + (b"\x01" * fill if self.often(.5) else b"\x00" * fill)

    def tcp(self, flags, carries):
        rng = self.rng
        kind = rng.choice(FLAGS)
        area = self.area(carries)
        seq, ack = rng.getrandbits(32), rng.getrandbits(32)
        source, target = rng.randrange(1, 65536), rng.randrange(1, 65536)
        if kind & SYN and kind & ACK and flags & IN and self.often(.6):
            seq_asked, target = rng.choice(self.asked)
            ack = (seq_asked + 1) & 0xffffffff
        if kind & SYN and not kind & ACK and not flags & IN:
            self.asked.append((seq, source))
        doff = 5 + len(area) // 4
        if self.often(.02):
            doff = rng.randrange(16)
            self.kinds["wrong data offsets"] += 1
        self.kinds["SYN" if kind & SYN and not kind & ACK else
                   "SYN-ACK" if kind & SYN else "neither"] += 1
        return (struct.pack("!HHIIBBHHH", source, target, seq, ack, doff << 4, kind,
                            rng.getrandbits(16), 0, 0)
                + area + rng.randbytes(rng.choice((0, 0, 0, 1, 7, 60))))

    def summed(self, ends, tcp):
        """With its checksum; one in twenty is wrong."""
        total = sum(words(ends)) + 6 + len(tcp) + sum(words(tcp + b"\x00" * (len(tcp) % 2)))
        check = folded(total) ^ 0xffff
        if self.often(.05):
            check = self.rng.getrandbits(16)
            self.kinds["wrong checksums"] += 1
        return tcp[:16] + struct.pack("!H", check) + tcp[18:]

    def ipv4(self, tcp):
        rng = self.rng
        ends = rng.randbytes(8)
        more = rng.randbytes(4 * rng.randrange(1, 11)) if self.often(.15) else b""
        fragment = rng.choice((0x2000, 0x0001, 0x20b9)) if self.often(.06) else 0x4000
        protocol = 17 if self.often(.03) else 6
        self.kinds["IPv4 options"] += bool(more)
        self.kinds["fragments"] += fragment != 0x4000
        tcp = self.summed(ends, tcp)
        return struct.pack("!BBHHHBBH", 0x45 + len(more) // 4, 0,
                           20 + len(more) + len(tcp), rng.getrandbits(16), fragment, 64,
                           protocol, 0) + ends + more + tcp

    def ipv6(self, tcp):
        rng = self.rng
        ends = rng.randbytes(32)
        kinds = rng.choices(EXTENSIONS, k=rng.randrange(1, 10)) if self.often(.25) else []
        self.kinds["IPv6 extension headers"] += bool(kinds)
        body, following = self.summed(ends, tcp), 17 if self.often(.03) else 6
        for kind in reversed(kinds):
            body = self.extension(kind, following) + body
            following = kind
        return struct.pack("!IHBB", 6 << 28, len(body) & 0xffff, following, 64) + ends + body

    def extension(self, kind, following):
        rng = self.rng
        if kind == 44:
            offset = 8 * rng.randrange(1, 99) if self.often(.2) else 0
            self.kinds["fragments"] += 1
            return struct.pack("!BBHI", following, 0, offset | rng.randrange(2), 7)
        size = rng.randrange(3)
        rest = (4 * size + 8 if kind == 51 else 8 * size + 8) - 2
        return bytes([following, size]) + rng.randbytes(rest)

    def one(self):
        """(flags, packet)."""
        rng = self.rng
        carries = self.often(.5)
        flags = (IN if self.often(.55) else 0) | (SHARED if self.often(.02) else 0)
        tcp = self.tcp(flags, carries)
        v6 = self.often(.5)
        body = self.ipv6(tcp) if v6 else self.ipv4(tcp)
        tags = rng.choices((0, 1, 2), (18, 1, 1))[0]
        frame = rng.randbytes(12)
        for _ in range(tags):
            frame += rng.choice((b"\x81\x00", b"\x88\xa8")) + rng.randbytes(2)
        frame += (b"\x86\xdd" if v6 else b"\x08\x00") + body
        if self.often(.03):        # the kernel runs no program on half an IP header
            frame = frame[:rng.randrange(54 if v6 else 34, len(frame))]
            self.kinds["cut off"] += 1
        self.kinds.update({"carry the option": carries, "IPv6" if v6 else "IPv4": 1,
                           "tags": bool(tags), "come in": bool(flags & IN),
                           "shared namespace": bool(flags & SHARED)})
        return flags, frame

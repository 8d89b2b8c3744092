# SPDX-License-Identifier: Apache-2.0
"""What synfilter has to make of a packet, said a second time.

A reference to compare with: it shares no line, no table and no constant with the
program, and works on whole packets where the program works on offsets.
"""
import struct

IN, SHARED = 1, 2

TAGS = (0x8100, 0x88a8)
MAGIC = bytes.fromhex("e2d4c3d9")
# of IPv6: what a header's length field counts, and what it leaves out
EIGHTS = {0, 43, 60, 135, 139, 140}


class Short(Exception):
    """The packet ends before what is looked for."""


def take(data, at, size):
    piece = data[at:at + size]
    if len(piece) < size:
        raise Short
    return piece


def network(frame):
    """(ether type, offset) of the first header that is no tag; two tags at most."""
    at = 12
    for _ in range(3):
        kind, = struct.unpack("!H", take(frame, at, 2))
        if kind not in TAGS:
            return kind, at + 2
        at += 4
    return kind, at - 2


def transport(frame):
    """Offset of the TCP header of a packet that has the beginning of one, or None."""
    kind, at = network(frame)
    if kind == 0x0800:
        head = take(frame, at, 20)
        words = head[0] & 15
        offset = struct.unpack("!H", head[6:8])[0] & 0x1fff
        return at + 4 * words if head[9] == 6 and words >= 5 and not offset else None
    if kind != 0x86dd:
        return None
    header = take(frame, at, 40)[6]
    at += 40
    for _ in range(8):
        if header == 6:
            return at
        first = take(frame, at, 4)
        if header == 44:
            if struct.unpack("!H", first[2:])[0] >> 3:
                return None
            length = 8
        elif header == 51:
            length = 4 * first[1] + 8
        elif header in EIGHTS:
            length = 8 * first[1] + 8
        else:
            return None
        header = first[0]
        at += length
    return at if header == 6 else None


def options(area):
    """(place, bytes) of each option, up to one that cannot be right."""
    at = 0
    while at < len(area) and area[at] != 0:
        if area[at] == 1:
            at += 1
            continue
        if at + 1 == len(area) or area[at + 1] < 2 or at + area[at + 1] > len(area):
            return
        yield at, area[at:at + area[at + 1]]
        at += area[at + 1]


def places(area):
    """The options of SMC: [(place, length)]."""
    return [(at, len(o)) for at, o in options(area)
            if o[0] == 254 and len(o) >= 6 and len(o) % 2 == 0 and o[2:6] == MAGIC]


def folded(total):
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def words(data):
    return struct.unpack(f"!{len(data) // 2}H", data)


def mended(before, old, new):
    """A checksum after @old, of a whole number of words, became @new: it is wrong
    after by as much as it was before."""
    total = (before ^ 0xffff) + sum(words(new)) + sum(w ^ 0xffff for w in words(old))
    return folded(total) ^ 0xffff


class Reference:
    """A namespace, with what it remembers of its clients' SYNs."""

    def __init__(self):
        self.refused = set()

    def denies(self, flags, tcp):
        """Is the option of this SYN, or SYN-ACK, to be blanked?"""
        source, target, seq, ack = struct.unpack("!HHII", tcp[:12])
        comes, answer = flags & IN, tcp[13] & 0x10
        if answer:
            return bool(comes) and ((ack - 1) & 0xffffffff, target) in self.refused
        if flags & SHARED:
            return False
        if not comes:
            self.refused.add((seq, source))
        return True

    def after(self, flags, frame):
        """The packet as it has to be afterwards."""
        try:
            at = transport(frame)
            if at is None:
                return frame
            tcp = take(frame, at, 20)
            area = take(frame, at + 20, max(4 * (tcp[12] >> 4) - 20, 0))
        except Short:
            return frame
        found = places(area)
        if not tcp[13] & 2 or not found or not self.denies(flags, tcp):
            return frame
        blanked = bytearray(area)
        for place, length in found:
            blanked[place:place + length] = bytes([1]) * length
        check, = struct.unpack("!H", tcp[16:18])
        check = mended(check, area, bytes(blanked))
        return (frame[:at + 16] + struct.pack("!H", check) + frame[at + 18:at + 20]
                + bytes(blanked) + frame[at + 20 + len(area):])

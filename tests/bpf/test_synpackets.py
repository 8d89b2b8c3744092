# SPDX-License-Identifier: Apache-2.0
"""synfilter against an independent reference, packet by packet and byte by byte.

synpackets.py makes the packets, synref.py says what has to become of each, and
synrun.c has the kernel run the programs on them. The control: programs that do
not mend the checksum must differ.
"""
import collections
import os
import pathlib
import random
import struct
import subprocess

import pytest

from smclab.synpackets import Packets
from smclab.synref import Reference

BUILD = pathlib.Path(os.environ.get("SMCMESH_BUILD") or "build").absolute()
SEED = 17


def run(packets, *argv):
    """The packets as the programs leave them."""
    said = b"".join(struct.pack("<BH", flags, len(frame)) + frame
                    for flags, frame in packets)
    told = subprocess.run([BUILD / "bpf/synrun", *argv], input=said, check=False,
                          capture_output=True, timeout=300)
    assert told.returncode == 0, told.stderr.decode()
    at, out = 0, []
    while at < len(told.stdout):
        size, = struct.unpack_from("<H", told.stdout, at)
        out.append(told.stdout[at + 2:at + 2 + size])
        at += 2 + size
    assert len(out) == len(packets)
    return out


def compare(count, seed, *argv):
    """(Packets that differ from the reference, what there was of each kind)."""
    made, reference = Packets(random.Random(seed)), Reference()
    packets = [made.one() for _ in range(count)]
    expected = [reference.after(*p) for p in packets]
    wrong = [f"packet {i}: flags {flags}: {frame.hex()}\n became {is_.hex()}\n not    "
             f"{want.hex()}"
             for i, ((flags, frame), want, is_) in enumerate(
                 zip(packets, expected, run(packets, *argv))) if want != is_]
    kinds = collections.Counter(made.kinds)
    for (flags, frame), want in zip(packets, expected):
        kinds["blanked"] += want != frame
    return wrong, kinds


def show(kinds, count):
    print(f"of {count} packets: " + ", ".join(
        f"{name} {100 * n / count:.1f} %" for name, n in kinds.most_common()))


def judge(count, seed):
    wrong, kinds = compare(count, seed)
    show(kinds, count)
    assert not wrong, f"{len(wrong)} of {count} differ\n" + "\n".join(wrong[:3])
    assert .45 < kinds["carry the option"] / count < .55
    # none of the kinds is there by name only
    assert min(kinds.values()) > count / 200, kinds
    assert kinds["blanked"] > count / 5


def test_random_packets():
    judge(20_000, SEED)


@pytest.mark.long
def test_many_random_packets():
    judge(200_000, SEED + 1)


def test_a_program_that_leaves_the_checksum_alone_is_found_out():
    wrong, kinds = compare(1_000, SEED, "--no-checksum")
    # an option may be such that its sum does not change
    assert len(wrong) > .95 * kinds["blanked"] > 0

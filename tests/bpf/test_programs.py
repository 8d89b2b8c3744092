# SPDX-License-Identifier: Apache-2.0
"""What kernels think of the BPF side: its types, and its cost to the verifier.

This machine's own kernel, which may have no SMC, is asked for what it has; the
test kernel, in a VM, for everything. cost.tsv holds the instructions that the
verifier went through for each program, by the major version of the clang that
compiled it (one that is not listed is judged by the dearest that is). A
program that has become 20 % dearer fails; if that is meant, the failure says
which row the table should have.
"""
import os
import pathlib
import re
import subprocess

import pytest

from smclab import Vm

BUILD = pathlib.Path(os.environ.get("SMCMESH_BUILD") or "build").absolute()
COSTS = pathlib.Path(__file__).with_name("cost.tsv")
GROWTH = 1.2
# what loads without SMC, and where the kernel is locked down
PLAIN = ("flow_sockops", "flow_put", "flow_drop", "counter_add", "usage_limit",
         "pending_drop", "pending_mend", "path_told", "quarantine_put",
         "verdict_ask", "syn_egress", "syn_ingress")
# what every packet of an armed pod runs through, and how much it may
FILTERS, ORDINARY = ("syn_egress", "syn_ingress"), 35


@pytest.fixture(scope="module")
def vm():
    with Vm("bpf") as machine:
        yield machine


def host(*argv):
    return subprocess.run([BUILD / "bpf/inspect", *argv], capture_output=True,
                          text=True, check=False, timeout=60)


def compiler():
    """The major version that clang left in the debugging information."""
    note = re.search(rb"clang version (\d+)",
                     (BUILD / "bpf/flows.o").read_bytes())
    assert note, "no compiler is named in bpf/flows.o"
    return int(note[1])


def costs(text):
    return {name: int(n) for name, n in map(str.split, text.splitlines())}


def table():
    """{program: {major version: instructions}} of cost.tsv."""
    head, *rows = (line.split() for line in COSTS.read_text().splitlines()
                   if line and not line.startswith("#"))
    versions = [int(word.removeprefix("clang-")) for word in head[1:]]
    return {row[0]: dict(zip(versions, map(int, row[1:]))) for row in rows}


def test_types_are_those_of_this_kernel():
    told = host("types", str(BUILD / "bpf/tests/types.o"))
    assert told.returncode == 0, told.stdout + told.stderr


def test_types_are_those_of_a_kernel_with_smc(vm):
    told = vm.run("/build/bpf/inspect types /build/bpf/tests/types.o",
                  check=False)
    assert told.rc == 0, told.out + told.err
    assert "no SMC" not in told.err, told.err


def test_this_kernel_loads_what_needs_no_smc():
    told = host("cost", *PLAIN)
    assert told.returncode == 0, told.stderr
    assert set(costs(told.stdout)) == set(PLAIN)


def test_an_ordinary_packet_costs_little():
    """Of both families, and all that is neither a SYN nor may be one."""
    told = host("passing", *FILTERS)
    assert told.returncode == 0, told.stdout + told.stderr
    most = costs(told.stdout)
    print(most)
    assert set(most) == set(FILTERS) and 0 < max(most.values()) <= ORDINARY


def test_the_verifier_is_not_kept_busier(vm):
    told = vm.run("/build/bpf/inspect cost", check=False)
    assert told.rc == 0, told.err
    now, known, version = costs(told.out), table(), compiler()
    assert set(now) == set(known), \
        f"a row of cost.tsv is missing or left over: {now}"
    dearer = [f"{name} {n}" for name, n in now.items()
              if n > GROWTH * known[name].get(version,
                                              max(known[name].values()))]
    assert not dearer, f"compiled by clang {version}: {dearer}"

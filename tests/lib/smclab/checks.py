# SPDX-License-Identifier: Apache-2.0
"""How the tests drive each check of `smcmesh doctor` through pass and through what
its row says if it is wrong (warn, fail). The places:

  vm      really, in a VM with rxe: vm/test_doctor.py
  root    a root with another system's files (--root): net/test_doctor.py
  unit    made-up facts: tests/unit/test_*.c
  another test's file, that does it on its way
  never   it cannot be otherwise, with the reason
"""
VM, ROOT, UNIT = "vm", "root", "unit"
FAULT = "never: a fault of every kernel with SMC"
# made-up facts alone: the VM's kernel has all hooks, and it and the machines that
# build this have no other LSM
HOOK = (VM, UNIT)

DRIVEN = {    # id: (pass, wrong)
    "kernel": (VM, ROOT),
    "smc-module": (VM, ROOT),
    "smc-blacklisted": (ROOT, ROOT),
    "smc-vendor": (ROOT, ROOT),
    "smc-refused": (VM, VM),
    "ipproto-number": (VM, ROOT),
    "smc-fixes": (UNIT, ROOT),
    "ueid": (VM, VM),
    "ueid-mesh": (VM, VM),
    "signal-during-connect": (FAULT, VM),
    "second-connect": HOOK,
    "handshake-rations": HOOK,
    "busy-listener": HOOK,
    "landlock": (VM, UNIT),
    "selinux": (VM, UNIT),
    "other-hooks": (VM, VM),
    "foreign-selector": (VM, VM),
    "sockmap": (VM, VM),
    "synproxy": (VM, VM),
    "memory-budget": (VM, VM),
    "agent-silent": (VM, "vm/test_lease.py"),
    "encryption": (VM, VM),
    "rdma-type": (VM, VM),
    "rdma-port": (VM, VM),
    "rdma-gid": (VM, VM),
    "rdma-netns": (VM, VM),
    "soft-roce": (VM, "vm/test_stock.py"),
    "auxiliary-nic": (VM, VM),
    "smcr-subnet": (VM, VM),
    "pnet": (VM, VM),
    "reserved-ports": (ROOT, ROOT),
    "path-probes": (VM, VM),
    "held-device": (VM, ROOT),
    "alinux-16.3": (ROOT, ROOT),
    "alinux-17.3": (ROOT, ROOT),
    "alinux-tcp2smc": (ROOT, ROOT),
    "alinux-hotfix": (UNIT, ROOT),
    "inotify": (VM, VM),
}


def driven(place, wrong):
    """The ids of the checks that are driven there."""
    return {name for name, places in DRIVEN.items() if places[wrong] == place}

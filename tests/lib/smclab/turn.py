# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is to run VMs on this machine.

Emulation is bound by the processor, and a test that waits for a condition
cannot tell a slow machine from a condition that never comes. So only as many
drivers (processes that use smclab) run VMs at the same time as there are
processors, $SMCLAB_DRIVERS if set; the others wait here, before their VMs start
and before any clock of theirs runs.
"""
import fcntl
import os
import sys
import time

PLACES = int(os.environ.get("SMCLAB_DRIVERS") or os.cpu_count() or 1)
_held = None


def _try_places():
    for i in range(PLACES):
        f = open(f"/run/lock/smclab-{i}", "w")  # noqa: SIM115: held
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return f
        except BlockingIOError:
            f.close()
    return None


def take():
    """Wait for a place, and keep it until release() or the process' end."""
    global _held
    if _held:
        return
    os.makedirs("/run/lock", exist_ok=True)
    told = 0.0
    while not (_held := _try_places()):
        if time.monotonic() - told > 30:
            told = time.monotonic()
            print("# smclab: waiting for another driver's VMs to end",
                  file=sys.stderr, flush=True)
        time.sleep(0.3)


def release():
    """Give the place up: no VM of this process is running any more."""
    global _held
    if _held:
        _held.close()
        _held = None

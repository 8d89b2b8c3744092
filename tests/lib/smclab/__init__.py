# SPDX-License-Identifier: Apache-2.0
"""smclab: virtual machines, pods and a judge for tests of SMC. Standard library only.

    PYTHONPATH=tests/lib python3 -m smclab shell          # a shell in a VM
    PYTHONPATH=tests/lib python3 -m smclab run 'uname -r' # one command

    from smclab import Vm, Link, wait_for
    with Vm("one") as vm:
        print(vm.run("cat /proc/version").out)

Inside a VM: the tree is /src and its build directory /build (both read-only),
/x is shared read-write with vm.exchange on the driver's side, everything else
is an overlay in memory. See machine.py (Vm, Link, Proc), topo.py (bridge, pod,
rxe), manifest.py (Kubernetes objects), agents.py (smcmesh in a VM), and
smcdiag.py, smcnl.py (what the kernel says about SMC), ask.py (what a program
says over HTTP): these three run in the guest, by Vm.call().

Environment: SMCMESH_KERNEL which kernel (kernel.py), SMCMESH_ROOT a directory ("/" shares this
machine's own root), SMCMESH_CACHE, SMCMESH_BUILD.
"""
from .machine import (CommandFailed, LabError, Link, Proc, Result, Vm,
                      wait_for)

__all__ = ["CommandFailed", "LabError", "Link", "Proc", "Result", "Vm",
           "wait_for"]

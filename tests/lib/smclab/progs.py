# SPDX-License-Identifier: Apache-2.0
"""Builds the test programs of tests/progs into $BUILD/progs, once.

    progs.path("hold")           static, C library of this machine
    progs.path("hold.musl")      the same source, static, musl
    progs.path("goecho")         tests/progs/go, static
    progs.path("foreign.bpf.o")  a BPF object

The answer is the path inside a VM. They are static because the root of a VM
need not be that of the machine that builds them.
"""
import fcntl
import glob
import os
import subprocess

from . import paths
from .machine import LabError

SOURCES = os.path.join(paths.TREE, "tests/progs")
CFLAGS = ["-D_GNU_SOURCE", "-O2", "-g", "-static", "-Wall", "-Wextra", "-Werror",
          "-pthread", "-I../../include"]
# musl-gcc looks at musl's own headers only; <linux/...> are the kernel's
KERNEL_HEADERS = ["-idirafter", "/usr/include",
                  "-idirafter", "/usr/include/x86_64-linux-gnu"]
GO = {"goecho": "go"}


def _command(name, out):
    if name in GO:
        return [paths.go(), "build", "-trimpath", "-o", out, "."]
    if name.endswith(".bpf.o"):
        return ["clang", "-g", "-O2", "-target", "bpf", "-Wall", "-c",
                name[:-2] + ".c", "-o", out]
    base, musl = (name[:-5], True) if name.endswith(".musl") else (name, False)
    return (["musl-gcc", *KERNEL_HEADERS] if musl else ["cc"]) + \
        CFLAGS + ["-o", out, base + ".c", "prog.c", "tap.c"]


def _newest(cwd):
    return max(os.path.getmtime(f) for f in glob.glob(cwd + "/*.*"))


def path(name):
    """Build @name if its sources are newer; its path in a VM."""
    folder = os.path.join(paths.build(), "progs")
    os.makedirs(folder, exist_ok=True)
    out = os.path.join(folder, name)
    cwd = os.path.join(SOURCES, GO.get(name, ""))
    with open(out + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)    # several pytest runs, one build
        if not os.path.exists(out) or os.path.getmtime(out) < _newest(cwd):
            cmd = _command(name, out + ".new")
            env = dict(os.environ, CGO_ENABLED="0", GOFLAGS="-mod=readonly")
            try:
                done = subprocess.run(cmd, cwd=cwd, env=env, text=True,
                                      capture_output=True, check=False)
            except FileNotFoundError:
                raise LabError(f"{cmd[0]} is missing: make deps installs it"
                               ) from None
            if done.returncode:
                raise LabError(f"{name} does not build:\n{done.stderr}")
            os.rename(out + ".new", out)
    return "/build/progs/" + name


def register_selector(vm, name):
    """Someone else's smc_hs_ctrl, of that name: foreign.bpf.o with another one.
    It lets everything through, as a namespace without one would."""
    path("foreign.bpf.o")
    with open(os.path.join(paths.build(), "progs/foreign.bpf.o"), "rb") as f:
        data = f.read()
    field = b"foreign".ljust(16, b"\0")
    assert data.count(field) == 1
    with open(os.path.join(vm.exchange, name + ".o"), "wb") as f:
        f.write(data.replace(field, name.encode().ljust(16, b"\0")))
    vm.run(f"bpftool struct_ops register /x/{name}.o")


def tap(vm, program):
    """Run a program of cmocka's in @vm, all of whose tests pass there: (the names of
    those that it skipped, what it said)."""
    r = vm.run(["env", "SMCMESH_EMULATED=1", "CMOCKA_MESSAGE_OUTPUT=TAP", program],
               check=False, timeout=900)
    assert r.rc == 0, r.out + r.err
    assert "ok 2 " in r.out, r.out
    return [x.split()[-1] for x in r.out.splitlines() if "# SKIP" in x], r.out

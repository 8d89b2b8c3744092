# SPDX-License-Identifier: Apache-2.0
"""python3 -m smclab shell|run|root|kernel|k8s: a VM by hand, the root that VMs
share, a kernel, a cluster to play with."""
import argparse
import os
import sys
import termios
import threading
import tty

from . import LabError, Vm, kernel, rootfs


def shell(vm):
    """An interactive shell on a terminal of the VM, until it ends."""
    def show(data):
        os.write(1, data)

    size = os.get_terminal_size() if sys.stdout.isatty() else (80, 24)
    proc = vm.spawn(f"stty cols {size[0]} rows {size[1]}; "
                    "exec bash --norc -i", cwd="/src", pty=True,
                    env={"TERM": os.environ.get("TERM", "dumb"),
                         "PS1": rf"{vm.name}:\w# "})
    proc.on_output = show

    def feed():
        while proc.alive:
            data = os.read(0, 4096)
            proc.stdin(data if data else b"\x04")
            if not data:
                return

    saved = termios.tcgetattr(0) if sys.stdin.isatty() else None
    try:
        if saved:
            tty.setraw(0)
        threading.Thread(target=feed, daemon=True).start()
        while proc.alive:
            proc._done.wait(1)
    finally:
        if saved:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)
    return proc.rc


def main():
    p = argparse.ArgumentParser(prog="smclab", description=__doc__)
    p.add_argument("--mem", type=int, default=1024, help="MiB")
    p.add_argument("--cpus", type=int, default=1)
    p.add_argument("--icount", action="store_true",
                   help="virtual time follows executed instructions")
    sub = p.add_subparsers(dest="verb", required=True)
    sub.add_parser("shell", help="an interactive shell in a VM")
    root = sub.add_parser("root", help="make a shared root if it is not there")
    root.add_argument("which", nargs="?", default="lab", choices=rootfs.SETS)
    boot = sub.add_parser("kernel", help="have a kernel, and say which")
    boot.add_argument("which", nargs="?", help="as in $SMCMESH_KERNEL")
    k8s = sub.add_parser("k8s", help="a cluster that stays: play.py")
    k8s.add_argument("what", choices=("start", "stop", "run"))
    run = sub.add_parser("run", help="one command in a VM")
    run.add_argument("cmd")
    run.add_argument("--timeout", type=float, default=600)
    args = p.parse_args()
    try:
        if args.verb == "root":
            print(f"  ROOT    {rootfs.find(args.which)}")
            return 0
        if args.verb == "kernel":
            found = kernel.find(args.which)
            print(f"  KERNEL  {found}: {found.image}")
            return 0
        if args.verb == "k8s":
            from . import play
            return getattr(play, args.what)()
        with Vm("lab", mem=args.mem, cpus=args.cpus, icount=args.icount) as vm:
            if args.verb == "shell":
                return shell(vm)
            r = vm.run(args.cmd, check=False, timeout=args.timeout)
            sys.stdout.write(r.out)
            sys.stderr.write(r.err)
            return r.rc if r.rc >= 0 else 128 - r.rc
    except (LabError, OSError, RuntimeError) as e:
        print(f"smclab: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""A virtual machine for tests: QEMU in software emulation, driven by commands."""
import atexit
import base64
import ctypes
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
import weakref

from . import initramfs, kernel as kernels, paths, turn
from .wire import Tap

QEMU = "qemu-system-x86_64"
# Without what only costs in emulation: la57, a fifth level of page tables; erms,
# for which the kernel clears and copies byte by byte; smap, two more exits from
# translated code for each access to a program's memory.
CPU = "max,la57=off,erms=off,smap=off"
# no word's beginning before it: the serial console may print a line into another
COMPLAINT = re.compile(r"(?i)(WARNING:|(?<!de)BUG:|\bOops|general protection|"
                       r"refcount_t:|unregister_netdevice: waiting|"
                       r"blocked for more than|Call Trace|UBSAN|KASAN)")
BOOT_TIMEOUT = 180.0    # two to five seconds on an idle machine
TRANSFER = 120.0        # of a file; megabytes take seconds on a busy one
LIFETIME = 1800.0
# Limits of waiting are written for an idle machine; each is taken this many
# times. A condition that comes is seen at once, so this costs time only where a
# test fails anyway.
SLACK = 4
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class LabError(Exception):
    """The laboratory failed, not the thing under test."""


class CommandFailed(AssertionError):
    """A command that was expected to succeed did not."""


class Result:
    """What a command left: rc (negative: killed by that signal), out, err."""

    def __init__(self, cmd, rc, out, err):
        self.cmd, self.rc, self.out, self.err = cmd, rc, out, err

    def __repr__(self):
        return f"Result(rc={self.rc}, out={self.out!r}, err={self.err!r})"

    def json(self):
        return json.loads(self.out)


def wait_for(fn, timeout=10.0, what="condition", interval=0.05):
    """Call @fn until it returns something true, and return that.

    Exceptions that mean "not yet" (AssertionError, OSError, ValueError,
    LookupError) are remembered and shown when the time is up. It looks again
    soon at first: much that is waited for takes some hundredths of a second.
    """
    timeout *= SLACK
    end = time.monotonic() + timeout
    pause = interval / 5
    last = None
    while True:
        try:
            value = fn()
            if value:
                return value
            last = value
        except (AssertionError, OSError, ValueError, LookupError) as e:
            last = e
        if time.monotonic() >= end:
            raise AssertionError(
                f"waited {timeout:g} s for {what}; last: {last!r}")
        time.sleep(pause)
        pause = min(2 * pause, interval)


class Link:
    """A cable between two NICs. The driver keeps both ends open, so that a VM
    can be restarted on the same cable."""

    def __init__(self):
        self.ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for s in self.ends:
            for opt in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                s.setsockopt(socket.SOL_SOCKET, opt, 1 << 20)
        self.used = 0

    def end(self):
        """The next free end, to be given to Vm(nics=[...])."""
        if self.used == 2:
            raise LabError("a link has two ends, both are in use")
        self.used += 1
        return self.ends[self.used - 1]

    def close(self):
        for s in self.ends:
            s.close()


class Proc:
    """A program running in a VM."""

    def __init__(self, vm, ident, cmd):
        self.vm, self.ident, self.cmd = vm, ident, cmd
        self.rc = None
        self._out, self._err = bytearray(), bytearray()
        self._done = threading.Event()
        self.on_output = None

    @property
    def alive(self):
        return not self._done.is_set()

    @property
    def out(self):
        return self._out.decode(errors="replace")

    @property
    def err(self):
        return self._err.decode(errors="replace")

    @property
    def output(self):
        """Everything that it has printed so far, stdout then stderr."""
        return self.out + self.err

    def wait(self, timeout=60.0):
        """Its Result; it is killed when the time is up."""
        timeout *= SLACK
        if not self._done.wait(timeout):
            self.kill(signal.SIGKILL, wait=False)
            self._done.wait(5 * SLACK)
            raise CommandFailed(f"{self.vm.name}: no end after {timeout:g} s: "
                                f"{self.cmd}\n{self.output[-4000:]}")
        self.vm.check_alive()
        return Result(self.cmd, self.rc, self.out, self.err)

    def kill(self, sig=signal.SIGTERM, wait=True, timeout=10.0):
        """Send @sig to the program's process group and wait for its end."""
        if self.alive:
            self.vm.send(op="signal", id=self.ident, sig=int(sig))
            if wait:
                return self.wait(timeout)
        return None

    def stdin(self, data):
        """Feed it; None closes its standard input."""
        if data is not None:
            data = data.encode() if isinstance(data, str) else data
            data = base64.b64encode(data).decode()
        self.vm.send(op="stdin", id=self.ident, data=data)

    def event(self, msg):
        if msg["ev"] == "exit":
            self.rc = msg["rc"]
            self._done.set()
            return
        data = base64.b64decode(msg["data"])
        (self._out if msg["ev"] == "out" else self._err).extend(data)
        if self.on_output:
            self.on_output(data)

    def lost(self):
        self._done.set()


class _Transfer:
    """Waits for the guest's answer to a file operation."""

    def __init__(self):
        self.done, self.msg = threading.Event(), None

    def event(self, msg):
        self.msg = msg
        self.done.set()

    def lost(self):
        self.done.set()


class Vm:
    """One virtual machine.

    name:   its host name, and the name of its log.
    kernel: "stock", an image's path, ... (default: see kernel.py). The attribute
            of that name tells which one it is: vm.kernel.version.
    mem:    MiB; half of it is what the overlay and /tmp may hold.
    nics:   ends of Links, or Taps (wire.py); eth0, eth1, ... in this order.
    icount: True: virtual time follows executed instructions.
    root:   the directory shared as root (default: see rootfs.py).
    shares: further directories, {9p mount tag: path}, read-only.

    The VM starts in the constructor and is waited for in the first use, so
    several of them boot side by side; where other drivers run VMs already, the
    constructor waits for its turn (turn.py). Use it as a context manager, or stop() it.
    Start VMs from the main thread: Linux ends a child with PDEATHSIG when the
    thread that made it ends, not the process.
    """

    running = weakref.WeakSet()

    def __init__(self, name, kernel=None, mem=1024, cpus=1, nics=(),
                 icount=False, root=None, append="", lifetime=LIFETIME,
                 shares=None):
        self.name = name
        self.kernel = kernels.find(kernel)
        turn.take()
        self.log_path = paths.console_log(name)
        self.tmp = paths.work_dir(name)
        self.exchange = os.path.join(self.tmp, "x")
        os.mkdir(self.exchange)
        self.ids = itertools.count(1)
        self.waiting, self.lock = {}, threading.Lock()
        self.hello = threading.Event()
        self.stopping = False
        self.failure = None
        self.complaints_seen = 0
        self.started = time.monotonic()
        port, guest_port = socket.socketpair()
        self.port = port
        argv = self._argv(mem, cpus, icount, append)
        argv += self._shares(root, shares or {})
        argv += self._nics(nics)
        fds = [self.root_hold, *(end.fileno() for end in nics)]
        argv += ["-chardev", f"socket,id=agent,fd={guest_port.fileno()}",
                 "-device", "virtserialport,chardev=agent,name=smclab"]
        try:
            with open(self.log_path, "wb") as log:
                self.qemu = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    pass_fds=[guest_port.fileno(), *fds],
                    start_new_session=True, preexec_fn=_die_with_driver)
        except FileNotFoundError:
            raise LabError(f"{QEMU} is missing: make deps installs it") from None
        finally:
            guest_port.close()
            os.close(self.root_hold)    # QEMU has it now
        Vm.running.add(self)
        threading.Thread(target=self._reader, daemon=True).start()
        self.watchdog = threading.Timer(lifetime, self._expire, (lifetime,))
        self.watchdog.daemon = True
        self.watchdog.start()

    def _argv(self, mem, cpus, icount, append):
        initrd = os.path.join(self.tmp, "initrd")
        initramfs.build(initrd, self.kernel)
        # tsc=reliable: on a loaded machine the clock's watchdog would mark it
        # unstable, and time would go on by a clock that costs an exit each.
        # no_timer_check: it panics where QEMU gets no processor for a moment
        # norandmaps: QEMU keeps translated code by its address, and so need not
        # translate a program once more each time that it is started
        cmdline = ("console=ttyS0 panic=-1 mitigations=off tsc=reliable "
                   "no_timer_check norandmaps "
                   f"smclab.name={self.name} {append}")
        # Of several processors one thread each would be faster. But then one may
        # run the breakpoint of a hook that another is attaching (int3 of
        # smp_text_poke_batch_finish()) when it is gone from memory already, and
        # the kernel, which does not know it any more, panics.
        threads = "single" if icount or cpus > 1 else "multi"
        size = "" if icount else ",tb-size=512"
        argv = [QEMU, "-accel", f"tcg,thread={threads}{size}", "-cpu", CPU,
                "-machine", "pc", "-m", str(mem), "-smp", str(cpus),
                "-nodefaults", "-no-user-config", "-display", "none",
                "-no-reboot", "-serial", "stdio",
                "-kernel", self.kernel.image, "-initrd", initrd,
                "-append", cmdline.strip(),
                "-device", "virtio-serial-pci"]
        if icount:
            argv += ["-icount", "shift=0,sleep=off"]
        return argv

    def _shares(self, root, more):
        from . import rootfs
        root = root or rootfs.find()
        self.root_hold = rootfs.hold(root)
        shares = {"root": (root, True),
                  "src": (paths.TREE, True), "build": (paths.build(), True),
                  "x": (self.exchange, False),
                  **{tag: (path, True) for tag, path in more.items()}}
        if self.kernel.modules:
            shares["modules"] = (self.kernel.modules, True)
        argv = []
        for tag, (path, readonly) in shares.items():
            argv += ["-virtfs", f"local,path={path.replace(',', ',,')},"
                     f"mount_tag={tag},security_model=none,multidevs=remap"
                     + (",readonly=on" if readonly else "")]
        return argv

    def _nics(self, nics):
        argv = []
        for i, end in enumerate(nics):
            # a MAC per VM name and NIC: two VMs on a link must differ
            mac = sum(self.name.encode()) % 251
            fd = end.fileno()
            backend = (f"tap,id=n{i},fd={fd},vhost=off" if isinstance(end, Tap)
                       else f"dgram,id=n{i},local.type=fd,local.str={fd}")
            argv += ["-netdev", backend,
                     "-device", f"virtio-net-pci,netdev=n{i},"
                     f"mac=52:54:00:{mac:02x}:{len(self.name) % 256:02x}:{i:02x}"]
        return argv

    # ---- the conversation ---------------------------------------------------

    def _reader(self):
        with self.port.makefile("rb") as f:
            try:
                for line in f:
                    self._event(json.loads(line))
            except (OSError, ValueError):
                pass    # closed in the middle of a line: the VM has gone
        with self.lock:
            lost, self.waiting = list(self.waiting.values()), {}
        if not self.stopping:
            self.failure = self.failure or "the VM has gone"
        for w in lost:
            w.lost()
        self.hello.set()

    def _event(self, msg):
        if msg["ev"] == "hello":
            self.hello.set()
            return
        with self.lock:
            w = self.waiting.get(msg["id"])
            if msg["ev"] in ("exit", "done"):
                self.waiting.pop(msg["id"], None)
        if w:
            w.event(msg)

    def send(self, **msg):
        self.wait_boot()
        data = json.dumps(msg).encode() + b"\n"
        try:
            with self.lock:
                self.port.sendall(data)
        except OSError as e:
            self.failure = self.failure or f"the VM has gone ({e})"
            self.check_alive()

    def wait_boot(self):
        left = self.started + BOOT_TIMEOUT - time.monotonic()
        if not self.hello.wait(max(left, 0)):
            self.failure = f"no boot in {BOOT_TIMEOUT:g} s"
        self.check_alive()
        return self

    def check_alive(self):
        if self.failure:
            raise LabError(f"{self.name}: {self.failure}; its console, "
                           f"{self.log_path}, ends with:\n{self.console_tail()}")

    def _register(self, waiter):
        ident = next(self.ids)
        with self.lock:
            self.waiting[ident] = waiter
        return ident

    # ---- what tests use -----------------------------------------------------

    def spawn(self, cmd, netns=None, cgroup=None, env=None, cwd="/", user=None,
              pty=False):
        """Start @cmd (a string: by sh -c; a list: as it is) and return a Proc.

        netns: run it in that named namespace; cgroup: a path below
        /sys/fs/cgroup that it joins first; user: "uid[:gid]" to become.
        """
        argv = ["sh", "-c", cmd] if isinstance(cmd, str) else list(cmd)
        if user is not None:
            uid, _, gid = str(user).partition(":")
            argv = ["setpriv", f"--reuid={uid}", f"--regid={gid or uid}",
                    "--clear-groups", *argv]
        self.wait_boot()
        proc = Proc(self, 0, cmd if isinstance(cmd, str) else shlex.join(cmd))
        proc.ident = self._register(proc)
        msg = {"op": "spawn", "id": proc.ident, "argv": argv, "cwd": cwd,
               "env": env or {}, "pty": pty, "cgroup": cgroup, "netns": netns}
        self.send(**msg)
        return proc

    def run(self, cmd, check=True, timeout=60.0, stdin=None, **where):
        """Run @cmd to its end and return its Result; see spawn() for @where."""
        proc = self.spawn(cmd, **where)
        if stdin is not None:
            proc.stdin(stdin)
        proc.stdin(None)
        result = proc.wait(timeout)
        if check and result.rc != 0:
            raise CommandFailed(f"{self.name}: exit {result.rc}: {proc.cmd}\n"
                                f"{(result.out + result.err)[-4000:]}")
        return result

    def _transfer(self, **msg):
        self.wait_boot()
        waiter = _Transfer()
        ident = self._register(waiter)
        self.send(id=ident, **msg)
        if not waiter.done.wait(TRANSFER):
            raise LabError(f"{self.name}: no answer to {msg}"[:300])
        if waiter.msg is None:
            self.check_alive()
            raise LabError(f"{self.name}: stopped during {msg['op']}")
        if "error" in waiter.msg:
            raise OSError(f"{self.name}: {waiter.msg['error']}")
        return base64.b64decode(waiter.msg["data"])

    def write(self, path, text, mode=0o644):
        """Put a file there in one step (write beside it, then rename)."""
        data = text.encode() if isinstance(text, str) else text
        self._transfer(op="write", path=path, mode=mode,
                       data=base64.b64encode(data).decode())

    def read(self, path):
        return self._transfer(op="read", path=path).decode(errors="replace")

    def call(self, module, func, *args, netns=None):
        """What a judge's function returns, asked in that namespace."""
        return json.loads(self._transfer(op="call", module=module, func=func,
                                         args=args, netns=netns))

    def console_tail(self, lines=40):
        try:
            with open(self.log_path, "rb") as f:
                text = f.read().decode(errors="replace")
        except OSError as e:
            return str(e)
        return "\n".join(text.replace("\r", "").splitlines()[-lines:])

    def complaints(self):
        """Warnings of the guest's kernel since the last call, with what
        follows them; empty when all is well."""
        with open(self.log_path, "rb") as f:
            f.seek(self.complaints_seen)
            text = f.read()
        whole = text[:text.rfind(b"\n") + 1]
        self.complaints_seen += len(whole)
        lines = whole.decode(errors="replace").replace("\r", "").splitlines()
        for i, line in enumerate(lines):
            if COMPLAINT.search(line):
                return "\n".join(lines[i:i + 60])
        return ""

    # ---- the end ------------------------------------------------------------

    def _expire(self, lifetime):
        self.failure = f"still running after {lifetime:g} s, ended by the watchdog"
        self.qemu.kill()

    def stop(self):
        """Power off; if that takes too long, end QEMU by its process id."""
        if self.stopping:
            return
        self.stopping = True
        self.watchdog.cancel()
        try:
            if self.hello.is_set() and not self.failure:
                self.port.sendall(b'{"op": "poweroff"}\n')
                self.qemu.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            pass
        for end in (self.qemu.terminate, self.qemu.kill):
            if self.qemu.poll() is None:
                end()
                try:
                    self.qemu.wait(5)
                except subprocess.TimeoutExpired:
                    continue
        self.port.close()
        Vm.running.discard(self)
        if not Vm.running:
            turn.release()
        shutil.rmtree(self.tmp, ignore_errors=True)

    def crash(self):
        """Take the power away, as a dying machine does."""
        self.failure = "switched off by crash()"
        self.qemu.kill()
        self.qemu.wait(10)
        self.stop()

    def __enter__(self):
        return self.wait_boot()

    def __exit__(self, *exc):
        self.stop()


def _die_with_driver():
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@atexit.register
def stop_all():
    for vm in list(Vm.running):
        vm.stop()

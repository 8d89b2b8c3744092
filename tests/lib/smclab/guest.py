# SPDX-License-Identifier: Apache-2.0
"""The agent inside a VM: process 1 of the guest, executes the driver's commands.

It speaks JSON lines over a virtio-serial port (the other end is machine.py).
Driver to guest:  {"op": "spawn", "id", "argv", "cwd", "env", "cgroup", "netns",
                   "pty"}
                  {"op": "stdin", "id", "data"|null}   null closes it
                  {"op": "signal", "id", "sig"}        to the process group
                  {"op": "write", "id", "path", "data", "mode"}
                  {"op": "read", "id", "path"}
                  {"op": "call", "id", "module", "func", "args", "netns"}
                                                       a judge's function
                  {"op": "poweroff"}
Guest to driver:  {"ev": "hello"}, {"ev": "out"|"err", "id", "data"},
                  {"ev": "exit", "id", "rc"}, {"ev": "done", "id", "data"|"error"}
Data is base64. When the driver goes away the port reads as closed and the
guest powers itself off: a killed driver leaves no VM behind.
"""
import base64
import ctypes
import fcntl
import glob
import importlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
import time

CHUNK = 32768
UNREAD_SECONDS = 20    # that the end of a program waits for its output
RB_POWER_OFF = 0x4321FEDC
CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x20000
MS_REC, MS_SLAVE, MNT_DETACH = 0x4000, 0x80000, 2
LIBC = ctypes.CDLL(None, use_errno=True)


def power_off():
    os.sync()
    LIBC.reboot(ctypes.c_int(RB_POWER_OFF))


def reap_for(child):
    """Process 1's duty: collect orphans until the agent itself ends."""
    while True:
        try:
            pid, _ = os.wait()
        except ChildProcessError:
            return
        if pid == child:
            return


def open_port():
    for name in glob.glob("/sys/class/virtio-ports/*/name"):
        with open(name, encoding="ascii") as f:
            if f.read().strip() == "smclab":
                dev = os.path.basename(os.path.dirname(name))
                return os.open("/dev/" + dev, os.O_RDWR | os.O_CLOEXEC)
    raise SystemExit("smclab: the virtio port named smclab is missing")


def readable(fd, timeout_ms=None):
    """Is there something to be read, or its end?"""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(timeout_ms))


def system(name, *args):
    """A function of the C library that sets errno."""
    if getattr(LIBC, name)(*args):
        raise OSError(ctypes.get_errno(), name)


def enter(netns):
    """This thread enters the network namespace of that name."""
    with open("/run/netns/" + netns, "rb") as f:
        system("setns", f.fileno(), CLONE_NEWNET)


def enter_as_program(netns):
    """As `ip netns exec` does, which takes longer than what most programs do:
    with a /sys that shows the namespace."""
    enter(netns)
    system("unshare", CLONE_NEWNS)
    system("mount", b"", b"/", b"none", ctypes.c_ulong(MS_SLAVE | MS_REC), None)
    system("umount2", b"/sys", MNT_DETACH)
    system("mount", netns.encode(), b"/sys", b"sysfs", ctypes.c_ulong(0), None)


class Agent:
    def __init__(self, port):
        self.port = port
        self.lock = threading.Lock()
        self.procs = {}
        self.kept = {}    # inode: file

    def keep(self, path):
        """Keep a shared file open, so that the kernel keeps what it has read
        of it: without cached names it forgets a file with its last user."""
        try:
            f = open(path, "rb", 0)  # noqa: SIM115: kept
        except OSError:
            return    # its start will say so
        self.kept.setdefault(os.fstat(f.fileno()).st_ino, f)

    def send(self, **msg):
        line = json.dumps(msg).encode() + b"\n"
        with self.lock:
            while line:
                line = line[os.write(self.port, line):]

    def send_data(self, ev, ident, data):
        self.send(ev=ev, id=ident, data=base64.b64encode(data).decode())

    def pump(self, fd, ev, ident, busy):
        """Copy one output of a program to the driver until it is closed. @busy
        is set from before something is read until after it was sent."""
        while True:
            readable(fd)
            busy.set()
            try:
                data = os.read(fd, CHUNK)
            except OSError:    # a pty whose last user has gone says EIO
                data = b""
            if not data:
                os.close(fd)
                return
            self.send_data(ev, ident, data)
            busy.clear()

    def start(self, msg):
        """Start the program; return (process, stdin fd, [(fd, stream)])."""
        cgroup, netns = msg.get("cgroup"), msg.get("netns")
        terminal = msg.get("pty")
        for word in msg["argv"]:
            if word.startswith("/build/"):
                self.keep(word)

        def child():
            if cgroup:
                path = os.path.join("/sys/fs/cgroup", cgroup.lstrip("/"))
                with open(path + "/cgroup.procs", "w", encoding="ascii") as f:
                    f.write("0")
            if netns:
                enter_as_program(netns)
            if terminal:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        env = dict(os.environ, **msg.get("env", {}))
        common = {"cwd": msg.get("cwd", "/"), "env": env,
                  "start_new_session": True}
        if cgroup or netns or terminal:    # for which Python forks whole, not by vfork
            common["preexec_fn"] = child
        if terminal:
            master, slave = pty.openpty()
            proc = subprocess.Popen(msg["argv"], stdin=slave, stdout=slave,
                                    stderr=slave, **common)
            os.close(slave)
            return proc, os.dup(master), [(master, "out")]
        # plain pipes of our own: Popen's file objects would buffer
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
        try:
            proc = subprocess.Popen(msg["argv"], stdin=pipes[0][0],
                                    stdout=pipes[1][1], stderr=pipes[2][1],
                                    **common)
        finally:
            for fd in (pipes[0][0], pipes[1][1], pipes[2][1]):
                os.close(fd)
        return proc, pipes[0][1], [(pipes[1][0], "out"), (pipes[2][0], "err")]

    def spawn(self, msg):
        ident = msg["id"]
        try:
            proc, stdin, outputs = self.start(msg)
        except (OSError, subprocess.SubprocessError) as e:
            self.send_data("err", ident, f"smclab: {e}\n".encode())
            self.send(ev="exit", id=ident, rc=127)
            return
        self.procs[ident] = [proc, stdin]
        pumps = []
        for fd, ev in outputs:
            busy = threading.Event()
            pumps.append((threading.Thread(target=self.pump,
                                           args=(fd, ev, ident, busy)), fd, busy))
        for thread, _, _ in pumps:
            thread.start()
        threading.Thread(target=self.finish, args=(ident, proc, pumps)).start()

    def finish(self, ident, proc, pumps):
        rc = proc.wait()
        # A daemon left behind may hold the outputs open: report the exit after
        # a moment all the same, its later output still arrives. What is there
        # already is sent before, however long that takes on a busy machine.
        end = time.monotonic() + UNREAD_SECONDS
        for thread, fd, busy in pumps:
            thread.join(0.5)
            while (thread.is_alive() and (busy.is_set() or readable(fd, 0))
                   and time.monotonic() < end):
                thread.join(0.1)
        _, stdin = self.procs.pop(ident)
        if stdin is not None:
            os.close(stdin)
        self.send(ev="exit", id=ident, rc=rc)

    def stdin(self, msg):
        entry = self.procs.get(msg["id"])
        if not entry or entry[1] is None:
            return
        if msg["data"] is None:
            fd, entry[1] = entry[1], None
            os.close(fd)
            return
        data = base64.b64decode(msg["data"])
        try:
            while data:
                data = data[os.write(entry[1], data):]
        except BrokenPipeError:
            pass

    def signal(self, msg):
        entry = self.procs.get(msg["id"])
        if entry:
            try:
                os.killpg(entry[0].pid, msg["sig"])
            except ProcessLookupError:
                pass

    def write(self, msg):
        """Replace a file in one step, as an editor or kubectl would."""
        path, tmp = msg["path"], msg["path"] + ".smclab-new"
        try:
            os.makedirs(os.path.dirname(path) or "/", exist_ok=True)
            with open(tmp, "wb") as f:
                f.write(base64.b64decode(msg["data"]))
                os.fchmod(f.fileno(), msg.get("mode", 0o644))
            os.rename(tmp, path)
            self.send(ev="done", id=msg["id"], data="")
        except OSError as e:
            self.send(ev="done", id=msg["id"], error=str(e))

    def read(self, msg):
        try:
            with open(msg["path"], "rb") as f:
                self.send_data("done", msg["id"], f.read())
        except OSError as e:
            self.send(ev="done", id=msg["id"], error=str(e))

    def call(self, msg):
        """Run a judge (smcdiag, smcnl) here: a new Python for each question
        would cost a second of emulated CPU. A thread has a network namespace
        of its own, so it enters the one asked about and ends there."""
        try:
            if msg.get("netns"):
                enter(msg["netns"])
            func = getattr(importlib.import_module(msg["module"]), msg["func"])
            data = json.dumps(func(*msg["args"])).encode()
            self.send_data("done", msg["id"], data)
        except OSError as e:
            self.send(ev="done", id=msg["id"], error=str(e))

    def serve(self):
        self.send(ev="hello")
        ops = {"spawn": self.spawn, "stdin": self.stdin, "signal": self.signal,
               "write": self.write, "read": self.read,
               "call": lambda msg: threading.Thread(target=self.call,
                                                    args=(msg,)).start()}
        with os.fdopen(os.dup(self.port), "rb", 0) as f:
            pending = b""
            while True:
                data = f.read(65536)
                if not data:
                    return
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    msg = json.loads(line)
                    if msg["op"] == "poweroff":
                        return
                    ops[msg["op"]](msg)


def main():
    os.environ.update(PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                           "/sbin:/bin", HOME="/root", LC_ALL="C.UTF-8")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = os.fork()
    if child:
        reap_for(child)
        power_off()
    try:
        Agent(open_port()).serve()
    finally:
        sys.stdout.flush()
        os._exit(0)    # threads may still wait for programs: process 1 ends all


if __name__ == "__main__":
    main()

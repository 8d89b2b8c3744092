# SPDX-License-Identifier: Apache-2.0
"""A question over HTTP to a program of the guest, asked in the guest.

It is asked by hand: http.client alone takes half a second to import there. With
HTTP/1.0 the server closes the connection at the end of its answer.
"""
import socket
import time

AT_ONCE = 65536
CPUCLOCK_SCHED = 2
QUIET_S = 0.02    # between two answers that are measured
# a process rests that had a processor for less than this part of so many seconds
RESTING, REST_S = 0.05, 0.5


def parts(s, until):
    """What the server sends to its end, which it must reach before @until."""
    while True:
        s.settimeout(max(until - time.monotonic(), 0.001))
        data = s.recv(AT_ONCE)
        if not data:
            return
        yield data


def answered(raw):
    """(status, body) of a whole answer."""
    head, end, body = raw.partition(b"\r\n\r\n")
    first, *fields = head.decode("latin-1").split("\r\n")
    if not end or not first.startswith("HTTP/1."):
        raise OSError(f"no answer of HTTP: {raw[:200]!r}")
    for field in fields:
        name, _, value = field.partition(":")
        if name.lower() == "content-length" and int(value) != len(body):
            raise OSError(f"{len(body)} bytes of{value} came")
    return int(first.split()[1]), body.decode(errors="replace")


def get(where, path, seconds):
    """[status, body] of a GET; [0, why] where no answer comes in that time.
    @where: the path of a socket, or [host, port]."""
    until = time.monotonic() + seconds
    unix = isinstance(where, str)
    try:
        with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as s:
            s.settimeout(seconds)
            s.connect(where if unix else tuple(where))
            s.sendall(f"GET {path} HTTP/1.0\r\nHost: agent\r\n\r\n".encode())
            return answered(b"".join(parts(s, until)))
    except (OSError, ValueError, LookupError) as e:
        return 0, str(e)


def ran(pid):
    """For how long the threads of a process had a processor, ns: by its clock, as
    clock_getcpuclockid() names it."""
    return time.clock_gettime_ns(~pid << 3 | CPUCLOCK_SCHED)


def rests(pid, seconds):
    """Wait until that process has nothing to do but what it does now and then."""
    until = time.monotonic() + seconds
    while True:
        before = ran(pid)
        time.sleep(REST_S)
        busy = (ran(pid) - before) / 1e9 / REST_S
        if busy < RESTING:
            return
        if time.monotonic() > until:
            raise OSError(f"process {pid} has been at work for {seconds} s, in the "
                          f"last {REST_S} s with {busy:.0%} of a processor")


def costs(pid, where, path, count):
    """Of @count answers of a process at rest [[ns of its own CPU time, bytes], ...],
    from the call until it has closed the connection: what it does at other times
    is no part of an answer."""
    rests(pid, 30)
    out = []
    for _ in range(count):
        time.sleep(QUIET_S)
        before = ran(pid)
        status, body = get(where, path, 60)
        spent = ran(pid) - before
        if status != 200:
            raise OSError(f"GET {path}: {status} {body}")
        out.append([spent, len(body)])
    return out

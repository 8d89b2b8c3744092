# SPDX-License-Identifier: Apache-2.0
"""A question over HTTP to a program of the guest, asked in the guest.

It is asked by hand: http.client alone takes half a second to import there. With
HTTP/1.0 the server closes the connection at the end of its answer.
"""
import socket
import time

AT_ONCE = 65536
CPUCLOCK_SCHED = 2
QUIET_S = 0.02    # after an answer, for what it leaves to be done


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


def costs(pid, where, path, count):
    """Of @count answers of that process [[ns of its own CPU time, bytes], ...]."""
    out = []
    for _ in range(count):
        before = ran(pid)
        status, body = get(where, path, 60)
        if status != 200:
            raise OSError(f"GET {path}: {status} {body}")
        time.sleep(QUIET_S)
        out.append([ran(pid) - before, len(body)])
    return out

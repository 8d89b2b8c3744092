# SPDX-License-Identifier: Apache-2.0
"""Connections held open, and what the kernel says each of their ends is.

    with held(a, b.v4, 7000) as h:
        assert h.ends(b) == [("smcd", "smcd")]

An end is smcd, smcr (data goes that way), tcp (an SMC socket that is TCP),
plain (a TCP socket that never was anything else) or none (not there).
"""
import contextlib
import json
import time

from . import progs
from .machine import SLACK, wait_for

SMC = ("smcd", "smcr")
PEER_NO_SMC = 0x03010000    # SMC_CLC_DECL_PEERNOSMC: there was no option
# SMC_CLC_DECL_TIMEOUT_CL and _AL: the two ends did not agree upon a new RDMA
# link within the 2 s that the kernel gives them (SMC_LLC_WAIT_TIME in
# net/smc/smc_llc.h). Emulated nodes on a machine that stands still for a moment
# miss that; both fall back, as they must, and the next connection makes the link.
LATE_LINK = {0x02010000, 0x02020000}
TRIES = 3
PATH_BAD = 30    # seconds: 20 (bpf/path.bpf.h), and the next probe


def late_link(rows):
    """Did a connection in @rows of a client's diag() fall back for that?"""
    return any(LATE_LINK & {r["reason"], r["peer_reason"]} for r in rows)


def agreed(rows, local_port, remote_port):
    """Did this end of a connection, and the other, agree upon SMC, whatever it
    became? Of Pod.diag()."""
    row, = (r for r in rows if r["local_port"] == local_port
            and r["remote_port"] == remote_port)
    return row["mode"] in SMC or (row["mode"] == "tcp" and PEER_NO_SMC not in
                                  (row["reason"], row["peer_reason"]))


def end(rows, local_port, remote_port):
    """The mode of one end in @rows of Pod.diag()."""
    found = {r["mode"] for r in rows if r["local_port"] == local_port
             and r["remote_port"] == remote_port}
    return "+".join(sorted(found)) or "none"


def still_runs(proc):
    """Not an AssertionError, which wait_for() takes for "not yet"."""
    if not proc.alive:
        raise RuntimeError(f"{proc.cmd}: exit {proc.rc}: {proc.output}")


class Held:
    """The open connections of one client program."""

    def __init__(self, client, proc, lines):
        self.client, self.proc, self.lines = client, proc, lines

    def ports(self):
        """[(client's port, server's port)]"""
        return [(x["local"][1], x["remote"][1]) for x in self.lines]

    def client_ends(self):
        rows = self.client.diag()
        return [end(rows, c, s) for c, s in self.ports()]

    def ends(self, server):
        """[(client's end, server's end)], sorted, one for each connection."""
        rows = server.diag()
        return sorted(zip(self.client_ends(),
                          [end(rows, s, c) for c, s in self.ports()]))

    def protocols(self):
        """SO_PROTOCOL of the client's sockets: 6, 256 (SMC) or 262 (MPTCP)."""
        return sorted(x["protocol"] for x in self.lines)

    def close(self):
        if self.proc.alive:
            self.proc.stdin(None)
        result = self.proc.wait()
        assert result.rc == 0, self.proc.output


def at(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


@contextlib.contextmanager
def held_by(pod, argv, timeout=30, **where):
    """Run a program in the pod that holds connections as `hold` does."""
    proc = pod.spawn(argv, **where)

    def all_there():
        still_runs(proc)
        return '"held"' in proc.out

    try:
        wait_for(all_there, timeout, f"the connections of {proc.cmd}")
        lines = [json.loads(x) for x in proc.out.splitlines()]
        h = Held(pod, proc, [x for x in lines if "local" in x])
        yield h
        h.close()
    finally:
        if proc.alive:
            proc.kill(9)


def held(client, address, port, count=1, protocol=None, source=None,
         buffer=None, prog="hold", **where):
    """Connections of a plain client in @client that stay open in the block."""
    argv = [progs.path(prog), "--count", str(count)]
    if protocol:
        argv += ["--protocol", protocol]
    if source:
        argv += ["--from", source]
    if buffer:
        argv += ["--buffer", str(buffer)]
    return held_by(client, [*argv, at(address, port)], **where)


def ends(client, server, port=7000, address=None, **kw):
    """Both ends of a new connection, e.g. ("smcd", "smcd"); see Held.ends().
    Where the kernel's time for a new link was not enough it has given the RDMA
    path up, and so do agents, for a while: then of one that is not TCP."""
    stop = None
    while True:
        with held(client, address or server.v4 or server.v6, port, **kw) as h:
            found = set(h.ends(server))
            late = late_link(client.diag())
        if late and stop is None:
            print(f"{client.name} to {server.name}: the link came too late")
            stop = time.monotonic() + PATH_BAD * SLACK
        if stop is None or (found != {("tcp", "tcp")} and not late) or \
                time.monotonic() > stop:
            break
    assert len(found) == 1, f"connections differ: {found}"
    return found.pop()


def become(fn, expected, timeout=10):
    """Wait until fn() gives @expected: a change of the List takes a moment.

    Connections that fail meanwhile are failures, never "not yet".
    """
    timeout *= SLACK
    stop = time.monotonic() + timeout
    while True:
        last = fn()    # not through wait_for(), which forgives exceptions
        if last == expected:
            return
        if time.monotonic() > stop:
            raise AssertionError(
                f"expected {expected}, still {last} after {timeout:g} s")
        time.sleep(0.05)    # the guest has one processor for the change as well


def serve(pod, *ports, prog="echod", native=False, address="0.0.0.0",
          options=(), **where):
    """An echo server in the pod; native: it asks for SMC by itself. @options:
    further ones of the program."""
    argv = [progs.path(prog)] + (["--smc"] if native else []) + list(options)
    proc = pod.spawn(argv + [at(address, p) for p in ports], **where)

    def up():
        still_runs(proc)
        return "ready" in proc.out

    wait_for(up, 20, f"{proc.cmd} to listen")
    return proc


def reason(agent, pod, port, role="client"):
    """Why the agent says that the pod's newest flow to (client) or on (server)
    @port is what it is; what it is, only the kernel is asked."""
    key = "remote_port" if role == "client" else "local_port"
    flows = [f for f in agent.flows()
             if f["pod"] == pod.name and f["role"] == role and f[key] == port]
    if not flows:
        return "no flow is recorded"
    return max(flows, key=lambda f: f["opened"])["reason"]

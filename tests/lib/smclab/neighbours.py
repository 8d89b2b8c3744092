# SPDX-License-Identifier: Apache-2.0
"""What pods notice while another does its worst, or a node dies.

    with suffering(pods, server="10.244.1.11", plain="10.244.1.20") as found:
        ...                              # what they may not notice
    unharmed("dead", control, found)

Of @pods v is armed and t is not; the server's program is SMC while the mesh is
on, the plain one never. A neighbour is a hammer: it connects, has one echo and
closes, again and again, until it is stopped.
"""
import contextlib

from . import progs
from .crowd import hammering, options, ready, result, stop
from .flows import become, ends, serve
from .machine import wait_for

UNPRIVILEGED = ["prlimit", "--nofile=8192:8192", "setpriv", "--reuid=65534",
                "--regid=65534", "--clear-groups", "--bounding-set=-all",
                "--inh-caps=-all"]
PORT = 7000
PACE_US = 20000
MOST_MORE_MS = 1000


def clients(pods, server, plain):
    """{name: (pod, to, options of hammer)}"""
    v, t = pods
    each = {"smc": (v, server), "plain in": (t, server),
            "plain out": (v, plain)}
    out = {}
    for name, (pod, address) in each.items():
        out[name] = pod, f"{address}:{PORT}", {}
        out[f"{name}, not blocking"] = pod, f"{address}:{PORT}", {"again": True}
    return out


@contextlib.contextmanager
def serving(agent, armed, pods, client, becomes):
    """Servers in @pods, started as the mesh is now: once @armed pods of the
    agent are, and until a connection of @client to the first @becomes what it
    is to be."""
    become(lambda: agent.get("/v1/status")["pods"]["armed"], armed)
    servers = [serve(pod, PORT) for pod in pods]
    try:
        become(lambda: ends(client, pods[0], PORT), becomes)
        yield
    finally:
        for server in servers:
            server.kill()


def attack(pod, mode, opts):
    """Start badpod, as a user without any capability; returns the Proc."""
    argv = [*UNPRIVILEGED, progs.path("badpod"), mode, *options(opts)]
    return ready(pod.spawn(argv), mode)


def tell(attackers):
    """End them; what each of them did is printed."""
    for proc in attackers:
        proc.kill()
        print(proc.cmd[-8:], result(proc))


@contextlib.contextmanager
def suffering(pods, server, plain):
    """The neighbours run while the block does. What is yielded is filled at its
    end: {name: result of hammer}."""
    found, procs = {}, {}
    try:
        procs = {name: hammering(pod, to, count=0, pace=PACE_US, tell=1, **opts)
                 for name, (pod, to, opts) in
                 clients(pods, server, plain).items()}
        wait_for(lambda: all(p.out for p in procs.values()), 60,
                 "a first connection of each neighbour")
        yield found
        found.update({name: stop(proc) for name, proc in procs.items()})
    finally:
        for proc in procs.values():
            if proc.alive:
                proc.kill(9)


def unharmed(what, control, found):
    """Nobody failed, and nobody waited longer than the longest of the control
    (the same with the mesh off) and a second more."""
    longest = max(r["own_ms"] for r in control.values())
    for who, r in found.items():
        c = control[who]
        print(f"{what}, {who}: {r['ok']} (control {c['ok']}), "
              f"median {r['p50_ms']} ({c['p50_ms']}) ms, longest "
              f"{r['own_ms']} ({c['own_ms']}) ms, SMC {r['smc']}")
    bad = {who: r for who, r in found.items()
           if r["errors"] or r["own_ms"] > longest + MOST_MORE_MS}
    assert not bad, (longest, bad)
    assert found["smc"]["smc"], found["smc"]

# SPDX-License-Identifier: Apache-2.0
"""A server that does not accept for a while: its clients must not notice that
it is an SMC listener.

            VM busy
     c        t         s
   armed   stranger   armed, SIGSTOPped while all its clients come at once,
    .10      .20       .11   one listening port a case, echod on each
     |        |         |
   --+-- br0 -+---------+--

The same bursts: of the kernel's own SMC, with nothing of ours; with the mesh off
and on, in turns.
"""
import json
import signal

import pytest

from smclab import Vm, paths, topo, wait_for
from smclab.agents import Agent
from smclab.crowd import hammer, hammering, result
from smclab.flows import become, serve
from smclab.mesh import Mesh

# port: (backlog, listeners with SO_REUSEPORT, armed clients, plain ones)
CASES = {7101: (1, 1, 6, 4), 7104: (4, 1, 12, 12), 7164: (64, 1, 100, 60),
         7204: (4, 4, 24, 16)}
# What is at once: an emulated processor takes a while for the handshakes of the
# large one, and nobody else is to wait for them.
AT_ONCE = (7101, 7104, 7204), (7164,)
# A SYN is repeated after each of the first seconds: the server wakes up between
# two of them.
STOPPED = 2.5
# seconds: CLC_WAIT_TIME in the kernel, in which a client wants the server's consent
SMC_WAITS = 6
# More than with the mesh off, milliseconds.
LONGER = 1000


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        for name, host in zip("cst", (10, 11, 20)):
            pod = topo.pod(vm, name, f"10.244.1.{host}/16")
            setattr(self, name, self.mesh.add(
                pod, enabled="true" if name in "cs" else None))
        self.agent, self.figures = None, []

    def bursts(self):
        """{port: (what became of c's clients, of t's)}"""
        told = {}
        for ports in AT_ONCE:
            told.update(self.bursts_of(ports))
        self.figures.append(told)
        return told

    def bursts_of(self, ports, native=False, stopped=STOPPED):
        """native: c and s ask for SMC themselves."""
        servers, clients = [], {}
        try:
            for port in ports:
                backlog, each, _, _ = CASES[port]
                servers.append(serve(
                    self.s, port, native=native,
                    options=["--backlog", str(backlog), "--each", str(each)]))
            self.wait_guarded()
            for server in servers:
                server.kill(signal.SIGSTOP, wait=False)
            for port in ports:
                clients[port] = self.burst(port, native)
            self.vm.run(["sleep", str(stopped)])
            for server in servers:
                server.kill(signal.SIGCONT, wait=False)
            return {port: tuple(map(outcome, procs))
                    for port, procs in clients.items()}
        finally:
            for server in servers:
                server.kill(signal.SIGKILL)

    def burst(self, port, native):
        *_, armed, plain = CASES[port]
        return [hammering(pod, f"10.244.1.11:{port}", count=n, threads=n,
                          smc=native and pod is self.c)
                for pod, n in ((self.c, armed), (self.t, plain))]

    def wait_guarded(self):
        """The agent has heard of the first listener."""
        if self.agent and self.armed():
            wait_for(lambda: "syn_waits" in self.agent.links(), 10,
                     "what makes SYNs wait")

    def armed(self):
        return self.agent.get("/v1/status")["pods"]["armed"]

    def start(self):
        self.agent = Agent(self.vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)


def outcome(proc):
    proc.stdin(None)
    proc.wait(60)
    told = result(proc)
    talk = [line for line in proc.err.splitlines() if " ms, " not in line]
    return {key: told[key] for key in ("connections", "errors", "smc", "tcp",
                                       "own_ms")} | {"talk": talk}


def longest(both):
    return max(told["own_ms"] for told in both)


def errors(bursts):
    return sum(told["errors"] for both in bursts.values() for told in both)


@pytest.fixture(scope="module")
def lab():
    with Vm("busy", mem=1536) as vm:
        lab = Lab(vm)
        yield lab
    with open(paths.log_file("busy-figures.txt"), "w", encoding="ascii") as f:
        f.writelines(f"{port}: {json.dumps(told)}\n" for bursts in lab.figures
                     for port, both in bursts.items() for told in both)


@pytest.fixture(scope="module")
def native(lab):
    """The kernel's own SMC."""
    assert lab.agent is None
    return lab.bursts_of(tuple(CASES), native=True, stopped=SMC_WAITS + 2)


@pytest.fixture(scope="module")
def rounds(lab, native):
    """Bursts with the mesh off and on, in turns: the machine may be busy."""
    lab.start()
    off, on = [], []
    for _ in range(2):
        with lab.mesh.changed(spec={"enabled": False}):
            become(lab.armed, 0)
            off.append(lab.bursts())
        become(lab.armed, 2)
        on.append(lab.bursts())
    return off, on


@pytest.fixture(scope="module")
def off(rounds):
    """Of each case the burst in which somebody waited longest: whether TCP
    repeats a SYN just before or after the server goes on doubles it."""
    return {port: max((r[port] for r in rounds[0]), key=longest)
            for port in CASES}


@pytest.fixture(scope="module")
def on(rounds):
    return rounds[1]


def test_the_kernels_own_smc_fails(native):
    """Control: with nothing of ours such bursts break connections."""
    assert errors(native) > 0


def test_plain_tcp_waits(off):
    """Control: nobody fails, and not everybody is served at once."""
    assert errors(off) == 0, off
    for port, both in off.items():
        assert longest(both) > 1000 * STOPPED / 2, port


@pytest.mark.parametrize("port", CASES)
def test_nobody_fails_or_waits_longer(off, on, port):
    for before, *now in zip(off[port], *(bursts[port] for bursts in on)):
        for told in now:
            assert told["errors"] == 0, told
            assert told["connections"] == before["connections"]
    least = min((bursts[port] for bursts in on), key=longest)
    assert longest(least) < longest(off[port]) + LONGER, (off[port], least)


@pytest.mark.parametrize("port", CASES)
def test_half_of_the_backlog_may_be_smc(on, port):
    """Half of the backlog; where that is small, who is alone; of 1 none."""
    least = {1: 0, 4: 1, 64: 31}[CASES[port][0]]
    for bursts in on:
        smc = bursts[port][0]["smc"]
        assert smc >= least if least else smc == 0, bursts[port]


def test_busy_listener_says_why_it_is_tcp(lab, on):
    def told(pod, **labels):
        return lab.agent.metric("smcmesh_flows_bypassed_total", pod=pod, **labels)

    busy = sum(both[0]["tcp"] for bursts in on for both in bursts.values())
    assert 0 < told("s", reason="listener-busy") <= busy
    assert lab.agent.metric("smcmesh_syns_waited_total", pod="s") > 0
    said = {f["reason"] for f in lab.agent.flows()
            if f["pod"] == "s" and f["role"] == "server"
            and f["remote_address"] == lab.c.v4 and f["outcome"] == "tcp"}
    # a SYN cookie has no room for the option
    assert "listener-busy" in said <= {"listener-busy", "not-offered"}, said
    # when there is room again
    server = serve(lab.s, 7000, options=["--backlog", "16"])
    assert hammer(lab.c, "10.244.1.11:7000", count=5)["smc"] == 5
    server.kill()


@pytest.mark.parametrize("backlog, smc", [(1, 0), (2, 1), (8, 1), (16, 8)])
def test_places_in_the_backlog_stay_free_of_smc(lab, on, backlog, smc):
    """Of clients that come one by one while nobody accepts: one that is between
    the queues may be counted twice."""
    port = 7400 + backlog
    server = serve(lab.s, port, options=["--backlog", str(backlog)])
    server.kill(signal.SIGSTOP, wait=False)
    crowd = []
    for _ in range(smc + 2):
        crowd.append(hammering(lab.c, f"10.244.1.11:{port}", count=1))
        wait_for(lambda: lab.c.run(f"ss -Htn state established dport = :{port}"
                                   ).out.count("\n") == len(crowd), 20,
                 "one more to be connected")
    server.kill(signal.SIGCONT, wait=False)
    told = [outcome(proc)["smc"] for proc in crowd]
    server.kill()
    assert smc - (smc > 1) <= sum(told) <= smc, told

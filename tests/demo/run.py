# SPDX-License-Identifier: Apache-2.0
"""sudo make demo: two nodes, plain pods and annotated pods beside each other.

                 node n1 (VM)                               node n2 (VM)
  client      web         plain-client  plain-web        far         plain-far
  10.244.1.2  10.244.1.3  10.244.1.4    10.244.1.5       10.244.2.2  10.244.2.3
     |           |            |            |                |           |
   --+-- br0 ----+------------+------------+-- eth0 == eth0 +-- br0 ----+------

client, web and far are annotated, the others are not. nginx and redis serve in
four pods. plain-client asks the plain ones, which is plain TCP; client asks web
(SMC-D), far (SMC-R), and as a control the plain ones, which stays TCP.
"""
import json
import os
import sys
import time
from collections import Counter
from dataclasses import asdict

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))

from smclab import (CommandFailed, LabError, Link, Vm,  # noqa: E402
                    wait_for)
from smclab import manifest, paths, topo  # noqa: E402
from smclab.agents import Agent  # noqa: E402
import loads  # noqa: E402
import picture  # noqa: E402
import report  # noqa: E402
from rounds import ANNOTATED, PLAIN, ROUNDS, Row, take_turns  # noqa: E402

SECONDS = int(os.environ.get("DEMO_SECONDS", "2"))    # of a run
ONE, TWO = "one node", "two nodes"
WANT = {(ONE, ANNOTATED): "SMC-D", (TWO, ANNOTATED): "SMC-R"}    # others: TCP
WORDS = {"smcd": "SMC-D", "smcr": "SMC-R"}
TRIES = 3
STARTED = time.monotonic()


class Other(AssertionError):
    """A run whose connections were not what they should have been."""


def say(text):
    print(f"[{time.monotonic() - STARTED:4.0f} s] {text}", flush=True)


class Demo:
    def __init__(self, vms):
        self.vms = vms
        n1, n2 = vms
        for i, vm in enumerate(vms, 1):
            topo.bridge(vm, f"10.244.{i}.1/16", nic="eth0")
        self.client = topo.pod(n1, "client", "10.244.1.2/16", rdma=True)
        self.web = topo.pod(n1, "web", "10.244.1.3/16")
        self.plain_client = topo.pod(n1, "plain-client", "10.244.1.4/16")
        self.plain_web = topo.pod(n1, "plain-web", "10.244.1.5/16")
        self.far = topo.pod(n2, "far", "10.244.2.2/16", rdma=True)
        self.plain_far = topo.pod(n2, "plain-far", "10.244.2.3/16")
        self.servers = {ONE: (self.web, self.plain_web),
                        TWO: (self.far, self.plain_far)}
        self.mesh = (self.client, self.web, self.far)
        self.agents = [Agent(vm, self.objects(None)) for vm in vms]

    def objects(self, enabled):
        """The List that both nodes read: the mesh switch is on, the pods of
        the mesh carry the annotation or not."""
        plain = (self.plain_client, self.plain_web, self.plain_far)
        return [manifest.mesh(True),
                *(manifest.of(p, enabled=enabled) for p in self.mesh),
                *(manifest.of(p, enabled=None) for p in plain)]

    def start(self):
        for agent in self.agents:
            agent.start(wait=False)
        for agent in self.agents:
            agent.wait_ready()

    def annotate(self):
        for agent in self.agents:
            agent.set(*self.objects("true"))
        wait_for(self.armed, 30, "all three pods to be armed", 0.3)
        for both in self.servers.values():
            for pod in both:
                loads.serve(pod)
        wait_for(self.proven, 30, "the RDMA path between client and far", 0.3)

    def armed(self):
        count = sum(p["armed"] for a in self.agents
                    for p in a.get("/v1/pods")["pods"])
        return count == len(self.mesh)

    def proven(self):
        return all(any(p["state"] == "proven"
                       for p in a.get("/v1/endpoints")["paths"])
                   for a in self.agents)

    def measure(self):
        rows = []
        for load in loads.Wrk(SECONDS), loads.Redis(SECONDS):
            for path in ONE, TWO:
                say(f"  {load.name}, {path}: plain, annotated, control, "
                    f"{ROUNDS} times")
                rows.append(take_turns(
                    Row(load.name, path),
                    lambda side, last, a=load, b=path: self.run(a, b, side, last)))
        return rows

    def run(self, load, path, side, last):
        web, plain = self.servers[path]
        client = self.plain_client if side == PLAIN else self.client
        server = web if side == ANNOTATED else plain
        want = WANT.get((path, side), "TCP")
        return self.patiently(lambda: self.once(load, client, server, last, want))

    def patiently(self, fn):
        """Once more if it was cut short, or was not what it should be. An emulated
        RDMA link breaks when the machine stalls for a second, and takes its
        connections with it: the kernel's log then says so."""
        for left in reversed(range(TRIES)):
            try:
                return fn()
            except (CommandFailed, Other) as e:
                say("  that failed: " + " ".join(str(e).split())[:200])
                for vm in self.vms:
                    log = vm.run("dmesg | grep -i smc | tail -n 3").out.strip()
                    say(f"  {vm.name}'s kernel: {log or 'nothing of SMC'}")
                if not left:
                    raise
                say("  once more")

    def once(self, load, client, server, last, want):
        """(Figures, what the kernel said that the connections were)"""
        proc = client.spawn(load.argv(server, last))
        seen = self.connections(proc, client, server, load.port)
        done = proc.wait(loads.PATIENCE)
        if done.rc:
            raise CommandFailed(f"exit {done.rc}: {done.cmd}\n{done.out}{done.err}")
        if list(seen) != [want]:
            raise Other(f"connections: {dict(seen)} instead of {want}: {done.cmd}")
        return load.read(done.out), want

    @staticmethod
    def connections(proc, client, server, port):
        """{kind: number} of those that the load has from client to server, when the
        kernel showed most of them."""
        most = Counter()

        def look():
            nonlocal most
            seen = Counter(WORDS.get(r["mode"], "TCP") for r in client.diag()
                           if (r["remote"], r["remote_port"]) == (server.v4, port))
            most = max(most, seen, key=Counter.total)
            return most.total() >= loads.CONNECTIONS or not proc.alive

        wait_for(look, loads.PATIENCE, "the load's connections", 0.02)
        return most

    def bench(self):
        """`smcmesh bench` between two pods of n1: (its page, its JSON)"""
        vm = self.client.vm
        at = {pod: f"{pod.v4}:{loads.Wrk.port}" for pod in (self.web,
                                                          self.plain_web)}
        vm.run(["smcmesh", "bench", "client", at[self.web], "--pod",
                "default/client", "--tcp", at[self.plain_web], "--tcp-pod",
                "default/plain-client", "--control", at[self.plain_web],
                "--generator=wrk", f"-t{SECONDS}", f"-c{loads.CONNECTIONS}",
                f"--rounds={ROUNDS}", "--directory=/x"], env={"PATH": "/build:/usr/sbin:/usr/bin:/bin"},
               timeout=loads.PATIENCE * ROUNDS)
        return vm.read("/x/bench.html"), json.loads(vm.read("/x/bench.json"))


def keep(rows, page, told):
    """Every run; the page, its data and its figure: in the build directory."""
    where = os.path.join(paths.build(), "demo")
    os.makedirs(where, exist_ok=True)
    runs = [{"load": row.load, "path": row.path,
             **{side: [asdict(f) for f in row.runs[side]] for side in row.runs}}
            for row in rows]
    for name, text in (("rounds.json", json.dumps(runs, indent=1)),
                       ("bench.html", page), ("bench.json", json.dumps(told)),
                       ("bench.svg", picture.draw(page, told))):
        with open(os.path.join(where, name), "w", encoding="utf-8") as f:
            f.write(text)
    return os.path.join(where, "bench.html")


def measured(demo):
    """(the table's rows, where the page is); the rows are shown in any case."""
    rows = demo.measure()
    say("smcmesh bench, nginx once more, for its page")
    try:
        return rows, keep(rows, *demo.patiently(demo.bench))
    except AssertionError:
        report.speeds(rows)
        raise


def show(demo, rows, page):
    report.speeds(rows)
    report.flows(demo.agents)
    report.metrics(demo.agents[0])
    report.endpoints(demo.vms[0])
    print(f"\nHow long the answers took, as a page: {page}\n")


def demonstrate():
    say("two nodes are booting")
    link = Link()
    with Vm("n1", nics=[link.end()]) as n1, Vm("n2", nics=[link.end()]) as n2:
        kernel = n1.run("uname -r").out.strip()
        say(f"both are up: Linux {kernel}, emulated; an agent starts in each")
        demo = Demo((n1, n2))
        demo.start()
        say("annotating the pods client, web and far "
            f"({manifest.ENABLED}: \"true\"), starting nginx and redis")
        demo.annotate()
        show(demo, *measured(demo))
        say("done; the nodes are going down")
    return 0


def main():
    try:
        return demonstrate()
    except KeyboardInterrupt:
        print("\ndemo: stopped; the nodes are gone, nothing is left running",
              file=sys.stderr)
        return 130
    except (LabError, AssertionError, OSError) as e:
        print(f"demo: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

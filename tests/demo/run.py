# SPDX-License-Identifier: Apache-2.0
"""sudo make demo: two nodes, four pods, before and after the annotation.

        node n1 (VM)                              node n2 (VM)
  client      web       plain                        far
  10.244.1.2  10.244.1.3  10.244.1.4                 10.244.2.2
     |          |          |                           |
   --+--- br0 --+----------+-- eth0 ============ eth0 -+- br0 --

client, web and far get the annotation, plain does not. nginx and redis serve in
web (SMC-D from client), far (SMC-R from client) and plain (stays TCP).
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))

from smclab import (CommandFailed, LabError, Link, Vm,  # noqa: E402
                    wait_for)
from smclab import manifest, topo  # noqa: E402
from smclab.agents import Agent  # noqa: E402
import loads  # noqa: E402
import report  # noqa: E402

WRK_SECONDS = int(os.environ.get("DEMO_SECONDS", "4"))
REDIS_REQUESTS = 3000
STARTED = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - STARTED:4.0f} s] {text}", flush=True)


class Demo:
    def __init__(self, vms):
        self.vms = vms
        n1, n2 = vms
        for i, vm in enumerate(vms, 1):
            topo.bridge(vm, f"10.244.{i}.1/16", nic="eth0")
        self.client = topo.pod(n1, "client", "10.244.1.2/16", rdma=True)
        self.web = topo.pod(n1, "web", "10.244.1.3/16", rdma=True)
        self.plain = topo.pod(n1, "plain", "10.244.1.4/16", rdma=True)
        self.far = topo.pod(n2, "far", "10.244.2.2/16", rdma=True)
        self.mesh = (self.client, self.web, self.far)
        self.servers = [loads.Servers(p) for p in (self.web, self.far,
                                                   self.plain)]
        self.agents = [Agent(vm, self.objects(None)) for vm in vms]

    def objects(self, enabled):
        """The List that both nodes read: the mesh switch is on, the pods of
        the mesh carry the annotation or not."""
        pods = [manifest.of(p, enabled=enabled) for p in self.mesh]
        return [manifest.mesh(True), *pods,
                manifest.of(self.plain, enabled=None)]

    def start(self):
        for agent in self.agents:
            agent.start(wait=False)
        for servers in self.servers:
            servers.start()
        for agent in self.agents:
            agent.wait_ready()

    def annotate(self):
        for agent in self.agents:
            agent.set(*self.objects("true"))
        wait_for(self.armed, 30, "all three pods to be armed", 0.3)
        for servers in self.servers:
            servers.restart()

    def armed(self):
        count = sum(p["armed"] for a in self.agents
                    for p in a.get("/v1/pods")["pods"])
        return count == len(self.mesh)

    def measure(self):
        out = []
        for load, fn, port, amount in (
                ("nginx", loads.wrk, loads.HTTP, WRK_SECONDS),
                ("redis", loads.redis, loads.REDIS, REDIS_REQUESTS)):
            for path, server in (("one node", self.web),
                                 ("two nodes", self.far),
                                 ("not annotated", self.plain)):
                say(f"  {load}, {path}")
                out.append((load, path, self.load(fn, server, amount),
                            self.mode(server, port)))
        return out

    def load(self, fn, server, amount):
        """One run of a program; a second one if the first was cut short. An
        emulated RDMA link breaks when the machine stalls for a second, and
        takes its connections with it: the kernel's log then says so."""
        try:
            return fn(self.client, server, amount)
        except CommandFailed as e:
            say("  that failed: " + " ".join(str(e).split())[:200])
            for vm in self.vms:
                log = vm.run("dmesg | grep -i smc | tail -n 3").out.strip()
                say(f"  {vm.name}'s kernel: {log or 'nothing of SMC'}")
            say("  once more")
            return fn(self.client, server, amount)

    def mode(self, server, port):
        """What the kernel says of a connection from client to @server: one is
        opened and held for the question."""
        hold = self.client.spawn(
            ["python3", "-c", "import socket,sys; s=socket.create_connection(("
             f"'{server.v4}', {port})); print('open', flush=True); "
             "sys.stdin.read()"])
        try:
            wait_for(lambda: "open" in hold.out, 20, "a connection")
            rows = [r["mode"] for r in self.client.diag()
                    if r["remote_port"] == port]
            return {"smcd": "SMC-D", "smcr": "SMC-R"}.get(
                rows[0] if rows else "", "TCP")
        finally:
            hold.kill()


def demonstrate():
    say("two nodes are booting")
    link = Link()
    with Vm("n1", nics=[link.end()]) as n1, Vm("n2", nics=[link.end()]) as n2:
        kernel = n1.run("uname -r").out.strip()
        say(f"both are up: Linux {kernel}, emulated")
        demo = Demo((n1, n2))
        say("pods client, web, plain on n1 and far on n2; agents and servers "
            "are starting")
        demo.start()
        say("measuring plain TCP: no pod is annotated yet")
        before = demo.measure()
        say("annotating client, web and far "
            f"({manifest.ENABLED}: \"true\"), restarting their programs")
        demo.annotate()
        say("measuring again")
        after = demo.measure()
        report.speeds([(load, path, b, a, mode) for (load, path, b, _),
                       (_, _, a, mode) in zip(before, after)])
        report.flows(demo.agents)
        report.metrics(demo.agents[0])
        report.endpoints(n1)
        print()
        say("done; the nodes are going down")
        return check(after)


def check(after):
    """A demonstration that shows something else has failed, and says so."""
    want = {"one node": "SMC-D", "two nodes": "SMC-R", "not annotated": "TCP"}
    wrong = [f"{load}, {path}: {mode} instead of {want[path]}"
             for load, path, _, mode in after if mode != want[path]]
    for line in wrong:
        print(f"demo: {line}", file=sys.stderr)
    return 1 if wrong else 0


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

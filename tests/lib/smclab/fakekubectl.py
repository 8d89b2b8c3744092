#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A kubectl that has no cluster: it answers what `smcmesh bench --cluster` asks, as
orders.json in $FAKE_KUBE says, and notes each call in calls there.

    fake = FakeKubectl(tmp_path)
    fake.order(ready=False)
    subprocess.run([..., "--kubectl", fake.command], env=fake.env)
    fake.calls()
"""
import glob
import json
import os
import select
import shutil
import sys
import time

NS = "smcmesh-bench"
ORDERS = {
    "exists": False,       # the namespace, before
    "ready": True,         # do the pods become so?
    "forbidden": "",       # a word of calls that are refused
    "agents": {"n1": "agent-1", "n2": "agent-2"},
    "client": "n1", "server": "n2",
    # what the connections of each pair are, as `smcmesh bench look` says
    "plain": {"tcp": 4}, "smc": {"smcr": 4},
    "look": True,          # does an agent know that command?
    "load": "",            # "killed", "waits": what becomes of a generator
    "report": "",          # what it prints: a file
}


class FakeKubectl:
    def __init__(self, folder):
        self.folder = str(folder)
        self.command = "python3 " + os.path.abspath(__file__)
        self.env = {**os.environ, "FAKE_KUBE": self.folder}
        self.order()

    def order(self, **kw):
        assert not set(kw) - set(ORDERS), kw
        with open(self.folder + "/orders.json", "w", encoding="utf-8") as f:
            json.dump({**ORDERS, **kw}, f)

    def calls(self):
        try:
            with open(self.folder + "/calls", encoding="utf-8") as f:
                return [json.loads(line) for line in f]
        except FileNotFoundError:
            return []

    def called(self, *words):
        """The calls that have all these words."""
        return [c for c in self.calls() if set(words) <= set(c)]

    def applied(self):
        with open(self.folder + "/pods.yaml", encoding="utf-8") as f:
            return f.read()


def fail(text):
    print(text, file=sys.stderr)
    sys.exit(1)


def pods(orders):
    return [{"metadata": {"name": f"{pair}-{role}-x", "labels": {
        "pair": pair, "role": role}}, "spec": {"nodeName": orders[role]}}
        for pair in ("plain", "smc") for role in ("client", "server")]


def services():
    return [{"metadata": {"name": f"{pair}-server"},
             "spec": {"clusterIP": f"10.96.0.{i}"}}
            for i, pair in enumerate(("plain", "smc"), 1)]


def agents(orders):
    return [{"metadata": {"name": pod}, "spec": {"nodeName": node},
             "status": {"phase": "Running"}}
            for node, pod in orders["agents"].items()]


def look(argv, orders):
    """Until standard input ends. The pod's own connections are there only while
    its generator runs."""
    if not orders["look"]:
        fail("smcmesh bench: expected server, not look")
    pod = argv[argv.index("--pod") + 1].split("/")[1] if "--pod" in argv else ""
    line = {"smcr": 0, "smcd": 0, "tcp": 0, "pending": 0, "kernel_code": 0,
            "software_rdma": "", "why": "", "remedy": "", "machine": {
                "name": "inside", "kernel": "7.3.4", "architecture": "x86_64",
                "processor": "A & B", "processors": 2}}
    busy = 100.0
    while True:
        loaded = pod and glob.glob(f"{os.environ['FAKE_KUBE']}/load-{pod}-*")
        busy += .5
        print(json.dumps({**line, "busy_seconds": busy,
                          **(orders[pod.split("-")[0]] if loaded else {})}),
              flush=True)
        if select.select([0], [], [], .1)[0] and not os.read(0, 100):
            return


def load(argv, orders):
    pod = argv[argv.index("exec") + 1]
    mark = f"{os.environ['FAKE_KUBE']}/load-{pod}-{os.getpid()}"
    with open(mark, "w", encoding="ascii"):
        time.sleep(600 if orders["load"] == "waits" else .6)
    os.unlink(mark)
    if orders["load"] == "killed":
        fail("command terminated with exit code 137")
    with open(orders["report"], encoding="utf-8") as f:
        shutil.copyfileobj(f, sys.stdout)


def main(argv):
    folder = os.environ["FAKE_KUBE"]
    with open(folder + "/calls", "a", encoding="utf-8") as f:
        print(json.dumps(argv), file=f)
    with open(folder + "/orders.json", encoding="utf-8") as f:
        orders = json.load(f)
    said = " ".join(argv)
    if orders["forbidden"] and orders["forbidden"] in argv:
        fail(f"Error from server (Forbidden): {orders['forbidden']} is forbidden")
    if argv[0] == "create" and orders["exists"]:
        fail("Error from server (AlreadyExists): namespaces "
             f"\"{NS}\" already exists")
    if argv[0] == "apply":
        shutil.copy(argv[2], folder + "/pods.yaml")
    elif "--for=condition=Available" in argv and not orders["ready"]:
        time.sleep(600)
    elif " get pods -l pair " in said:
        print(json.dumps({"items": pods(orders)}))
    elif " get services " in said:
        print(json.dumps({"items": services()}))
    elif " get pods -l app.kubernetes.io/name=smcmesh " in said:
        print(json.dumps({"items": agents(orders)}))
    elif "look" in argv:
        look(argv, orders)
    elif "load" in argv:
        load(argv, orders)


if __name__ == "__main__":
    main(sys.argv[1:])

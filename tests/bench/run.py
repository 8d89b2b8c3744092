# SPDX-License-Identifier: Apache-2.0
"""make bench: ratios inside one run, never an assertion.

1. not armed:  what the attached programs add to socket()+close() and connect()
               of a process that is not armed (overhead.c): native on this
               kernel, and as path length in a VM that runs with -icount, where
               the converter can be attached whatever this kernel forbids
2. armed:      socket()+connect()+close() to an endpoint, converted by us
               against the same program opening IPPROTO_SMC itself: path length,
               virtual time of a VM that runs with -icount (churn.c)
3. gain kept:  nginx, redis, sockperf over SMC-D: converted by us, as native SMC
               sockets (preload.c) and over TCP, in turns in one VM

Output: one line per figure, and build/bench.json with every raw number.
Arguments: which parts (1 2 3; all of them without).
"""
import csv
import io
import json
import os
import re
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))

from smclab import Vm, manifest, paths, topo, wait_for  # noqa: E402
from smclab.agents import Agent  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
PRELOAD = "/build/bench/preload.so"
CHURN = "/build/bench/churn"
GOALS = {"not armed": "<= 100 ns and <= 1 %", "armed": "<= 1.02",
         "kept": ">= 0.98 of native"}


def spread(values):
    v = sorted(values)
    return {"median": statistics.median(v), "min": v[0], "max": v[-1],
            "n": len(v)}


def show(name, s, goal=""):
    print(f"{name:44} {s['median']:8.3f}  [{s['min']:.3f} .. {s['max']:.3f}]  "
          f"n={s['n']}  {goal}", flush=True)


# ---- 1. not armed -------------------------------------------------------------


def show_overhead(out):
    rows = [json.loads(line) for line in out.splitlines()]
    for row in rows:
        if not row["converter"]:
            row["what"] += " *"
        print(f"{row['what']:14} plain {row['plain_ns']:6.0f} ns   added "
              f"{row['added_ns']:5.0f} ns  {row['added_percent']:5.2f} %   "
              f"[{row['added_min_ns']} .. {row['added_max_ns']} ns over "
              f"{row['pairs']} pairs of {row['calls']} calls]")
    if not all(row["converter"] for row in rows):
        print("* without the converter: this kernel refuses its attachment")
    return rows


def not_armed():
    print(f"\n1. not armed, this kernel ({os.uname().release}); goal "
          f"{GOALS['not armed']}")
    r = subprocess.run([os.path.join(paths.build(), "bench/overhead")],
                       stdout=subprocess.PIPE, text=True, check=True)
    native = show_overhead(r.stdout)
    print("\n   the same as path length, virtual time (-icount)")
    with Vm("overhead", icount=True) as vm:
        emulated = show_overhead(vm.run(
            ["/build/bench/overhead", "9", "1000"], timeout=600).out)
    return {"native": native, "icount": emulated}


# ---- pods: three pairs side by side ---------------------------------------------


class Pair:
    """A client and a server pod, and how their programs get their sockets."""

    def __init__(self, vm, kind, third):
        self.kind, self.env = kind, None
        self.server = topo.pod(vm, f"s{kind}", f"10.244.{third}.2/16")
        self.client = topo.pod(vm, f"c{kind}", f"10.244.{third}.3/16")
        if kind == "native":
            self.env = {"LD_PRELOAD": PRELOAD}

    @property
    def pods(self):
        return [self.server, self.client]


def start_mesh(vm, ours):
    objects = [manifest.mesh(True)] + [manifest.of(p) for p in ours.pods]
    agent = Agent(vm, objects).start()
    wait_for(lambda: sum(p["armed"] for p in agent.get("/v1/pods")["pods"]) == 2,
             60, "the pods to be armed")
    return agent


# ---- 2. armed: path length --------------------------------------------------------


def churn(pair, protocol, n):
    r = pair.client.run([CHURN, "run", protocol, pair.server.v4, "7000", str(n)],
                        timeout=600)
    return r.json()["mean_ns"]


def armed(calls=400, rounds=5):
    print(f"\n2. armed: socket()+connect()+close() over SMC-D, ours / own "
          f"IPPROTO_SMC, virtual time (-icount); goal {GOALS['armed']}")
    with Vm("icount", icount=True) as vm:
        topo.bridge(vm)
        pairs = {"native": Pair(vm, "native", 1), "ours": Pair(vm, "ours", 2)}
        start_mesh(vm, pairs["ours"])
        proto = {"native": "256", "ours": "0"}
        for kind, pair in pairs.items():
            pair.server.spawn([CHURN, "serve", proto[kind], "7000"])
            pair.server.wait_listen(7000)
            churn(pair, proto[kind], 50)
        runs = [{k: churn(p, proto[k], calls) for k, p in pairs.items()}
                for _ in range(rounds)]
    ratios = spread([r["ours"] / r["native"] for r in runs])
    show("ours / native, mean per connection", ratios)
    return {"ratio": ratios, "runs": runs}


# ---- 3. gain kept -----------------------------------------------------------------


def nginx_conf(name):
    dirs = "".join(f"{d}_temp_path /tmp/ng-{name}; " for d in (
        "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return (f"daemon off; worker_processes 1; pid /tmp/ng-{name}.pid;\n"
            f"error_log /tmp/ng-{name}.log crit;\n"
            "events { worker_connections 512; }\n"
            f"http {{ access_log off; keepalive_requests 1000000; {dirs}\n"
            " server { listen 8080; location / { return 200 \""
            + "x" * 128 + "\"; } } }\n")


def nginx(pair):
    r = pair.client.run(["wrk", "-t1", "-c16", "-d3s",
                         f"http://{pair.server.v4}:8080/"], env=pair.env,
                        timeout=60)
    if "Socket errors" in r.out:
        raise AssertionError(r.out)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", r.out).group(1))


def redis(pair):
    r = pair.client.run(["redis-benchmark", "-h", pair.server.v4, "-c", "16",
                         "-n", "20000", "-t", "get", "--csv"], env=pair.env,
                        timeout=120)
    rows = list(csv.DictReader(io.StringIO(r.out)))
    return float(next(x for x in rows if x["test"] == "GET")["rps"])


def sockperf(pair):
    """Round trips per second of 128 bytes, from the median latency."""
    r = pair.client.run(["sockperf", "ping-pong", "--tcp", "-i", pair.server.v4,
                         "-p", "11111", "-m", "128", "-t", "3"], env=pair.env,
                        timeout=60)
    half = float(re.search(r"percentile 50.0+ =\s+([\d.]+)", r.out).group(1))
    return 1e6 / (2 * half)


LOADS = {"nginx": (nginx, 8080), "redis": (redis, 6379),
         "sockperf": (sockperf, 11111)}
MODE = {"tcp": None, "native": "smcd", "ours": "smcd"}


def start_servers(vm, pair):
    conf = f"/tmp/ng-{pair.kind}.conf"
    vm.write(conf, nginx_conf(pair.kind))
    for argv in (["nginx", "-c", conf],
                 ["redis-server", "--save", "", "--protected-mode", "no",
                  "--dir", "/tmp"],
                 ["sockperf", "server", "--tcp", "-i", pair.server.v4, "-p",
                  "11111"]):
        pair.server.spawn(argv, env=pair.env)
    for _, port in LOADS.values():
        pair.server.wait_listen(port, timeout=60)


def gain_round(pairs, order):
    out = {}
    for load, (fn, port) in LOADS.items():
        for kind in order:
            out[load, kind] = fn(pairs[kind])
    return out


def proof(pairs):
    """While a load runs, the kernel says what its connections are."""
    for kind, pair in pairs.items():
        run = pair.client.spawn(["wrk", "-t1", "-c4", "-d4s",
                                 f"http://{pair.server.v4}:8080/"], env=pair.env)
        rows = wait_for(lambda p=pair, k=kind: k == "tcp" or [
            r for r in p.server.diag() if r["local_port"] == 8080], 10,
            f"SMC connections of {kind}")
        run.wait()
        if kind != "tcp" and {r["mode"] for r in rows} != {"smcd"}:
            raise AssertionError(f"{kind}: not SMC-D: {rows}")


def gain():
    print("\n3. gain kept over SMC-D, one VM, runs in turns; goal "
          f"{GOALS['kept']}")
    with Vm("gain", mem=2048) as vm:
        topo.bridge(vm)
        topo.ueid(vm, "SMCMESH")
        pairs = {k: Pair(vm, k, i) for i, k in enumerate(MODE, 1)}
        start_mesh(vm, pairs["ours"])
        for pair in pairs.values():
            start_servers(vm, pair)
        proof(pairs)
        gain_round(pairs, list(MODE))
        kinds = list(MODE)
        runs = [gain_round(pairs, kinds[i % 3:] + kinds[:i % 3])
                for i in range(ROUNDS)]
    out = {}
    for load in LOADS:
        for name, a, b in (("ours / native", "ours", "native"),
                           ("ours / TCP", "ours", "tcp"),
                           ("native / TCP", "native", "tcp")):
            s = spread([r[load, a] / r[load, b] for r in runs])
            show(f"{load}: {name}", s)
            out[f"{load}: {name}"] = s
    out["runs"] = [{f"{x} {k}": v for (x, k), v in r.items()} for r in runs]
    return out


PARTS = {"1": not_armed, "2": armed, "3": gain}


def main(argv):
    wanted = argv or sorted(PARTS)
    if not set(wanted) <= set(PARTS):
        print(__doc__, file=sys.stderr)
        return 2
    result = {part: PARTS[part]() for part in wanted}
    path = os.path.join(paths.build(), "bench.json")
    with open(path, "w") as f:
        json.dump(result, f, indent=1)
    print(f"\nevery number: {os.path.relpath(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

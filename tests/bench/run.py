# SPDX-License-Identifier: Apache-2.0
"""make bench: figures inside one run, with their goals beside them; nothing is
asserted, a goal that is missed is named.

1. others:     what a process that is not armed pays for a TCP connection
               (overhead.c): hook by hook, attached by the bench itself, on this
               kernel as far as it allows that, and as instructions in a VM that
               runs with -icount; then in such a VM before the real agent starts,
               with it, and with a pod and a sidecar's pod armed
2. armed:      socket()+connect()+close() to an endpoint over SMC-D, both ends:
               converted by us, against the same program opening IPPROTO_SMC
               itself in the same VM before the agent starts; also while somebody
               follows the flows (churn.c); mean instructions (-icount), several
               boots
3. gain kept:  nginx, redis, sockperf over SMC-D: converted by us, as native SMC
               sockets (preload.c) and over TCP, in turns in one VM
4. scrape:     the agent's own CPU time (-icount) for an answer of /metrics, and its
               size, with 200 pods armed that were called and call, over SMC and TCP

Output: one line per figure, and build/bench.json with every raw number.
Arguments: which parts (1 2 3 4; all of them without). $BENCH_BOOTS: of part 2 (5);
$BENCH_ROUNDS: of part 3 (7).
"""
import contextlib
import csv
import io
import json
import os
import re
import signal
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))

from smclab import Vm, istio, manifest, paths, topo, wait_for  # noqa: E402
from smclab.agents import LISTEN, SOCKET, Agent  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
BOOTS = int(os.environ.get("BENCH_BOOTS", "5"))
PRELOAD = "/build/bench/preload.so"
CHURN = "/build/bench/churn"
OVERHEAD = "/build/bench/overhead"
MISSED = []    # goals, as they are found to be missed


def spread(values):
    v = sorted(values)
    return {"median": statistics.median(v), "min": v[0], "max": v[-1],
            "n": len(v)}


def show(name, s, goal=""):
    print(f"{name:50} {s['median']:8.3f}  [{s['min']:.3f} .. {s['max']:.3f}]  "
          f"n={s['n']}  {goal}", flush=True)


def judge(name, reached, goal):
    """A word for the line of a figure; what is missed is kept for the end."""
    if not reached:
        MISSED.append(f"{name}: {goal}")
    return f"(goal {goal}: {'reached' if reached else 'MISSED'})"


PORT = 7000

# ---- 1. others: tables -----------------------------------------------------------

PHASES = ("socket", "close", "socket+close", "connect", "accept", "closes",
          "whole")
# of these also the part of the plain figure
PARTS_OF = ("connect", "whole")
# instructions by which one and the same figure differs from run to run; the
# cheapest attachment, an empty fentry program, is 67
NOISE = 20
STEADY = "sysctl -qw net.ipv4.tcp_no_metrics_save=1"    # why: see overhead.c
# what may be added while a pod is armed, instructions or percent, and once it
# has an SMC listener
WHILE_ARMED = {"socket+close": 130, "connect": 1, "whole": 1}
WITH_LISTENER = {"socket+close": 135, "connect": 1.3, "whole": 1.2}


def line(name, cells):
    print(f"   {name:27}" + "".join(
        f"{cell:>{17 if p in PARTS_OF else max(len(p) + 2, 9)}}"
        for p, cell in zip(PHASES, cells)), flush=True)


def show_plain(name, plain):
    line(name, [f"{plain[p]}" + "         " * (p in PARTS_OF) for p in PHASES])


def percent(added, plain, phase):
    return 100 * added[phase] / plain[phase]


def show_added(name, added, plain):
    line(name, [f"{added[p]:+d}" + f" {percent(added, plain, p):6.2f} %"
                * (p in PARTS_OF) for p in PHASES])


def judge_added(name, added, plain, goals=None):
    """The goals of a row: nothing at all, or what an armed pod may cost."""
    if not goals:
        worst = max(PHASES, key=lambda p: abs(added[p]))
        print("      " + judge(f"{name}: {worst} {added[worst]:+d}",
                               abs(added[worst]) <= NOISE, "0 added"))
        return
    words = []
    for phase, most in goals.items():
        part = percent(added, plain, phase)
        figure = part if phase in PARTS_OF else added[phase]
        words.append(phase + " " + judge(
            f"{name}: {phase} {added[phase]:+d} ({part:.2f} %)",
            figure <= most, f"<= {most}" + " %" * (phase in PARTS_OF)))
    print("      " + ", ".join(words))


# ---- 1. others: hook by hook --------------------------------------------------------

HOOK_GOALS = {"SMC's own functions": None, "recorder smc": WHILE_ARMED,
              "recorder smc, a listener": WITH_LISTENER}


def show_hooks(out, exact):
    """exact: these are instructions, which have goals."""
    rows = [json.loads(text) for text in out.splitlines()]
    measured = [r for r in rows if "added" in r]
    line("", PHASES)
    if measured:
        show_plain("plain", measured[0]["plain"])
    for row in measured:
        name, added, plain = row["row"], row["added"], row["plain"]
        show_added(name, added, plain)
        if not exact:
            line("   from", [f"{row['min'][p]:+d}" for p in PHASES])
            line("   to", [f"{row['max'][p]:+d}" for p in PHASES])
        elif name in HOOK_GOALS:
            judge_added(name, added, plain, HOOK_GOALS[name])
    for row in rows:
        why = [f"{what}: {' '.join(row[key])}" for key, what in
               (("missing", "not in the object"),
                ("refused", "refused by this kernel")) if row[key]]
        if "added" not in row:
            print(f"   left out: {row['row']} "
                  f"({'; '.join(why) or row['error']})")
    return rows


def hooks():
    print(f"\n1a. others, hook by hook, this kernel ({os.uname().release}), ns")
    r = subprocess.run([os.path.join(paths.build(), "bench/overhead"), "hooks"],
                       stdout=subprocess.PIPE, text=True, check=True)
    native = show_hooks(r.stdout, exact=False)
    print("\n1b. others, hook by hook, instructions (-icount)")
    with Vm("hooks", icount=True) as vm:
        vm.run(STEADY)
        out = vm.run([OVERHEAD, "hooks", "3", "300"], timeout=200).out
    return {"native": native, "icount": show_hooks(out, exact=True)}


# ---- 1. others: the real agent -----------------------------------------------------

STATE_GOALS = {"no pod armed": None, "two pods armed": WHILE_ARMED,
               "one of them listens": WITH_LISTENER}


def wait_armed(agent, count):
    wait_for(lambda: sum(p["armed"] for p in agent.get("/v1/pods")["pods"])
             == count, 60, f"{count} pods to be armed")


class Others:
    """A program in the machine's own namespace, and one in a pod that is not
    annotated, beside the pods that will be armed."""

    def __init__(self, vm):
        topo.bridge(vm)
        self.armed = topo.pod(vm, "armed", "10.244.1.2/16")
        self.sidecar = topo.pod(vm, "sidecar", "10.244.1.3/16")
        self.pod = topo.pod(vm, "other", "10.244.1.4/16")
        istio.install(self.sidecar, "nftables")
        self.where = {"host": vm, "unarmed pod": self.pod}
        for where in self.where.values():
            where.run(STEADY)

    def objects(self, enabled):
        return [manifest.mesh(True), manifest.of(self.pod, enabled=None),
                manifest.of(self.armed, enabled=enabled),
                manifest.of(self.sidecar, enabled=enabled,
                            containers=("app", "istio-proxy"))]

    def measure(self):
        return {name: w.run([OVERHEAD, "plain", "3", "300"],
                            timeout=100).json()["plain"]
                for name, w in self.where.items()}


def with_agent():
    print("\n1c. others, with the real agent, instructions (-icount); of the two "
          "armed pods one is a sidecar's")
    states = {}
    with Vm("others", icount=True) as vm:
        lab = Others(vm)
        plain = lab.measure()
        agent = Agent(vm, lab.objects(None)).start()
        states["no pod armed"] = lab.measure()
        agent.set(*lab.objects("true"))
        wait_armed(agent, 2)
        states["two pods armed"] = lab.measure()
        server = serve(lab.armed, "tcp")
        wait_for(lambda: "syn_waits" in agent.links(), 60, "syn_waits")
        states["one of them listens"] = lab.measure()
        server.kill()
        agent.set(*lab.objects(None))
        wait_armed(agent, 0)
        states["disarmed again"] = lab.measure()
    line("", PHASES)
    for where, before in plain.items():
        show_plain(f"{where}: no agent", before)
        for state, now in states.items():
            added = {p: now[where][p] - before[p] for p in PHASES}
            show_added(f"{where}: {state}", added, before)
            if state in STATE_GOALS:
                judge_added(f"{where}: {state}", added, before,
                            STATE_GOALS[state])
    return {"no agent": plain, **states}


def others():
    return {**hooks(), "agent": with_agent()}


# ---- 2. armed ------------------------------------------------------------------------

CALLS, RUNS = 300, 5
STATISTICS = 65    # instructions of a program's run that bpf_stats itself takes
# The readers of the events, the agent and the follower, share the one processor
# with the connections; or they are elsewhere: at SCHED_IDLE, as if they had
# another. Somebody who waits for a processor changes in which order the ends run
# (six switches a connection, not nine), so native has somebody waiting, too.
NATIVE, WAITED = "native", "native, somebody waits"
FOLLOWED, AWAY = "ours, followed", "ours, followed, readers elsewhere"
WORKING = "ours, the agent works too"
# what: (against what, goal)
# The datapath is judged by itself, with the agent stopped or at rest on another
# CPU; what an agent does on the connections' own CPU is shown without a goal.
RATIOS = {"ours": (NATIVE, 1.03), WORKING: (NATIVE, None),
          FOLLOWED: (NATIVE, None), AWAY: (WAITED, 1.04)}
WAIT = "exec chrt -i 0 sh -c 'while :; do :; done'"


def wait_smc(server, client, protocol):
    """What is measured is SMC, says the kernel."""
    argv = [CHURN, "check", protocol, server.v4, str(PORT)]
    wait_for(lambda: client.run(argv).out == "yes\n", 30, "SMC")


def churn(server, client, protocol, calls=CALLS, pids=()):
    return client.run([CHURN, "run", protocol, server.v4, str(PORT), str(calls),
                       *pids], timeout=150).json()


def readers(vm):
    """Process ids of the agent, not of what it forks, and of a follower."""
    found = [vm.run(["pgrep", "-o", "-f", f"^/build/smcmesh {command}"],
                    check=False).out for command in ("agent", "flows")]
    return "".join(found).split()


def churns(server, client, protocol):
    """Some runs, and of each figure of churn the median over them. Also given
    is what the agent and a follower ran: the one processor does their work too,
    which is another's elsewhere."""
    pids = readers(server.vm)
    wait_smc(server, client, protocol)
    churn(server, client, protocol, 50)
    runs = [churn(server, client, protocol, pids=pids) for _ in range(RUNS)]
    wait_smc(server, client, protocol)
    return {"runs": runs, **{key: statistics.median(r[key] for r in runs)
                             for key in runs[0]}}


def serve(server, protocol):
    proc = server.spawn([CHURN, "serve", protocol, str(PORT)])
    server.wait_listen(PORT)
    return proc


def follow(vm, agent):
    proc = vm.spawn(f"exec {agent.binary} flows -f >/dev/null")
    wait_for(lambda: SOCKET in vm.run("ss -Hx state connected").out, 20,
             "the follower's connection")
    return proc


@contextlib.contextmanager
def waiting(vm):
    """Somebody waits for a processor, and gets next to nothing of it."""
    proc = vm.spawn(WAIT)
    try:
        yield
    finally:
        proc.kill()


def program_runs(vm):
    rows = vm.run("bpftool -j prog show").json()
    return {r["name"]: (r.get("run_cnt", 0), r.get("run_time_ns", 0))
            for r in rows if "name" in r}


def programs(vm, server, client):
    """{program: [runs, instructions]} of a connection, by the kernel's count."""
    vm.run("sysctl -qw kernel.bpf_stats_enabled=1")
    before = program_runs(vm)
    churn(server, client, "0")
    after = program_runs(vm)
    vm.run("sysctl -qw kernel.bpf_stats_enabled=0")
    out = {}
    for name, (count, spent) in after.items():
        count0, spent0 = before.get(name, (0, 0))
        if count > count0:
            out[name] = [(count - count0) / CALLS, (spent - spent0) / CALLS]
    return out


def one_boot(number):
    with Vm(f"churn{number}", icount=True) as vm:
        topo.bridge(vm)
        topo.ueid(vm, "SMCMESH")
        server = topo.pod(vm, "server", "10.244.1.2/16")
        client = topo.pod(vm, "client", "10.244.1.3/16")
        out = {}
        native = serve(server, "256")
        out[NATIVE] = churns(server, client, "256")
        with waiting(vm):
            out[WAITED] = churns(server, client, "256")
        native.kill()
        agent = Agent(vm, [manifest.mesh(True), manifest.of(server),
                           manifest.of(client)]).start()
        wait_armed(agent, 2)
        serve(server, "0")
        out[WORKING] = churns(server, client, "0")
        agent.proc.kill(signal.SIGSTOP, wait=False)
        out["ours"] = churns(server, client, "0")
        alone = programs(vm, server, client)
        agent.proc.kill(signal.SIGCONT, wait=False)
        follower = follow(vm, agent)
        out[FOLLOWED] = churns(server, client, "0")
        for pid in readers(vm):
            vm.run(f"chrt -a -i -p 0 {pid}")
        with waiting(vm):
            out[AWAY] = churns(server, client, "0")
        if not follower.alive:
            raise AssertionError(f"the follower has ended: {follower.output}")
        out["programs"] = [alone, programs(vm, server, client)]
    return out


def program_cost(boots, state, name):
    """Medians over the boots: runs, and instructions without the count's own."""
    runs, spent = (statistics.median(b["programs"][state].get(name, (0, 0))[i]
                                     for b in boots) for i in (0, 1))
    return runs, spent - STATISTICS * runs


def show_programs(boots):
    print("   instructions per connection, both ends, of each program, less "
          f"{STATISTICS} a run for the count itself")
    print(f"   {'':20} {'runs':>8} {'instr.':>8} {'followed':>12} {'instr.':>8}")
    sums = [0, 0]
    for name in sorted({n for b in boots for p in b["programs"] for n in p}):
        both = [program_cost(boots, state, name) for state in (0, 1)]
        sums = [s + cost for s, (_, cost) in zip(sums, both)]
        print(f"   {name:20} {both[0][0]:8.2f} {both[0][1]:8.0f} "
              f"{both[1][0]:12.2f} {both[1][1]:8.0f}")
    print(f"   {'sum':20} {'':8} {sums[0]:8.0f} {'':12} {sums[1]:8.0f}")


def show_boot(boot):
    print("   boot:")
    for kind in (NATIVE, WAITED, *RATIOS):
        means = [r["mean_ns"] for r in boot[kind]["runs"]]
        print(f"      {kind:42} {boot[kind]['mean_ns']:8.0f}  [{min(means)} .. "
              f"{max(means)}]", flush=True)


def armed():
    print("\n2. armed: socket()+connect()+close() over SMC-D, both ends, mean "
          f"instructions (-icount) of {CALLS}, median of {RUNS} runs a boot; "
          "native IPPROTO_SMC without an agent on the machine")
    boots = []
    for number in range(BOOTS):
        boots.append(one_boot(number))
        show_boot(boots[-1])
    out = {"boots": boots}
    for kind, (base, limit) in RATIOS.items():
        s = spread([b[kind]["mean_ns"] / b[base]["mean_ns"] for b in boots])
        show(f"{kind} / {NATIVE}", s, judge(
            f"{kind} / {NATIVE} {s['median']:.3f}", s["median"] <= limit,
            f"<= {limit}") if limit else "")
        own = spread([b[kind]["others_ns"] / b[base]["mean_ns"] for b in boots])
        show("   of that smcmesh's own processes", own)
        out[kind] = {"ratio": s, "own": own}
    show_programs(boots)
    return out


# ---- 3. gain kept -----------------------------------------------------------------


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
    wait_armed(Agent(vm, objects).start(), 2)


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
KEPT = 0.98
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
    print("\n3. gain kept over SMC-D, one VM, runs in turns")
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
            what = f"{load}: {name}"
            show(what, s, judge(f"{what} {s['median']:.3f}", s["median"] >= KEPT,
                                f">= {KEPT}") if name == "ours / native" else "")
            out[f"{load}: {name}"] = s
    out["runs"] = [{f"{x} {k}": v for (x, k), v in r.items()} for r in runs]
    return out


# ---- 4. scrape --------------------------------------------------------------------

CROWD, SCRAPES = 200, 100
SCRAPE_MS, SCRAPE_KIB = 5, 600
STRANGER = "10.244.1.2"
# Each calls the one before it, and one that is not annotated.
CALLS_OF_CROWD = """
set -e
echod=/build/progs/echod hammer=/build/progs/hammer
ip netns exec stranger $echod 0.0.0.0:7000 &
while read -r name ip other; do
	ip netns exec $name $echod 0.0.0.0:7000 &
done </run/crowd
while read -r name ip other; do
	for to in $other %(stranger)s; do
		ip netns exec $name $hammer --to $to:7000 --count 2 >/dev/null
	done
done </run/crowd
"""


def crowd_of(vm):
    topo.bridge(vm)
    topo.ueid(vm, "SMCMESH")
    topo.pod(vm, "stranger", STRANGER + "/16")
    return [topo.pod(vm, f"pod-{i:03}", f"10.244.{2 + i // 100}.{1 + i % 100}/16")
            for i in range(CROWD)]


def call_each_other(vm, pods):
    vm.write("/run/crowd", "".join(
        f"{p.name} {p.v4} {pods[i - 1].v4}\n" for i, p in enumerate(pods)))
    vm.run(["sh", "-c", CALLS_OF_CROWD % {"stranger": STRANGER}], timeout=1200)


def counted(agent):
    """Do all pods have what they did in /metrics?"""
    now = agent.metrics()
    return all(len({dict(labels).get("pod") for (name, labels), v in now.items()
                    if name == metric and v}) == CROWD for metric in (
                        "smcmesh_flows_total", "smcmesh_flows_bypassed_total",
                        "smcmesh_bytes_total"))


def scrape():
    print(f"\n4. scrape: {CROWD} pods armed, {SCRAPES} answers of /metrics, the agent's "
          "CPU time (-icount: an instruction is a ns), ms, and KiB")
    with Vm("scrape", mem=2500, icount=True, lifetime=3600) as vm:
        pods = crowd_of(vm)
        agent = Agent(vm, [manifest.mesh(True), *map(manifest.of, pods)])
        agent.start(wait=False)
        agent.wait_ready(600)
        wait_for(lambda: sum(p["armed"] for p in agent.get("/v1/pods")["pods"])
                 == CROWD, 600, f"{CROWD} pods to be armed")
        call_each_other(vm, pods)
        wait_for(lambda: counted(agent), 120, "the pods' counters", 2)
        host, port = LISTEN.split(":")
        runs = vm.call("ask", "costs", agent.get("/v1/status")["pid"],
                       [host, int(port)], "/metrics", SCRAPES)
    ms, kib = [ns / 1e6 for ns, _ in runs], max(n for _, n in runs) / 1024
    p99 = sorted(ms)[-1 - SCRAPES // 100]
    show("an answer, ms", spread(ms), judge(f"scrape, p99 {p99:.2f} ms",
                                            p99 <= SCRAPE_MS, f"p99 <= {SCRAPE_MS}"))
    show("an answer, KiB", spread([kib]), judge(f"scrape, {kib:.0f} KiB",
                                                kib <= SCRAPE_KIB, f"<= {SCRAPE_KIB}"))
    return {"ms": ms, "p99_ms": p99, "kib": kib}


PARTS = {"1": others, "2": armed, "3": gain, "4": scrape}


def main(argv):
    wanted = argv or sorted(PARTS)
    if not set(wanted) <= set(PARTS):
        print(__doc__, file=sys.stderr)
        return 2
    result = {part: PARTS[part]() for part in wanted}
    result["missed"] = MISSED
    path = os.path.join(paths.build(), "bench.json")
    with open(path, "w") as f:
        json.dump(result, f, indent=1)
    print("\ngoals missed:" if MISSED else "\nno goal missed", *MISSED,
          sep="\n  ")
    print(f"\nevery number: {os.path.relpath(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

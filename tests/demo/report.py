# SPDX-License-Identifier: Apache-2.0
"""What the demonstration prints at its end."""
from collections import Counter

WIDTH = 78


def head(text):
    print(f"\n{text}\n{'-' * min(len(text), WIDTH)}")


def speeds(rows):
    """rows: (load, path, Figures before, Figures after, kernel's word)."""
    head("Before and after the annotation (the emulated CPU: read the ratios)")
    print(f"{'':24}{'plain TCP':^23}{'annotated':^23}")
    print(f"{'load':8}{'path':16}{'req/s':>7}{'p50':>8}{'p99':>8}"
          f"{'req/s':>7}{'p50':>8}{'p99':>8}{'ratio':>7}  is now")
    for load, path, before, after, mode in rows:
        cells = "".join(f"{f.rate:7.0f}{f.p50:6.2f}ms{f.p99:6.2f}ms"
                        for f in (before, after))
        print(f"{load:8}{path:16}{cells}{after.rate / before.rate:6.2f}x  {mode}")
    print("""
Shared memory (SMC-D, one node) gains. SMC-R runs here over soft RoCE, an RDMA
device made of software on an emulated CPU: that is slower than TCP and shows
only that it works; its gain needs an RDMA NIC.""")


def flows(nodes):
    """What became of each connection, and why, from `smcmesh flows --all`."""
    head("What became of the connections: smcmesh flows (summed up)")
    seen = Counter()
    for agent in nodes:
        for f in agent.cli("flows", "--all", "-o", "json").json()["flows"]:
            if f["role"] == "client":
                seen[f["pod"], f"{f['remote_address']}:{f['remote_port']}",
                     f["outcome"], f["sentence"]] += 1
    print(f"{'pod':18}{'to':22}{'flows':>6}  {'became':9}why")
    for (pod, to, outcome, why), n in sorted(seen.items()):
        print(f"{pod:18}{to:22}{n:6}  {outcome:9}{why}")


def metrics(agent):
    head("curl http://127.0.0.1:9469/metrics | grep flows")
    lines = agent.http("/metrics", unix=False).splitlines()
    wanted = [s for s in lines if s.startswith("smcmesh_flows_total")]
    for line in [s for s in wanted if not s.endswith(" 0")][:10]:
        print(line)


def endpoints(vm):
    head("bpftool map dump name smc_endpoint")
    dump = vm.run("bpftool map dump name smc_endpoint").out.splitlines()
    print("\n".join(dump[:22]))

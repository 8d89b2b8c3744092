# SPDX-License-Identifier: Apache-2.0
"""What the demonstration prints at its end."""
from collections import Counter

from rounds import ANNOTATED, CONTROL, PLAIN, ROUNDS

WIDTH = 78
MEANING = f"""\
Ratios are medians of {ROUNDS} rounds (in parentheses the least and the greatest), in
which TCP, annotated and control ran one after the other. The control is the
annotated client and a server that is not: its ratio would be 1 on a machine at
rest, and how far it is from 1 is noise.

Shared memory (SMC-D, one node) gains. SMC-R runs here over soft RoCE, an RDMA
device made of software on an emulated CPU: that is slower than TCP and shows
only that it works; its gain needs an RDMA NIC."""


def head(text):
    print(f"\n{text}\n{'-' * min(len(text), WIDTH)}")


def spread(ratio):
    return f"{ratio.median:.2f}x ({ratio.low:.2f}-{ratio.high:.2f})"


def line(row, side):
    """A row of the table: one side beside plain TCP."""
    names = (f"{row.load:6}{row.path:10}" if side == ANNOTATED
             else f"{'':6}{side:10}")
    cells = "".join(f"{row.rate(s):8.0f}{row.p99(s):8.1f}" for s in (PLAIN, side))
    beside = (f"{row.ratio(side, CONTROL).median:.2f}x" if side != CONTROL else "")
    noise = "" if side == CONTROL or row.is_clear() else ", in the noise"
    return (f"{names}{cells}   {spread(row.ratio(side)):18}{beside:>9}  "
            f"{row.mode(side)}{noise}")


def speeds(rows):
    head("Plain pods and annotated pods (the emulated CPU: read the ratios)")
    print(f"{'':16}{'plain TCP':>16}{'annotated':>16}   ratio to TCP        "
          "to the")
    print(f"{'load  path':16}" + f"{'req/s':>8}{'p99 ms':>8}" * 2
          + "   median (spread)    control  is")
    for row in rows:
        for side in ANNOTATED, CONTROL:
            print(line(row, side))
    print("\n" + MEANING)


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
    for text in [s for s in wanted if not s.endswith(" 0")][:10]:
        print(text)


def endpoints(vm):
    head("bpftool map dump name smc_endpoint")
    dump = vm.run("bpftool map dump name smc_endpoint").out.splitlines()
    print("\n".join(dump[:22]))

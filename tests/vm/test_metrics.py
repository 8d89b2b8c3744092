# SPDX-License-Identifier: Apache-2.0
"""/metrics against the test's own counts, and the maps as bpftool shows them.

          VM metrics          c, s armed; t a stranger
     c       s       t
    .10     .11     .20, 10.244.4.1+20        10.244.1.0/16
   --+-------+-- br0-+--
"""
import json
import re

import pytest

from smclab import Vm, manifest, topo, wait_for
from smclab.account import Bytes
from smclab.agents import Agent
from smclab.crowd import addresses, hammer, ready
from smclab.flows import held, serve
from smclab.pins import ABI

SMC_FLOWS, BYPASSED, STRANGE, DENIED, REFUSED = 120, 70, 40, 60, 10


class Lab:
    def __init__(self, vm):
        self.vm = vm
        topo.bridge(vm, "10.244.1.1/16")
        self.c, self.s, self.t = (
            topo.pod(vm, name, f"10.244.1.{host}/16", f"fd00::{host}/64")
            for name, host in zip("cst", (10, 11, 20)))
        addresses(self.t, "10.244.4.1", 20)
        pods = [manifest.of(p) for p in (self.c, self.s)]
        pods.append(manifest.of(self.t, enabled=None))
        self.agent = Agent(vm, [manifest.mesh(excludePorts=[7009]),
                                *pods]).start()
        self.servers = [serve(self.s, 7000, 7009), serve(self.t, 7000),
                        serve(self.t, 7001, native=True)]


@pytest.fixture(scope="module")
def lab():
    with Vm("metrics", mem=1024) as vm:
        yield Lab(vm)


def total(samples, name, **labels):
    """Of all samples that carry these labels; 0 where there is none yet."""
    return sum(v for (n, found), v in samples.items() if n == "smcmesh_" + name
               and set(labels.items()) <= set(found))


def traffic(lab):
    """A known amount of each kind."""
    runs = [
        hammer(lab.c, "10.244.1.11:7000", count=SMC_FLOWS, threads=4),
        hammer(lab.c, "10.244.4.1+20:7000", count=BYPASSED, threads=4),
        hammer(lab.c, "10.244.1.11:7009", count=STRANGE, threads=4),
        hammer(lab.t, "10.244.1.11:7000", count=DENIED, threads=4, smc=True,
               **{"from": "10.244.4.1+20"}),
    ]
    assert [r["errors"] for r in runs] == [0] * 4, runs
    assert runs[0]["smc"] == SMC_FLOWS
    assert [r["tcp"] for r in runs[1:]] == [BYPASSED, STRANGE, DENIED]
    assert hammer(lab.c, "10.244.1.11:9", count=REFUSED)["errors"] == REFUSED


WANTED = {
    # every connect() of c is a converted socket; nothing of s opens one
    ("sockets_converted_total", "c"): SMC_FLOWS + BYPASSED + STRANGE + REFUSED,
    ("sockets_converted_total", "s"): 0,
    ("offers_total", "c"): SMC_FLOWS + REFUSED,
    ("offers_total", "s"): 0,
    ("answers_total", "s"): SMC_FLOWS,
    ("answers_denied_total", "s"): DENIED,
    ("conversions_refused_total", "c"): 0,
    ("quarantines_total", "c"): 0,
    ("flows_lost_total", "c"): 0,
    ("flows_lost_total", "s"): 0,
    ("events_lost_total", "c"): 0,
}

FLOWS = {
    ("c", "client", "smcd"): SMC_FLOWS,
    ("c", "client", "tcp"): BYPASSED + STRANGE,
    ("c", "client", "fallback"): 0,
    ("c", "client", "failed"): 0,
    ("c", "server", "smcd"): 0,
    ("s", "server", "smcd"): SMC_FLOWS,
    # the offers of the stranger, and the flows that c did not offer on
    ("s", "server", "tcp"): DENIED + STRANGE,
    ("s", "server", "fallback"): 0,
    ("s", "server", "failed"): 0,
}

REASONS = {
    ("c", "not-endpoint"): BYPASSED,
    ("c", "excluded-port"): STRANGE,
    ("s", "not-endpoint"): DENIED,
    ("s", "excluded-port"): STRANGE,
}


def read(lab):
    now = lab.agent.metrics()
    got = {key: total(now, key[0], pod=key[1]) for key in WANTED}
    got.update({key: total(now, "flows_total", pod=key[0], role=key[1],
                           outcome=key[2]) for key in FLOWS})
    got.update({key: total(now, "flows_bypassed_total", pod=key[0],
                           reason=key[1]) for key in REASONS})
    return got


def test_counters_equal_the_tests_own_counts(lab):
    before = read(lab)
    traffic(lab)
    wanted = {**WANTED, **FLOWS, **REASONS}

    def settled():
        now = read(lab)
        got = {key: now[key] - before[key] for key in wanted}
        wrong = {key: (got[key], wanted[key]) for key in wanted
                 if got[key] != wanted[key]}
        assert not wrong, f"(counted, wanted): {wrong}"
        return True

    wait_for(settled, 20, "the counters")


# ---- bytes ----------------------------------------------------------------------

SENT, BACK = 1234567, 89    # neither is a multiple of anything

SINK = """
import socket, sys
s = socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=16)
print("ready", flush=True)
while True:
    c, _ = s.accept()
    n = 0
    while data := c.recv(65536):
        n += len(data)
    c.sendall(b"b" * int(sys.argv[2]))
    c.close()
    print("got", n, flush=True)
"""

PUSH = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.sendall(b"s" * int(sys.argv[3]))
s.shutdown(socket.SHUT_WR)
n = 0
while data := s.recv(65536):
    n += len(data)
print(n)
"""


def push(lab, to, port):
    assert int(lab.c.run(["python3", "-c", PUSH, to.v4, str(port),
                          str(SENT)]).out) == BACK


@pytest.fixture(scope="module")
def sinks(lab):
    procs = {pod.name: ready(pod.spawn(["python3", "-c", SINK, "7005",
                                        str(BACK)]), "the sink")
             for pod in (lab.s, lab.t)}
    yield procs
    for name, proc in procs.items():
        proc.kill()
        assert set(re.findall(r"got (\d+)", proc.out)) == {str(SENT)}, name


def more(before, **moved):
    """@before, and what was moved: smcd_tx=..."""
    return {key: n + moved.get("_".join(key), 0) for key, n in before.items()}


def test_bytes_are_what_was_sent(lab, sinks):
    """Of SMC by the kernel's own statistics, which the test reads with a reader
    of its own, and to the byte; what goes over TCP is none of theirs."""
    c, s = (Bytes(lab.agent, pod) for pod in (lab.c, lab.s))
    before = {x: x.kernel() for x in (c, s)}
    assert all(x.top() == before[x] for x in (c, s))
    push(lab, lab.s, 7005)
    after = {c: more(before[c], smcd_tx=SENT, smcd_rx=BACK),
             s: more(before[s], smcd_rx=SENT, smcd_tx=BACK)}
    for x, expected in after.items():
        assert x.top() == x.kernel() == expected
    tcp = c.records()
    push(lab, lab.t, 7005)    # the control: a stranger
    for x, expected in after.items():
        assert x.top() == x.kernel() == expected
    wait_for(lambda: c.records() == more(tcp, tcp_tx=SENT, tcp_rx=BACK), 10,
             "the record of the stranger's")
    for x in c, s:
        wait_for(lambda x=x: x.metrics() == {**x.kernel(), **x.records()}, 30,
                 f"the metrics of {x.pod.name}")


def test_top_tells_bytes_by_the_second(lab, sinks):
    """Rates of a time in which a known amount was sent; none over TCP."""
    proc = lab.vm.spawn(["/build/smcmesh", "top", "-o", "json", "-d", "4",
                         "--count", "2"])
    wait_for(lambda: proc.out.count("\n") == 1, 20, "its first line")
    for _ in range(3):
        push(lab, lab.s, 7005)
    push(lab, lab.t, 7005)
    proc.wait(20)
    second = json.loads(proc.out.splitlines()[1])
    rates = {p["pod"]: {way: p[f"smcd_{way}_bytes_per_second"] *
                        second["seconds"] for way in ("rx", "tx")}
             for p in second["pods"]}
    assert rates["c"]["tx"] == pytest.approx(3 * SENT, rel=0.05), second
    assert rates["s"]["rx"] == pytest.approx(3 * SENT, rel=0.05), second
    assert rates["s"]["tx"] == pytest.approx(3 * BACK, rel=0.05), second


def test_promtool_accepts_the_metrics(lab):
    text = lab.agent.http("/metrics", unix=False)
    checked = lab.vm.run("promtool check metrics", stdin=text, check=False)
    assert checked.rc == 0, checked
    assert not checked.err.strip(), checked.err
    # it would have said something
    bad = text.replace("# TYPE smcmesh_offers_total counter",
                       "# TYPE smcmesh_offers_total gauge")
    assert bad != text
    assert lab.vm.run("promtool check metrics", stdin=bad, check=False).rc != 0


def test_gauges_tell_what_is_armed(lab):
    now = lab.agent.metrics()
    assert total(now, "capability", feature="smc") == 1
    assert total(now, "ready") == total(now, "mesh_enabled") == 1
    assert total(now, "pods", state="armed", reason="none") == 2
    assert total(now, "pods", state="not-armed", reason="not-annotated") == 1
    assert total(now, "endpoints") == 4


# ---- the maps -------------------------------------------------------------------

KEY = {"isn", "netns", "local_port", "remote_port", "kind", "_pad"}
FLOW = {"local_ip", "remote_ip", "local_port", "remote_port", "pod_id", "role",
        "verdict", "outcome", "closed", "reason", "kernel_code", "transports",
        "flags", "buffers", "opened_ns", "decided_ns", "closed_ns", "rx_bytes",
        "tx_bytes", "netns_cookie", "cookie"}
PUBLIC = {
    "smc_config": ({}, {"abi_version", "abi_readable", "enabled", "transports",
                        "node_id", "uses", "limits", "offers_until_ns",
                        "selectors", "ipproto", "_pad", "_room"}),
    "smc_netns": ({}, {"pod_id", "flags", "transports", "n_owners",
                       "owners"}),
    "smc_endpoint": ({"ip"}, {"transports", "node_id", "flags", "_pad"}),
    "smc_port": ({"prefixlen", "pod_id", "role", "port"}, {"first", "last"}),
    "smc_flow": (KEY, FLOW),
}


def named(rows):
    return [r["formatted"] for r in rows]


@pytest.mark.parametrize("name", PUBLIC)
def test_maps_read_well_in_bpftool(lab, name):
    """By the names of the ABI, as `bpftool map dump` shows them."""
    key, value = PUBLIC[name]
    with held(lab.c, lab.s.v4, 7000):    # so that a flow is open
        rows = named(lab.agent.map(name))
    assert rows, f"{name} is empty"
    for row in rows:
        if key:
            assert set(row["key"]) == key
        if value:
            assert set(row["value"]) == value


def test_arrays_read_well_in_bpftool(lab):
    """By slot of the pod, 0 is the node's; closed flows one after the other."""
    slot = lab.agent.pod("c")["pod_id"] % 1024
    cpus = lab.agent.row("smc_counter", slot)
    assert sum(cpu["OFFERS"] for cpu in cpus) >= SMC_FLOWS
    assert sum(cpu["bypassed"]["NOT_ENDPOINT"] for cpu in cpus) >= BYPASSED
    assert {"flows", "quarantines", "closed"} < set(lab.agent.row("smc_usage", 0))
    closed = lab.agent.row("smc_flow_closed", 1)
    assert set(closed) == {"serial", "key", "flow"}
    assert set(closed["key"]) == KEY and set(closed["flow"]) == FLOW
    assert closed["serial"] and closed["flow"]["closed"] == 1


def test_maps_say_what_is(lab):
    config, = named(lab.agent.map("smc_config"))
    assert config["value"]["abi_version"] == ABI
    assert config["value"]["enabled"] == 1
    addresses_of = {tuple(r["key"]["ip"]) for r in
                    named(lab.agent.map("smc_endpoint"))}
    assert (0,) * 10 + (255, 255, 10, 244, 1, 10) in addresses_of
    assert len(addresses_of) == 4
    assert all(r["value"]["transports"] == 2
               for r in named(lab.agent.map("smc_endpoint")))
    ports = named(lab.agent.map("smc_port"))
    assert sorted(p["key"]["role"] for p in ports) == [1, 2]
    for port in ports:
        assert port["key"]["pod_id"] == 0
        assert port["value"] == {"first": 7009, "last": 7009}
    ids = {r["value"]["pod_id"] for r in named(lab.agent.map("smc_netns"))}
    assert len(ids) == 2 and 0 not in ids
    with held(lab.c, lab.s.v4, 7000, count=3):
        flows = [r["value"] for r in named(lab.agent.map("smc_flow"))]
    clients = [f for f in flows if f["role"] == 1 and f["outcome"] == 3]
    assert len(clients) == 3 and len(flows) == 6, flows
    for flow in clients:
        assert flow["remote_ip"][10:] == [255, 255, 10, 244, 1, 11]
        assert flow["remote_port"] == 7000 and flow["verdict"] == 1
        assert 0 < flow["opened_ns"] <= flow["decided_ns"]


def test_records_of_closed_flows_are_whole(lab):
    flows = [f for f in lab.agent.flows()
             if f["role"] == "client" and f["outcome"] == "smcd"]
    assert len(flows) >= SMC_FLOWS and len({f["id"] for f in flows}) == len(flows)
    for f in flows:
        assert f["closed"] and f["noted"] == "exact", f
        assert f["remote_address"] == "10.244.1.11" and \
            f["remote_port"] in (7000, 7005), f
        assert f["opened"] <= f["decided"] <= f["ended"]


@pytest.mark.parametrize("name", ["smc_cgroup", "smc_service", "smc_cidr",
                                  "smc_quarantine"])
def test_empty_maps_are_there(lab, name):
    assert lab.agent.map(name) == []

# SPDX-License-Identifier: Apache-2.0
"""`smcmesh bench` where connections are SMC: a ratio is said, and only then.

    VM n1, all in its own namespace
    agent   run: server :8080, generator    server :8081, generator (nobody armed)
    -------------------------- br0 10.244.1.1 ---------------------------------
"""
import contextlib
import json

import pytest

from smclab import manifest, topo, wait_for
from smclab.agents import Agent

NODE = "10.244.1.1"
ARMED, PLAIN = 8080, 8081
SMCMESH = "/build/smcmesh"


class Lab:
    def __init__(self, vm):
        self.vm = vm
        topo.bridge(vm, NODE + "/16")
        self.agent = Agent(vm, [manifest.mesh()]).start()

    def ports(self):
        """Where SMC may be offered to this machine's address."""
        return {row["key"]["port"]
                for row in (r["formatted"] for r in self.agent.map("smc_service"))
                if row["value"]["transports"]}

    def serve(self, port, *prefix):
        proc = self.vm.spawn([*prefix, SMCMESH, "bench", "server", "--listen",
                              f"{NODE}:{port}"])
        wait_for(lambda: "listening" in proc.out, 60, f"a server at {port}")
        return proc

    def bench(self, port, *options, rc=0):
        r = self.vm.run([SMCMESH, "bench", "client", f"{NODE}:{port}", "-t2", "-c8",
                         "--generator=wrk", "-ojson", *options], timeout=600,
                        check=False)
        assert r.rc == rc, r
        return json.loads(r.out)


@pytest.fixture(scope="module")
def lab(vm):
    lab = Lab(vm)
    with contextlib.ExitStack() as stack:
        for proc in (lab.serve(ARMED, SMCMESH, "run", "--wait", "20", "--"),
                     lab.serve(PLAIN)):
            stack.callback(proc.kill)
        wait_for(lambda: ARMED in lab.ports(), 20, "the server's port to be known")
        yield lab


def connections(told, side):
    return [tuple(run["connections"][k] for k in ("smcr", "smcd", "tcp"))
            for run in told["sides"][side]["runs"]]


def test_ratio_is_said_of_smc_against_tcp(lab):
    told = lab.bench(ARMED, f"--control={NODE}:{PLAIN}", "--directory=/x")
    assert told["verdict"] == "said" and told["why"] == "", told
    assert connections(told, "smc") == [(0, 8, 0)] * 3
    assert connections(told, "tcp") == connections(told, "control") == [(0, 0, 8)] * 3
    rate = told["ratio"]["requests_per_second"]
    for i in range(3):
        smc, tcp = (told["sides"][s]["runs"][i]["requests_per_second"]
                    for s in ("smc", "tcp"))
        assert rate["smc"]["low"] <= smc / tcp * 1.000001
        assert rate["smc"]["high"] >= smc / tcp * .999999
    assert rate["control"]["median"] > 0
    page = lab.vm.read("/x/bench.html")
    assert "No ratio" not in page and "SMC-D 8" in page


def test_no_ratio_of_a_server_that_nobody_armed(lab):
    told = lab.bench(PLAIN, rc=1)
    assert told["verdict"] == "not-smc" and told["ratio"] is None, told
    assert connections(told, "smc") == [(0, 0, 8)] * 3
    assert told["why"] and told["remedy"], "what explain says"

# SPDX-License-Identifier: Apache-2.0
"""Late flows: older than one end's arming, counted, shown, ended on demand.

    VM n1, agent with --source file:
    a .10    b .11      10.244.1.0/16
    |        |
  --+-- br0 -+--

b's server listens over SMC all the time.
"""
import pytest

from smclab import manifest, topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, ends, held, serve
from smclab.mesh import two_pods

SMCD = ("smcd", "smcd")
PORT = 7000


class Lab:
    def __init__(self, vm):
        self.vm = vm
        self.mesh, self.a, self.b = two_pods(vm)
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)
        self.server = serve(self.b, PORT)

    def armed(self, name):
        return self.agent.pod(name)["armed"]

    def late(self, name):
        """What is said of it at each place, which must agree."""
        pod = self.agent.pod(name)["late_flows"]
        flows = [f for f in self.agent.flows()
                 if f["pod"] == name and f["late"]]
        assert all(f["outcome"] == "tcp" for f in flows), flows
        return pod if pod == len(flows) else (pod, flows)


@pytest.fixture(scope="module")
def lab(vm):
    return Lab(vm)


def reopen(lab, name, late):
    """End them, and see that new ones are SMC and the others were let be."""
    with held(lab.a, lab.b.v4, PORT) as young:
        assert young.ends(lab.b) == [SMCD]
        said = lab.agent.cli("reopen", f"default/{name}").out
        assert f"{late} of {late} late flow" in said, said
        assert young.ends(lab.b) == [SMCD]
    become(lambda: lab.late(name), 0, 15)
    assert "no late flow" in lab.agent.cli("reopen", f"default/{name}").out
    assert ends(lab.a, lab.b) == SMCD


def test_flow_is_late_once_its_peer_is_an_endpoint(lab):
    """The client's flow has a record: the peer was no endpoint then."""
    lab.mesh.apply(b={"enabled": None})
    become(lambda: lab.armed("b"), False, 30)
    with held(lab.a, lab.b.v4, PORT, count=3) as old:
        assert set(old.client_ends()) <= {"tcp", "plain"}
        assert lab.late("a") == 0
        lab.mesh.apply()
        become(lambda: lab.armed("b"), True, 30)
        become(lambda: lab.late("a"), 3, 30)
        assert lab.agent.metric("smcmesh_late_flows", pod="a") == 3
        assert "3 late flows" in lab.agent.cli("pods").out
        assert "late: smcmesh reopen" in lab.agent.cli("flows").out
        reopen(lab, "a", 3)
        assert set(old.client_ends()) == {"none"}


def test_reopen_does_not_wait_for_its_turn(lab):
    """The flow became late this moment; nobody has seen it yet."""
    lab.mesh.apply(b={"enabled": None})
    become(lambda: lab.armed("b"), False, 30)
    with held(lab.a, lab.b.v4, PORT) as old:
        lab.mesh.apply()
        become(lambda: lab.armed("b"), True, 30)
        said = lab.agent.cli("reopen", "default/a").out
        assert "1 of 1 late flow" in said, said
        assert old.client_ends() == ["none"]


def test_flow_older_than_its_pods_arming_is_late(lab):
    """No record of it anywhere on the client's side: socket diagnosis finds
    it."""
    lab.mesh.apply(a={"enabled": None})
    become(lambda: lab.armed("a"), False, 30)
    with held(lab.a, lab.b.v4, PORT) as old:
        assert old.client_ends() == ["plain"]
        lab.mesh.apply()
        become(lambda: lab.armed("a"), True, 30)
        become(lambda: lab.late("a"), 1, 30)
        reopen(lab, "a", 1)
        assert old.client_ends() == ["none"]


def test_what_is_excluded_is_not_late(lab):
    lab.mesh.apply(spec={"excludePorts": [PORT]})
    wait_for(lambda: ends(lab.a, lab.b) != SMCD, 30, "the exclusion")
    with held(lab.a, lab.b.v4, PORT):
        lab.mesh.apply()
        wait_for(lambda: ends(lab.a, lab.b) == SMCD, 30, "SMC again")
        assert "no late flow" in lab.agent.cli("reopen", "default/a").out


# ---- records whose end socket diagnosis tells -----------------------------------

LATE = 7100


def record(lab, name):
    """Of the pod's newest connection at its late listener."""
    flows = [f for f in lab.agent.flows()
             if f["pod"] == name and f["local_port"] == LATE]
    return max(flows, key=lambda f: f["opened"])


def test_flow_of_a_disarmed_pod_is_told_to_its_end(lab):
    """A late listener's connection; the pod is disarmed while it is open."""
    with lab.mesh.changed(a={"enabled": None}):
        become(lambda: lab.armed("a"), False, 30)
        server = serve(lab.a, LATE)
    become(lambda: lab.armed("a"), True, 30)
    with held(lab.b, lab.a.v4, LATE):
        found = record(lab, "a")
        assert (found["reason"], found["noted"]) == ("not-converted", "diagnosis")
        lab.mesh.apply(a={"enabled": None})
        become(lambda: lab.armed("a"), False, 30)
        become(lambda: record(lab, "a")["rx_bytes"] > 0, True, 30)
        assert not record(lab, "a")["closed"]
    become(lambda: record(lab, "a")["closed"], True, 30)
    ended = record(lab, "a")
    assert ended["id"] == found["id"] and ended["noted"] == "diagnosis"
    assert ended["rx_bytes"] == ended["tx_bytes"] > 0
    assert "seconds late" in ended["sentence"]
    server.kill()
    lab.mesh.apply()
    become(lambda: lab.armed("a"), True, 30)


def test_flow_of_a_pod_that_left_is_closed(lab):
    """The pod leaves the source while a connection of it is open."""
    pod = topo.pod(lab.vm, "d", "10.244.1.12/16")
    server = serve(pod, LATE)
    lab.mesh.extra.append(manifest.of(pod))
    lab.mesh.apply()
    become(lambda: lab.agent.pod("d").get("armed"), True, 30)
    with held(lab.b, pod.v4, LATE):
        found = record(lab, "d")
        assert not found["closed"]
        lab.mesh.extra.pop()
        lab.mesh.apply()

        def closed():
            return [f["closed"] for f in lab.agent.flows()
                    if f["id"] == found["id"]]
        become(closed, [True], 30)
    server.kill()


def test_reopen_of_a_pod_that_is_not_armed_is_refused(lab):
    r = lab.agent.cli("reopen", "default/nobody", check=False)
    assert r.rc == 1 and "no such pod" in r.err
    r = lab.agent.cli("reopen", "nobody", check=False)
    assert r.rc == 2
    lab.mesh.apply(a={"enabled": None})
    become(lambda: lab.armed("a"), False, 30)
    r = lab.agent.cli("reopen", "default/a", check=False)
    assert r.rc == 1 and "not armed" in r.err
    lab.mesh.apply()

# SPDX-License-Identifier: Apache-2.0
"""`smcmesh syncheck` beside an agent, on a kernel with SMC.

            VM syncheck
     c       s        t                  p
   armed   armed    stranger           stranger
    .10     .11      .20                .21
     |       |        |                  |   10.9.0.0/24: parrots, which repeat
   --+-------+-- br0 -+------------------+   the options of a SYN
"""
import json

import pytest

from smclab import Vm, topo
from smclab.agents import Agent
from smclab.crowd import parrot, watch
from smclab.flows import become, ends, serve
from smclab.mesh import Mesh

S, T, P = "10.244.1.11", "10.244.1.20", "10.9.0.1"
SPEAKS = "it speaks SMC: answers the option, and none that it does not know"
REPEATS = "3 of 3 tries: the SYN-ACK repeats the option, and one that nobody knows"
SMCD = ("smcd", "smcd")


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        for name, host, enabled in (("c", 10, "true"), ("s", 11, "true"),
                                    ("t", 20, None), ("p", 21, None)):
            pod = topo.pod(vm, name, f"10.244.1.{host}/16")
            setattr(self, name, self.mesh.add(pod, enabled=enabled))
        parrot(self.p, "10.9.0.0/24", "echo")
        for pod in (self.c, self.t):
            pod.run("ip route add 10.9.0.0/24 via 10.244.1.21")
        self.agent = Agent(vm, self.mesh.objects()).start()
        for name in "cs":
            become(lambda name=name: self.agent.pod(name)["armed"], True, 30)
        for pod, native in ((self.s, False), (self.t, True), (self.c, False)):
            serve(pod, 7000, native=native)
        serve(self.t, 7001)

    def asked(self, to, *args):
        """(exit status, verdict, detail)"""
        got = self.agent.cli("syncheck", to, "-o", "json", *args, check=False,
                             timeout=120)
        assert got.rc in (0, 1), got.err
        only, = got.json()["results"]
        return got.rc, only["verdict"], only["detail"]


@pytest.fixture(scope="module")
def lab():
    with Vm("syncheck", mem=1024) as vm:
        yield Lab(vm)


def test_peers_that_speak_smc_are_told_from_repeaters(lab):
    pod = "--pod=default/c"
    # an armed pod's listener, and a program's own with nobody in between
    assert lab.asked(f"{S}:7000", pod) == (0, "fine", SPEAKS)
    assert lab.asked(f"{T}:7000", pod) == (0, "fine", SPEAKS)
    # controls: plain TCP, and a peer that repeats
    assert lab.asked(f"{T}:7001", pod) == (0, "fine", "")
    assert lab.asked(f"{P}:7000", pod) == (1, "replay", REPEATS)


def test_sockets_of_the_probe_stay_tcp_in_an_armed_pod(lab):
    """An SMC socket's SYN to an endpoint would have the option twice, and one to a
    stranger would have none."""
    with watch(lab.c) as seen:
        for to in (f"{S}:7000", f"{T}:7001"):
            assert lab.asked(to, "--pod=default/c")[0] == 0
    for address, offers in ((S, 3 + 2 * 3), (T, 3)):
        syns = [p for p in seen.packets
                if p.sent and not p.ack and p.dst == address]
        assert len(syns) == 4 + offers, syns
        assert sum(p.smc for p in syns) == offers, syns
    # control: other programs of the pod
    assert ends(lab.c, lab.s) == SMCD
    assert ends(lab.c, lab.t, 7001) == ("tcp", "plain")


def test_probe_whose_socket_was_converted_tells_nothing(lab):
    """It finds no pins where it looks for them."""
    got = lab.agent.cli("syncheck", f"{S}:7000", "--pod=default/c",
                        "--bpffs=/nowhere", check=False)
    assert got.rc == 3 and not got.out, got.out
    assert "cannot have a TCP socket that stays one" in got.err
    # control
    assert lab.asked(f"{S}:7000", "--pod=default/c")[0] == 0


def test_server_goes_on_after_probes(lab):
    """Handshakes that a probe leaves in the middle cost nobody their SMC."""
    for _ in range(4):
        assert lab.asked(f"{S}:7000", "--pod=default/c") == (0, "fine", SPEAKS)
    assert ends(lab.c, lab.s) == ends(lab.s, lab.c) == SMCD
    held = json.loads(lab.agent.cli("quarantine", "-o", "json").out)
    assert held["quarantine"] == [], held


@pytest.mark.parametrize("pod", ["t", "p"])
def test_pod_that_is_not_annotated_can_be_asked_from(lab, pod):
    rc, verdict, _ = lab.asked(f"{S}:7000", f"--pod=default/{pod}")
    # it is no endpoint: the armed listener does not answer its option
    assert (rc, verdict) == (0, "fine")

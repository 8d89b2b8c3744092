# SPDX-License-Identifier: Apache-2.0
"""user/datapath on a kernel with SMC, without an agent: tests/net/dpctl opens,
fills and removes it, each time as a new process, as restarts do.

        VM n1
    a           s
   armed      stranger      (10.244.9.x, SMC-D by the loopback device)
    |           |
  --+--- br0 ---+--
         b armed

Also runs the programs of tests/net that open the datapath there: what they
leave out on this machine's own kernel (tracing programs, a registered selector)
they do in the VM.
"""
import json

import pytest

from smclab import topo
from smclab.flows import ends, held, serve
from smclab.pins import PINS
from smclab.progs import tap

SMCD, TCP = ("smcd", "smcd"), ("tcp", "tcp")
PROGRAMS = "/build/faults/vm/"
DPCTL = PROGRAMS + "dpctl"
# what every socket() and connect() of the machine would run through
ARMED = {"connect_guard", "sockproto", "flow_passive"}


class Lab:
    def __init__(self, vm):
        self.vm = vm
        topo.bridge(vm, "10.244.9.1/16")
        topo.ueid(vm)
        for host, name in enumerate("abs", 10):
            setattr(self, name, topo.pod(vm, name, f"10.244.9.{host}/16"))
        self.armed = []

    def dpctl(self, *args, rc=0):
        r = self.vm.run([DPCTL, *map(str, args)], check=False)
        assert r.rc == rc, (args, r.out, r.err)
        return json.loads(r.out)

    def cookie(self, pod):
        ask = ("import socket as s, struct; print(struct.unpack('Q', s.socket()"
               ".getsockopt(s.SOL_SOCKET, 71, 8))[0])")
        return int(pod.run(["python3", "-c", ask]).out)

    def select(self, ctrl, *pods):
        for pod in pods:
            pod.run(["sh", "-c", f"echo {ctrl} > /proc/sys/net/smc/hs_ctrl"])

    def ctrl(self, pod):
        return pod.run("cat /proc/sys/net/smc/hs_ctrl").out.strip()

    def open(self):
        """A new generation, a and b armed and using it."""
        got = self.dpctl("open", self.cookie(self.a), self.cookie(self.b),
                         self.a.v4, self.b.v4)
        self.select(got["ctrl"], self.a, self.b)
        return got

    def selectors(self):
        """Names of registered generations, as bpftool reads them."""
        rows = json.loads(self.vm.run("bpftool -j struct_ops dump").out or "[]")
        values = [v for row in rows for key, v in row.items()
                  if key == "bpf_struct_ops_smc_hs_ctrl"]
        return sorted(v["data"]["name"] for v in values
                      if str(v.get("common", v)["state"]).endswith("_INUSE"))

    def pins(self):
        return self.vm.run(f"find {PINS} -type f -printf '%P\\n'",
                           check=False).out.split()

    def attached(self):
        """Names of the programs that links hold, cut as the kernel cuts."""
        progs = {p["id"]: p.get("name") for p in
                 json.loads(self.vm.run("bpftool -j prog").out)}
        links = json.loads(self.vm.run("bpftool -j link").out)
        return {progs.get(link["prog_id"]) for link in links
                if "prog_id" in link}


@pytest.fixture(scope="module")
def lab(vm):
    return Lab(vm)


@pytest.mark.parametrize("program, skips", [
    ("test_datapath", ["test_without_smc_nothing_is_pinned"]), ("test_hooks", []),
    ("test_maps", []), ("test_other", []), ("test_ration", []), ("test_renew", []),
    ("test_resize", []), ("test_upgrade", [])])
def test_program_of_the_net_tier_passes_here(vm, program, skips):
    """A program of tests/net, with everything that this kernel has."""
    skipped, out = tap(vm, PROGRAMS + program)
    assert skipped == skips, out


def test_without_an_armed_pod_only_smc_hooks_are_attached(lab):
    """With no pod armed: only on functions that SMC sockets alone go through."""
    got = lab.dpctl("open")
    assert got["recorder"] == "smc" and not got["armed"]
    attached = lab.attached()
    assert not attached & (ARMED | {"flow_sockops"}), attached
    assert attached >= {"smc_connected", "smc_accepted", "smc_closed",
                        "smc_declined", "smc_fallback", "sock_made"}


def test_first_open_registers_attaches_and_pins(lab):
    got = lab.open()
    assert got["converter"] == "sockproto" and got["selector"] == "hs_ctrl"
    assert got["ctrl"] in lab.selectors()
    assert "hs_ctrl_" + got["ctrl"].split("_")[1] in lab.pins()
    assert "links/sockproto" in lab.pins()
    assert not got["armed"] and ARMED <= lab.attached()


def test_sockets_are_converted_though_nobody_runs(lab):
    """Nobody runs now; what dpctl left converts, selects and records."""
    server = serve(lab.b, 7000)
    assert ends(lab.a, lab.b) == SMCD
    # a stranger's socket is never converted, and b answers none of them
    assert ends(lab.s, lab.b) == ("plain", "tcp")
    server.kill()
    flows = lab.dpctl("flows")["flows"]
    assert {1, 3} <= {f["outcome"] for f in flows}, flows    # TCP, SMC-D
    stranger = serve(lab.s, 7001)
    assert ends(lab.a, lab.s, 7001) == ("tcp", "plain")
    stranger.kill()


def test_next_generation_interrupts_nothing(lab):
    """A restart: the next name, the old one stays until it is retired, and
    connections are SMC before, between and after."""
    server = serve(lab.b, 7002)
    old = lab.ctrl(lab.a)
    with held(lab.a, lab.b.v4, 7002) as h:
        got = lab.dpctl("open", lab.cookie(lab.a), lab.cookie(lab.b), lab.a.v4,
                        lab.b.v4)
        assert got["ctrl"] != old
        assert {old, got["ctrl"]} <= set(lab.selectors())
        assert lab.ctrl(lab.a) == old
        assert ends(lab.a, lab.b, 7002) == SMCD
        lab.select(got["ctrl"], lab.a, lab.b)
        assert ends(lab.a, lab.b, 7002) == SMCD
        renewed = lab.dpctl("renew")
        assert renewed["retired"] == 0
        # what a and b use was retired too, and goes on selecting
        assert lab.selectors() == [renewed["ctrl"]]
        assert lab.ctrl(lab.a) == got["ctrl"]
        assert ends(lab.a, lab.b, 7002) == SMCD
        assert ends(lab.s, lab.b, 7002) == ("plain", "tcp")
        lab.select(renewed["ctrl"], lab.a, lab.b)
        assert ends(lab.a, lab.b, 7002) == SMCD
        assert h.ends(lab.b) == [SMCD]
    server.kill()
    assert [p for p in lab.pins() if p.startswith("hs_ctrl_")] == \
        ["hs_ctrl_" + renewed["ctrl"].split("_")[1]]


def test_selector_unregistered_by_someone_is_made_anew(lab):
    """The struct_ops map cannot be registered again: a new one is."""
    before = lab.selectors()
    # the one that dpctl has just made is the last
    got = lab.dpctl("check", "bpftool struct_ops unregister name smcmesh_ctrl "
                             ">/dev/null")
    assert got["repairs"] >= 1 and got["repairs_again"] == 0, got
    assert got["ctrl_after"] != got["ctrl"]
    assert lab.selectors() == [got["ctrl_after"]], before
    lab.select(got["ctrl_after"], lab.a, lab.b)
    server = serve(lab.b, 7003)
    assert ends(lab.a, lab.b, 7003) == SMCD
    server.kill()


def test_pins_taken_away_are_put_back(lab):
    got = lab.dpctl("check", "rm -r /sys/fs/bpf/smcmesh")
    assert got["armed"]    # its rows were there when it was opened
    assert got["repairs"] > 15 and got["repairs_again"] == 0, got
    assert "links/sockproto" in lab.pins()
    lab.select(got["ctrl"], lab.a, lab.b)


def test_foreign_pin_of_the_selector_is_left(lab):
    """It is left, and hides no repair."""
    pins = f"{PINS}hs_ctrl_*"
    got = lab.dpctl("check", f"for p in {pins}; do rm $p; bpftool map create $p"
                             " type array key 4 value 4 entries 1 name other;"
                             f" done; rm {PINS}smc_cidr", rc=1)
    assert got["error"] == -17, got    # EEXIST
    assert got["repairs"] == 1 and got["repairs_again"] == 0, got
    assert got["ctrl_after"] == got["ctrl"]
    for pin in lab.vm.run(f"ls {pins}").out.split():
        shown = json.loads(lab.vm.run(f"bpftool -j map show pinned {pin}").out)
        assert shown["name"] == "other", shown
    lab.vm.run(f"rm {pins}")
    lab.select(got["ctrl"], lab.a, lab.b)


def test_recorders_take_over_from_each_other(lab):
    """The one takes over from the other, between two connections and beside
    one; both tell the same of it."""
    lab.open()
    server = serve(lab.b, 7007)
    with held(lab.a, lab.b.v4, 7007) as h:
        got = lab.dpctl("record", "sockops")
        assert got["recorder"] == "smc" and got["recorder_now"] == "sockops"
        assert "flow_sockops" in lab.attached()
        assert not lab.attached() & {"smc_closed", "flow_passive"}
        assert ends(lab.a, lab.b, 7007) == SMCD
        assert h.ends(lab.b) == [SMCD]
        # a restart goes on with it
        got = lab.dpctl("record", "auto")
        assert got["recorder"] == "sockops" and got["recorder_now"] == "smc"
        assert "flow_sockops" not in lab.attached()
        assert ends(lab.a, lab.b, 7007) == SMCD
    server.kill()
    mine = [f for f in lab.dpctl("flows")["flows"]
            if f["remote_port"] == 7007 and f["role"] == 1]
    assert [f["outcome"] for f in mine] == [3, 3, 3], mine


def test_disarm_keeps_guards_only_when_told(lab):
    """What guards open sockets stays as long as it is told to."""
    got = lab.dpctl("disarm", "guarded")
    assert got["armed"] and got["armed_now"]
    assert lab.attached() & ARMED == {"connect_guard"}
    got = lab.dpctl("disarm")
    assert got["armed"] and not got["armed_now"]
    assert not lab.attached() & ARMED
    server = serve(lab.b, 7008)
    assert ends(lab.a, lab.b, 7008) == ("plain", "plain")
    server.kill()


def test_remove_that_keeps_the_selector_converts_nothing(lab):
    """The namespaces' selector stays and denies; nothing is converted."""
    lab.open()
    server = serve(lab.b, 7004)
    with held(lab.a, lab.b.v4, 7004, protocol="smc") as h:
        assert h.ends(lab.b) == [SMCD]
        said = lab.dpctl("remove", "keep")["said"]
        assert "removed converter sockproto" in said
        assert "left selector smcmesh_" in said
        assert "left map smc_netns" in said
        assert len(lab.selectors()) == 1
        assert not [p for p in lab.pins() if p.startswith("links/")]
        # plain sockets stay plain, and an SMC socket's offer is refused
        assert ends(lab.a, lab.b, 7004) == ("plain", "tcp")
        assert ends(lab.a, lab.b, 7004, protocol="smc") == TCP
        assert h.ends(lab.b) == [SMCD]
    server.kill()


def test_maps_that_were_left_are_adopted(lab):
    """An agent that comes back takes up the maps that were left."""
    lab.open()
    server = serve(lab.b, 7005)
    assert ends(lab.a, lab.b, 7005) == SMCD
    server.kill()


def test_remove_leaves_nothing(lab):
    lab.select("", lab.a, lab.b)
    said = lab.dpctl("remove")["said"]
    assert "removed selector smcmesh_" in said
    assert "left" not in said, said
    assert lab.selectors() == [] and lab.pins() == []
    assert lab.vm.run("ls -A /sys/fs/bpf").out.split() in (
        [], ["maps.debug", "progs.debug"])
    server = serve(lab.b, 7006)
    assert ends(lab.a, lab.b, 7006) == ("plain", "plain")
    server.kill()
    assert lab.dpctl("remove")["said"] == ""

# SPDX-License-Identifier: Apache-2.0
"""`smcmesh cleanup` in a used VM: ours goes, everybody else's stays.

                     VM n1, agent
    a       b        m         f           s
  armed   armed   sidecar   annotated,   stranger
    |       |     (rule)    has another    |
    |       |        |      hs_ctrl        |
  --+-------+-- br0 -+---------+-----------+--

A picture of the machine is taken before the agent first runs: BPF programs,
maps, links and struct_ops, /sys/fs/bpf, what is attached to cgroups, the UEIDs,
and of every namespace net.smc.hs_ctrl and the nftables rules. After the last
cleanup the picture must be the same, the strangers' things in it included.
"""
import json
import re

import pytest

from smclab import progs, topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, ends, held, serve
from smclab.mesh import Mesh
from smclab.pins import ABI, ROOT

SMCD = ("smcd", "smcd")
PODS = {"a": 10, "b": 11, "m": 12, "f": 13, "s": 30}


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        kinds = {"m": {"containers": ("app", "istio-proxy")},
                 "s": {"enabled": None}}
        for name, host in PODS.items():
            pod = topo.pod(vm, name, f"10.244.1.{host}/16")
            setattr(self, name, self.mesh.add(pod, **kinds.get(name, {})))
        topo.ueid(vm, "SOMEBODY.ELSE")
        vm.run(["bpftool", "struct_ops", "register", progs.path("foreign.bpf.o")])
        self.f.run("sysctl -w net.smc.hs_ctrl=foreign")
        self.before = self.picture()
        self.agent = Agent(vm, self.mesh.objects())
        self.mesh.agents.append(self.agent)

    def ctrl(self, pod):
        return pod.run("cat /proc/sys/net/smc/hs_ctrl").out.strip()

    def bpf(self, kind):
        """Names of what bpftool lists, without what it made itself."""
        rows = json.loads(self.vm.run(f"bpftool -j {kind} show").out or "[]")
        return sorted(r.get("name") or r.get("type", "?") for r in rows
                      if "bpftool" not in json.dumps(r.get("pids", "")))

    def picture(self):
        run = self.vm.run
        found = {kind: self.bpf(kind) for kind in
                 ("prog", "map", "link", "struct_ops")}
        found["bpffs"] = sorted(run("find /sys/fs/bpf").out.split())
        found["cgroups"] = run("bpftool cgroup tree /sys/fs/cgroup").out
        found["ueids"] = self.vm.call("smcnl", "ueid")
        found["run"] = run("find /run/smcmesh", check=False).out.split()
        # a line for each namespace: the machine's own and the pods'
        look = "cat /proc/sys/net/smc/hs_ctrl; nft list ruleset"
        found["netns"] = {p.name: p.run(look).out for p, _ in self.mesh.pods}
        found["netns"]["host"] = run(look).out
        return found

    def wait_restored(self, before=None):
        """Until all is as it was. What nothing uses any more, the kernel frees
        a moment later, after a grace period: bpftool may still see it."""
        become(self.picture, before or self.before)

    def start(self):
        self.agent.start()
        wait_for(lambda: self.agent.pod("b")["armed"], 10, "b to be armed")
        wait_for(lambda: self.agent.pod("m")["armed"], 10, "m to be armed")

    def cleanup(self, *args, rc=0):
        r = self.agent.cli("cleanup", *args, check=False)
        assert r.rc == rc, (r.rc, r.out, r.err)
        return r.out + r.err


@pytest.fixture(scope="module")
def lab(vm):
    return Lab(vm)


def test_foreign_selector_is_not_overwritten(lab):
    """f has somebody else's hs_ctrl: not armed, and the reason says so."""
    lab.start()
    state = lab.agent.pod("f")
    assert not state["armed"] and state["reason"] == "foreign-selector", state
    assert "foreign" in state["sentence"], state
    assert lab.ctrl(lab.f) == "foreign"
    assert lab.ctrl(lab.a).startswith("smcmesh_")
    servers = [serve(lab.b, 7000), serve(lab.f, 7000)]
    assert ends(lab.a, lab.b) == SMCD
    assert ends(lab.f, lab.b) == ("plain", "tcp")
    assert ends(lab.b, lab.f) == ("tcp", "plain")
    for s in servers:
        s.kill()


def test_pod_is_armed_when_a_foreign_selector_goes(lab):
    """f is armed when the other lets go of it, and let alone when it is back;
    until then no socket there is converted."""
    server = serve(lab.b, 7001)
    lab.f.run("sysctl -w net.smc.hs_ctrl=")
    lab.agent.look()
    wait_for(lambda: lab.agent.pod("f")["armed"], 30, "f to be armed")
    assert ends(lab.f, lab.b, 7001) == SMCD
    lab.f.run("sysctl -w net.smc.hs_ctrl=foreign")
    # at once, before the agent can know: not guarded, so not converted
    assert ends(lab.f, lab.b, 7001) == ("plain", "tcp")
    become(lambda: lab.agent.pod("f")["reason"], "foreign-selector", 30)
    assert lab.ctrl(lab.f) == "foreign"
    server.kill()


def test_cleared_selector_is_healed(lab):
    """Somebody in the pod clears it: nothing is converted until it is back,
    and it is back within seconds."""
    server = serve(lab.b, 7002)
    lab.a.run("sysctl -w net.smc.hs_ctrl=")
    assert ends(lab.a, lab.b, 7002) in (("plain", "tcp"), SMCD)
    wait_for(lambda: lab.ctrl(lab.a).startswith("smcmesh_"), 30, "the selector")
    become(lambda: ends(lab.a, lab.b, 7002), SMCD)
    # the same without an agent: it stays plain
    lab.agent.stop()
    lab.a.run("sysctl -w net.smc.hs_ctrl=")
    for _ in range(3):
        assert ends(lab.a, lab.b, 7002) == ("plain", "tcp")
    assert ends(lab.s, lab.b, 7002, protocol="smc") == ("tcp", "tcp")
    server.kill()


def test_list_changes_nothing(lab):
    """Also beside a running agent, which goes on as before."""
    def stays():
        """Without what the earlier generation leaves to the kernel to free."""
        return {what: seen for what, seen in lab.picture().items()
                if what not in ("prog", "map", "struct_ops")}

    lab.start()
    before = stays()
    said = lab.cleanup("--list", rc=1)
    after, armed = stays(), lab.agent.pod("b")["armed"]
    lab.agent.stop()
    for what in (f"{ROOT}v{ABI} (ABI {ABI})", "hs_ctrl in /run/netns/b",
                 "SMCMESH"):
        assert what in said, f"{what} is there and not listed:\n{said}"
    assert "netns/s " not in said and "SOMEBODY" not in said, said
    assert after == before and armed


def test_cleanup_leaves_nothing(lab):
    said = lab.cleanup()
    lab.wait_restored()
    for what in ("smc_endpoint", "smcmesh_", "SMCMESH", "nft"):
        assert what in said, f"{what} was removed and not named:\n{said}"
    assert "SOMEBODY" not in said, said


def test_list_says_when_nothing_is_left(lab):
    assert "Nothing of smcmesh is left" in lab.cleanup("--list")


def test_cleanup_of_one_abi_leaves_the_others(lab):
    """Another one's pins, and what the namespaces have, stay; with the last ABI
    all goes."""
    lab.start()
    lab.agent.stop()
    lab.vm.run(f"bpftool map create {ROOT}smc_port type hash key 8 value 4 "
               "entries 9 name smc_port")
    said = lab.cleanup("--list", rc=1)
    assert f"{ROOT[:-1]} (ABI 1)" in said and f"(ABI {ABI})" in said, said
    said = lab.cleanup("--abi", "1")
    assert "removed map smc_port (ABI 1)" in said, said
    assert "Nothing of ABI 1 is left" in said, said
    server = serve(lab.b, 7009)
    assert ends(lab.a, lab.b, 7009) == SMCD
    server.kill()
    wait_for(lambda: not lab.b.diag(every=True), 30, "the last socket to go")
    lab.cleanup("--abi", "1", "--list")
    lab.cleanup("--abi", "first", rc=2)
    said = lab.cleanup("--abi", str(ABI))
    assert "removed converter sockproto" in said, said
    assert "Nothing of smcmesh is left" in said, said
    lab.wait_restored()


def test_left_rule_is_listed(lab):
    """As if a cleanup had been killed between the selector and the rule."""
    lab.s.run("nft add table inet smcmesh; nft add chain inet smcmesh output;"
              "nft 'add rule inet smcmesh output accept comment smcmesh'")
    said = lab.cleanup("--list", rc=1)
    assert "nftables table inet smcmesh in /run/netns/s" in said, said
    assert "removed the nftables table inet smcmesh" in lab.cleanup()
    lab.cleanup("--list")
    lab.wait_restored()


def test_cleanup_of_nothing_changes_nothing(lab):
    lab.cleanup()
    lab.wait_restored()


def test_open_smc_sockets_keep_the_denying_selector(lab):
    """A selector taken away would let the sockets that live answer anyone."""
    lab.start()
    server = serve(lab.b, 7003)
    with held(lab.a, lab.b.v4, 7003, count=2) as before:
        assert before.ends(lab.b) == [SMCD] * 2
        lab.agent.stop()
        said = lab.cleanup(rc=1)
        assert "--force" in said, said
        for pod in (lab.a, lab.b):
            assert lab.ctrl(pod).startswith("smcmesh_"), said
            assert re.search(rf"\b{pod.name}\b.*SMC socket", said), said
        assert lab.ctrl(lab.m) == "" and lab.ctrl(lab.f) == "foreign"
        # new sockets are plain, the old ones live, the listener denies
        assert ends(lab.a, lab.b, 7003) == ("plain", "tcp")
        assert before.ends(lab.b) == [SMCD] * 2
        assert ends(lab.s, lab.b, 7003, protocol="smc") == ("tcp", "tcp")
        # nothing changed: the same answer again
        lab.cleanup(rc=1)
        assert ends(lab.s, lab.b, 7003, protocol="smc") == ("tcp", "tcp")
    server.kill()
    wait_for(lambda: not lab.b.diag(every=True), 30, "the last socket to go")


def test_cleanup_once_the_sockets_are_gone_restores_all(lab):
    lab.cleanup()
    lab.wait_restored()


def test_then_idle_goes_on_until_the_sockets_are_gone(lab):
    """What the pods of a DaemonSet do in an uninstall: they go on until the
    sockets are gone, and then they stay."""
    lab.start()
    server = serve(lab.b, 7008)
    with held(lab.a, lab.b.v4, 7008):
        lab.agent.stop()
        idle = lab.vm.spawn([lab.agent.binary, "cleanup", "--then-idle"])
        wait_for(lambda: "Not all is removed" in idle.out, 30, "its first answer")
        assert "hs_ctrl" in lab.cleanup("--list", rc=1)
        assert lab.ctrl(lab.b).startswith("smcmesh_") and idle.alive
    server.kill()
    wait_for(lambda: "Nothing of smcmesh is left" in idle.out, 60, "the end")
    lab.wait_restored()
    lab.cleanup("--list")
    assert idle.alive and idle.out.count("Nothing of smcmesh is left") == 1
    idle.kill()
    assert idle.rc == 0, idle.output


def test_force_removes_all_although_sockets_live(lab):
    """Everything goes, although sockets live; what they cost is said."""
    lab.start()
    server = serve(lab.b, 7004)
    with held(lab.a, lab.b.v4, 7004) as before:
        lab.agent.stop()
        said = lab.cleanup("--force")
        assert "SMC socket" in said, said
        lab.wait_restored()
        assert before.ends(lab.b) == [SMCD]    # and it still carries data
    server.kill()


def test_agent_after_cleanup_works_again(lab):
    """A cleaned machine can be used again."""
    lab.start()
    server = serve(lab.b, 7005)
    assert ends(lab.a, lab.b, 7005) == SMCD
    server.kill()
    lab.agent.stop()
    wait_for(lambda: not lab.b.diag(every=True), 30, "the last socket to go")
    lab.cleanup()
    lab.wait_restored()


def test_ueid_that_was_there_before_is_not_removed(lab):
    """The configured UEID was there before us: used, and not taken away."""
    topo.ueid(lab.vm, "SHARED")
    before = lab.picture()
    lab.mesh.spec["ueid"] = "SHARED"
    lab.mesh.apply()
    lab.start()
    server = serve(lab.b, 7006)
    assert ends(lab.a, lab.b, 7006) == SMCD
    assert "SMCMESH" not in lab.vm.call("smcnl", "ueid")
    server.kill()
    lab.agent.stop()
    wait_for(lambda: not lab.b.diag(every=True), 30, "the last socket to go")
    lab.cleanup()
    lab.wait_restored(before)

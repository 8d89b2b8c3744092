# SPDX-License-Identifier: Apache-2.0
"""How often the agent looks into its pods, and that asking it changes nothing.

    VM n1, agent with --source file:
    a .10    b .11    c .12         10.244.1.0/16
    |        |        |
  --+--------+- br0 --+--

c has an address that the List does not say, so it cannot be armed; of `pulled`
there is no process, as while an image is pulled. The VM's time follows the
instructions it executes (-icount): a minute in which nothing is done is short,
and none of the times depends on how busy this machine is.
"""
import pytest

from smclab import Vm, manifest, topo, wait_for
from smclab.agents import SOCKET, Agent
from smclab.flows import become, held, serve
from smclab.mesh import two_pods
from smclab.pins import PINS

PORT = 7000
PATIENCE = 300
RESYNC = 5
LOOKS, RECONCILES = "smcmesh_looks_total", "smcmesh_reconciles_total"
UID = "01234567-89ab-4cde-8f01-23456789abcd"
CGROUP = f"kubepods/pod{UID}"
ELSEWHERE, OWN = "10.244.9.9", "10.244.1.12"

# Asks without a pause, so that no time is passed over. Says when it has begun.
UNTIL_ARMED = """
import json, os, sys, time
sys.path.insert(0, "/src/tests/lib/smclab")
import ask
agent, name, stamp = sys.argv[1:]

def armed():
    status, body = ask.get(agent, "/v1/pods", 10)
    pods = json.loads(body)["pods"] if status == 200 else []
    return any(p["armed"] for p in pods if p["name"] == name)

assert not armed()
print("not yet", flush=True)
while not armed():
    pass
print(time.time() - os.stat(stamp).st_mtime, flush=True)
"""


class Lab:
    def __init__(self, vm):
        self.vm = vm
        self.mesh, self.a, self.b = two_pods(vm)
        self.c = topo.pod(vm, "c", OWN + "/16")
        self.agent = Agent(vm, self.mesh.objects()).start()
        self.mesh.agents.append(self.agent)

    def now(self):
        """The VM's time, as the agent tells it."""
        return self.agent.get("/v1/status")["uptime_seconds"]

    def pass_time(self, seconds):
        end = self.now() + seconds
        wait_for(lambda: self.now() >= end, PATIENCE, "time to pass")

    def armed(self, name):
        return self.agent.pod(name).get("armed")

    def counted(self):
        """Looks at pods that are not armed, at those that are, reconciles."""
        m = self.agent.metrics()
        return [m[LOOKS, (("state", "not-armed"),)],
                m[LOOKS, (("state", "armed"),)],
                m[RECONCILES, (("result", "ok"),)]]

    def within(self, seconds):
        """What is counted within so many seconds, and how many they were."""
        before, start = self.counted(), self.now()
        self.pass_time(seconds)
        took = self.now() - start
        return [y - x for x, y in zip(before, self.counted())], took

    def armed_after(self, name, stamp, do):
        """Seconds of the VM's from the event, which writes the file @stamp, until
        the pod is armed."""
        asks = self.vm.spawn(["python3", "-c", UNTIL_ARMED, SOCKET, name, stamp])

        def said(lines):
            if not asks.alive and asks.rc:
                raise RuntimeError(asks.output)
            return asks.out.count("\n") >= lines
        wait_for(lambda: said(1), 30, f"it to ask about {name}")
        do()
        wait_for(lambda: said(2), 30, f"{name} to be armed")
        return float(asks.out.split("\n")[1])


@pytest.fixture(scope="module")
def lab():
    with Vm("n1", icount=True) as vm:
        yield Lab(vm)


def said_armed(lab, name):
    return lab.agent.proc.output.count(f"pod default/{name} is armed")


# ---- asking ------------------------------------------------------------------

# epoll_wait and epoll_pwait of x86-64, epoll_pwait of arm64: in one of these the
# agent waits for its next event.
WAITS = "^(232|281|22) "


def drift(lab, asked):
    """a's row goes while the agent stands still and waits for an event, so in no
    reconcile: one that finds the row gone between what it wrote and what it reads
    back says rightly that a is not armed. Repaired, and looked at again after
    that."""
    pid = lab.agent.get("/v1/status")["pid"]
    key = " ".join(str(x) for x in lab.agent.pod("a")["netns_cookie"].to_bytes(
        8, "little"))
    row = f"pinned {PINS}smc_netns key {key}"

    def seen():
        # the first one has bpftool read: the VM's time passes over that
        done = lab.vm.run(
            f"bpftool map lookup {row} > /dev/null && kill -STOP {pid} && "
            f"until grep -q '^State:.T' /proc/{pid}/status; do :; done && "
            f"{{ ! grep -qE '{WAITS}' /proc/{pid}/syscall || "
            f"{{ bpftool map delete {row} && echo deleted; }} }}; done=$?; "
            f"kill -CONT {pid}; exit $done").out
        if not asked or "deleted" not in done:
            return "deleted" in done
        lab.agent.http("/metrics", unix=False)
        lab.agent.get("/v1/status")
        return not lab.armed("a")
    wait_for(seen, PATIENCE, "an answer from before the repair")
    become(lambda: len(lab.agent.map("smc_netns")), 2, PATIENCE)
    lab.pass_time(2 * RESYNC + 1)


@pytest.mark.parametrize("asked", [False, True], ids=["unasked", "asked"])
def test_asking_after_a_drift_changes_nothing(lab, asked):
    """b offers a nothing at this port, by its annotation: no late flow, for it
    was opened when a had been armed. Control: nobody asks."""
    lab.mesh.apply(b={"annotations": {manifest.OUT_PORTS: str(PORT)}})
    become(lambda: lab.armed("a") and lab.armed("b"), True, PATIENCE)
    server = serve(lab.a, PORT)
    with held(lab.b, lab.a.v4, PORT):
        lab.pass_time(RESYNC + 1)
        before = lab.agent.pod("a")["late_flows"], said_armed(lab, "a")
        drift(lab, asked)
        after = lab.agent.pod("a")["late_flows"], said_armed(lab, "a")
        assert before == after == (0, 1)
    server.kill()
    lab.mesh.apply()


# ---- looks -------------------------------------------------------------------

def most_looks(seconds):
    """At one pod since it is known: seven within the first 41 seconds, then one a
    minute. (The VM's time may pass over more than was asked for.)"""
    return 7 + max(0, int(seconds - 41) // 60)


def add_waiting(lab):
    lab.mesh.extra[:] = [
        manifest.pod("c", "n1", ELSEWHERE, lab.c.netns),
        manifest.pod("pulled", "n1", [], uid=UID)]
    lab.vm.run(f"mkdir -p /sys/fs/cgroup/{CGROUP}")
    lab.mesh.apply()
    become(lambda: [lab.agent.pod(x).get("reason") for x in ("c", "pulled")],
           ["no-address", "no-netns"], PATIENCE)


def test_pods_that_cannot_be_armed_are_looked_at_less_and_less(lab):
    """Beside two that are armed, which are looked at in each resync."""
    before, start = lab.counted(), lab.now()
    add_waiting(lab)
    lab.pass_time(60 - (lab.now() - start))
    waiting, armed, reconciles = (
        y - x for x, y in zip(before, lab.counted()))
    took = lab.now() - start
    resyncs = took / RESYNC
    print("first minute:", waiting, armed, reconciles, took)
    assert 2 * 4 <= waiting <= 2 * most_looks(took)
    assert armed >= 2 * (int(resyncs) - 1)
    assert reconciles <= resyncs + 4    # the List, and the first looks
    (waiting, armed, reconciles), took = lab.within(120)
    print("after it:", waiting, armed, reconciles, took)
    assert 2 <= waiting <= 2 * (took // 60 + 1)
    assert armed >= 2 * (took // RESYNC - 1)
    assert reconciles <= took / RESYNC + 1


def test_event_arms_at_once_what_was_waiting(lab):
    """Its own time is up to a minute away."""
    lab.vm.run(f"ip netns add pulled; mkdir -p /sys/fs/cgroup/{CGROUP}/app")
    took = [lab.armed_after("pulled", "/run/began", lambda: (
        lab.vm.run("touch /run/began"),
        lab.vm.spawn("sleep 10000", netns="pulled", cgroup=f"{CGROUP}/app")))]
    lab.mesh.extra[0] = manifest.pod("c", "n1", OWN, lab.c.netns)
    took.append(lab.armed_after("c", lab.agent.path, lab.mesh.apply))
    # of the mesh switch alone, for something else has changed while it was off
    lab.mesh.extra[0] = manifest.pod("c", "n1", ELSEWHERE, lab.c.netns)
    lab.mesh.apply(spec={"enabled": False})
    become(lambda: lab.agent.pod("c").get("reason"), "mesh-off", PATIENCE)
    lab.c.run(f"ip addr add {ELSEWHERE}/32 dev eth0")
    took.append(lab.armed_after("c", lab.agent.path, lab.mesh.apply))
    print("seconds:", *took)
    assert max(took) < 3

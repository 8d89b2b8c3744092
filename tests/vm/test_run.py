# SPDX-License-Identifier: Apache-2.0
"""Programs without Kubernetes, told apart by their cgroups: `smcmesh run`, and the
annotation smcmesh.io/cgroup.

    VM n1, all in its own namespace
    agent    run: server, client    web (annotated)    a stranger
    ---------------------- br0 10.244.1.1 ----------------------

Both ends of a connection have one address, the machine's. Who was not started so,
and ports where nobody armed listens, stay plain TCP.
"""
import contextlib
import re
import signal

import pytest

from smclab import manifest, progs, topo, wait_for
from smclab.agents import Agent
from smclab.flows import become, ends, held, held_by, serve

NODE = "10.244.1.1"
PORT = 7000
SMCD = ("smcd", "smcd")
RUN = ["/build/smcmesh", "run", "--wait", "20", "--"]
CGROUPS = "/sys/fs/cgroup"


class Run(topo.HostPod):
    """Programs that `smcmesh run` starts."""

    name = "run"

    def spawn(self, cmd, **kw):
        return self.vm.spawn([*RUN, *cmd], **kw)


class Lab:
    def __init__(self, vm):
        self.vm = vm
        topo.bridge(vm, NODE + "/16")
        self.run = Run(vm, None, NODE)
        self.stranger = topo.HostPod(vm, None, NODE)
        self.agent = Agent(vm, [manifest.mesh()]).start()

    def ports(self):
        """Where SMC may be offered to this machine's address."""
        return {row["key"]["port"]
                for row in (r["formatted"] for r in self.agent.map("smc_service"))
                if row["value"]["transports"]}

    def cgroups(self):
        return self.vm.run(f"find {CGROUPS} -name 'smcmesh.run-*'").out.split()

    def pods(self):
        return {p["name"]: p for p in self.agent.get("/v1/pods")["pods"]}

    def why(self, h):
        """What the agent says of the one connection's client end."""
        (mine, theirs), = h.ports()
        why, = (f["reason"] for f in self.agent.flows()
                if (f["role"], f["local_port"], f["remote_port"]) ==
                ("client", mine, theirs))
        return why

    @contextlib.contextmanager
    def serving(self, port=PORT, by=None, prog="echod"):
        proc = serve(by or self.run, port, prog=prog)
        wait_for(lambda: port in self.ports(), 20, f"port {port} to be known")
        yield proc
        proc.kill()


@pytest.fixture(scope="module")
def lab(vm):
    return Lab(vm)


@pytest.fixture(scope="module")
def server(lab):
    with lab.serving() as proc:
        yield proc


# ---- smcmesh run -----------------------------------------------------------------

def test_two_programs_of_one_machine_are_smc(lab, server):
    with held(lab.run, NODE, PORT, count=3) as h:
        assert h.ends(lab.run) == [SMCD] * 3
        assert h.protocols() == [256] * 3
        pods = lab.pods()
        assert {n.rsplit("-", 1)[0] for n in pods} == {"echod", "hold"}
        assert all(p["armed"] and p["namespace"] == "smcmesh.run"
                   for p in pods.values()), pods
    flows = [f for f in lab.agent.flows() if f["remote_port"] == PORT]
    assert {f["outcome"] for f in flows} == {"smcd"}, flows


def test_who_is_not_run_so_stays_plain(lab, server):
    assert ends(lab.stranger, lab.run) == ("plain", "tcp")
    with contextlib.ExitStack() as stack:
        plain = serve(lab.stranger, PORT + 1)
        stack.callback(plain.kill)
        with held(lab.run, NODE, PORT + 1) as h:
            assert h.ends(lab.run) == [("tcp", "plain")]
            assert lab.why(h) == "not-endpoint"


def test_loopback_stays_tcp(lab, server):
    with held(lab.run, "127.0.0.1", PORT) as h:
        assert h.ends(lab.run) == [("tcp", "tcp")]
        assert lab.why(h) == "loopback"


@pytest.mark.parametrize("what", ["musl", "go"])
def test_static_programs_are_smc(lab, what):
    port = {"musl": 7200, "go": 7100}[what]
    if what == "go":
        go = progs.path("goecho")
        proc = lab.run.spawn([go, "serve", f":{port}"])
        client = held_by(lab.run, [go, "hold", f"http://{NODE}:{port}/"])
    else:
        proc = serve(lab.run, port, prog="echod.musl")
        client = held(lab.run, NODE, port, prog="hold.musl")
    wait_for(lambda: port in lab.ports(), 20, f"port {port} to be known")
    with client as h:
        assert h.ends(lab.run) == [SMCD]
    proc.kill()


def test_program_within_a_program_needs_no_cgroup_of_its_own(lab, server):
    before = set(lab.cgroups())
    argv = [*RUN, progs.path("hold"), f"{NODE}:{PORT}"]
    with held_by(lab.run, argv) as h:
        assert h.ends(lab.run) == [SMCD]
        new = set(lab.cgroups()) - before
        assert len([c for c in new if "run-smcmesh-" in c]) == 1, new
        assert not [c for c in new if "run-hold-" in c], new
        assert h.proc.err == ""


def test_process_is_the_programs_own(lab):
    echo = lab.run.spawn(["sh", "-c", "cat; exit 7"])
    echo.stdin("in and out\n")
    echo.stdin(None)
    done = echo.wait()
    assert (done.rc, done.out, done.err) == (7, "in and out\n", "")
    asleep = lab.run.spawn(["sleep", "100"])
    wait_for(lambda: any(n.startswith("sleep-") for n in lab.pods()), 20, "it")
    assert asleep.kill(signal.SIGTERM).rc == -signal.SIGTERM
    missing = lab.run.spawn(["/nonexistent"]).wait()
    assert missing.rc == 127 and "/nonexistent" in missing.err


def test_cgroups_go_with_their_programs(lab, server):
    """That of a program which made cgroups of its own, too."""
    run = lab.run.spawn(["sh", "-c", "d=/sys/fs/cgroup$(sed -n s/^0:://p "
                         "/proc/self/cgroup)/more; mkdir $d; echo made; cat"])
    wait_for(lambda: "made" in run.out, 20, "a cgroup in its cgroup")
    assert len(lab.cgroups()) >= 2
    run.kill(signal.SIGKILL)
    become(lambda: [re.sub(r".*run-|-\d+$", "", c) for c in lab.cgroups()],
           ["echod"], 40)
    become(lambda: [n.rsplit("-", 1)[0] for n in lab.pods()], ["echod"])


def test_next_agent_knows_them(lab, server):
    """Their rows and numbers stay, open connections live on."""
    with held(lab.run, NODE, PORT) as h:
        before = {n: p["pod_id"] for n, p in lab.pods().items()}
        lab.agent.stop(signal.SIGKILL)
        lab.agent.start()
        assert {n: p["pod_id"] for n, p in lab.pods().items()} == before
        assert all(p["armed"] for p in lab.pods().values())
        assert h.ends(lab.run) == [SMCD]
    assert ends(lab.run, lab.run) == SMCD


def test_without_a_mesh_it_is_plain_and_says_so(lab, server):
    lab.agent.set(manifest.mesh(enabled=False))
    become(lambda: [p["armed"] for p in lab.pods().values()
                    if p["name"].startswith("echod")], [False])
    with held(lab.run, NODE, PORT) as h:
        assert h.protocols() == [6]
        line, = h.proc.err.splitlines()
        assert "hold runs as plain TCP: mesh-off: " in line
    lab.agent.set(manifest.mesh())
    become(lambda: PORT in lab.ports(), True, 20)
    assert ends(lab.run, lab.run) == SMCD


# ---- the annotation --------------------------------------------------------------

def entry(name, cgroup, **kw):
    return manifest.pod(name, "n1", [], annotations={"smcmesh.io/cgroup": cgroup},
                        **kw)


@pytest.fixture
def entries(lab):
    yield lambda *pods: lab.agent.set(manifest.mesh(), *pods)
    lab.agent.set(manifest.mesh())
    become(lambda: {p["namespace"] for p in lab.pods().values()} -
           {"smcmesh.run"}, set())


def test_annotated_cgroup_is_smc_as_soon_as_it_is_there(lab, server, entries):
    entries(entry("web", "/lab/web"))
    become(lambda: lab.agent.pod("web").get("reason"), "bad-cgroup")
    said = lab.agent.pod("web")["sentence"]
    assert "/lab/web" in said and "No such file" in said, said
    lab.vm.run(f"mkdir -p {CGROUPS}/lab/web")
    become(lambda: lab.agent.pod("web").get("armed"), True)
    web = topo.HostPod(lab.vm, "lab/web", NODE)
    assert ends(web, lab.run) == SMCD
    with lab.serving(7300, web):
        assert ends(lab.run, web, 7300) == SMCD
        assert ends(lab.stranger, web, 7300) == ("plain", "tcp")
    # a unit that starts again has another cgroup of that name
    lab.vm.run(f"rmdir {CGROUPS}/lab/web")
    become(lambda: lab.agent.pod("web").get("reason"), "bad-cgroup")
    lab.vm.run(f"mkdir {CGROUPS}/lab/web")
    become(lambda: lab.agent.pod("web").get("armed"), True)
    assert ends(web, lab.run) == SMCD


def test_cgroup_that_is_not_its_own_is_refused(lab, entries):
    lab.vm.run(f"mkdir -p {CGROUPS}/lab/web/below {CGROUPS}/lab/agent && echo "
               f"{lab.agent.get('/v1/status')['pid']} > "
               f"{CGROUPS}/lab/agent/cgroup.procs")
    entries(entry("agents", "/lab/agent"), entry("one", "/lab/web/below"),
            entry("two", "/lab/web/below"), entry("alone", "/lab/web"))
    become(lambda: {n: lab.agent.pod(n).get("reason")
                    for n in ("agents", "one", "two")},
           dict.fromkeys(("agents", "one", "two"), "bad-cgroup"))
    assert "the agent itself runs in it" in lab.agent.pod("agents")["sentence"]
    become(lambda: lab.agent.pod("alone").get("armed"), True)
    entries(entry("one", "/lab/web/below"), entry("above", "/lab/web"))
    become(lambda: lab.agent.pod("one").get("armed"), True)
    become(lambda: lab.agent.pod("above").get("reason"), "bad-cgroup")
    assert "above /lab/web/below" in lab.agent.proc.err


# ---- without an agent ------------------------------------------------------------

def test_without_an_agent_it_is_plain_and_says_so(lab, server):
    """New programs; those that are armed go on."""
    lab.agent.stop()
    before = lab.cgroups()
    with held(lab.run, NODE, PORT) as h:
        assert h.ends(lab.run) == [("plain", "tcp")]
        line, = h.proc.err.splitlines()
        assert "runs as plain TCP: no agent answers on" in line
    assert lab.cgroups() == before


def test_cleanup_leaves_no_cgroup(lab, server):
    server.kill()
    lab.agent.cli("cleanup")
    assert lab.cgroups() == []

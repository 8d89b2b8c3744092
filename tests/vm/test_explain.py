# SPDX-License-Identifier: Apache-2.0
"""`smcmesh explain`: many causes at once, each named, and what its last line says
to do is done: then explain itself says that it is accelerated.

    VM explain, agent of the node `explain`; r1 and r2 are of the node `n2`
     c     s   ...one pod for each cause...   r1     r2
    .10   .11            .20 on              .5.10  .5.11    10.244.0.0/16
     |     |                                 +rxe   +rxe
   --+-----+------------- br0 ----------------+------+--

All causes of pods, peers and Services exist side by side (the first look), are
mended by what was told, and are looked at again (the second). What holds for the
whole mesh has its turn after that. build/log/explain.txt has the table.
"""
import collections
import contextlib
import re
import urllib.parse

import pytest

from smclab import Vm, manifest, paths, progs, topo, wait_for
from smclab.agents import UNTIL_AT, Agent
from smclab.crowd import ready
from smclab.flows import ends, serve
from smclab.mesh import Mesh
from smclab.roce import cut

PORT = 7000
SMCD = ("smcd", "smcd")
NODE = "explain"
GATEWAY = "10.244.0.1"
MANY = ",".join(f"{i * 256 + 1}-{i * 256 + 254}" for i in range(256))

Cause = collections.namedtuple("Cause", "name ask says do mends yes peer")
CAUSES = []


def cause(name, *ask, says=None, do, mends=True, yes=False, peer=None):
    """A cause of the two looks.

    ask:   what explain is asked. says: the reason it names (its name).
    do:    words of the last line. mends: the test does that; else they say that
           nothing can, or who can. yes: it is accelerated nevertheless.
    peer:  of whom a real connection to is SMC-D once it is mended.
    """
    CAUSES.append(Cause(name, ask, says or name.split()[0], do, mends, yes,
                        peer))


def at(host, port=PORT):
    return f"10.244.{host}:{port}"


SERVER = at("0.11")
# ---- pods
cause("not-annotated", "default/plain", do="annotate it in its template",
      peer="s")
cause("bad-annotation", "default/bad", do="correct the annotation", peer="s")
cause("pod-ended", "default/ended", do="nothing: it has no sockets any more",
      mends=False)
cause("no-netns", "default/gone", do="wait until it has started")
cause("foreign-selector", "default/foreign",
      do="take it away inside of the namespace")
cause("no-address", "default/lost", do="into the pod's namespace")
cause("address-conflict", "default/twin", do="delete one of the two pods")
cause("pod-map-full", "default/wide", do="exclude fewer ports")
cause("forwards", "default/forwards", do="remove it and restart the pod")
cause("owner-rule", "default/owner", do="let its proxy pass by user")
cause("no-cgroup2", "default/host", do="a network namespace of its own")
cause("refused", "default/refused", do="then take the pod's annotation away")
cause("rationed", "default/rationed", do="close SMC sockets")
cause("late listener", "default/late", says="none", do="restart the pod",
      yes=True)
cause("unknown pod", "default/nobody", says="known", do="run it on the pod's node",
      mends=False)
# ---- peers
cause("excluded-port of the pod", "default/excludes", SERVER,
      do="take the port out of the exclude annotations", peer="s")
cause("excluded-port of the server", "default/c", at("0.41"),
      do="take the port out of the exclude annotations")
cause("peer not-annotated", "default/c", at("0.20"), says="not-annotated",
      do="annotate it in its template")
cause("loopback", "default/c", at("0.10"),
      do="connections inside one pod are never offered SMC", mends=False)
cause("not-endpoint", "default/c", "203.0.113.9:80",
      do="no pod's of the mesh nothing can be done", mends=False)
cause("quarantined", "default/struck", at("0.43"),
      do="smcmesh quarantine clear")
cause("budget", "default/budget", SERVER, do="close connections that are idle")
cause("no-common-transport", "default/noroce", at("5.10"),
      do="give both pods an RDMA device")
cause("path-unproven", "default/roce", at("5.10"), do="the agent probes it")
cause("path-bad", "default/roce", at("5.11"), do="look after the RDMA network")
cause("peer-no-smc 0x03010000", "default/c", at("0.34"), says="none",
      do="accelerated once its pod is restarted", yes=True, peer="late")
# ---- Services
cause("mixed-service", "default/c", "10.96.0.1:80",
      do="annotate the pods of every backend")
cause("not-endpoint: no backend", "default/c", "10.96.0.2:80",
      says="not-endpoint", do="it has no backend now")
cause("not-endpoint: no such port", "default/c", "10.96.0.1:81",
      says="not-endpoint", do="none of the Service's TCP ports", mends=False)
cause("not-endpoint: external", "default/c", "192.0.2.7:80",
      says="not-endpoint", do="nothing can be done for an external address",
      mends=False)
cause("mixed-service: elsewhere", "default/c", "10.96.0.3:80",
      says="mixed-service", do="nothing can be done at this address",
      mends=False)
cause("mixed-service: local", "default/c", "10.96.0.4:80",
      says="mixed-service", do="while an interface of this node has the address")
cause("mixed-service: unread", "default/c", "10.96.0.5:80",
      says="mixed-service", do="mend the EndpointSlice")

# Of the whole mesh: the fields of SmcMesh that do it; one after the other.
MESH = [
    ("mesh-off", {"enabled": False}, "switch it on"),
    ("excluded-port", {"excludePorts": [PORT]}, "spec.excludePorts"),
    ("excluded-cidr", {"excludeCIDRs": ["10.244.0.11/32"]},
     "spec.excludeCIDRs"),
]

PENDING = "import socket, sys; s = socket.socket(); print('ready', flush=True);" \
          " sys.stdin.read()"
HOLDING = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print('ready', flush=True)
sys.stdin.read()
"""
CONNECT = """
import socket, sys
for _ in range(2):
    print(socket.socket().connect_ex((sys.argv[1], int(sys.argv[2]))))
"""


def service(name, address, external=(), labels=None):
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": "default",
                         "labels": labels or {}},
            "spec": {"clusterIPs": [address], "externalIPs": list(external),
                     "ports": [{"name": "http", "port": 80}]}}


def endpoint_slice(name, *backends):
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": name + "-x", "namespace": "default",
                         "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "ports": [{"name": "http", "port": PORT}],
            "endpoints": [{"addresses": [ip]} for ip in backends]}


FAR = "service.kubernetes.io/service-proxy-name"


def services(mended):
    """Each with s behind it; web with the stranger, too."""
    s = "10.244.0.11"
    return [
        service("web", "10.96.0.1", external=["192.0.2.7"]),
        endpoint_slice("web", s, "10.244.0.20"),
        service("empty", "10.96.0.2"),
        endpoint_slice("empty", *[s] * mended),
        service("far", "10.96.0.3", labels={FAR: "other"}),
        endpoint_slice("far", s),
        service("local", "10.96.0.4"), endpoint_slice("local", s),
        service("unread", "10.96.0.5"),
        endpoint_slice("unread", s, *["not an address"] * (not mended))]


class Lab:
    """Pods by their names; broken: what their objects have at first."""

    def __init__(self, vm):
        self.vm, self.mesh, self.pods = vm, Mesh(), {}
        self.broken, self.procs = {}, {}
        topo.bridge(vm, GATEWAY + "/16")
        self.pod("c", "0.10")
        self.pod("s", "0.11")
        self.make_pods()
        self.make_peers()
        self.make_rdma()
        vm.run("ip addr add 10.96.0.4/32 dev lo")
        self.agent = Agent(vm, self.objects(), node=NODE).start()
        self.mesh.agents.append(self.agent)

    def pod(self, name, host, rdma=False, **broken):
        pod = topo.pod(self.vm, name, f"10.244.{host}/16", rdma=rdma)
        self.broken[name] = broken
        self.pods[name] = pod
        return self.mesh.add(pod)

    def make_pods(self):
        self.pod("plain", "0.20", enabled=None)
        self.pod("bad", "0.21", enabled="yes")
        self.pod("ended", "0.22", phase="Succeeded")
        gone = topo.Pod(self.vm, "gone", "10.244.0.23/16", None, NODE)
        self.pods["gone"] = self.mesh.add(gone)
        progs.register_selector(self.vm, "foreign")
        foreign = self.pod("foreign", "0.24")
        foreign.run("echo foreign > /proc/sys/net/smc/hs_ctrl")
        self.pod("lost", "0.26").v4 = "10.244.0.126"
        self.pod("twin", "0.27")
        other = topo.Pod(self.vm, "other", "10.244.0.27/16", None, NODE)
        shadow = self.pod("shadow", "0.28", enabled=None)
        shadow.run("ip addr add 10.244.0.27/16 dev eth0")
        other.netns = shadow.netns
        self.pods["other"] = other
        self.pod("wide", "0.29", annotations={manifest.IN_PORTS: MANY})
        self.pod("forwards", "0.30").run(
            "nft -f -", stdin="table ip nat { chain pre { type nat hook"
            " prerouting priority dstnat; tcp dport 80 dnat to 10.0.2.2; }; }")
        self.pod("owner", "0.31").run(
            "nft -f -", stdin="table ip nat { chain out { type nat hook output"
            " priority -100; meta l4proto tcp redirect to :15001; }; }")
        self.pod("host", "0.32", host_network=True)
        self.pod("refused", "0.33")
        self.procs["late"] = serve(self.pod("late", "0.34"), PORT)
        self.pod("rationed", "0.35",
                 annotations={"smcmesh.io/limits": "pending=1"})

    def make_peers(self):
        self.pod("excludes", "0.40", annotations={manifest.OUT_PORTS: "7000"})
        self.pod("refuses", "0.41", annotations={manifest.IN_PORTS: "7000"})
        self.pod("struck", "0.42")
        self.pod("strikes", "0.43")
        self.pod("budget", "0.44",
                 annotations={"smcmesh.io/limits": "connections=1"})

    def make_rdma(self):
        self.pod("noroce", "0.50")
        self.pod("roce", "0.51", rdma=True)
        self.far = [topo.pod(self.vm, f"r{i}", f"10.244.5.{9 + i}/16",
                             rdma=True) for i in (1, 2)]
        self.cuts = [cut(self.far[0]), cut(self.far[1])]
        self.cuts[0].__enter__()    # that path is never proven

    def objects(self, mended=False, **more):
        node = manifest.node("n2", [
            manifest.endpoint(p.v4, p.name, transports=("smcr",))
            for p in self.far], transports=("smcr",))
        extra = [node, *services(mended)]
        if not mended:
            extra.append(manifest.of(self.pods["other"]))
        pods = {} if mended else {n: b for n, b in self.broken.items() if b}
        pods["ended"] = self.broken["ended"]
        pods["shadow"] = self.broken["shadow"]
        return self.mesh.objects(extra=extra, **{**pods, **more})

    # ---- the causes that no object makes

    def break_all(self):
        armed = {"c", "s", "refused", "rationed", "late", "struck", "strikes",
                 "budget", "roce", "noroce"}
        wait_for(lambda: armed <= {
            p["name"] for p in self.agent.get("/v1/pods")["pods"] if p["armed"]},
            30, "what the causes need to be armed")
        for pod in "s", "strikes":
            serve(self.pods[pod], PORT)
        self.deny = ready(self.vm.spawn(
            [progs.path("denysmc"), "/sys/fs/cgroup/lab/refused"]), "denysmc")
        self.pods["refused"].run(["python3", "-c", PENDING], check=False,
                                 stdin="")
        self.spawn("rationed", PENDING)
        self.spawn("budget", HOLDING, "10.244.0.11", str(PORT))
        self.strike()
        # late: its listener is TCP, so this falls back
        self.pods["c"].run(["python3", "-c", CONNECT, "10.244.0.34", str(PORT)])
        self.break_path()

    def spawn(self, pod, code, *args):
        self.procs[pod] = ready(self.pods[pod].spawn(
            ["python3", "-c", code, *args]), pod)

    def strike(self):
        """Two connections are reset once they are to become SMC."""
        strikes = self.pods["strikes"]
        strikes.run("nft -f -", stdin="table ip broken { chain c { type filter"
                    f" hook input priority 0; tcp dport {PORT} tcp flags &"
                    " psh == psh reject with tcp reset; }; }")
        self.pods["struck"].run(["python3", "-c", CONNECT, "10.244.0.43",
                                 str(PORT)])
        strikes.run("nft delete table ip broken")

    def path(self, peer):
        return next((p["state"] for p in self.agent.get("/v1/endpoints")["paths"]
                     if p["own"] == "10.244.0.51" and p["peer"] == peer), None)

    def break_path(self):
        far = self.far[1]
        wait_for(lambda: self.path(far.v4) == "proven", 30, "a proven path")
        self.cuts[1].__enter__()
        wait_for(lambda: self.path(far.v4) == "bad", 60, "a bad path")

    # ---- what the last lines say

    def mend_all(self):
        for cut_off in self.cuts:
            cut_off.__exit__(None, None, None)
        self.end_sentence()
        topo.pod(self.vm, "gone", "10.244.0.23/16")
        self.pods["foreign"].run("echo > /proc/sys/net/smc/hs_ctrl")
        self.pods["lost"].run("ip addr add 10.244.0.126/16 dev eth0")
        self.pods["forwards"].run("nft delete table ip nat")
        self.pods["owner"].run("nft insert rule ip nat out skuid 1337 return")
        self.deny.stdin(None)
        for pod in "rationed", "budget", "late":
            self.procs[pod].kill()
        self.vm.run("ip addr del 10.96.0.4/32 dev lo")
        topo.rxe(self.pods["noroce"])
        self.agent.cli("quarantine", "clear", at("0.43"))
        self.agent.set(*self.objects(True, refused={"enabled": None}))
        wait_for(lambda: self.agent.pod("refused")["reason"] == "not-annotated",
                 20, "the annotation to be taken away")
        self.agent.set(*self.objects(True))
        self.agent.look()
        serve(self.pods["late"], PORT)
        wait_for(lambda: self.agent.pod("late")["late_listeners"] == [], 20,
                 "the listener to be opened anew")
        ends(self.pods["c"], self.pods["late"])
        # explain tells of the newest connection, which failed
        ends(self.pods["struck"], self.pods["strikes"])

    def end_sentence(self):
        """A probe may end it now, which else takes 20 s."""
        for row in self.agent.map("smc_path"):
            key, v = (row["formatted"][x] for x in ("key", "value"))
            if not v["bad_ns"]:
                continue
            v["bad_until_ns"] = v["strikes"] = 0
            words = []
            for name in ("proven_until_ns", "seen_ns", "bad_ns", "bad_until_ns",
                         "used_ns", "wished_ns"):
                words += [v[name] & 0xffffffff, v[name] >> 32]
            self.agent.write_row("smc_path", [*key["own"], *key["peer"]],
                                 *words, v["strikes"], *v["links"], 0)

    # ---- asking

    def explained(self, pod, peer=None):
        query = {"pod": pod, **({"peer": peer} if peer else {})}
        return self.agent.get("/v1/explain?" + urllib.parse.urlencode(query))

    def wait(self, causes, right):
        """Until each is as it is to be; what is not, the test says."""
        left = list(causes)

        def done():
            left[:] = [c for c in left if not right(c, self.explained(*c.ask))]
            return not left
        try:
            wait_for(done, 20, "every cause", interval=0.3)
        except AssertionError:
            pass

    def told(self, causes):
        """{name: (JSON, text, exit status)}"""
        ask = "\n".join(f"/build/smcmesh explain {' '.join(c.ask)};"
                        ' echo "rc $?"; echo @@' for c in causes)
        out = self.vm.run(["sh", "-c", ask], check=False).out.split("@@\n")
        found = {}
        for c, text in zip(causes, out):
            body, rc = text.strip().rsplit("\nrc ", 1)
            found[c.name] = self.explained(*c.ask), body, int(rc)
        return found


class Looks:
    def __init__(self, lab):
        self.lab = lab
        lab.break_all()
        lab.wait(CAUSES, lambda c, x: x["reason"] == c.says
                 and x["accelerated"] == c.yes)
        self.first = lab.told(CAUSES)
        mended = [c for c in CAUSES if c.mends]
        lab.mend_all()
        lab.wait(mended, lambda c, x: x["accelerated"] is True)
        self.second = lab.told(mended)
        self.real = {c.name: ends(lab.pods[c.ask[0].split("/")[1]],
                                  lab.pods[c.peer]) for c in mended if c.peer}


@pytest.fixture(scope="module")
def looks():
    with Vm(NODE, mem=1024) as vm:
        yield Looks(Lab(vm))


TABLE = []    # cause, last line, applied


@pytest.fixture(scope="module", autouse=True)
def table():
    yield
    with open(paths.log_file("explain.txt"), "w", encoding="utf-8") as f:
        f.write("| cause | explain's last line | applied: accelerated |\n"
                "|---|---|---|\n")
        f.writelines(f"| {c} | {last} | {done} |\n" for c, last, done in TABLE)


def last_line(text):
    """The last line always says what to do."""
    last = text.strip().splitlines()[-1]
    assert re.match("what to do: .", last), text
    return last.removeprefix("what to do: ")


NOTHING = re.compile(r"\bnothing\b|run it on the pod's node")


@pytest.mark.parametrize("c", CAUSES, ids=lambda c: c.name)
def test_cause_is_named_and_its_remedy_accelerates(looks, c):
    told, text, rc = looks.first[c.name]
    last = last_line(text)
    TABLE.append((c.name, last, "no" if not c.mends else "yes"))
    assert (told["reason"], told["accelerated"]) == (c.says, c.yes), text
    assert rc == (0 if c.yes else 1), text
    assert c.do in last, text
    assert c.mends or NOTHING.search(last), text
    if not c.mends:
        return
    told, text, rc = looks.second[c.name]
    assert told["accelerated"] is True and rc == 0, text
    assert last_line(text) == "nothing", text
    if c.peer:
        assert looks.real[c.name] == SMCD


def mended(lab, name, label, do, make, mend, ask=("default/c", SERVER),
           again=False):
    """A cause that has its turn: named, mended, accelerated. @again: the agent
    may mend it at any moment, so it is made until it is named."""
    make()

    def named():
        if again:
            make()
        told = lab.agent.cli("explain", *ask, check=False)
        return told if f"({label}" in told.out else None

    told = wait_for(named, 20, label)
    last = last_line(told.out)
    assert do in last and told.rc == 1, told
    TABLE.append((name, last, "yes"))
    mend()
    wait_for(lambda: lab.explained(*ask)["accelerated"], 20,
             f"{name} to be over")


@pytest.mark.parametrize("label, spec, do", MESH, ids=[m[0] for m in MESH])
def test_cause_of_the_whole_mesh(looks, label, spec, do):
    lab = looks.lab
    mended(lab, f"{label} of the mesh", label, do,
           lambda: lab.agent.set(*lab.objects(True, spec=spec)),
           lambda: lab.agent.set(*lab.objects(True)))


def test_node_without_a_ueid(looks):
    """Seen at once, though the agent's own look comes later."""
    lab = looks.lab

    def ueid(verb):
        with contextlib.suppress(OSError):    # the agent puts it back now and then
            lab.vm.call("smcnl", "ueid", verb, "SMCMESH")
    mended(lab, "no-transport", "no-transport", "see that a UEID is set",
           lambda: ueid("del"), lambda: ueid("add"), ask=("default/c",), again=True)


def test_selector_that_somebody_cleared(looks):
    """Seen at once; the agent's own look comes within a minute, or just now."""
    lab = looks.lab
    mended(lab, "selector-failed", "selector-failed", "the agent tries again",
           lambda: lab.pods["c"].run("echo > /proc/sys/net/smc/hs_ctrl"),
           lab.agent.look, ask=("default/c",), again=True)


def test_lease_that_has_ended(looks):
    """As an agent leaves it that hears nothing from the API server."""
    lab = looks.lab

    def end_it():
        words = lab.agent.raw_row("smc_config", bytes(4))
        words[UNTIL_AT // 4:UNTIL_AT // 4 + 2] = 1, 0
        lab.agent.write_row("smc_config", bytes(4), *words)
    mended(lab, "agent-silent", "agent-silent", "get this node's agent to run",
           end_it, lab.agent.look, again=True)


def test_server_is_asked_about_its_client(looks):
    """The same connection, from its other end."""
    lab = looks.lab
    ask = "explain", "--server", "default/s", "10.244.0.10:7000"
    told = lab.agent.cli(*ask, "-o", "json").json()
    assert told["accelerated"] and told["peer"]["role"] == "server", told
    assert told["peer"]["here"]["pod"] == "default/c", told
    stranger = lab.agent.cli(*ask[:3], "203.0.113.9:7000", check=False)
    assert stranger.rc == 1 and "not-endpoint" in stranger.out, stranger


def test_agent_that_runs_no_more_cannot_tell(looks):
    lab = looks.lab
    lab.agent.stop()
    told = lab.agent.cli("explain", "default/c", check=False)
    assert told.rc == 3 and "no agent answers" in told.err, told
    assert lab.agent.cli("explain", "no-netns").rc == 0
    lab.agent.start()

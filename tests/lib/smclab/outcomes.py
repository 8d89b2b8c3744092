# SPDX-License-Identifier: Apache-2.0
"""Everything that can become of a connection, and how it is made for real, with two
nodes and their agents.

     a  b  l  h  k  r     x  y     f  g  q  z  m               c
     +        +  +  +     not            +                     +
     .1.10 to .1.15       (yet)    limits, a sidecar           .2.10
     |                                                         |
   --+---------------------- br0 - eth0 ==== eth0 - br0 -------+--
     n1: agent                                      n2: agent, c alone

+ has an RDMA device: to c it is SMC-R, among the others shared memory. A cause is
one way not to become SMC, or to become it; each has a port of its own, by which its
records are found: `POD ROLE OUTCOME WHY`, where WHY is the verdict's reason or the
kernel's code.
"""
import collections
import contextlib
import json

from . import istio, manifest, progs, topo
from .agents import ENABLED_AT, UNTIL_AT, Agent
from .crowd import hammer, hammering, ready
from .flows import at, become, ends, held, serve
from .machine import wait_for
from .mesh import Mesh
from .roce import cut

SMCR = ("smcr", "smcr")
PODS = {    # node, host, RDMA, annotated
    "a": ("n1", "1.10", True), "b": ("n1", "1.11", False),
    "l": ("n1", "1.12", False), "h": ("n1", "1.13", True),
    "k": ("n1", "1.14", True), "r": ("n1", "1.15", True),
    "x": ("n1", "1.20", False),
    "y": ("n1", "1.21", False), "f": ("n1", "1.30", False),
    "g": ("n1", "1.31", False), "q": ("n1", "1.32", True),
    "z": ("n1", "1.33", False), "m": ("n1", "1.40", False),
    "c": ("n2", "2.10", True)}
LATER = "xy"    # not annotated
GATEWAYS = {"n1": "10.244.1.1", "n2": "10.244.2.1"}
EXCLUDED, VIP = "10.244.2.99", "10.96.0.1"
FIRST_PORT = 7100
MANY = 0x7fffffff    # more flows than a pod may have

# Opens its socket at once, and connects it when it is told to where.
OLD = """
import socket, sys
s = socket.socket()
print("ready", flush=True)
host, port = sys.stdin.readline().split()
s.settimeout(60)
s.connect((host, int(port)))
s.sendall(b"x" * 50)
assert len(s.recv(99)) == 50
print("connected", flush=True)
"""
OPEN = "import socket, sys; s = socket.socket(); print('ready', flush=True);" \
       " sys.stdin.read()"
# So many connections that an IPsec policy covers, which lets all pass.
IPSEC = """
import socket, struct, sys
policy = struct.pack("=40xH6x2i96x2I4B4x", socket.AF_INET, 0, 0, 0, 0, 1, 0, 0, 0)
for _ in range(int(sys.argv[3])):
    s = socket.socket()
    s.settimeout(20)
    s.setsockopt(socket.IPPROTO_IP, 17, policy)    # IP_XFRM_POLICY
    s.connect((sys.argv[1], int(sys.argv[2])))
    s.sendall(b"x" * 50)
    assert len(s.recv(99)) == 50
    s.close()
"""
CONNECT = """
import socket, sys
print(socket.socket().connect_ex((sys.argv[1], int(sys.argv[2]))), flush=True)
"""

Cause = collections.namedtuple("Cause", "name port make expects own")
CAUSES = []


def cause(name, *expects, own=False):
    """A way to an outcome: a context manager that has made it inside its block,
    where explain is asked. expects: the records; "one|another" where the two ends
    race; own: nobody else may listen on its port."""
    def take(make):
        CAUSES.append(Cause(name, FIRST_PORT + len(CAUSES), make, expects, own))
        return make
    return take


def plain(name, client, server, *expects, address=None, **kw):
    """A cause of which nothing need be made but a connection."""
    @contextlib.contextmanager
    def make(lab, port):
        lab.connect(client, address or server, port)
        yield
    cause(name, *expects, **kw)(make)


def port_of(name):
    """Of a cause."""
    return next(c.port for c in CAUSES if c.name == name)


class Lab:
    def __init__(self, pair):
        self.nodes = {"n1": pair.n1, "n2": pair.n2}
        self.agents, self.pods = {}, {}
        self.kept = []    # at_odds() with a kernel that waits in vain: stranded.py
        mixed = port_of("mixed-service")
        self.mesh = Mesh(*manifest.service("web", VIP, mixed, mixed, [
            "10.244.2.10", "10.244.1.20"]), excludeCIDRs=[EXCLUDED + "/32"])
        for vm in pair:
            topo.bridge(vm, nic="eth0")
            topo.router(vm, GATEWAYS[vm.name])
        for name, (node, host, rdma) in PODS.items():
            self.pod(name, node, host, rdma)
        self.n1, self.n2, self.c = pair.n1, pair.n2, self.pods["c"]
        self.c.run(f"ip addr add {EXCLUDED}/16 dev eth0")
        istio.install(self.pods["m"], "nftables")
        self.cuts = contextlib.ExitStack()
        self.cuts.enter_context(cut(self.pods["r"]))
        self.servers()
        for vm in pair:
            self.agents[vm.name] = Agent(vm, self.mesh.objects()).start(
                wait=False)
            self.mesh.agents.append(self.agents[vm.name])
        self.arm()

    def pod(self, name, node, host, rdma):
        one, two = host.split(".")
        pod = topo.pod(self.nodes[node], name, f"10.244.{host}/16",
                       f"fd00:244::{one}:{two}/64", rdma=rdma)
        if rdma:    # no second link by another pod's device
            pod.run("sysctl -qw net.smc.smcr_max_links_per_lgr=1")
        notes = {
            "a": {manifest.OUT_PORTS: str(port_of("excluded-port"))},
            "c": {manifest.IN_PORTS: str(port_of("peer-no-smc"))},
            "g": {"smcmesh.io/limits": "connections=1"},
            "q": {"smcmesh.io/limits": "pending=1"}}
        self.pods[name] = self.mesh.add(
            pod, enabled=None if name in LATER else "true",
            annotations=notes.get(name),
            containers=("app", "istio-proxy") if name == "m" else ("app",))

    def servers(self):
        """What listens before its pod is armed; all others come after that."""
        ports = [c.port for c in CAUSES if not c.own]
        serve(self.pods["l"], *ports)
        serve(self.pods["x"], 7000, *ports)
        self.old = ready(self.pods["l"].spawn(["python3", "-c", OLD]), "OLD")

    def serve(self, name):
        return serve(self.pods[name], 7000, *(c.port for c in CAUSES if not c.own),
                     address="::")

    def arm(self):
        for agent in self.mesh.agents:
            agent.wait_ready()
        for name, (node, _, _) in PODS.items():
            if name not in LATER:
                wait_for(lambda n=name, a=self.agents[node]:
                         a.pod(n).get("armed"), 20, f"{name} to be armed")
        self.served = {name: self.serve(name) for name in "abc"}
        self.proxy = ready(self.pods["m"].spawn([progs.path("proxy")],
                                                user=istio.UID), "proxy")
        for name in "ahkq":
            wait_for(lambda n=name: self.paths(n) == {"proven"}, 30,
                     f"the path of {name} to be proven")
        # the link is there
        become(lambda: ends(self.pods["a"], self.c), SMCR, 60)

    def paths(self, name):
        """What both nodes take the path between the pod and c for."""
        found = set()
        for agent in self.agents.values():
            rows = {(p["own"], p["peer"]): p["state"]
                    for p in agent.get("/v1/endpoints")["paths"]}
            mine, other = self.pods[name].v4, self.c.v4
            pair = (mine, other) if agent.node == "n1" else (other, mine)
            found.add(rows.get(pair))
        return found

    def agent_of(self, name):
        return self.agents[self.pods[name].node]

    # ---- connections

    def to(self, server, port):
        """@server: a pod's name, or an address."""
        pod = self.pods.get(server)
        return at(pod.v4 if pod else server, port)

    def connect(self, client, server, port, errors=0, **kw):
        told = hammer(self.pods[client], self.to(server, port), count=1, **kw)
        assert told["errors"] == errors, told

    def tell(self, old, server, port):
        """Have a program OLD connect, to its end."""
        old.stdin(f"{self.pods[server].v4} {port}\n")
        old.wait(30)
        assert "connected" in old.out, old.output

    def frozen(self):
        both = contextlib.ExitStack()
        for agent in self.agents.values():
            both.enter_context(agent.frozen())
        return both


@contextlib.contextmanager
def spawned(pod, code, *args):
    proc = ready(pod.spawn(["python3", "-c", code, *args]), code)
    try:
        yield proc
    finally:
        if proc.alive:
            proc.kill(9)


# ---- what goes on beside the others -----------------------------------------

@cause("etimedout", "f client failed etimedout", "a server failed any")
@contextlib.contextmanager
def peer_that_says_nothing(lab, port):
    f = lab.pods["f"]
    f.run("nft -f -", stdin=f"table ip silent {{ chain c {{ type filter hook input"
          f" priority 0; tcp sport {port} tcp flags & syn == 0 drop; }}; }}")
    f.spawn(["python3", "-c", CONNECT, lab.pods["a"].v4, str(port)])
    yield    # the kernel waits for six seconds


# ---- what becomes SMC -------------------------------------------------------

plain("SMC-R", "a", "c", "a client smcr", "c server smcr")
plain("SMC-D", "a", "b", "a client smcd", "b server smcd")

# ---- by the verdict ---------------------------------------------------------

plain("excluded-port", "a", "c",
      "a client tcp excluded-port", "c server tcp not-offered")
# no path leads to that address of c
plain("excluded-cidr", "a", "c",
      "a client tcp excluded-cidr", "c server tcp path-unproven",
      address=EXCLUDED)
plain("loopback", "a", "a", "a client tcp loopback", "a server tcp loopback")
plain("not-endpoint", "a", "x", "a client tcp not-endpoint")
plain("not-endpoint of a server", "x", "a", "a server tcp not-endpoint")
plain("path-unproven", "r", "c",
      "r client tcp path-unproven", "c server tcp path-unproven")


@cause("no-common-transport", "a client tcp no-common-transport",
       "c server tcp no-common-transport")
@contextlib.contextmanager
def native_ipv6(lab, port):
    lab.connect("a", lab.c.v6, port)
    yield


@cause("mixed-service", "a client tcp mixed-service", "c server tcp not-offered")
@contextlib.contextmanager
def service_with_a_stranger(lab, port):
    topo.cluster_ip(lab.pods["a"], VIP, port, lab.c, port, GATEWAYS["n1"])
    lab.connect("a", VIP, port)
    yield


@cause("listener-busy", "a client fallback peer-no-smc",
       "c server tcp listener-busy", own=True)
@contextlib.contextmanager
def small_backlog(lab, port):
    serve(lab.c, port, options=["--backlog", "1"])
    lab.connect("a", "c", port)
    yield


@cause("not-converted", "l client tcp not-converted", "b server tcp not-offered")
@contextlib.contextmanager
def socket_from_before(lab, port):
    lab.tell(lab.old, "b", port)
    yield


plain("not-converted listener", "a", "l", "a client fallback peer-no-smc",
      "l server tcp not-converted")


@cause("other-uid", "m client tcp other-uid", "m server tcp loopback",
       "m client smcd", "b server smcd")
@contextlib.contextmanager
def beside_a_sidecar(lab, port):
    lab.connect("m", "b", port)
    yield


@cause("rationed", "q client tcp rationed", "b server tcp not-offered")
@contextlib.contextmanager
def ration_used_up(lab, port):
    with spawned(lab.pods["q"], OPEN):
        lab.connect("q", "b", port)
        yield


@cause("rationed, to another node", "q client tcp rationed",
       "c server tcp not-offered")
@contextlib.contextmanager
def ration_used_up_over_rdma(lab, port):
    """A plain socket has no address when it connects, and so no path."""
    with spawned(lab.pods["q"], OPEN):
        lab.connect("q", "c", port)
        yield


@cause("budget", "g client smcd", "b server smcd", "g client tcp budget",
       "b server tcp not-offered")
@contextlib.contextmanager
def budget_used_up(lab, port):
    with held(lab.pods["g"], lab.pods["b"].v4, port):
        lab.connect("g", "b", port)
        yield


@cause("map-full", "z client lost map-full", "b server tcp not-offered")
@contextlib.contextmanager
def no_room_for_a_record(lab, port):
    slot = lab.agents["n1"].pod("z")["pod_id"] % 1024
    with lab.agents["n1"].row_with("smc_usage", slot.to_bytes(4, "little"), 0,
                                   MANY):
        lab.connect("z", "b", port)
    yield


@cause("changed", "a client tcp changed", "y server tcp not-offered", own=True)
@contextlib.contextmanager
def peer_that_became_an_endpoint(lab, port):
    a, y = lab.pods["a"], lab.pods["y"]
    a.run("nft -f -", stdin=f"table ip wait {{ chain c {{ type filter hook output"
          f" priority 0; tcp dport {port} drop; }}; }}")
    proc = hammering(a, lab.to("y", port), count=1)
    wait_for(lambda: a.run("ss -tnH state syn-sent").out, 20, "its SYN")
    lab.mesh.apply(y={"enabled": "true"})
    wait_for(lambda: lab.agents["n1"].pod("y").get("armed"), 20, "y")
    serve(y, port)
    a.run("nft delete table ip wait")
    told = json.loads(proc.wait(30).out)
    assert told["tcp"] == 1, told
    yield


@cause("agent-silent", "a client tcp agent-silent", "c server tcp not-offered")
@contextlib.contextmanager
def lease_that_has_ended(lab, port):
    n1 = lab.agents["n1"]
    with n1.frozen(), n1.row_with("smc_config", bytes(4), UNTIL_AT, 1, 0):
        lab.connect("a", "c", port)
    yield


@cause("mesh-off", "a client tcp mesh-off", "c server tcp not-offered")
@contextlib.contextmanager
def mesh_switched_off_this_moment(lab, port):
    n1 = lab.agents["n1"]
    with spawned(lab.pods["a"], OLD) as old, n1.frozen(), \
            n1.row_with("smc_config", bytes(4), ENABLED_AT, 0):
        lab.tell(old, "c", port)
    yield


@cause("not-armed", "z client tcp not-armed", "b server tcp not-offered")
@contextlib.contextmanager
def refused_this_moment(lab, port):
    z = lab.pods["z"]
    with spawned(z, OLD) as old, lab.agents["n1"].frozen():
        deny = ready(lab.n1.spawn([progs.path("denysmc"),
                                   f"/sys/fs/cgroup/{z.cgroup}"]), "denysmc")
        z.run(["python3", "-c", OPEN], check=False, stdin="")
        lab.tell(old, "b", port)
        deny.stdin(None)
        deny.wait()
    yield


# ---- by the kernel: fall-backs ----------------------------------------------

plain("peer-no-smc", "a", "c", "a client fallback peer-no-smc",
      "c server tcp excluded-port")


@cause("socket-option", "a client fallback socket-option",
       "c server tcp not-offered")
@contextlib.contextmanager
def fast_open(lab, port):
    lab.pods["a"].run([progs.path("hold"), "--fastopen", lab.to("c", port)],
                      stdin="")
    yield


@cause("ipsec", "a client fallback ipsec", "c server fallback peer-declined")
@contextlib.contextmanager
def ipsec(lab, port):
    lab.pods["a"].run(["python3", "-c", IPSEC, lab.c.v4, str(port), "1"])
    yield


@contextlib.contextmanager
def without_ueid(lab, node, port):
    with lab.frozen():
        lab.nodes[node].call("smcnl", "ueid", "del", "SMCMESH")
        lab.connect("a", "c", port)
        lab.nodes[node].call("smcnl", "ueid", "add", "SMCMESH")
    yield


cause("no-ueid", "a client fallback peer-declined", "c server fallback no-ueid")(
    lambda lab, port: without_ueid(lab, "n1", port))
cause("no-smcd-v2-device", "a client fallback peer-declined",
      "c server fallback no-smcd-v2-device")(
    lambda lab, port: without_ueid(lab, "n2", port))


@contextlib.contextmanager
def by_a_gateway(lab, port, *more):
    """c answers k through its node, k asks c without."""
    k = lab.pods["k"]
    lab.c.run(f"ip route add {k.v4}/32 via {GATEWAYS['n2']}")
    for line in more:
        k.run(line)
    with lab.frozen():
        lab.connect("k", "c", port)
    yield


# only TCP knows the way
ONLY_TCP = ["ip route add 10.244.0.0/16 dev eth0 src 10.244.1.14 table 77",
            "ip rule add ipproto tcp lookup 77",
            "ip route del 10.244.0.0/16 dev eth0"]
WHOLE_AGAIN = ["ip rule del ipproto tcp lookup 77",
               "ip route add 10.244.0.0/16 dev eth0 src 10.244.1.14"]


@cause("gateway-mismatch", "k client fallback gateway-mismatch",
       "c server fallback peer-declined")
@contextlib.contextmanager
def gateway_of_one(lab, port):
    with by_a_gateway(lab, port):
        yield
    lab.c.run(f"ip route del {lab.pods['k'].v4}/32")


@cause("no-route", "k client fallback no-route", "c server fallback peer-declined")
@contextlib.contextmanager
def no_way_for_rdma(lab, port):
    with by_a_gateway(lab, port, *ONLY_TCP):
        yield
    lab.c.run(f"ip route del {lab.pods['k'].v4}/32")
    for line in WHOLE_AGAIN:
        lab.pods["k"].run(line)


@cause("confirm-link-timeout",
       "h client fallback confirm-link-timeout|peer-declined",
       "c server fallback confirm-link-timeout|peer-declined")
@contextlib.contextmanager
def path_that_breaks(lab, port):
    """Both ends give up after as long: what one says then may come as data to the
    other, so nothing is sent."""
    h = lab.pods["h"]
    lab.cuts.enter_context(cut(h))
    with lab.frozen():
        told = h.run(["python3", "-c", CONNECT, lab.c.v4, str(port)])
    assert told.out == "0\n", told
    yield


plain("path-bad", "h", "c", "h client tcp path-bad", "c server tcp path-bad")


# ---- no connection ----------------------------------------------------------

@cause("refused", own=True)
@contextlib.contextmanager
def nobody_there(lab, port):
    lab.connect("a", "c", port, errors=1)
    yield


@cause("econnreset, quarantined", "b client failed econnreset",
       "b client failed econnreset", "a server failed any",
       "a server failed any", "b client tcp quarantined",
       "a server tcp not-offered")
@contextlib.contextmanager
def peer_that_resets(lab, port):
    a = lab.pods["a"]
    a.run("nft -f -", stdin=f"table ip broken {{ chain c {{ type filter hook input"
          f" priority 0; ip saddr {lab.pods['b'].v4} tcp dport {port} tcp flags &"
          " psh == psh reject with tcp reset; }; }")
    for _ in range(2):
        lab.connect("b", "a", port, errors=1)
    a.run("nft delete table ip broken")
    lab.connect("b", "a", port)
    yield

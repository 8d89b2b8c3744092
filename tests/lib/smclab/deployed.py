# SPDX-License-Identifier: Apache-2.0
"""The mesh in a Cluster, deployed as the README says, and what it is judged by:
the nodes' kernels on one side, the API server's objects on the other."""
import json
import time

from . import flows, progs, topo, workload
from .cluster import PATIENCE, is_ready
from .kubeapi import ApiError
from .machine import wait_for

NAMESPACE = "smcmesh-system"
SMCNODES = "/apis/smcmesh.io/v1alpha1/smcnodes"
SOON = 5.0    # seconds after which objects and kernels agree


class Deployed:
    def __init__(self, cluster):
        self.cluster = cluster
        self.agreed_after = []    # seconds

    def deploy(self):
        """The README's steps, until every node says that it is ready."""
        self.cluster.kubectl("apply", "-k", "deploy/")
        self.wait_agents()
        self.cluster.kubectl("apply", "-f", "deploy/examples/mesh.yaml")

    def daemonset(self):
        found = self.cluster.api.items(
            f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets")
        assert len(found) == 1, [d["metadata"]["name"] for d in found]
        return found[0]

    def rolled_out(self):
        ds = self.daemonset()
        status, want = ds["status"], len(self.cluster.nodes)
        return (status.get("observedGeneration") == ds["metadata"]["generation"]
                and status.get("desiredNumberScheduled") == want
                and status.get("updatedNumberScheduled") == want
                and status.get("numberAvailable") == want)

    def wait_agents(self):
        try:
            wait_for(self.rolled_out, PATIENCE, "the DaemonSet", 1)
        except AssertionError as e:
            told = self.cluster.kubectl("-n", NAMESPACE, "describe", "pods",
                                        check=False).out
            logs = "".join(self.log(n) for n in self.cluster.nodes)
            raise AssertionError(f"{e}\n{told[-4000:]}\n{logs[-4000:]}") from e

    def agent(self, node):
        """The agent's pod on the node of that name."""
        found = [p for p in self.cluster.pods("", NAMESPACE)
                 if p["spec"].get("nodeName") == node]
        assert len(found) == 1, [p["metadata"]["name"] for p in found]
        return found[0]

    def renew_agent(self, node):
        """Delete the agent's pod there; its successor, once that is ready.
        (The DaemonSet's own status lags behind.)"""
        old = self.agent(node)["metadata"]
        self.cluster.kubectl("-n", NAMESPACE, "delete", "pod", old["name"])
        return wait_for(lambda: [
            p for p in self.cluster.pods("", NAMESPACE) if is_ready(p)
            and p["spec"].get("nodeName") == node
            and p["metadata"]["uid"] != old["uid"]], PATIENCE,
            f"another agent on {node}", 0.5)[0]

    def log(self, node, lines=80):
        try:
            name = self.agent(node)["metadata"]["name"]
        except AssertionError as e:
            return str(e)
        return self.cluster.kubectl("-n", NAMESPACE, "logs", name, "--tail",
                                    str(lines), check=False).out

    def cli(self, node, *argv, check=True):
        """smcmesh's command line, in the agent's container on @node."""
        name = self.agent(node)["metadata"]["name"]
        return self.cluster.exec(f"{NAMESPACE}/{name}", "smcmesh", *argv,
                                 check=check)

    def ask(self, node, what):
        """status, pods, endpoints or flows?limit=all of an agent, as JSON."""
        return self.cluster.nodes[node].vm.call("nodeview", "ask", what)

    def flows(self, node):
        """All flows that an agent knows of, the newest first."""
        return self.ask(node, "flows?limit=all")["flows"]

    def metrics(self, node):
        """What Prometheus would read of that node's agent."""
        vm = self.cluster.nodes[node]
        with self.cluster.wire.connect(vm.address, 9469, 30) as s:
            s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            with s.makefile("r", encoding="utf-8") as f:
                return f.read()

    def switch(self, on):
        self.cluster.apply({"apiVersion": "istio.alibabacloud.com/v1beta1",
                            "kind": "ASMMeshConfig",
                            "metadata": {"name": "default"},
                            "spec": {"smcEnabled": on}})

    # ---- published against armed ---------------------------------------------

    def smcnodes(self):
        return {n["metadata"]["name"]: n.get("status", {})
                for n in self.cluster.api.items(SMCNODES)}

    def published(self, nodes=None):
        """{address} of the endpoints that these nodes publish (default: all).
        Without a transport it is a claim and no endpoint."""
        return {e["address"] for name, status in self.smcnodes().items()
                if nodes is None or name in nodes
                for e in status.get("endpoints", [])
                if e.get("transports")}

    def agrees(self):
        """Do the SmcNodes say what the kernels of the running nodes have?"""
        on = [n.name for n in self.cluster.running()]
        armed, published = self.cluster.armed(), self.published(on)
        assert armed == published, (f"armed {sorted(armed)}, "
                                    f"published {sorted(published)}")
        return True

    def wait_agreement(self, within=SOON):
        began = time.monotonic()
        wait_for(self.agrees, within, "SmcNodes to equal what is armed", 0.2)
        self.agreed_after.append(time.monotonic() - began)

    def wait_armed(self, *pods):
        """Until these pods (objects) are armed and known to all nodes."""
        ips = {p["status"]["podIP"] for p in pods}
        wait_for(lambda: ips <= self.cluster.armed() and ips <= self.published(),
                 PATIENCE, f"{sorted(ips)} to be armed and published", 0.5)
        for node in self.cluster.nodes:
            wait_for(lambda n=node: ips <= self.known_to(n), PATIENCE,
                     f"{node} to know {sorted(ips)}", 0.5)

    def known_to(self, node):
        """{address} of the endpoints in that node's kernel."""
        return set(self.cluster.nodes[node].vm.call("nodeview", "endpoints"))

    # ---- connections ---------------------------------------------------------

    def modes(self, pod, port):
        """What the pod's connections from or to @port are, sorted."""
        return topo.modes(self.cluster.diag(pod), port)

    def _proven(self, pod, peer):
        """Does the agent of the pod's node say that its RDMA path to an address,
        or the way to a Service's, is proven?"""
        return any([p["own"], p["peer"], p["state"]]
                   == [pod["status"]["podIP"], peer, "proven"]
                   for p in self.ask(pod["spec"]["nodeName"],
                                     "endpoints")["paths"])

    def wait_way(self, pod, address):
        wait_for(lambda: self._proven(pod, address), PATIENCE,
                 f"a proven RDMA path to {address}", 1)

    def wait_path(self, client, server):
        """For both ends ask before they agree."""
        self.wait_way(client, server["status"]["podIP"])
        self.wait_way(server, client["status"]["podIP"])

    def first_contact(self, client, server, port):
        """A connection that makes the link between the two pods' RDMA devices,
        again if the kernel's time for it was not enough (flows.LATE_LINK). What
        it became is for the test to find out, with the next ones."""
        node, ip = self.cluster.node_of(client), server["status"]["podIP"]
        argv = [progs.path("hold"), flows.at(ip, port)]

        def done():
            """Perhaps it is a proxy that connects, in its own time."""
            return [r for r in self.cluster.diag(client) if r["remote"] == ip
                    and r["mode"] in ("smcr", "tcp")]

        self.cluster.wait_listen(server, port)
        for _ in range(flows.TRIES):
            # a link that came too late makes it bad for a while
            self.wait_path(client, server)
            with flows.held_by(node.vm, argv, netns=node.namespace_of(
                    client["status"]["podIP"])):
                rows = wait_for(done, PATIENCE, f"a connection to {ip}", 0.5)
            if not flows.late_link(rows):
                return


class Traffic:
    """An annotated client pod on n1 and an annotated server Deployment on n2
    behind a Service, which may be asked for connections at any time."""

    def __init__(self, mesh, name, **server):
        self.mesh, self.cluster, self.name = mesh, mesh.cluster, name
        self.client_name = name + "-client"
        self.server = self._deployment(**server)
        self.objects = [
            self.server, workload.service(name),
            workload.idle(self.client_name, node="n1", enabled="true")]

    def start(self):
        self.cluster.apply(self.objects)
        self.find_client()
        self.mesh.wait_armed(self.client, *self.servers())
        self.ip = self.cluster.wait_service(self.name)
        return self

    def find_client(self):
        self.client, = self.cluster.wait_pods(f"app={self.client_name}", 1)

    def _deployment(self, **kw):
        return workload.deployment(
            self.name, **{"command": workload.ECHO, "node": "n2",
                          "port": workload.ECHO_PORT, "enabled": "true",
                          "leaves": True, **kw})

    def servers(self):
        return self.cluster.wait_pods(f"app={self.name}",
                                      self.server["spec"]["replicas"])

    def replace(self, **kw):
        """Apply the server's Deployment with these changes; wait for it."""
        self.server = self._deployment(**kw)
        self.cluster.apply(self.server)
        self.cluster.rolled_out(self.name)
        return self.servers()

    def settle(self):
        """Until those that the servers took over from are gone as well. The last
        thing of a pod behind a Service is that it is no endpoint any more: then
        new connections there are TCP, until the slices know that it has gone."""
        names = {p["metadata"]["name"] for p in self.servers()}
        path = f"/api/v1/namespaces/default/pods?labelSelector=app%3D{self.name}"
        wait_for(lambda: {p["metadata"]["name"] for p in
                          self.cluster.api.items(path)} == names, PATIENCE,
                 f"former servers of {self.name} to go", 1)

    def connect(self, to=None, count=8):
        """The client makes connections one after another: {"ok", "errors",
        "smc", "tcp"}. @to: an address, default the Service's. The program is
        started in the pod's namespace, which is ten times quicker than exec."""
        node = self.cluster.node_of(self.client)
        out = node.vm.run(
            [progs.path("hammer"), "--to", f"{to or self.ip}:{workload.ECHO_PORT}",
             "--count", str(count)], check=False,
            netns=node.namespace_of(self.client["status"]["podIP"]))
        told = [x for x in out.out.splitlines() if x.startswith("{")]
        assert told, out
        return {**json.loads(told[-1]), "talk": out.err}

    def all_are(self, what, to=None, count=8):
        """Were all of these connections "smc" or "tcp"? An error fails at once:
        connections must never break."""
        got = self.connect(to, count)
        if got["errors"]:
            raise RuntimeError(f"connections failed: {got}")
        assert got[what] == count, got
        return True

    def all_are_smcr(self, server):
        """Were all of these connections to that pod on another node SMC? It is
        perhaps the first time that the two speak."""
        self.mesh.first_contact(self.client, server, workload.ECHO_PORT)
        return self.all_are("smc", server["status"]["podIP"])

    def become(self, what, to=None, within=PATIENCE):
        """Until new connections are all "smc" or "tcp"."""
        wait_for(lambda: self.all_are(what, to), within,
                 f"new connections to {to or self.ip} to be {what}", 0.5)

    def stop(self):
        self.cluster.remove(self.objects)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *exc):
        self.stop()


class Load:
    """A pod that makes one connection after another: what became of them? It
    begins when the pod is armed and known.

        with Load(mesh, "load", "10.96.3.4:7000") as load:
            before = load.so_far()
            ...
            assert load.wait_more()["errors"] == before["errors"], load.talk
        assert load.result["errors"] == 0
    """

    def __init__(self, mesh, name, to, **kw):
        self.mesh, self.cluster, self.name = mesh, mesh.cluster, name
        self.object = workload.load(name, to, **kw)
        self.result, self.last_words = None, None

    def log(self, query=""):
        """From the kubelet; a kubectl for each look would keep it busy."""
        try:
            return self.cluster.api.get("/api/v1/namespaces/default/pods/"
                                        f"{self.name}/log{query}")
        except ApiError as e:
            raise OSError(str(e)) from e    # wait_for() asks again

    @property
    def talk(self):
        """What it says of connections that failed, or were slow."""
        text = self.last_words or self.log()
        return "\n".join(x for x in text.splitlines() if x[:1] != "{")[-4000:]

    def why_tcp(self):
        """What its agent says of those that are TCP, the newest first."""
        flows = self.mesh.flows(self.object["spec"]["nodeName"])
        return [f for f in flows if f["pod"] == self.name
                and f["outcome"] == "tcp"][:10]

    def so_far(self):
        """{"so_far", "errors", "smc", "tcp"}: the newest of what it tells after
        every few connections."""
        told = [x for x in self.log("?tailLines=20").splitlines()
                if x.startswith('{"so_far')]
        return json.loads(told[-1]) if told else dict.fromkeys(
            ("so_far", "errors", "smc", "tcp"), 0)

    def wait_more(self, count=2 * workload.TELL):
        """Until it made @count further connections, give or take a few, so that
        some began and ended since. What it tells then."""
        want = self.so_far()["so_far"] + count
        wait_for(lambda: self.so_far()["so_far"] >= want, PATIENCE,
                 f"{self.name} to make {want} connections", 1)
        return self.so_far()

    def start(self):
        self.cluster.apply(self.object)
        pod, = self.cluster.wait_pods(f"app={self.name}", 1)
        self.mesh.wait_armed(pod)
        self.cluster.exec(self.name, "touch", "/tmp/go")
        self.wait_more()
        return self

    def stop(self):
        """Its result, from the program's own count."""
        self.cluster.exec(self.name, "kill", "-TERM", "1", check=False)
        wait_for(lambda: self.cluster.pod(self.name)["status"]["phase"] in
                 ("Succeeded", "Failed"), PATIENCE, f"{self.name} to end", 1)
        self.last_words = self.log()
        self.cluster.remove(self.object)
        told = [x for x in self.last_words.splitlines()
                if x.startswith('{"connections"')]
        assert told, f"{self.name} said nothing at its end: {self.talk}"
        self.result = json.loads(told[-1])
        return self.result

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.cluster.remove(self.object)
            raise

    def __exit__(self, kind, *rest):
        if kind is None:
            self.stop()
        else:
            self.cluster.remove(self.object)

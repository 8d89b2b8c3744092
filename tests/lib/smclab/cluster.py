# SPDX-License-Identifier: Apache-2.0
"""A real Kubernetes: the control plane beside the driver, nodes as VMs.

      driver's network namespace (wire.py)
        etcd, kube-apiserver, -controller-manager, -scheduler, CoreDNS
        br0 10.244.0.1/16 ---- tap ---- VM n1: 10.244.1.1, pods 10.244.1.10-...
                        \\----- tap ---- VM n2: 10.244.2.1, pods 10.244.2.10-...

    with Cluster() as c:
        c.apply(open("pods.yaml").read())
        c.wait_pods("app=web", 2)
        print(c.exec("default/web-0", "ip addr").out)
        print(c.nodes["n1"].diag("10.244.1.10"))

Programs come from tests/k8s/build. Nothing is left when the driver has ended,
however it ended.
"""
import base64
import contextlib
import glob
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from . import images, paths, rootfs
from .kubeapi import Api, ApiError
from .machine import CommandFailed, LabError, Result, Vm, wait_for
from .pki import Pki
from .wire import Wire

HERE = os.path.join(paths.TREE, "tests/k8s")
HOST = "10.244.0.1"
SERVER = f"https://{HOST}:6443"
# an emulated node on a machine with other work: minutes, not seconds
PATIENCE = float(os.environ.get("SMCLAB_PATIENCE") or 300)
POD_S = 30    # what each pod of a crowd may add to that
FORTIO = "localhost/smclab/fortio:1"


def programs():
    """The directory of kube-apiserver and the others, built if need be."""
    out = subprocess.run([os.path.join(HERE, "build")], check=True, text=True,
                         stdout=subprocess.PIPE,
                         env=dict(os.environ, SMCMESH_CACHE=paths.cache()))
    return out.stdout.strip()


def fortio_tags():
    """The names by which our fortio is known: also those of the examples."""
    found = {FORTIO}
    for path in glob.glob(paths.TREE + "/deploy/examples/**/*.yaml",
                          recursive=True):
        with open(path, encoding="utf-8") as f:
            found.update(re.findall(r"image: *(\S*fortio\S*)", f.read()))
    return sorted(tag if tag.split("/")[0] == "localhost" else
                  "docker.io/" + tag.removeprefix("docker.io/")
                  for tag in found)


def kubeconfig(server, ca, user):
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "smclab",
        "clusters": [{"name": "smclab", "cluster": {
            "server": server, "certificate-authority-data": ca}}],
        "users": [{"name": "smclab", "user": user}],
        "contexts": [{"name": "smclab", "context": {
            "cluster": "smclab", "user": "smclab"}}]}, indent=1)


class Control:
    """etcd, the three programs above it, and the cluster's DNS."""

    USERS = {"admin": ("admin", "system:masters"),
             "controller": ("system:kube-controller-manager", ""),
             "scheduler": ("system:kube-scheduler", ""),
             "proxy": ("system:kube-proxy", "")}

    def __init__(self, wire, folder, bin_dir, nodes):
        self.wire, self.folder, self.bin = wire, folder, bin_dir
        self.tokens = {who: secrets.token_hex(16)
                       for who in [*self.USERS, *nodes]}
        self.users = {**self.USERS, **{n: (f"system:node:{n}", "system:nodes")
                                       for n in nodes}}
        self.procs = {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def _credentials(self):
        self.pki = Pki(self.folder)
        self.pki.sign("server", "/CN=kube-apiserver", [
            f"IP:{HOST}", "IP:10.96.0.1", "IP:127.0.0.1", "DNS:kubernetes",
            "DNS:kubernetes.default", "DNS:kubernetes.default.svc"])
        self.pki.sign("kubelet-client", "/O=system:masters/CN=kube-apiserver")
        self.pki.key_pair("sa")
        with open(self.path("tokens.csv"), "w", encoding="ascii") as f:
            for who, (user, group) in self.users.items():
                f.write(f'{self.tokens[who]},{user},{who},"{group}"\n')
        for who in self.users:
            with open(self.path(who + ".conf"), "w", encoding="ascii") as f:
                f.write(self.config_of(who))

    def _base64(self, name):
        with open(self.path(name), "rb") as f:
            return base64.b64encode(f.read()).decode()

    def config_of(self, who, server=SERVER):
        return kubeconfig(server, self._base64("ca.crt"),
                          {"token": self.tokens[who]})

    def certified(self, user):
        """A kubeconfig with a client certificate that says who this is."""
        self.pki.sign(user, "/CN=" + user)
        return kubeconfig(SERVER, self._base64("ca.crt"), {
            "client-certificate-data": self._base64(user + ".crt"),
            "client-key-data": self._base64(user + ".key")})

    def _argv(self):
        etcd = os.path.join(rootfs.find("k8s"), "usr/bin/etcd")
        url = "http://127.0.0.1:2379"
        pem = self.path
        yield "etcd", [
            etcd, "--data-dir", pem("etcd"), "--listen-client-urls", url,
            "--advertise-client-urls", url, "--unsafe-no-fsync",
            "--listen-peer-urls", "http://127.0.0.1:2380"]
        yield "kube-apiserver", [
            f"{self.bin}/kube-apiserver", f"--etcd-servers={url}",
            f"--advertise-address={HOST}", "--secure-port=6443",
            "--service-cluster-ip-range=10.96.0.0/16", "--allow-privileged",
            f"--tls-cert-file={pem('server.crt')}",
            f"--tls-private-key-file={pem('server.key')}",
            f"--client-ca-file={pem('ca.crt')}",
            f"--token-auth-file={pem('tokens.csv')}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pem('sa.pub')}",
            f"--service-account-signing-key-file={pem('sa.key')}",
            f"--kubelet-client-certificate={pem('kubelet-client.crt')}",
            f"--kubelet-client-key={pem('kubelet-client.key')}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--audit-policy-file={HERE}/audit.yaml",
            f"--audit-log-path={pem('audit.log')}",
            f"--cert-dir={pem('run')}"]
        yield "kube-controller-manager", [
            f"{self.bin}/kube-controller-manager",
            f"--kubeconfig={pem('controller.conf')}", "--leader-elect=false",
            f"--service-account-private-key-file={pem('sa.key')}",
            f"--root-ca-file={pem('ca.crt')}",
            "--use-service-account-credentials", f"--cert-dir={pem('run')}",
            "--node-monitor-grace-period=120s"]
        yield "kube-scheduler", [
            f"{self.bin}/kube-scheduler", f"--kubeconfig={pem('scheduler.conf')}",
            "--leader-elect=false", f"--cert-dir={pem('run')}"]
        yield "coredns", [
            "env", f"KUBECONFIG={pem('admin.conf')}", f"DNS_ADDRESS={HOST}",
            f"{self.bin}/coredns", "-conf", f"{HERE}/Corefile"]

    def start(self):
        self._credentials()
        self.api = Api(self.wire.connect, HOST, 6443, self.path("ca.crt"),
                       self.tokens["admin"])
        for name, argv in self._argv():
            self._spawn(name, argv)
            if name == "kube-apiserver":
                wait_for(self._ready, PATIENCE, "the API server", 0.5)

    def _spawn(self, name, argv):
        with open(paths.log_file(f"k8s-{name}.log"), "ab") as log:
            self.procs[name] = self.wire.popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _ready(self):
        for name, proc in self.procs.items():
            if proc.poll() is not None:
                raise LabError(f"{name} has ended, exit {proc.returncode}: see "
                               + paths.log_file(f"k8s-{name}.log"))
        try:
            return self.api.get("/readyz") == "ok"
        except ssl.SSLCertVerificationError as e:
            raise LabError(f"the API server's certificate: {e}") from e
        except ApiError as e:
            raise OSError(str(e)) from e

    def signal(self, name, sig):
        """E.g. SIGSTOP: an API server that hangs."""
        self.procs[name].send_signal(sig)

    def restart(self, name, *more):
        """Start it again after it was stopped or killed, with @more arguments."""
        self.kill(name)
        self._spawn(name, [*dict(self._argv())[name], *more])
        if name == "kube-apiserver":
            wait_for(self._ready, PATIENCE, "the API server", 0.5)

    def kill(self, name):
        proc = self.procs[name]
        proc.kill()
        proc.wait(30)

    def stop(self):
        for proc in reversed(list(self.procs.values())):
            proc.send_signal(signal.SIGCONT)
            proc.kill()
            proc.wait(30)


class Node:
    """A VM that runs containerd, kubelet and kube-proxy."""

    def __init__(self, cluster, name, number):
        self.cluster, self.name, self.number = cluster, name, number
        self.address = f"10.244.{number}.1"
        self.tap = cluster.wire.tap(f"tap{number}")
        self.vm, self.procs = None, {}

    def power_on(self):
        """The machine alone; see up()."""
        c = self.cluster
        self.vm = Vm(self.name, mem=c.mem, cpus=c.cpus, nics=[self.tap],
                     root=rootfs.find("k8s"), lifetime=c.lifetime,
                     shares={"k8s": c.programs, "img": c.images})

    def up(self):
        """Boot to a node whose kubelet runs; wait_ready() waits for the rest."""
        vm, control = self.vm, self.cluster.control
        vm.run(["/src/tests/k8s/node/up", self.name, self.address,
                f"10.244.{self.number}.10", f"10.244.{self.number}.250"],
               timeout=PATIENCE)
        for who in (self.name, "proxy"):
            vm.write(f"/etc/kubernetes/{who}.conf", control.config_of(who), 0o600)
        self._daemon("containerd", ["containerd", "--config",
                                    "/src/tests/k8s/node/containerd.toml"])
        wait_for(lambda: vm.run("test -S /run/containerd/containerd.sock",
                                check=False).rc == 0, PATIENCE,
                 f"containerd of {self.name}", 0.5)
        for image in self.cluster.image_files():
            self.load(image)
        self.start_kubelet()
        # kube-proxy asks for its own Node once, when it starts
        wait_for(lambda: self.cluster.api.find(f"/api/v1/nodes/{self.name}"),
                 PATIENCE, f"the Node {self.name}", 0.5)
        self._daemon("kube-proxy", [
            "/k8s/kube-proxy", "--kubeconfig=/etc/kubernetes/proxy.conf",
            "--proxy-mode=nftables", f"--hostname-override={self.name}",
            "--conntrack-max-per-core=0"])

    def load(self, image):
        """Import an archive from the cluster's folder of images."""
        self.vm.run(["ctr", "-n", "k8s.io", "images", "import", "/img/" + image],
                    timeout=PATIENCE)

    def _daemon(self, name, argv):
        """There is more memory than processor: garbage is seldom collected."""
        log = f"/x/{name}.log"
        self.procs[name] = self.vm.spawn(
            ["sh", "-c", f'GOGC=800 exec "$@" >>{log} 2>&1', "sh", *argv])

    def start_kubelet(self):
        self._daemon("kubelet", [
            "/k8s/kubelet", "--config=/src/tests/k8s/node/kubelet.yaml",
            f"--kubeconfig=/etc/kubernetes/{self.name}.conf",
            f"--hostname-override={self.name}", f"--node-ip={self.address}",
            "--cert-dir=/var/lib/kubelet/pki",
            # what nobody reads costs a tenth of an emulated processor
            "--housekeeping-interval=1m"])

    def log(self, name, lines=60):
        """The end of kubelet's, containerd's or kube-proxy's log."""
        path = os.path.join(self.vm.exchange, name + ".log")
        try:
            with open(path, encoding="utf-8", errors="replace") as f:
                return "\n".join(f.read().splitlines()[-lines:])
        except OSError as e:
            return str(e)

    def ready(self):
        for name, proc in self.procs.items():
            if not proc.alive:
                raise LabError(f"{self.name}: {name} has ended, exit {proc.rc}:"
                               f"\n{self.log(name)}")
        node = self.cluster.api.find(f"/api/v1/nodes/{self.name}")
        return node and any(x["type"] == "Ready" and x["status"] == "True"
                            for x in node["status"].get("conditions", []))

    def wait_ready(self):
        try:
            wait_for(self.ready, PATIENCE, f"{self.name} to be Ready", 1)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log('kubelet')}") from e

    def crash(self):
        """Take its power away."""
        self.vm.crash()
        self.procs = {}

    def reboot(self):
        self.vm.stop()
        self.procs = {}
        self.power_on()
        self.up()

    # ---- what its kernel says ------------------------------------------------

    def services(self):
        """{ClusterIP} of the Services that have endpoints, as kube-proxy put
        them into nftables."""
        told = self.vm.run("nft -j list map ip kube-proxy service-ips").json()
        return {elem[0]["concat"][0] for part in told["nftables"]
                for elem in part.get("map", {}).get("elem", [])}

    def namespaces(self):
        """The pods' namespaces as the kernel has them: nodeview.py."""
        return self.vm.call("nodeview", "namespaces")

    def namespace_of(self, ip):
        """The name of the namespace that has this address."""
        for ns in self.namespaces():
            if ip in ns["addresses"]:
                return ns["name"]
        raise LookupError(f"no namespace of {self.name} has {ip}")

    def armed(self):
        """{address} of all armed namespaces."""
        return {ip for ns in self.namespaces() if ns["armed"]
                for ip in ns["addresses"]}

    def diag(self, ip, every=False):
        """The kernel's rows for the connections of the pod with that address."""
        return self.vm.call("smcdiag", "dump", every,
                            netns=self.namespace_of(ip))

    def stop(self):
        if self.vm:
            self.vm.stop()


class Cluster:
    """Control plane and @nodes nodes: n1, n2, ... See the module's text."""

    def __init__(self, nodes=2, mem=3500, cpus=1, lifetime=6 * 3600,
                 extra_images=()):
        self.mem, self.cpus, self.lifetime = mem, cpus, lifetime
        self.programs = programs()
        rootfs.find("k8s")
        self.folder = paths.work_dir("k8s")
        self.images = os.path.join(self.folder, "images")
        os.mkdir(self.images)
        self.extra_images = list(extra_images)
        self.names = [f"n{i + 1}" for i in range(nodes)]
        self.wire = Wire(HOST + "/16")
        self.control = Control(self.wire, self.folder, self.programs, self.names)
        self.nodes = {name: Node(self, name, i + 1)
                      for i, name in enumerate(self.names)}

    def image_files(self):
        return sorted(f for f in os.listdir(self.images) if f.endswith(".tar"))

    def start(self):
        """Everything: about 70 s on an idle machine with two processors."""
        began = time.monotonic()
        for node in self.nodes.values():
            node.power_on()
        images.write_all(os.path.join(self.images, "smclab.tar"), self.programs,
                         fortio_tags())
        for path in self.extra_images:
            shutil.copy(path, self.images)
        self.control.start()
        with ThreadPoolExecutor() as side_by_side:
            list(side_by_side.map(Node.up, self.nodes.values()))
        for node in self.nodes.values():
            node.wait_ready()
        self.seconds = time.monotonic() - began
        return self

    def stop(self):
        for node in self.nodes.values():
            node.stop()
        self.control.stop()
        self.wire.close()
        self.keep_logs()
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep_logs(self):
        audit = os.path.join(self.folder, "audit.log")
        if os.path.exists(audit):
            shutil.copy(audit, paths.log_file("k8s-audit.log"))

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *exc):
        self.stop()

    # ---- what tests use -----------------------------------------------------

    def running(self):
        """The nodes that are on."""
        return [n for n in self.nodes.values() if not n.vm.stopping]

    @property
    def api(self):
        return self.control.api

    def kubectl(self, *argv, stdin=None, check=True, timeout=PATIENCE, **env):
        """Its Result; it is the cluster's administrator."""
        proc = self.kubectl_start(*argv, stdin=subprocess.PIPE if stdin else
                                  subprocess.DEVNULL, **env)
        try:
            out, err = proc.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            proc.kill()
            out, err = proc.communicate()
            raise CommandFailed(f"kubectl {argv}: no end after {timeout:g} s: "
                                f"{(out + err)[-2000:]}") from None
        if check and proc.returncode:
            raise CommandFailed(f"kubectl {' '.join(argv)}: exit "
                                f"{proc.returncode}: {(out + err)[-4000:]}")
        return Result("kubectl " + " ".join(argv), proc.returncode, out, err)

    def kubectl_start(self, *argv, stdin=subprocess.DEVNULL, **env):
        """The same in the background: a Popen with text pipes."""
        env = dict(os.environ, KUBECONFIG=self.control.path("admin.conf"),
                   HOME=self.folder, **env)
        return self.wire.popen(
            [f"{self.programs}/kubectl", *argv], env=env, text=True,
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=paths.TREE)

    def script(self, *argv, check=True, timeout=PATIENCE):
        """A program of the tree that calls kubectl, as an administrator."""
        proc = self.script_start(*argv)
        out, err = proc.communicate(timeout=timeout)
        if check and proc.returncode:
            raise CommandFailed(f"{argv}: exit {proc.returncode}: "
                                f"{(out + err)[-4000:]}")
        return Result(" ".join(argv), proc.returncode, out, err)

    def script_start(self, *argv):
        """The same in the background: a Popen with text pipes."""
        env = dict(os.environ, KUBECONFIG=self.control.path("admin.conf"),
                   PATH=f"{self.programs}:{os.environ['PATH']}",
                   HOME=self.folder)
        return self.wire.popen(argv, env=env, text=True, cwd=paths.TREE,
                               stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def apply(self, what):
        """YAML, or objects as dictionaries."""
        return self.kubectl("apply", "-f", "-", stdin=as_text(what))

    def remove(self, what, wait=False):
        """wait: until it is gone; an emulated node needs half a minute."""
        return self.kubectl("delete", "--ignore-not-found", "-f", "-",
                            f"--wait={str(wait).lower()}", stdin=as_text(what))

    def edit(self, what, sed):
        """kubectl edit, by an editor that does what @sed says and saves."""
        editor = os.path.join(self.folder, "editor")
        with open(editor, "w", encoding="utf-8") as f:
            os.fchmod(f.fileno(), 0o755)
            f.write(f"#!/bin/sh\nexec sed -i {shlex.quote(sed)} \"$1\"\n")
        out = self.kubectl("edit", what, KUBE_EDITOR=editor).out
        if not out.endswith(" edited\n"):
            raise CommandFailed(f"kubectl edit {what}: {sed!r} changed nothing: "
                                + out)

    @contextlib.contextmanager
    def forwarded(self, what, port):
        """kubectl port-forward: 127.0.0.1:@port leads there in this network."""
        proc = self.kubectl_start("port-forward", what, f"{port}:{port}")
        try:
            first = proc.stdout.readline()
            if first != f"Forwarding from 127.0.0.1:{port} -> {port}\n":
                proc.kill()
                raise CommandFailed(f"kubectl port-forward {what}: {first}"
                                    + proc.stderr.read())
            yield
        finally:
            proc.kill()
            proc.communicate()

    def pods(self, selector="", namespace="default"):
        """Pods that are not being deleted."""
        path = f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}"
        return [p for p in self.api.items(path)
                if "deletionTimestamp" not in p["metadata"]]

    def wait_pods(self, selector, count, namespace="default"):
        """Wait until exactly @count pods match, all of them ready, besides
        those that are being deleted."""
        def settled():
            found = self.pods(selector, namespace)
            assert len(found) == count, [p["metadata"]["name"] for p in found]
            return all(is_ready(p) for p in found) and found
        try:
            found = wait_for(settled, PATIENCE + POD_S * count,
                             f"{count} pods {selector}", 1)
        except AssertionError as e:
            told = self.kubectl("-n", namespace, "describe", "pods", "-l",
                                selector, check=False).out
            raise AssertionError(f"{e}\n{told[-6000:]}") from e
        return sorted(found, key=lambda p: p["metadata"]["name"])

    def wait_gone(self, selector):
        """Wait until none matches any more, not even one that is ending: a
        crowd's ends keep an emulated node busy for minutes."""
        path = f"/api/v1/namespaces/default/pods?labelSelector={selector}"
        count = len(self.api.items(path))
        wait_for(lambda: not self.api.items(path), PATIENCE + POD_S * count,
                 f"{count} pods {selector} to go", 1)

    def wait_service(self, name, namespace="default"):
        """The Service's address, once the proxy of every node that is on leads
        from it to somewhere. Until then it refuses connections."""
        ip = self.api.get(f"/api/v1/namespaces/{namespace}/services/{name}")[
            "spec"]["clusterIP"]
        for node in self.running():
            wait_for(lambda n=node: ip in n.services(), PATIENCE,
                     f"the proxy of {node.name} to know {name}", 0.5)
        return ip

    def rolled_out(self, deployment):
        """Wait until its pods are those of its present template, and ready, and
        the others on their way out: each of both takes a node its time."""
        name = f"deployment/{deployment}"
        found = self.api.get("/apis/apps/v1/namespaces/default/deployments/"
                             + deployment)
        pods = max(found["spec"]["replicas"],
                   found.get("status", {}).get("replicas", 0))
        self.kubectl("rollout", "status", name,
                     timeout=PATIENCE + 2 * POD_S * pods)

    def pod(self, name):
        """The object; @name: "NAMESPACE/NAME", or a name in default."""
        namespace, _, name = name.rpartition("/")
        return self.api.get(f"/api/v1/namespaces/{namespace or 'default'}"
                            f"/pods/{name}")

    def node_of(self, pod):
        return self.nodes[pod["spec"]["nodeName"]]

    def diag(self, pod, every=False):
        """The kernel's rows for the connections of this pod (an object)."""
        return self.node_of(pod).diag(pod["status"]["podIP"], every)

    def wait_listen(self, pod, port):
        """A pod is ready when its program has begun, not when it listens."""
        node, ip = self.node_of(pod), pod["status"]["podIP"]
        wait_for(lambda: port in node.vm.call("smcdiag", "listening",
                                              netns=node.namespace_of(ip)),
                 PATIENCE, f"a listener on {ip}:{port}", 0.5)

    def exec(self, name, *argv, container=None, **kw):
        """Run a program in a pod, through the API server and kubelet."""
        namespace, _, name = name.rpartition("/")
        more = ["-c", container] if container else []
        return self.kubectl("-n", namespace or "default", "exec", name, *more,
                            "--", *argv, **kw)

    def armed(self):
        """{address} of all armed namespaces of all nodes that are on."""
        return {ip for node in self.running() for ip in node.armed()}


def as_text(what):
    if isinstance(what, str):
        return what
    items = what if isinstance(what, list) else [what]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def is_ready(pod):
    return any(c["type"] == "Ready" and c["status"] == "True"
               for c in pod["status"].get("conditions", []))

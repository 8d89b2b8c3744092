# SPDX-License-Identifier: Apache-2.0
"""make k8s: a cluster that stays, with a KUBECONFIG for this machine's kubectl.

The cluster is a process of its own (`python3 -m smclab k8s run`); it lives in a
network of its own, and one port of 127.0.0.1 leads to its API server.
"""
import os
import signal
import socket
import subprocess
import sys
import threading
import time

from . import paths
from .cluster import HOST, Cluster
from .machine import LabError


def folder():
    path = os.path.join(paths.build(), "k8s")
    os.makedirs(path, exist_ok=True)
    return path


def file(name):
    return os.path.join(folder(), name)


def running():
    """The process id of the cluster of this build directory, or None."""
    try:
        with open(file("pid"), encoding="ascii") as f:
            pid = int(f.read())
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return pid if b"smclab" in f.read() else None
    except (OSError, ValueError):
        return None


class Forward:
    """A listener on 127.0.0.1 that leads to a port inside the wire."""

    def __init__(self, wire, host, port):
        self.wire, self.to = wire, (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            near, _ = self.listener.accept()
            try:
                far = self.wire.connect(*self.to)
            except OSError:
                near.close()
                continue
            for pair in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=pair, daemon=True).start()


def _pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def run():
    """The cluster itself, until SIGTERM."""
    end = threading.Event()
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda *_: sys.exit(143))
    image = os.path.join(paths.build(), "smcmesh.oci.tar")
    with Cluster(lifetime=7 * 86400, extra_images=[image] if
                 os.path.exists(image) else []) as c:
        forward = Forward(c.wire, HOST, 6443)
        config = c.control.config_of("admin",
                                     f"https://127.0.0.1:{forward.port}")
        with open(file("kubeconfig.new"), "w", encoding="ascii") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(config)
        os.rename(file("kubeconfig.new"), file("kubeconfig"))
        print(f"up after {c.seconds:.0f} s", flush=True)
        end.wait()


def start():
    """Have a cluster running, and say how to use it."""
    if not running():
        if os.path.exists(file("kubeconfig")):
            os.unlink(file("kubeconfig"))
        log = paths.log_file("k8s.log")
        with open(log, "wb") as out:
            proc = subprocess.Popen(
                [sys.executable, "-m", "smclab", "k8s", "run"], stdout=out,
                stdin=subprocess.DEVNULL, stderr=out, start_new_session=True,
                env=os.environ)
        with open(file("pid"), "w", encoding="ascii") as f:
            f.write(str(proc.pid))
        print(f"  K8S     starting two nodes (log: {log})", flush=True)
        while not os.path.exists(file("kubeconfig")):
            if proc.poll() is not None:
                with open(log, encoding="utf-8", errors="replace") as f:
                    raise LabError("the cluster did not start:\n"
                                   + f.read()[-4000:])
            time.sleep(0.5)
    from .cluster import programs
    print(f"  K8S     it runs until `make k8s-stop`:\n"
          f"    export KUBECONFIG={file('kubeconfig')}\n"
          f"    export PATH={programs()}:$PATH\n"
          f"    kubectl get nodes,pods -A")
    return 0


def stop():
    pid = running()
    if pid:
        os.kill(pid, signal.SIGTERM)
        while os.path.exists(f"/proc/{pid}"):
            time.sleep(0.2)
    for name in ("pid", "kubeconfig"):
        if os.path.exists(file(name)):
            os.unlink(file(name))
    return 0

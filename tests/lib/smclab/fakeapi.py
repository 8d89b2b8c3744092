# SPDX-License-Identifier: Apache-2.0
"""Starts an API server that misbehaves (fakeserver.py), and tells it how.

    api = FakeApi(folder, objects)            # a List's items
    Agent(tmp, "kube", "--server", api.url)
    api.tell("garbage", ["smcnodes"])         # do_garbage() of fakeserver.py
"""
import ctypes
import json
import os
import signal
import subprocess
import sys

from . import paths
from .pki import Pki

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
FIRST = 1000000    # the first version: there is room below
AWAY = 10000       # versions that come while a server is away
PLURALS = {"Pod": "pods", "Service": "services", "SmcNode": "smcnodes",
           "EndpointSlice": "endpointslices", "SmcMesh": "smcmeshes"}


def key_of(obj):
    return f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"


class FakeApi:
    """hurry: how many times shorter than a real server's its times are; tls: with
    a certificate, whose CA is in the file .ca; netns: where it listens, at host."""

    def __init__(self, folder, objects, hurry=1, tls=False, netns=None,
                 host="127.0.0.1"):
        self.folder, self.tls, self.netns = folder, tls, netns
        self.ca = os.path.join(folder, "ca.pem")
        self.options = {"store": os.path.join(folder, "store.json"),
                        "host": host, "port": 0, "hurry": hurry}
        self.proc, self.version, self.next_ca = None, FIRST, None
        stored = {}
        for obj in objects:
            obj["metadata"].setdefault("uid", "uid-of-" + key_of(obj))
            stored.setdefault(PLURALS[obj["kind"]], {})[key_of(obj)] = obj
        with open(self.options["store"], "w", encoding="utf-8") as f:
            json.dump(stored, f)
        if tls:
            self.certify()
            self.trust()
        self.start()

    @property
    def url(self):
        o = self.options
        return f"http{'s' * self.tls}://{o['host']}:{o['port']}"

    def certify(self):
        """From the next start on a certificate of another CA, which trust() puts
        into the file where the agent looks."""
        folder = os.path.join(self.folder, f"pki{self.version}")
        os.mkdir(folder)
        pki = Pki(folder)
        pki.sign("server", "/CN=fake", ["IP:" + self.options["host"]])
        self.options.update(cert=pki.path("server.crt"),
                            key=pki.path("server.key"))
        self.next_ca = pki.path("ca.crt")

    def trust(self):
        os.replace(self.next_ca, self.ca)

    def start(self):
        argv = [sys.executable, "-m", "smclab.fakeserver",
                json.dumps({**self.options, "first": self.version})]
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1",
               "PYTHONPATH": os.path.join(paths.TREE, "tests/lib")}
        self.proc = subprocess.Popen(
            self.netns.argv(argv) if self.netns else argv, env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            preexec_fn=lambda: _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        line = self.proc.stdout.readline()
        assert line, "the fake API server did not start"
        self.options["port"] = json.loads(line)

    def order(self, do, **given):
        self.proc.stdin.write(json.dumps({"do": do, **given}) + "\n")
        self.proc.stdin.flush()
        line = self.proc.stdout.readline()
        assert line, f"the fake API server died of {do}"
        return json.loads(line)

    def put(self, kind, obj):
        return self.order("put", kind=kind, key=key_of(obj), object=obj)

    def tell(self, what, kinds=None, **given):
        """How many watches do so now."""
        return self.order("tell", what=what, kinds=kinds, **given)

    def kill(self):
        """Its objects stay, as etcd has them."""
        self.version = self.order("save")
        self.close()

    def again(self, version=None):
        """Back after kill(), with later versions, or from @version on."""
        self.version = version or self.version + AWAY
        self.start()

    def signal(self, sig):
        self.proc.send_signal(sig)

    def close(self):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdin.close()
        self.proc.stdout.close()

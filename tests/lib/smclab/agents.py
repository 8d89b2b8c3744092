# SPDX-License-Identifier: Apache-2.0
"""smcmesh in a VM: start it, feed it, ask it."""
import contextlib
import json
import os
import re
import signal
from collections import Counter

from . import manifest
from .machine import CommandFailed, wait_for
from .pins import PINS

SOCKET = "/run/smcmesh/agent.sock"
LISTEN = "127.0.0.1:9469"
ANSWER = 10    # seconds that an answer may take
ALL_FLOWS = 100    # and one with 20,000 records, on an emulated node
# what the tests run, e.g. /build/synfilter/smcmesh: another selector
BINARY = os.environ.get("SMCLAB_BINARY", "/build/smcmesh")
# In smc_config, bytes: whether the mesh is on, its uses (and one of their bits),
# until when pods may offer.
ENABLED_AT, USES_AT, USE_PENDING, UNTIL_AT = 8, 20, 16, 56
METRIC = re.compile(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def samples(text):
    """Of /metrics: {(name, ((label, value), ...)): number}"""
    out = {}
    for line in text.splitlines():
        m = METRIC.match(line)
        if m:
            labels = tuple(sorted(LABEL.findall(m.group(2) or "")))
            out[m.group(1), labels] = float(m.group(3))
    return out


def has_smc(vm):
    """Can the kernel make sockets of IPPROTO_SMC?"""
    return not vm.run(["python3", "-c", "import socket; socket.socket(2, 1, 256)"],
                      check=False).rc


def selecting(vm):
    """Arguments of an Agent that arms pods on each kernel which can select and
    convert: where it has no shared memory the agent takes it for granted. What
    the ends agreed upon is to be seen all the same (flows.agreed())."""
    return {} if vm.kernel.shares else {
        "binary": "/build/faults/smcmesh", "env": {"SMCMESH_SHARED_MEMORY": "1"}}


class Agent:
    """`smcmesh agent --source file:...` in @vm.

    objects: the List to start with (see manifest.py); None: no file yet.
    binary:  another build of it, e.g. /build/faults/smcmesh.
    """

    def __init__(self, vm, objects=(), node=None, binary=BINARY,
                 args=(), env=None, path="/run/smclab/mesh.json"):
        self.vm, self.path, self.binary = vm, path, binary
        self.node = node or vm.name
        self.args, self.env = list(args), env
        self.proc = None
        if objects is not None:
            self.set(*objects)

    def start(self, wait=True, env=None):
        argv = [self.binary, "agent", "--source", "file:" + self.path, "--node",
                self.node, "--listen", LISTEN, *self.args]
        self.proc = self.vm.spawn(argv, env={**(self.env or {}), **(env or {})})
        if wait:
            self.wait_ready()
        return self

    def stop(self, sig=signal.SIGTERM):
        return self.proc.kill(sig) if self.proc else None

    def look(self):
        """Have it look into every pod: what changes inside of one that is not
        armed it sees within a minute otherwise."""
        self.vm.run(f"kill -HUP {self.get('/v1/status')['pid']}")

    def set(self, *objects):
        """Replace the List; the agent notices by itself."""
        self.vm.write(self.path, manifest.text(*objects))

    def cli(self, *args, check=True, **kw):
        return self.vm.run([self.binary, *args], check=check, **kw)

    def asked(self, path, unix=True, seconds=ANSWER):
        """(status, body) of an answer; status 0: none came, the body says why.
        The guest's own Python asks: a curl for each question costs ten times
        what its answer does."""
        host, port = LISTEN.split(":")
        return self.vm.call("ask", "get", SOCKET if unix else [host, int(port)],
                            path, seconds)

    def http(self, path, unix=True, seconds=ANSWER):
        """The body of an answer that is no error."""
        status, body = self.asked(path, unix, seconds)
        if not 200 <= status < 400:
            raise CommandFailed(f"{self.vm.name}: GET {path}: {status} {body}")
        return body

    def get(self, path):
        """JSON from the control socket, e.g. get("/v1/status")."""
        return json.loads(self.http(path))

    def pod(self, name):
        """What /v1/pods says of the pod; {} while it does not know it."""
        return next((p for p in self.get("/v1/pods")["pods"]
                     if p["name"] == name), {})

    def flows(self):
        """All that /v1/flows has, the newest first."""
        return json.loads(self.http("/v1/flows?limit=all",
                                    seconds=ALL_FLOWS))["flows"]

    def ready(self):
        if self.proc and not self.proc.alive:
            raise RuntimeError(f"the agent has ended, rc {self.proc.rc}:\n"
                               f"{self.proc.output[-4000:]}")
        self.http("/readyz", unix=False)    # an AssertionError says why not
        return True

    def wait_ready(self, timeout=60):
        try:
            wait_for(self.ready, timeout, "the agent to be ready")
        except AssertionError as e:
            raise AssertionError(f"{e}\nagent: {self.proc.output[-4000:]}") from e

    def metrics(self):
        return samples(self.http("/metrics", unix=False))

    def metric(self, name, **labels):
        """The sum of a metric over all samples that carry these labels: 0 where
        there is none, for what never counted has no sample."""
        text = self.http("/metrics", unix=False)
        if f"# TYPE {name} " not in text:
            raise LookupError(f"there is no metric {name}")
        want = set(labels.items())
        return sum(v for (n, ls), v in samples(text).items()
                   if n == name and want <= set(ls))

    def why_tcp(self):
        """({reason, kernel's code: flows that became TCP}, the last of what the
        agent said): for the message of a test that wanted SMC."""
        flows = [f for f in self.flows()
                 if f["outcome"] in ("tcp", "fallback")]
        said = (self.proc.out + self.proc.err).splitlines() if self.proc else []
        return Counter((f["role"], f["reason"], f["kernel_code"])
                       for f in flows), said[-15:]

    def map(self, name):
        """A pinned map as bpftool reads it."""
        return self.vm.run(f"bpftool -j map dump pinned {PINS}{name}").json()

    def row(self, name, index):
        """One row of a pinned array, by the names of its fields; of a per-CPU
        one, that of each CPU."""
        key = " ".join(str(b) for b in index.to_bytes(4, "little"))
        found = self.vm.run(f"bpftool -j map lookup pinned {PINS}{name} "
                            f"key {key}").json()["formatted"]
        if "values" in found:
            return [cpu["value"] for cpu in found["values"]]
        return found["value"]

    def write_row(self, name, key, *words):
        """Write a row of a pinned map, its value as words of 32 bits."""
        value = b"".join((w % 2**32).to_bytes(4, "little") for w in words)
        self.vm.run(f"bpftool map update pinned {PINS}{name} key "
                    f"{' '.join(map(str, key))} value "
                    f"{' '.join(map(str, value))}")

    def delete_row(self, name, key):
        self.vm.run(f"bpftool map delete pinned {PINS}{name} key "
                    f"{' '.join(map(str, key))}")

    @contextlib.contextmanager
    def frozen(self):
        """It does nothing in the block: what it would mend stays."""
        self.proc.kill(signal.SIGSTOP, wait=False)
        try:
            yield
        finally:
            self.proc.kill(signal.SIGCONT, wait=False)

    def raw_row(self, name, key):
        """A row of a pinned map as words of 32 bits; @key: its bytes."""
        row = self.vm.run(f"bpftool -j map lookup pinned {PINS}{name} key "
                          f"{' '.join(map(str, key))}").json()["value"]
        value = bytes(int(b, 16) for b in row)
        return [int.from_bytes(value[i:i + 4], "little")
                for i in range(0, len(value), 4)]

    @contextlib.contextmanager
    def row_with(self, name, key, at, *words):
        """A row whose words from the byte @at on are these, in the block."""
        before = self.raw_row(name, key)
        i = at // 4
        self.write_row(name, key, *before[:i], *words, *before[i + len(words):])
        try:
            yield
        finally:
            self.write_row(name, key, *before)

    @contextlib.contextmanager
    def nothing_counted(self):
        """As where the kernel lacks a hook that the count of what is under way
        needs: no ration of it."""
        uses = self.raw_row("smc_config", bytes(4))[USES_AT // 4]
        assert uses & USE_PENDING
        with self.row_with("smc_config", bytes(4), USES_AT, uses & ~USE_PENDING):
            yield

    def links(self):
        """The names of the programs of ours that are attached by a link."""
        return set(self.vm.run(f"ls {PINS}links", check=False).out.split())

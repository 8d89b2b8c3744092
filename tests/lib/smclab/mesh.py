# SPDX-License-Identifier: Apache-2.0
"""The List that a test's agents share, and its changes."""
import contextlib

from . import manifest, topo


class Mesh:
    """Pods of one or more nodes, and the agents that are given them.

        m = Mesh()
        m.add(a); m.add(p, enabled=None)     # annotated, not annotated
        m.agents.append(Agent(vm, m.objects()).start())
        with m.changed(spec={"excludePorts": [7001]}, a={"enabled": "false"}):
            ...
    """

    def __init__(self, *extra, **spec):
        self.pods, self.agents = [], []
        self.extra, self.spec = list(extra), spec

    def add(self, pod, **kw):
        """@kw: what manifest.pod() takes, e.g. enabled=None."""
        self.pods.append((pod, kw))
        return pod

    def objects(self, spec=None, extra=(), without=(), **pods):
        """The List's objects. spec: fields of SmcMesh; pods: changes by name;
        without: names of pods that are not in it."""
        known = {p.name for p, _ in self.pods}
        assert set(pods) <= known, f"no such pod: {set(pods) - known}"
        out = [manifest.mesh(**{**self.spec, **(spec or {})}),
               *self.extra, *extra]
        for p, kw in self.pods:
            if p.name not in without:
                out.append(manifest.of(p, **{**kw, **pods.get(p.name, {})}))
        return out

    def apply(self, **changes):
        """Each agent has a copy of its own."""
        objects = self.objects(**changes)
        for agent in self.agents:
            agent.set(*objects)

    @contextlib.contextmanager
    def changed(self, **changes):
        """The List with these changes inside the block, as before after it."""
        self.apply(**changes)
        try:
            yield
        finally:
            self.apply()


def two_pods(vm):
    """Annotated pods a and b on a bridge: (the mesh of both, a, b)."""
    mesh = Mesh()
    topo.bridge(vm, "10.244.1.1/16")
    return (mesh, mesh.add(topo.pod(vm, "a", "10.244.1.10/16")),
            mesh.add(topo.pod(vm, "b", "10.244.1.11/16")))

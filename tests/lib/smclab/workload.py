# SPDX-License-Identifier: Apache-2.0
"""Workloads of the cluster's tests, as dictionaries for Cluster.apply()."""
from .images import TOOLS
from .manifest import ENABLED

FOREVER = ["sleep", "2147483647"]
ECHO_PORT = 7000
LEAVES = 15    # seconds: an emulated kube-proxy takes a few
TELL = 5
ECHO = ["echod", f"0.0.0.0:{ECHO_PORT}"]


def template(name, command=None, enabled=None, node=None, labels=None,
             annotations=None, port=None, image=TOOLS, leaves=False, every=2,
             **spec):
    """metadata and spec of a pod. enabled: the annotation's text, None: none;
    port: ready when something listens there; every: seconds between two looks
    at that, of which a crowd's take much of an emulated node's time; leaves: it
    goes on for a while when it is told to end, as servers behind a Service
    must."""
    container = {"name": "app", "image": image}
    if command:
        container["command"] = list(command)
    if port:
        container["ports"] = [{"containerPort": port}]
        # exec would cost a process each time, a connection costs nothing here
        container["readinessProbe"] = {"tcpSocket": {"port": port},
                                       "periodSeconds": every,
                                       "timeoutSeconds": 30}
    notes = dict(annotations or {})
    if enabled is not None:
        notes[ENABLED] = enabled
    # without a volume and environment that nobody reads: quicker to start
    spec = {"terminationGracePeriodSeconds": 1, "enableServiceLinks": False,
            "automountServiceAccountToken": False, "containers": [container],
            **spec}
    if leaves:
        # until no proxy leads there any more: of a server that is asked
        # meanwhile, through a Service, nothing may fail
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": LEAVES}}}
        spec["terminationGracePeriodSeconds"] = LEAVES + 1
    if node:
        spec["nodeName"] = node
    return {"metadata": {"labels": {"app": name, **(labels or {})},
                         "annotations": notes}, "spec": spec}


def pod(name, namespace="default", **kw):
    made = template(name, **kw)
    made["metadata"].update(name=name, namespace=namespace)
    return {"apiVersion": "v1", "kind": "Pod", **made}


def deployment(name, replicas=1, namespace="default", at_once=None, **kw):
    """at_once: so many pods a rollout starts before it ends as many old ones."""
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": template(name, **kw)}
    if at_once:
        spec["strategy"] = {"rollingUpdate": {"maxSurge": at_once,
                                              "maxUnavailable": 0}}
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def service(name, port=ECHO_PORT, app=None, namespace="default", **spec):
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": {"app": app or name},
                     "ports": [{"port": port, "protocol": "TCP"}], **spec}}


def echo(name, **kw):
    """A pod that listens as its first act."""
    return pod(name, command=ECHO, port=ECHO_PORT, **kw)


def idle(name, **kw):
    """A pod to run programs in, by exec."""
    return pod(name, command=FOREVER, **kw)


def load(name, to, enabled="true", pace_us=500000, **kw):
    """A pod that makes connections, one after another, from the moment it has
    /tmp/go until SIGTERM: the hammer of tests/progs."""
    script = ("while [ ! -e /tmp/go ]; do sleep 1; done; exec hammer "
              f"--to {to} --count 0 --pace {pace_us} --tell {TELL}")
    return pod(name, enabled=enabled, restartPolicy="Never",
               command=["sh", "-c", script], **kw)

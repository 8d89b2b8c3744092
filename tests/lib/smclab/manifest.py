# SPDX-License-Identifier: Apache-2.0
"""Kubernetes objects as dictionaries, for the agent's file source."""
import json

ENABLED = "smc.asm.alibabacloud.com/enabled"
ALIAS = "smcmesh.io/enabled"
NETNS = "smcmesh.io/netns"
OUT_PORTS = "smcmesh.io/exclude-outbound-ports"
IN_PORTS = "smcmesh.io/exclude-inbound-ports"
CREATED = "2025-01-01T00:00:00Z"


def pod(name, node, ips, netns=None, enabled="true", namespace="default",
        annotations=None, containers=("app",), host_network=False,
        created=CREATED, phase="Running", uid=None, labels=None, init=(),
        user=None):
    """A Pod. enabled: the annotation's text, or None for no annotation; user: the
    pod's own securityContext."""
    notes = dict(annotations or {})
    if enabled is not None:
        notes[ENABLED] = enabled
    if netns:
        notes[NETNS] = netns
    ips = [ips] if isinstance(ips, str) else list(ips)
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace,
                     "uid": uid or f"uid-{namespace}-{name}",
                     "creationTimestamp": created, "annotations": notes,
                     "labels": labels or {}},
        "spec": {"nodeName": node, "hostNetwork": host_network,
                 "initContainers": list(init), "securityContext": user or {},
                 "containers": [c if isinstance(c, dict) else {"name": c}
                                for c in containers]},
        "status": {"phase": phase, "podIP": ips[0] if ips else "",
                   "podIPs": [{"ip": ip} for ip in ips]}}


def of(lab_pod, **kw):
    """The Pod object of a topo.Pod."""
    return pod(lab_pod.name, lab_pod.node, lab_pod.ips, lab_pod.netns, **kw)


def mesh(enabled=True, **spec):
    """The SmcMesh object; spec: excludeCIDRs, excludePorts, ueid, limits,
    lease..."""
    return {"apiVersion": "smcmesh.io/v1alpha1", "kind": "SmcMesh",
            "metadata": {"name": "default"}, "spec": {"enabled": enabled, **spec}}


def asm_mesh_config(enabled=True):
    return {"apiVersion": "istio.alibabacloud.com/v1beta1",
            "kind": "ASMMeshConfig", "metadata": {"name": "default"},
            "spec": {"smcEnabled": enabled}}


def node(name, endpoints=(), ueids=("SMCMESH",), transports=("smcr", "smcd"),
         **status):
    """An SmcNode as another agent would publish it."""
    return {"apiVersion": "smcmesh.io/v1alpha1", "kind": "SmcNode",
            "metadata": {"name": name},
            "status": {"kernel": "7.3.4", "converter": "sockproto",
                       "selector": "hs_ctrl", "transports": list(transports),
                       "ueids": list(ueids), "endpoints": list(endpoints),
                       "endpointCount": len(endpoints), **status}}


def endpoint(address, name, transports=("smcr", "smcd"), namespace="default",
             created=CREATED):
    return {"address": address, "transports": list(transports),
            "namespace": namespace, "pod": name,
            "uid": f"uid-{namespace}-{name}", "created": created}


def service(name, address, port, target, backends):
    """A Service with a ClusterIP, and the slice of its backends' addresses."""
    return [{"apiVersion": "v1", "kind": "Service",
             "metadata": {"name": name, "namespace": "default"},
             "spec": {"clusterIPs": [address],
                      "ports": [{"name": "http", "port": port}]}},
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
             "metadata": {"name": f"{name}-x", "namespace": "default",
                          "labels": {"kubernetes.io/service-name": name}},
             "addressType": "IPv4", "ports": [{"name": "http", "port": target}],
             "endpoints": [{"addresses": [ip]} for ip in backends]}]


def text(*objects):
    """A List of them, as JSON."""
    return json.dumps({"apiVersion": "v1", "kind": "List",
                       "items": list(objects)}, indent=1)

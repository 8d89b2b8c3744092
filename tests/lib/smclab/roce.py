# SPDX-License-Identifier: Apache-2.0
"""RDMA paths that are cut on the wire: RoCEv2 is UDP to port 4791.

Packets are dropped in the bridge of the machine that the pod is on, outside of
the pod. A drop in the pod's own OUTPUT hook is another thing: soft RoCE takes it
for an error of its device, and its management queue pair stays broken for
seconds after the drop has ended.
"""
import contextlib

TO, FROM, BOTH = "to", "from", "both"


def _rules(pod, direction, match):
    sides = {TO: ["daddr"], FROM: ["saddr"], BOTH: ["daddr", "saddr"]}
    return "; ".join(f"ip {side} {pod.v4} udp dport 4791 {match} drop"
                     for side in sides[direction])


@contextlib.contextmanager
def cut(pod, direction=BOTH, match=""):
    """Drop RoCE packets to or from @pod; @match says which of them, all if ""."""
    vm, table = pod.vm, f"cut-{pod.name}"
    vm.run("sysctl -qw net.bridge.bridge-nf-call-iptables=1")
    vm.run("nft -f -", stdin=f"""
        table ip {table} {{ chain c {{
            type filter hook forward priority 0
            {_rules(pod, direction, match)}
        }}; }}""".replace("; ", "\n"))
    try:
        yield
    finally:
        vm.run(f"nft delete table ip {table}")

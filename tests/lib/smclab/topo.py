# SPDX-License-Identifier: Apache-2.0
"""Topologies inside a VM: a bridge, pods on it, RDMA devices in the pods.

        VM n1                                VM n2
  pod a     pod b                      pod c     pod d     10.244.1.x  10.244.2.x
   eth0      eth0                       eth0      eth0     (+ rxe in the pod)
    |         |                          |         |
  --+-- br0 --+-- eth0 ====== Link ==== eth0 --+-- br0 --
      10.244.1.1/16                          10.244.2.1/16
"""
from .machine import wait_for


def diag(vm, netns=None, every=False):
    """The kernel's rows for the connections of a namespace: smcdiag.py."""
    return vm.call("smcdiag", "dump", every, netns=netns)


def modes(rows, port):
    """Modes of the connections from or to @port, sorted."""
    return sorted(r["mode"] for r in rows
                  if port in (r["local_port"], r["remote_port"]))


class Pod:
    """A network namespace that stands for a pod."""

    def __init__(self, vm, name, v4, v6, node):
        self.vm, self.name, self.node = vm, name, node
        self.v4 = v4.split("/")[0] if v4 else None
        self.v6 = v6.split("/")[0] if v6 else None
        self.netns = f"/run/netns/{name}"
        self.cgroup = f"lab/{name}"
        self.rdma = None

    @property
    def ips(self):
        return [ip for ip in (self.v4, self.v6) if ip]

    def run(self, cmd, **kw):
        return self.vm.run(cmd, netns=self.name, cgroup=self.cgroup, **kw)

    def spawn(self, cmd, **kw):
        return self.vm.spawn(cmd, netns=self.name, cgroup=self.cgroup, **kw)

    def diag(self, every=False):
        return diag(self.vm, self.name, every)

    def held(self):
        """{(local port, remote port): (SMC's state, TCP's)}: smcdiag.held()"""
        return {(local, remote): (smc, tcp) for local, remote, smc, tcp
                in self.vm.call("smcdiag", "held", netns=self.name)}

    def modes(self, port):
        return modes(self.diag(), port)

    def smcnl(self, what, *args):
        """ueid, pnet or fback, as smcnl.py tells them in the pod."""
        return self.vm.call("smcnl", what, *args, netns=self.name)

    def linked(self):
        """How many SMC-R connections the kernel has on links of its device."""
        return self.smcnl("linked", self.rdma) if self.rdma else 0

    def wait_listen(self, port, timeout=20):
        """Wait until something in the pod listens on TCP @port (SMC too: the
        inner socket is what the kernel lists)."""
        wait_for(lambda: port in self.vm.call("smcdiag", "listening",
                                              netns=self.name),
                 timeout, f"a listener on port {port} in {self.name}")


class HostPod:
    """Programs in the machine's own namespace, in a cgroup of theirs or, with
    None, in nobody's."""

    def __init__(self, vm, cgroup, v4=None):
        self.vm, self.cgroup, self.v4 = vm, cgroup, v4

    def spawn(self, cmd, **kw):
        return self.vm.spawn(cmd, cgroup=self.cgroup, **kw)

    def diag(self, every=False):
        return diag(self.vm, every=every)


def bridge(vm, addr=None, v6=None, nic=None, name="br0"):
    """A bridge with optional addresses, @nic becoming one of its ports."""
    cmds = [f"ip link add {name} type bridge forward_delay 0",
            f"ip link set {name} up"]
    if nic:
        cmds += [f"ip link set {nic} master {name}", f"ip link set {nic} up"]
    if addr:
        cmds.append(f"ip addr add {addr} dev {name}")
    if v6:
        cmds.append(f"ip -6 addr add {v6} dev {name} nodad")
    vm.run(" && ".join(cmds))
    return name


def pod(vm, name, v4=None, v6=None, bridge_name="br0", gateway=None, rdma=False,
        node=None):
    """A namespace with eth0 on the bridge, lo up, and a cgroup of its own.

    rdma: also an rxe device over eth0, inside the namespace (see rxe()).
    """
    p = Pod(vm, name, v4, v6, node or vm.name)
    inside = ["link set lo up", "link set eth0 up"]
    if v4:
        inside.append(f"addr add {v4} dev eth0")
    if v6:
        # no duplicate detection: the address is usable at once
        inside.append(f"addr add {v6} dev eth0 nodad")
    if gateway:
        inside.append(f"route add default via {gateway}")
    vm.run(f"mkdir -p /sys/fs/cgroup/lab/{name} && ip netns add {name} && "
           f"ip link add v-{name} master {bridge_name} up type veth "
           f"peer name eth0 netns {name} && ip -n {name} -batch -",
           stdin="\n".join(inside) + "\n")
    if rdma:
        rxe(p)
    return p


def rxe(p, netdev="eth0"):
    """A soft RoCE device in the pod's namespace. RDMA device names are global
    to the kernel, so it carries the pod's name."""
    name = f"rxe{p.name}"
    p.run(f"rdma link add {name} type rxe netdev {netdev}")
    wait_for(lambda: "state ACTIVE" in p.run(f"rdma link show {name}/1").out,
             10, f"{name} to become active")
    p.rdma = name
    return name


def router(vm, address, bridge_name="br0"):
    """The machine forwards what pods on its bridge send to it; what pods of one
    bridge send each other through it does not tempt them to shorten the way."""
    vm.run(f"ip addr replace {address}/16 dev {bridge_name}; sysctl -qw"
           " net.ipv4.ip_forward=1"
           " net.ipv4.conf.all.send_redirects=0"
           f" net.ipv4.conf.{bridge_name}.send_redirects=0"
           " net.bridge.bridge-nf-call-iptables=1")


def cluster_ip(client, vip, port, to, target, gateway):
    """A Service's proxy on the client's node: it rewrites what the pod sends to
    @vip:@port; answers pass its bridge. The table is proxy-NAME-PORT of @to."""
    vm = client.vm
    client.run(f"ip route replace {vip} via {gateway}")
    router(vm, gateway)
    vm.run("nft -f -", stdin=f"""table ip proxy-{to.name}-{port} {{ chain pre {{
        type nat hook prerouting priority -100
        ip daddr {vip} tcp dport {port} dnat to {to.v4}:{target}
    }}\n}}""")


def delete_pod(p):
    p.vm.run(f"ip netns del {p.name}; rmdir /sys/fs/cgroup/{p.cgroup}",
             check=False)


def ueid(vm, name="SMCLAB"):
    """Add a user-defined EID: on x86 SMC-Rv2 and loopback need one."""
    return vm.call("smcnl", "ueid", "add", name)

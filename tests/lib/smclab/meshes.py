# SPDX-License-Identifier: Apache-2.0
"""Rules that sidecars of several meshes put into a pod's namespace, in the form
of iptables-save: for iptables over nftables and for iptables-legacy. Whose
connections they leave alone is what each is about. Istio's: istio.py.
"""

LINKERD = """*nat
:PROXY_INIT_OUTPUT - [0:0]
:PROXY_INIT_REDIRECT - [0:0]
-A PREROUTING -m comment --comment "install" -j PROXY_INIT_REDIRECT
-A OUTPUT -m comment --comment "install" -j PROXY_INIT_OUTPUT
-A PROXY_INIT_OUTPUT -m owner --uid-owner 2102 -j RETURN
-A PROXY_INIT_OUTPUT -o lo -j RETURN
-A PROXY_INIT_OUTPUT -p tcp -m multiport --dports 25,587 -j RETURN
-A PROXY_INIT_OUTPUT -p tcp -j REDIRECT --to-ports 15001
-A PROXY_INIT_REDIRECT -p tcp -m multiport --dports 4190,4191 -j RETURN
-A PROXY_INIT_REDIRECT -p tcp -j REDIRECT --to-ports 15006
COMMIT
"""

KUMA = """*nat
:MESH_INBOUND_REDIRECT - [0:0]
:MESH_OUTBOUND - [0:0]
:MESH_OUTBOUND_REDIRECT - [0:0]
-A OUTPUT -p udp -m udp --dport 53 -m owner --uid-owner 5678 -j RETURN
-A OUTPUT -p udp -m udp --dport 53 -j REDIRECT --to-ports 15053
-A OUTPUT -p tcp -j MESH_OUTBOUND
-A MESH_OUTBOUND -s 127.0.0.6/32 -o lo -j RETURN
-A MESH_OUTBOUND ! -d 127.0.0.1/32 -o lo -p tcp -m tcp ! --dport 53 -m owner --uid-owner 5678 -j MESH_INBOUND_REDIRECT
-A MESH_OUTBOUND -o lo -p tcp -m tcp ! --dport 53 -m owner ! --uid-owner 5678 -j RETURN
-A MESH_OUTBOUND -m owner --uid-owner 5678 -j RETURN
-A MESH_OUTBOUND -p tcp -m tcp --dport 53 -j REDIRECT --to-ports 15053
-A MESH_OUTBOUND -d 127.0.0.1/32 -j RETURN
-A MESH_OUTBOUND -j MESH_OUTBOUND_REDIRECT
-A MESH_INBOUND_REDIRECT -p tcp -j REDIRECT --to-ports 15006
-A MESH_OUTBOUND_REDIRECT -p tcp -j REDIRECT --to-ports 15001
COMMIT
"""

# by the group alone, and its inbound side
GROUP = """*nat
-A PREROUTING -p tcp -j REDIRECT --to-ports 15006
-A OUTPUT -o lo -j RETURN
-A OUTPUT -m owner --gid-owner 5678 -j RETURN
-A OUTPUT -p tcp -j REDIRECT --to-ports 15001
COMMIT
"""

# the proxy's user, and the one of what sets it up
CONSUL = """*nat
:CONSUL_PROXY_OUTPUT - [0:0]
:CONSUL_PROXY_REDIRECT - [0:0]
-A OUTPUT -p tcp -j CONSUL_PROXY_OUTPUT
-A CONSUL_PROXY_OUTPUT -m owner --uid-owner 5996 -j RETURN
-A CONSUL_PROXY_OUTPUT -m owner --uid-owner 5995 -j RETURN
-A CONSUL_PROXY_OUTPUT -d 127.0.0.1/32 -j RETURN
-A CONSUL_PROXY_OUTPUT -j CONSUL_PROXY_REDIRECT
-A CONSUL_PROXY_REDIRECT -p tcp -j REDIRECT --to-ports 15001
COMMIT
"""

# no owner at all: a mark, which an SMC socket's packets have too
AMBIENT = """*nat
:ISTIO_OUTPUT - [0:0]
:ISTIO_PRERT - [0:0]
-A PREROUTING -j ISTIO_PRERT
-A OUTPUT -j ISTIO_OUTPUT
-A ISTIO_OUTPUT -d 169.254.7.127/32 -p tcp -m tcp -j ACCEPT
-A ISTIO_OUTPUT -p tcp -m mark --mark 0x111/0xfff -j ACCEPT
-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -j ACCEPT
-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -p tcp -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15001
-A ISTIO_PRERT ! -d 127.0.0.1/32 -p tcp -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15006
COMMIT
"""

TOOLS = {"nft": "iptables-nft-restore", "legacy": "iptables-legacy-restore"}


def load(pod, rules, tool):
    """@tool: nft or legacy; IPv4. @rules: text of iptables-save."""
    pod.run(TOOLS[tool], stdin=rules)

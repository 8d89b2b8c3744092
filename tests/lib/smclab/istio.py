# SPDX-License-Identifier: Apache-2.0
"""The redirect and owner rules that istio puts into a pod's namespace, as its
documentation shows them, for nftables, iptables over it and iptables-legacy.

Outbound: all TCP goes to 15001, except what the proxy's UID (or GID) sends and
what goes to loopback. Inbound: all TCP goes to 15006, except the proxy's own
health and metrics ports. 127.0.0.6 and ::6 are where the proxy comes from when
it talks to the application.
"""
UID = 1337
OUT, IN = 15001, 15006
KEEP = (15008, 15090, 15021, 15020)    # not redirected inbound

NFT = """
table inet istio-proxy-nat {
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		meta l4proto tcp jump istio-inbound
	}
	chain output {
		type nat hook output priority -100; policy accept;
		meta l4proto tcp jump istio-output
	}
	chain istio-inbound {
		tcp dport { KEEP } return
		jump istio-in-redirect
	}
	chain istio-redirect { meta l4proto tcp redirect to :OUT; }
	chain istio-in-redirect { meta l4proto tcp redirect to :IN; }
	chain istio-output {
		oifname "lo" ip saddr 127.0.0.6 return
		oifname "lo" ip6 saddr ::6 return
		oifname "lo" ip daddr != 127.0.0.1 tcp dport != 15008 meta skuid UID jump istio-in-redirect
		oifname "lo" ip6 daddr != ::1 tcp dport != 15008 meta skuid UID jump istio-in-redirect
		oifname "lo" meta skuid != UID return
		meta skuid UID return
		oifname "lo" ip daddr != 127.0.0.1 tcp dport != 15008 meta skgid UID jump istio-in-redirect
		oifname "lo" ip6 daddr != ::1 tcp dport != 15008 meta skgid UID jump istio-in-redirect
		oifname "lo" meta skgid != UID return
		meta skgid UID return
		ip daddr 127.0.0.1 return
		ip6 daddr ::1 return
		jump istio-redirect
	}
}
"""

LEGACY = """*nat
:ISTIO_INBOUND - [0:0]
:ISTIO_IN_REDIRECT - [0:0]
:ISTIO_OUTPUT - [0:0]
:ISTIO_REDIRECT - [0:0]
-A PREROUTING -p tcp -j ISTIO_INBOUND
-A OUTPUT -p tcp -j ISTIO_OUTPUT
{keep}
-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT
-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports {IN}
-A ISTIO_OUTPUT -s {six} -o lo -j RETURN
-A ISTIO_OUTPUT ! -d {lo} -o lo -p tcp -m tcp ! --dport 15008 -m owner --uid-owner {UID} -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT -o lo -m owner ! --uid-owner {UID} -j RETURN
-A ISTIO_OUTPUT -m owner --uid-owner {UID} -j RETURN
-A ISTIO_OUTPUT ! -d {lo} -o lo -p tcp -m tcp ! --dport 15008 -m owner --gid-owner {UID} -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT -o lo -m owner ! --gid-owner {UID} -j RETURN
-A ISTIO_OUTPUT -m owner --gid-owner {UID} -j RETURN
-A ISTIO_OUTPUT -d {lo} -j RETURN
-A ISTIO_OUTPUT -j ISTIO_REDIRECT
-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports {OUT}
COMMIT
"""


def nftables(pod):
    rules = NFT
    for word, value in (("KEEP", ", ".join(map(str, KEEP))), ("UID", UID),
                        (":OUT", f":{OUT}"), (":IN", f":{IN}")):
        rules = rules.replace(word, str(value))
    pod.run("nft -f -", stdin=rules)


def iptables(pod, kind):
    """@kind: legacy or nft."""
    keep = "\n".join(f"-A ISTIO_INBOUND -p tcp -m tcp --dport {p} -j RETURN"
                     for p in KEEP)
    for tool, six, lo in (("iptables", "127.0.0.6/32", "127.0.0.1/32"),
                          ("ip6tables", "::6/128", "::1/128")):
        pod.run(f"{tool}-{kind}-restore", stdin=LEGACY.format(
            keep=keep, six=six, lo=lo, UID=UID, IN=IN, OUT=OUT))


def has_legacy(vm):
    """Has this kernel iptables' own tables?"""
    return vm.run("iptables-legacy -t nat -S && ip6tables-legacy -t nat -S",
                  check=False).rc == 0


# TPROXY mode: what comes in keeps its address, and is the proxy's all the same
INBOUND = f"""
flush chain inet istio-proxy-nat prerouting
table ip istio-tproxy {{
	chain prerouting {{
		type filter hook prerouting priority mangle
		iifname "lo" return
		tcp dport {{ {', '.join(map(str, KEEP))} }} return
		meta l4proto tcp socket transparent 1 meta mark set {UID} accept
		meta l4proto tcp tproxy to :{IN} meta mark set {UID} accept
	}}
}}
"""


def transparent(pod):
    """istio's rules (nftables) in TPROXY mode."""
    nftables(pod)
    pod.run("nft -f -", stdin=INBOUND)
    pod.run(f"ip rule add fwmark {UID} lookup 133 && "
            "ip route add local default dev lo table 133")


RULES = {"nftables": nftables,
         "iptables-nft": lambda pod: iptables(pod, "nft"),
         "iptables-legacy": lambda pod: iptables(pod, "legacy")}


def install(pod, kind):
    """The rules, and the address that the proxy comes from."""
    pod.run("ip -6 addr add ::6/128 dev lo nodad")
    RULES[kind](pod)

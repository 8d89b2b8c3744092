# SPDX-License-Identifier: Apache-2.0
"""Does what comes to a pod end in the pod (user/node/forwards.c)? Each way of
handing it on, beside what looks like it and is none."""
import os

import pytest

from smclab import istio
from smclab.nodens import nodectl

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

OWN = ("10.244.1.40", "fd00:244::40")
AWAY = "a nat rule leads to "
OTHERS = "a nat rule leads to other addresses"
XTABLES = ["iptables-nft", "iptables-legacy"]


@pytest.fixture(name="pod")
def make_pod(netns):
    """A namespace with OWN on eth0, as a network plugin leaves it."""
    n = netns()
    n.run("ip link set lo up; ip link add eth0 type veth peer name peer;"
          " ip link set eth0 up; ip link set peer up;"
          f" ip addr add {OWN[0]}/24 dev eth0;"
          f" ip addr add {OWN[1]}/64 dev eth0 nodad")
    return n


def found(pod):
    """What is found, or None."""
    got = nodectl("forwards", *OWN, netns=pod)
    assert (got["result"] == 1) == bool(got["what"]), got
    assert got["result"] in (0, 1), got
    return got["what"] or None


def nft(pod, rules):
    pod.run("nft -f -", stdin="flush ruleset\n" + rules)
    return found(pod)


def nat(pod, *rules, family="ip", hook="prerouting", more=""):
    """One chain with these rules; more: other parts of the table."""
    body = "\n".join(rules)
    return nft(pod, f"table {family} t {{\n{more}\nchain c {{\n"
               f"type nat hook {hook} priority -100\n{body}\n}}\n}}\n")


def test_pod_without_rules_forwards_nothing(pod):
    assert found(pod) is None


# ---- nftables ------------------------------------------------------------------

def test_masquerade_of_a_virtual_machine_is_found(pod):
    """As KubeVirt has it: all that comes to eth0 goes to the guest."""
    assert nft(pod, """table ip nat {
        chain prerouting {
            type nat hook prerouting priority dstnat
            iifname "eth0" counter jump KUBEVIRT_PREINBOUND
        }
        chain input { type nat hook input priority 100; }
        chain output {
            type nat hook output priority -100
            ip daddr 127.0.0.1 counter dnat to 10.0.2.2
        }
        chain KUBEVIRT_PREINBOUND { counter dnat to 10.0.2.2; }
    }""") == AWAY + "10.0.2.2"


def test_only_a_rule_that_leads_elsewhere_is_found(pod):
    assert nat(pod, "tcp dport 80 dnat to 172.17.0.2:80") == AWAY + "172.17.0.2"
    assert nat(pod, "tcp dport 80 dnat to fd17::2", family="ip6") == (
        AWAY + "fd17::2")
    assert nat(pod, "dnat ip to 172.17.0.2", family="inet") == (
        AWAY + "172.17.0.2")
    assert nat(pod, "dnat to tcp dport map { 80 : 172.17.0.2 }") == OTHERS
    # to the namespace itself
    assert nat(pod, f"tcp dport 80 dnat to {OWN[0]}:8080") is None
    assert nat(pod, f"tcp dport 80 dnat to [{OWN[1]}]:8080",
               family="ip6") is None
    assert nat(pod, "tcp dport 80 dnat to 127.0.0.1:8080") is None
    assert nat(pod, "tcp dport 80 dnat to :8080") is None
    assert nat(pod, "tcp dport 80 redirect to :8080") is None
    assert nat(pod, "dnat to ip daddr") is None


def test_only_a_rule_that_tcp_may_meet_is_found(pod):
    to = "dnat to 172.17.0.2"
    assert nat(pod, f"meta l4proto udp {to}") is None
    assert nat(pod, f"ip protocol udp {to}") is None
    assert nat(pod, f"udp dport 53 {to}") is None
    assert nat(pod, f"ip daddr 10.9.9.9 tcp dport 80 {to}") is None
    assert nat(pod, f"ip daddr {OWN[0]} tcp dport 80 {to}")
    assert nat(pod, f"meta l4proto tcp {to}")
    # what is not judged counts as met
    assert nat(pod, f"ip daddr != {OWN[0]} {to}")
    assert nat(pod, f"ip daddr 10.244.0.0/17 {to}")
    assert nat(pod, f"ip saddr 10.9.9.9 iifname x {to}")
    # one rule of several
    assert nat(pod, f"udp dport 53 {to}", f"tcp dport 53 {to}")
    assert nat(pod, f"udp dport 53 {to}", "tcp dport 53 accept") is None


def test_only_a_rule_that_prerouting_reaches_is_found(pod):
    to = "tcp dport 80 dnat to 172.17.0.2"
    assert nat(pod, to, hook="output") is None
    assert nat(pod, "jump a", more=f"chain b {{ {to}; }}\n"
               "chain a { tcp dport 80 goto b; }\n")
    assert nat(pod, "jump a", hook="output", more=f"chain a {{ {to}; }}") is None
    assert nat(pod, "meta l4proto udp jump a",
               more=f"chain a {{ {to}; }}") is None
    # by a verdict map, of which the rule does not say where it leads
    assert nat(pod, "tcp dport vmap { 80 : jump a }",
               more=f"chain a {{ {to}; }}")


def test_nftables_forward_to_another_device_is_found(pod):
    chain = ("table netdev t {{\nchain c {{\ntype filter hook {} device eth0"
             " priority 0\nfwd to peer\n}}\n}}\n")
    done = pod.run("nft -f -", stdin=chain.format("ingress"), check=False)
    if done.rc:
        pytest.skip("this kernel has no fwd of nftables")
    assert found(pod) == "a rule of nftables forwards to another device"
    assert nft(pod, chain.format("egress")) is None


def test_our_own_rule_is_none(pod):
    assert nodectl("sidecar", 1337, netns=pod)["result"] == 1
    assert found(pod) is None


@pytest.mark.parametrize("kind", list(istio.RULES))
def test_a_sidecars_redirect_is_none(pod, kind):
    istio.install(pod, kind)
    assert found(pod) is None


# ---- iptables ------------------------------------------------------------------

def restore(pod, tool, *rules, chains=()):
    """The nat table with these rules, and what is found then."""
    lines = ["*nat", *(f":{c} - [0:0]" for c in chains), *rules, "COMMIT", ""]
    pod.run(f"{tool}-restore", stdin="\n".join(lines))
    return found(pod)


@pytest.mark.parametrize("tool", XTABLES)
def test_published_port_of_a_container_engine_is_found(pod, tool):
    """As docker has it, with the nat of its own that changes nothing."""
    rules = ("-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
             "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL"
             " -j DOCKER",
             "-A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE",
             "-A DOCKER -i docker0 -j RETURN")
    publish = ("-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT"
               " --to-destination 172.17.0.2:80")
    assert restore(pod, tool, *rules, chains=["DOCKER"]) is None
    assert restore(pod, tool, *rules, publish, chains=["DOCKER"]) == (
        AWAY + "172.17.0.2")


@pytest.mark.parametrize("tool", XTABLES)
def test_only_an_iptables_rule_that_leads_away_is_found(pod, tool):
    to = "-j DNAT --to-destination 172.17.0.2"

    def one(rule):
        return restore(pod, tool, rule)

    assert one(f"-A PREROUTING {to}")
    assert one(f"-A PREROUTING -p tcp -d {OWN[0]} {to}")
    assert one(f"-A PREROUTING ! -d 10.9.9.9 {to}")
    assert one(f"-A PREROUTING -d 10.244.0.0/16 {to}")
    assert one(f"-A PREROUTING ! -p udp {to}")
    assert one(f"-A PREROUTING -d {OWN[0]} -j NETMAP --to 172.17.0.2") == (
        AWAY + "172.17.0.2")
    assert one(f"-A PREROUTING -p udp {to}") is None
    assert one(f"-A PREROUTING -d 10.9.9.9 {to}") is None
    assert one(f"-A OUTPUT {to}") is None
    assert one("-A PREROUTING -p tcp -j DNAT --to-destination"
               f" {OWN[0]}:8080") is None
    assert one("-A PREROUTING -p tcp -j DNAT --to-destination"
               " 127.0.0.1:8080") is None
    assert one("-A PREROUTING -p tcp -j DNAT --to-destination :8080") is None
    assert one("-A PREROUTING -p tcp -j REDIRECT --to-ports 8080") is None


@pytest.mark.parametrize("tool", XTABLES)
def test_iptables_rule_behind_chains_is_found(pod, tool):
    to = "-p tcp -j DNAT --to-destination 172.17.0.2"
    chains = ["A", "B"]

    def these(*rules):
        return restore(pod, tool, *rules, chains=chains)

    assert these("-A PREROUTING -j A", "-A A -p tcp -g B", f"-A B {to}")
    assert these("-A PREROUTING -j A", f"-A PREROUTING {to}", "-A A -j RETURN")
    assert these("-A OUTPUT -j A", f"-A A {to}") is None


@pytest.mark.parametrize("tool", XTABLES)
def test_ip6tables_rule_that_leads_away_is_found(pod, tool):
    tool = tool.replace("ip", "ip6", 1)
    to = "-p tcp -j DNAT --to-destination fd17::2"
    assert restore(pod, tool, f"-A PREROUTING {to}") == AWAY + "fd17::2"
    assert restore(pod, tool, f"-A PREROUTING -d {OWN[1]} {to}")
    assert restore(pod, tool, f"-A PREROUTING -d fd09::9 {to}") is None
    assert restore(pod, tool, f"-A OUTPUT {to}") is None


def test_no_table_is_made_by_looking(pod):
    """The kernel makes one for whoever asks for it."""
    names = "cat /proc/self/net/ip_tables_names /proc/self/net/ip6_tables_names"
    before = pod.run(names, check=False).out
    assert "nat" not in before
    assert found(pod) is None
    assert pod.run(names, check=False).out == before
    pod.run("iptables-legacy -t nat -S", check=False)
    if "nat" not in pod.run(names, check=False).out:
        pytest.skip("this kernel has no iptables-legacy (CONFIG_IP_NF_NAT)")


# ---- tc ------------------------------------------------------------------------

# how a sandbox moves its device to the guest's; by matchall and flower:
# tests/vm/test_addresses.py, for not every kernel has them
FILTER = "protocol all u32 match u8 0 0"


@pytest.mark.parametrize("qdisc", ["ingress", "clsact"])
def test_tc_redirect_to_another_device_is_found(pod, qdisc):
    where = "ingress" if qdisc == "clsact" else "parent ffff:"

    def put(where, action, pref=7):
        pod.run(f"tc qdisc replace dev eth0 {qdisc};"
                f" tc filter del dev eth0 {where} || true;"
                f" tc filter add dev eth0 {where} pref {pref} {FILTER}"
                f" action mirred egress {action} dev peer")
        return found(pod)

    if pod.run(f"tc qdisc add dev peer {qdisc} && tc filter add dev peer {where}"
               f" {FILTER} action mirred egress redirect dev eth0",
               check=False).rc:
        pytest.skip("this kernel has no u32 or no mirred")
    # of a device without an address
    assert found(pod) is None
    assert put(where, "mirror") is None
    if qdisc == "clsact":
        # u32 lists the filters of both directions that have one pref
        assert put("egress", "redirect", pref=8) is None
    assert put(where, "redirect") == "a tc filter redirects what comes to eth0"
    pod.run(f"tc filter del dev eth0 {where}")
    assert found(pod) is None

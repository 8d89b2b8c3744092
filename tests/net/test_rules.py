# SPDX-License-Identifier: Apache-2.0
"""Whom a namespace's own rules let pass, on this machine's kernel: what nodectl
sidecar reads of them, and whether our table is there afterwards. The decision
alone, with more cases, is in tests/unit/test_redirect.c; connections in
tests/vm/test_meshes.py."""
import errno
import os
import subprocess

import pytest

from smclab import istio, meshes
from smclab.nodens import nodectl

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

HAS_LEGACY = subprocess.run(
    ["unshare", "-n", "sh", "-c", "iptables-legacy -t nat -S &&"
     "ip6tables-legacy -t nat -S"], capture_output=True, check=False).returncode == 0
legacy = pytest.mark.skipif(not HAS_LEGACY, reason="no iptables-legacy here")
TOOLS = ["nft", pytest.param("legacy", marks=legacy)]


def nat(*rules):
    return "*nat\n" + "".join(f"-A OUTPUT {r}\n" for r in rules) + "COMMIT\n"


AWAY = "-p tcp -j REDIRECT --to-ports 15001"
# name: (rules, owners). No owners: everybody is converted, without our table;
# None: nobody, it cannot be told whom.
TABLES = {
    "linkerd": (meshes.LINKERD, ["UID 2102"]),
    "kuma": (meshes.KUMA, ["UID 5678"]),
    "group": (meshes.GROUP, ["GID 5678"]),
    "consul": (meshes.CONSUL, ["UID 5995", "UID 5996"]),
    "ambient": (meshes.AMBIENT, []),
    "inverted": (nat("-p tcp -m owner ! --uid-owner 1501 -d 192.0.2.1/32 "
                     "-j REDIRECT --to-ports 8000"), ["UID 1501"]),
    "both": (nat("-m owner --uid-owner 0 --gid-owner 1337 -j RETURN", AWAY),
             ["UID 0 with GID 1337"]),
    "narrow": (nat("-p tcp -d 192.0.2.1/32 --dport 80 -j DNAT "
                   "--to-destination 127.0.0.1:81"), []),
    "udp": (nat("-p udp -m owner ! --uid-owner 5 -j REDIRECT --to-ports 53"),
            []),
    "lo": (nat("-o lo " + AWAY, "-d 127.0.0.0/8 " + AWAY), []),
    "empty": (nat(), []),
    "nobody": (nat("-o lo -j RETURN", AWAY), None),
    "range": (nat("-m owner --uid-owner 1000-2000 -j RETURN", AWAY), None),
    "all but root": (nat("-m owner ! --uid-owner 0 -j RETURN", AWAY), None),
    "groups too": (nat("-m owner --gid-owner 7 --suppl-groups -j RETURN", AWAY),
                   None),
    "mark and owner": (nat("-m mark --mark 1 -m owner --uid-owner 7 -j RETURN",
                           AWAY), None),
    "port and owner": (nat("-p tcp --dport 53 -j REDIRECT --to-ports 5353",
                           "-m owner --uid-owner 7 -j RETURN", AWAY), None),
}


def has_ours(n):
    return "smcmesh" in n.run("nft list ruleset").out


def assert_answer(n, owners):
    got = nodectl("sidecar", netns=n)
    if owners is None:
        assert got["result"] == -errno.ENOTUNIQ and got["detail"], got
        assert not has_ours(n)
        return
    assert got["result"] == bool(owners), got
    assert got["owners"] == owners and got["sidecar"] == bool(owners), got
    assert not got["by_hint"]
    assert has_ours(n) == bool(owners)
    # again: nothing to do
    assert nodectl("sidecar", netns=n)["result"] == 0
    # a hint adds nothing to what rules say
    if owners:
        assert nodectl("sidecar", 42, netns=n)["owners"] == owners


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", TABLES)
def test_iptables_rules_tell_the_owners(netns, name, tool):
    n = netns()
    rules, owners = TABLES[name]
    meshes.load(n, rules, tool)
    assert_answer(n, owners)


@pytest.mark.parametrize("kind", ["nftables", "iptables-nft",
                                  pytest.param("iptables-legacy", marks=legacy)])
def test_rules_of_istio_tell_uid_and_gid_1337(netns, kind):
    n = netns()
    istio.RULES[kind](n)
    assert_answer(n, ["UID 1337", "GID 1337"])


NFT = """table {family} t {{
	chain o {{
		type nat hook output priority {priority}; policy {policy};
		{rules}
	}}
	chain c {{
		{jumped}
	}}
}}
"""


def nft(*rules, jumped="", family="inet", priority="-100", policy="accept"):
    return NFT.format(family=family, priority=priority, policy=policy,
                      rules="\n\t\t".join(rules), jumped=jumped)


TO = "meta l4proto tcp redirect to :15001"
NATIVE = {
    "user": (nft("meta skuid 7 return", TO), ["UID 7"]),
    "set": (nft("meta skuid { 7, 9 } return", TO), ["UID 7", "UID 9"]),
    "not": (nft("meta skuid != 7 " + TO), ["UID 7"]),
    "group": (nft("meta skgid 7 return", TO), ["GID 7"]),
    "both": (nft("meta skuid 0 meta skgid 7 return", TO), ["UID 0 with GID 7"]),
    "below": (nft("meta skuid < 1 return", TO), ["UID 0"]),
    "jump": (nft("meta l4proto tcp jump c", jumped="meta skuid 7 return\n" + TO),
             ["UID 7"]),
    "goto": (nft("meta skuid 7 accept", "meta l4proto { tcp, udp } goto c",
                 jumped="ip daddr 10.0.0.0/8 return\n"
                 "meta l4proto tcp dnat ip to 127.0.0.1:1"),
             ["UID 7"]),
    "one family": (nft("meta skuid 7 return", "ip6 daddr ::/0 " + TO),
                   ["UID 7"]),
    "ip6": (nft("meta skuid 7 return", TO, family="ip6"), ["UID 7"]),
    "mark": (nft("meta mark 0x539 return", TO), []),
    "other interface": (nft('oifname "lo" ' + TO, "oif lo " + TO), []),
    "not tcp": (nft("udp dport 53 redirect to :1",
                    "meta l4proto != tcp redirect"), []),
    "drops": (nft("meta skuid 7 accept", policy="drop"), ["UID 7"]),
    "map": (nft("meta skuid 7 return",
                "tcp dport vmap { 80 : jump c, 81 : accept }", jumped=TO),
            ["UID 7"]),
    "owners in a map": (nft("meta skuid vmap { 7 : accept, 8 : return }", TO),
                        None),
    "named set": ("table inet t { set s { type uid; elements = { 7 } }; }\n"
                  + nft("meta skuid @s return", TO), None),
    "range": (nft("meta skuid 7-8 return", TO), None),
    "no file": (nft("meta skuid 0-4294967295 return", TO), None),
    "limit": (nft("meta skuid 7 limit rate 1/second return", TO), None),
    "early": (nft("meta skuid 7 return", TO, priority="-150"), None),
    "just before ours": (nft("meta skuid 7 return", TO, priority="-109"),
                         ["UID 7"]),
    "nobody": (nft(TO), None),
    "dormant": (nft("meta skuid 7 return", TO)
                + "table inet t { flags dormant; }\n", []),
    "filter": ("table inet t { chain o { type filter hook output priority 0;"
               "meta skuid 7 return; meta l4proto tcp drop; }; }", []),
}


@pytest.mark.parametrize("name", NATIVE)
def test_nftables_rules_tell_the_owners(netns, name):
    n = netns()
    rules, owners = NATIVE[name]
    n.run("nft -f -", stdin=rules)
    assert_answer(n, owners)


def test_rules_win_over_the_hint_while_they_are_there(netns):
    """What a pod's object hints at counts until there are rules; without either
    our table goes, and nobody is told apart."""
    n = netns()
    got = nodectl("sidecar", 42, netns=n)
    assert got["result"] == 1 and got["by_hint"] and got["owners"] == ["UID 42"]
    meshes.load(n, meshes.LINKERD, "nft")
    got = nodectl("sidecar", 42, netns=n)
    assert got["result"] == 0 and not got["by_hint"]
    assert got["owners"] == ["UID 2102"]
    # a redirect that asks for nobody is not ours to pass, whatever the hint
    n.run("iptables-nft -t nat -F OUTPUT")
    meshes.load(n, meshes.AMBIENT, "nft")
    got = nodectl("sidecar", 42, netns=n)
    assert got["result"] == 1 and got["owners"] == [] and not has_ours(n)
    n.run("nft flush ruleset")
    assert nodectl("sidecar", netns=n)["result"] == 0
    assert n.run("nft list ruleset").out == ""


@legacy
def test_looking_makes_no_table(netns):
    n = netns()
    nodectl("sidecar", netns=n)
    nodectl("sidecar", 42, netns=n)
    assert "nat" not in n.run("cat /proc/self/net/ip_tables_names").out
    n.run("iptables-legacy -t nat -S")    # the control: this does
    assert "nat" in n.run("cat /proc/self/net/ip_tables_names").out


def test_rules_of_both_tools_tell_who_passes_all(netns):
    """Rules of iptables over nftables and of nftables: who passes all."""
    n = netns()
    meshes.load(n, meshes.LINKERD, "nft")
    n.run("nft -f -", stdin=nft("meta skuid { 2102, 9 } return", TO))
    assert_answer(n, ["UID 2102"])
    n.run("nft -f -", stdin=nft("meta skuid 9 return", TO).replace(" t {", " u {"))
    got = nodectl("sidecar", netns=n)
    assert got["result"] == -errno.ENOTUNIQ    # and ours stays as it was
    assert has_ours(n)


def test_too_many_rules_are_given_up(netns):
    """Bounded: who may write rules there cannot keep us busy."""
    n = netns()
    n.run("nft -f -", stdin=nft(*["tcp dport 1 accept"] * 5000, TO))
    got = nodectl("sidecar", netns=n)
    assert got["result"] in (-errno.ENOTUNIQ, -errno.ETIMEDOUT) and got["detail"]
    n.run("nft flush ruleset")
    n.run("nft -f -", stdin=nft(*[f"meta skuid {i} return"
                                  for i in range(0, 200, 2)], TO))
    assert nodectl("sidecar", netns=n)["result"] == -errno.ENOTUNIQ

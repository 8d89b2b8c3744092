# SPDX-License-Identifier: Apache-2.0
"""What a namespace takes for itself (user/node/local_addrs.c), and what it does not."""
import os

import pytest

from smclab.nodens import nodectl

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

LO = {"127.0.0.1", "::1"}


def local(n):
    got = nodectl("local", netns=n)
    assert got["result"] == 0, got
    assert got["addresses"] == list(dict.fromkeys(got["addresses"])), got
    return set(got["addresses"]), set(got["nets"])


def test_local_addresses_and_prefixes_are_told(netns):
    n = netns()
    n.run("ip link set lo up; ip link add eth0 type veth peer name peer;"
          " ip link set eth0 up; ip link set peer up")
    addresses, nets = local(n)
    assert LO <= addresses and nets == {"127.0.0.0/8"}
    # a DNS cache holds a Service's address
    n.run("ip addr add 10.96.0.10/32 dev eth0;"
          " ip addr add fd96::10/128 dev eth0 nodad")
    now, nets = local(n)
    assert now - addresses >= {"10.96.0.10", "fd96::10"}
    assert nets == {"127.0.0.0/8"}
    # it takes all of a prefix
    n.run("ip route add local 10.97.0.0/16 dev lo;"
          " ip route add local 10.98.0.1 dev lo")
    now, nets = local(n)
    assert "10.98.0.1" in now and nets == {"127.0.0.0/8", "10.97.0.0/16"}
    n.run("ip addr del 10.96.0.10/32 dev eth0")
    assert "10.96.0.10" not in local(n)[0]


def test_routes_that_are_not_local_are_not_told(netns):
    n = netns()
    n.run("ip link set lo up; ip link add eth0 type veth peer name peer;"
          " ip link set eth0 up; ip link set peer up;"
          " ip addr add 192.0.2.1/24 dev eth0")
    before = local(n)
    n.run("ip route add 10.96.0.10/32 dev eth0;"
          " ip route add blackhole 10.96.0.11;"
          " ip route add unreachable 10.97.0.0/16;"
          " ip route add table 7 local 10.96.0.12 dev lo;"
          " ip neigh add proxy 10.96.0.13 dev eth0")
    assert local(n) == before
    assert "192.0.2.1" in before[0] and "192.0.2.255" not in before[0]

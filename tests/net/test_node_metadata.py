# SPDX-License-Identifier: Apache-2.0
"""What `smcmesh node setup` makes of a metadata service (user/node/metadata.c) that
is as it should be, and of one that is not: then nothing is done, and it says why."""
import os
import shutil
import socket
import subprocess
import time

import pytest

from smclab import metadata, nics
from smclab.nodens import Netns

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

PATHS = [metadata.PREFIX + nics.MAC + "/" + what
         for what in ("primary-ip-address", "netmask", "gateway")]
# as often is one question asked
TRIES = 4
# where no carrier is waited for
HURRIED = {"SMCMESH_HURRY": "50"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    netns = Netns(f"node{os.getpid() % 10000}cloud")
    try:
        with nics.node(netns, tmp_path_factory.mktemp("node")) as n:
            yield n, n.picture()
    finally:
        subprocess.run(["ip", "netns", "del", netns.name], check=False)


@pytest.fixture
def node(shared):
    """One namespace for all; what setup made there does not stay."""
    n, before = shared
    n.cloud.well_behaved({nics.MAC: dict(nics.CLOUD)})
    yield n
    n.netns.run("ip addr flush dev eth1; ip link set eth1 down")
    shutil.rmtree(n.state, ignore_errors=True)
    n.returns_to(before)


def works(node):
    assert node.one("setup")[1]["result"] == "done"
    assert node.addresses() == ["10.0.0.6/24"]


def fails(node, word, result="unknown"):
    """It does nothing, for the reason with @word in it."""
    before = node.picture()
    with node.changes() as seen:
        status, row = node.one("setup", env=HURRIED)
    assert row["result"] == result and word in row["text"], row
    assert status == (3 if result == "unknown" else 1)
    assert not seen and node.picture() == before and not node.records()
    assert row["text"].isprintable(), row


# ---- as it should be

def test_a_token_is_asked_for_once_and_given_each_time(node):
    works(node)
    assert node.cloud.log == [("PUT", metadata.TOKEN_PATH, None)] + [
        ("GET", path, "token-1") for path in PATHS]


@pytest.mark.parametrize("status", [404, 405])
def test_service_without_tokens_is_asked_without(node, status):
    node.cloud.tokens, node.cloud.no_tokens = None, status
    works(node)
    assert [x[1:] for x in node.cloud.log[1:]] == [(p, None) for p in PATHS]


@pytest.mark.parametrize("status", [400, 403])
def test_service_that_refuses_a_token_is_not_asked_without(node, status):
    node.cloud.tokens, node.cloud.no_tokens = None, status
    fails(node, f"answers {status}")
    assert len(node.cloud.log) == 1


def test_token_that_expired_is_asked_for_anew_once(node):
    def expire(handler):
        if handler.path.endswith("netmask") and node.cloud.token == 1:
            node.cloud.token = 7    # none that was given
        return False
    node.cloud.answer = expire
    works(node)
    assert [x[0] for x in node.cloud.log].count("PUT") == 2


def test_token_that_is_never_taken_is_given_up(node):
    node.cloud.instead("netmask", lambda h: h.send(401))
    fails(node, "answers 401")
    assert [x[0] for x in node.cloud.log].count("PUT") == 2


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("what", ["netmask", "token"])
def test_what_passes_is_asked_again(node, what, status):
    left = [status] * (TRIES - 1)

    def answer(handler):
        if handler.path.endswith(what) and left:
            handler.send(left.pop())
            return True
        return False
    node.cloud.answer = answer
    works(node)
    assert not left


@pytest.mark.parametrize("what", ["netmask", "token"])
def test_what_does_not_pass_is_given_up(node, what):
    node.cloud.instead(what, lambda h: h.send(503))
    fails(node, "answers 503")
    assert sum(x[1].endswith("/" + what) for x in node.cloud.log) == TRIES


def test_without_a_netmask_the_block_of_the_vswitch_is_taken(node):
    del node.cloud.values[nics.MAC]["netmask"]
    works(node)
    node.one("reset")
    node.cloud.values[nics.MAC]["vswitch-cidr-block"] = "10.0.1.0/24"
    fails(node, "10.0.1.0/24 does not hold the address 10.0.0.6")
    del node.cloud.values[nics.MAC]["vswitch-cidr-block"]
    fails(node, "vswitch-cidr-block answers 404")


def test_gateway_may_be_missing(node):
    del node.cloud.values[nics.MAC]["gateway"]
    works(node)


def test_url_is_taken_from_flag_then_environment_then_default(node):
    wrong = {"SMCMESH_METADATA_URL": "http://127.0.0.1:9/latest/meta-data"}
    right = "http://100.100.100.200:80/latest/meta-data"
    # refused four times, and named
    status, row = node.one("setup", env={**wrong, **HURRIED})
    assert status == 3 and "127.0.0.1:9/latest/api/token" in row["text"], row
    status, row = node.one("setup", "--metadata-url", right, env=wrong)
    assert (status, row["result"]) == (0, "done"), row
    assert node.one("reset")[0] == 0
    works(node)


def test_proxy_of_the_environment_is_not_used(node):
    status, row = node.one("setup", env={"http_proxy": "http://127.0.0.1:9",
                                         "ALL_PROXY": "http://127.0.0.1:9"})
    assert (status, row["result"]) == (0, "done"), row


# ---- as it should not be

ANSWERS = [
    ("primary-ip-address", "", "is empty"),
    ("primary-ip-address", " \r\n", "is empty"),
    ("primary-ip-address", "none", "'none', not an IPv4 address"),
    ("primary-ip-address", "<html>\x1b[2J", "'<html>?[2J'"),
    ("primary-ip-address", "10.0.0.6\n10.0.0.7", "'10.0.0.6?10.0.0.7'"),
    ("primary-ip-address", b"10.0.0.6\0x", "NUL bytes"),
    ("primary-ip-address", "10.0.0.256", "not an IPv4 address"),
    ("primary-ip-address", "10.0.6", "not an IPv4 address"),
    ("primary-ip-address", "0x0a000006", "not an IPv4 address"),
    ("primary-ip-address", "fd00::6", "not an IPv4 address"),
    ("primary-ip-address", "::ffff:10.0.0.6", "not an IPv4 address"),
    ("primary-ip-address", "10.0.0.6" + " " * 2000, "longer than"),
    ("primary-ip-address", "9" * 900, "not an IPv4 address"),
    ("primary-ip-address", "127.0.0.6", "not one that a host can have"),
    ("primary-ip-address", "169.254.0.6", "not one that a host can have"),
    ("primary-ip-address", "224.0.0.6", "not one that a host can have"),
    ("primary-ip-address", "255.0.0.6", "not one that a host can have"),
    ("primary-ip-address", "0.0.0.6", "not one that a host can have"),
    ("primary-ip-address", "10.0.0.0", "not one that a host can have"),
    ("primary-ip-address", "10.0.0.255", "not one that a host can have"),
    ("netmask", "255.0.255.0", "it has holes"),
    ("netmask", "0.255.255.255", "it has holes"),
    ("netmask", "24", "not a netmask"),
    ("netmask", "0.0.0.0", "not from 8 to 30"),
    ("netmask", "254.0.0.0", "not from 8 to 30"),
    ("netmask", "255.255.255.255", "not from 8 to 30"),
    ("gateway", "10.0.1.253", "10.0.1.253 is not another address"),
    ("gateway", "10.0.0.6", "10.0.0.6 is not another address"),
    ("gateway", "fd00::1", "not an IPv4 address"),
    ("token", "", "is empty"),
    ("token", "two words", "no token"),
    ("token", "a\r\nX-Evil: 1", "no token"),
    ("token", "t" * 300, "no token"),
    ("token", "t" * 3000, "longer than"),
]


@pytest.mark.parametrize("what, body, word", ANSWERS,
                         ids=[f"{w}-{i}" for i, (w, _, _) in enumerate(ANSWERS)])
def test_answer_that_makes_no_sense_is_refused(node, what, body, word):
    node.cloud.instead(what, lambda h: h.send(200, body))
    fails(node, word)


@pytest.mark.parametrize("status", [301, 302, 307])
@pytest.mark.parametrize("what", ["token", "primary-ip-address"])
def test_redirect_is_not_followed(node, what, status):
    node.cloud.instead(what, lambda h: h.send(status, "10.0.0.6",
                                              Location="/elsewhere"))
    fails(node, "a redirect, which is not followed")
    assert "/elsewhere" not in [x[1] for x in node.cloud.log]


def test_service_that_knows_no_such_nic_is_said(node):
    node.cloud.values = {"00:16:3e:ff:ff:ff": dict(nics.CLOUD)}
    fails(node, "is it attached to this instance?")


def endless(handler):
    """Without a length, until the other side has had enough."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    try:
        for _ in range(10000):
            handler.wfile.write(b"1" * 4096)
    except OSError:
        pass


def hang_up(handler):
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"10.0.0.6")
    hang_up(handler)


def no_http(handler):
    handler.wfile.write(b"10.0.0.6\n")
    hang_up(handler)


def silent(handler):
    time.sleep(1)
    hang_up(handler)


def drip(handler):
    """A byte now and then, each before a time-out for idle connections."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    try:
        for _ in range(40):
            handler.wfile.write(b"1")
            handler.wfile.flush()
            time.sleep(0.03)
    except OSError:
        pass
    handler.close_connection = True


@pytest.mark.parametrize("what", ["token", "primary-ip-address"])
@pytest.mark.parametrize("how, word", [
    (endless, "longer than"), (hang_up, "Empty reply"), (cut, ""),
    (no_http, "HTTP/0.9"), (silent, "timed out"), (drip, "timed out")],
    ids=["endless", "hang-up", "cut", "no-http", "silent", "drip"])
def test_connection_that_goes_wrong_ends_in_time(node, what, how, word):
    node.cloud.instead(what, how)
    began = time.monotonic()
    fails(node, word)
    # four times a fiftieth of 5 s, and what lies between
    assert time.monotonic() - began < 5


def test_without_a_service_it_is_said_which_was_asked(node):
    node.netns.run(f"ip route add prohibit {metadata.ADDRESS}/32 metric 1;"
                   f" ip addr del {metadata.ADDRESS}/32 dev lo")
    try:
        fails(node, "http://100.100.100.200/latest/api/token")
    finally:
        node.netns.run(f"ip route del prohibit {metadata.ADDRESS}/32;"
                       f" ip addr add {metadata.ADDRESS}/32 dev lo")


@pytest.mark.parametrize("values, word", [
    ({"primary-ip-address": "10.0.0.5"}, "eth0 has the address 10.0.0.5/24"),
    ({"primary-ip-address": "10.0.0.130", "netmask": "255.255.255.128",
      "gateway": "10.0.0.253"}, "part of 10.0.0.0/24")],
    ids=["of-the-primary", "part-of-its-subnet"])
def test_answer_that_would_harm_the_primary_nic_is_refused(node, values, word):
    node.cloud.values[nics.MAC] = {**nics.CLOUD, **values}
    fails(node, word, result="refused")

# SPDX-License-Identifier: Apache-2.0
"""Whoever can reach the port of /metrics may send what he likes, as often as he
likes: others are answered meanwhile, and the agent stays what it is. 127.0.0.2 and
the others stand for machines."""
import contextlib
import os
import resource
import socket
import time

import pytest

from smclab import manifest, native, wait_for
from smclab.native import cpu_seconds

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
PER_ADDRESS, ALL, IDLE_S = 16, 64, 10    # user/serve/http.c
CROWD = 1000


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("scraped")
    a = native.MapsAgent(tmp)
    a.write(manifest.text(manifest.mesh()))
    with native.bpffs(a.bpffs):
        try:
            yield a.start()
        finally:
            a.end()


@pytest.fixture(autouse=True)
def agent_is_well(agent):
    """Whatever was sent: the next one is answered, and nothing is kept."""
    before = descriptors(agent)
    yield
    assert scrape(agent).startswith(b"HTTP/1.1 200 ")
    wait_for(lambda: descriptors(agent) <= before, 2 * IDLE_S,
             "the connections to be closed")
    assert agent.get("/v1/status")["pid"] == agent.proc.pid


def descriptors(agent):
    return len(os.listdir(f"/proc/{agent.proc.pid}/fd"))


def resident(agent):
    with open(f"/proc/{agent.proc.pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


def connect(agent, source="127.0.0.1", sent=b""):
    host, port = agent.get("/v1/status")["listen"].rsplit(":", 1)
    s = socket.create_connection((host, int(port)), 20, (source, 0))
    s.sendall(sent)
    return s


def whole(s):
    """What it is answered until the end; a reset is an end."""
    got = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while part := s.recv(1 << 16):
            got += part
    return got


def scrape(agent, source="127.0.0.1"):
    with connect(agent, source, SCRAPE) as s:
        return whole(s)


@pytest.mark.parametrize("sent", [
    b"\0" * 5000, b"\xff\xfe GARBAGE\r\n\r\n", b"GET\r\n\r\n",
    b"GET /metrics HTTP/9.9\r\nHost: x\r\n\r\n", b"GET /metrics SPDY/1\r\n\r\n",
    b"GET /%zz%00/../metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nno colon here\r\nConnection: close\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\nabc",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 200,
], ids=lambda sent: repr(sent[:24]))
def test_garbage_is_refused(agent, sent):
    with connect(agent, sent=sent) as s:
        s.settimeout(1)    # of what may still become a request nothing is said
        got = b""
        with contextlib.suppress(ConnectionResetError, socket.timeout):
            got = s.recv(1 << 16)
    assert not got or got[:10] in (b"HTTP/1.1 4", b"HTTP/1.1 5", b"HTTP/1.0 4") or \
        b"no colon" in sent and got.startswith(b"HTTP/1.1 200 "), got[:200]


@pytest.mark.parametrize("sent", [
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"x" * (8 << 20) + b"\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n" + b"X-Y: z\r\n" * 500000 + b"\r\n",
    b"GET /metrics?" + b"a=b&" * 1000000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
], ids=["one header", "many headers", "query"])
def test_huge_requests_are_refused_and_not_kept(agent, sent):
    before = resident(agent)
    with connect(agent) as s:
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            s.sendall(sent)
        got = whole(s)
    assert not got or got[:10] == b"HTTP/1.1 4", got[:200]
    assert resident(agent) < before + (1 << 20)


def test_scrapers_that_hang_keep_nobody_out(agent):
    """One machine has so many connections that never say what they want, and some
    that never read. It gets its share, another is answered, and the agent sleeps."""
    with contextlib.ExitStack() as stack:
        for i in range(2 * ALL):
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                stack.enter_context(connect(agent, "127.0.0.2", (
                    b"", b"GET /metr", SCRAPE)[i % 3]))
        began, spent = time.monotonic(), cpu_seconds(agent.proc.pid)
        assert scrape(agent, "127.0.0.3").startswith(b"HTTP/1.1 200 ")
        assert time.monotonic() - began < IDLE_S / 2
        assert agent.get("/v1/status")["ready"]
        wait_for(lambda: time.monotonic() > began + 2, 10, "two seconds")
        assert cpu_seconds(agent.proc.pid) - spent < 1
        # who hangs is not waited for
        hung = connect(agent, "127.0.0.4", b"GET /metrics HTTP/1.1\r\n")
        assert whole(hung)[:10] in (b"", b"HTTP/1.1 4")
        assert time.monotonic() - began < 4 * IDLE_S
        hung.close()


@pytest.mark.long
def test_a_thousand_at_once(agent):
    """From many machines. Nobody gets half an answer; those that are put off try
    again, as scrapers do."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    try:
        with contextlib.ExitStack() as stack:
            crowd = [stack.enter_context(connect(
                agent, f"127.0.1.{1 + i % 250}", SCRAPE)) for i in range(CROWD)]
            answers = [whole(s) for s in crowd]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    good = [a for a in answers if a.startswith(b"HTTP/1.1 200 ")]
    assert len(good) >= CROWD * 9 // 10, len(good)
    for a in good:
        head, _, body = a.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head, head
        assert body.endswith(b"\n") and b"process_start_time_seconds" in body

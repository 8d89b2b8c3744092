# SPDX-License-Identifier: Apache-2.0
"""Programs as they are: nginx, wrk, curl, redis, iperf3, Go, static musl.

              VM n1, agent
    a         b         x         y
  armed     armed     not annotated       10.244.1.0/16
    |         |         |         |
  --+---------+-- br0 --+---------+--

No program here is told anything. Each one runs twice: between a and b, where
every one of its connections must be SMC-D on both ends, and between x and y in
the same moment of the mesh, where every one must be plain TCP.
"""
import signal

import pytest

from smclab import progs, topo, wait_for
from smclab.agents import Agent
from smclab.flows import at, ends, held, held_by, serve
from smclab.mesh import Mesh

SMCD = ("smcd", "smcd")
PLAIN = ("plain", "plain")
MPTCP = 262

NGINX = """daemon off; master_process off; pid /run/nginx-{name}.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000;
  client_body_temp_path /tmp/n1; proxy_temp_path /tmp/n2;
  fastcgi_temp_path /tmp/n3; uwsgi_temp_path /tmp/n4; scgi_temp_path /tmp/n5;
  server {{
    listen 80 reuseport; root /run/www;
    location = /small {{ return 200 "{body}"; }}
  }}
}}
"""


class Lab:
    def __init__(self, vm):
        self.vm, self.mesh = vm, Mesh()
        topo.bridge(vm, "10.244.1.1/16")
        for name, host in zip("abxy", (10, 11, 20, 21)):
            setattr(self, name, self.mesh.add(
                topo.pod(vm, name, f"10.244.1.{host}/16"),
                enabled="true" if name in "ab" else None))
        self.agent = Agent(vm, self.mesh.objects()).start()


@pytest.fixture(scope="module")
def lab(vm):
    return Lab(vm)


@pytest.fixture(scope="module", params=["armed", "plain"])
def pair(request, lab):
    """(client, server, what both ends of every connection must be)"""
    if request.param == "armed":
        return lab.a, lab.b, SMCD
    return lab.x, lab.y, PLAIN


def watch(client, server, port, count, expected, proc):
    """Wait until the program has @count connections to @port; all of both ends
    are as expected, in every look until then."""
    def look():
        mine, theirs = client.modes(port), server.modes(port)
        if not proc.alive or set(mine) - {expected[0]} or \
                set(theirs) - {expected[1]}:
            pytest.fail(f"{proc.cmd}: expected {expected}, got {mine} {theirs} "
                        f"{proc.output}")
        return len(mine) >= count

    wait_for(look, 20, f"{count} connections of {proc.cmd} to port {port}")


@pytest.fixture(scope="module")
def nginx(pair):
    _, server, _ = pair
    vm = server.vm
    vm.write("/run/www/big", bytes(range(256)) * 8192)
    conf = f"/run/nginx-{server.name}.conf"
    vm.write(conf, NGINX.format(name=server.name, body="x" * 128))
    proc = server.spawn(["nginx", "-c", conf])
    server.wait_listen(80)
    yield proc
    proc.kill()


def test_nginx_and_wrk_are_smc_only_if_armed(pair, nginx):
    client, server, expected = pair
    # longer than any look at it; SIGINT ends it with its report
    wrk = client.spawn(["wrk", "-t1", "-c8", "-d600s", "--timeout", "60s",
                        f"http://{server.v4}/small"])
    watch(client, server, 80, 8, expected, wrk)
    out = wrk.kill(signal.SIGINT).out
    assert "Requests/sec" in out, out
    assert "Socket errors" not in out and "Non-2xx" not in out, out
    assert nginx.alive, nginx.output


def test_nginx_sendfile_and_curl_are_smc_only_if_armed(pair, nginx):
    client, server, expected = pair
    sums = server.vm.run("sha256sum < /run/www/big").out
    # nothing is read before the word, so the connection is there to be seen
    curl = client.spawn(f"exec 3<&0; curl -sS http://{server.v4}/big </dev/null "
                        "| { read word <&3; sha256sum; }")
    watch(client, server, 80, 1, expected, curl)
    curl.stdin("go\n")
    assert curl.wait(40).out == sums


def test_redis_is_smc_only_if_armed(pair):
    client, server, expected = pair
    redis = server.spawn(["redis-server", "--bind", "0.0.0.0", "--save", "",
                          "--protected-mode", "no", "--daemonize", "no"])
    server.wait_listen(6379)
    bench = client.spawn(f"redis-benchmark -h {server.v4} -c 8 -n 100000000 "
                         "-t set -q")
    watch(client, server, 6379, 8, expected, bench)
    bench.kill()
    done = client.run(f"redis-benchmark -h {server.v4} -c 8 -n 2000 -t set,get "
                      "--csv").out
    assert '"SET"' in done and '"GET"' in done, done
    client.run(f"redis-cli -h {server.v4} set colour green")
    assert client.run(f"redis-cli -h {server.v4} get colour").out == "green\n"
    redis.kill()


def test_iperf3_is_smc_only_if_armed(pair):
    client, server, expected = pair
    iperf = server.spawn("iperf3 -s")
    server.wait_listen(5201)
    for reverse in ("", "-R"):
        run = client.spawn(f"iperf3 -c {server.v4} -t 8 -P 2 -J {reverse}")
        watch(client, server, 5201, 3, expected, run)
        result = run.wait(30)
        assert result.rc == 0, result
        assert result.json()["end"]["sum_received"]["bytes"] > 0
    iperf.kill()


def test_go_server_and_client_are_smc_only_if_armed(pair):
    """net.Listen asks for MPTCP since Go 1.24: converted in an armed pod, left
    alone in another."""
    client, server, expected = pair
    go = server.spawn([progs.path("goecho"), "serve", ":7100"])
    server.wait_listen(7100)
    argv = [progs.path("goecho"), "hold", "-n", "3"]
    with held_by(client, [*argv, f"http://{at(server.v4, 7100)}/"]) as h:
        assert h.ends(server) == [expected] * 3
    go.kill()


def test_go_client_of_mptcp_is_smc_only_if_armed(lab, pair):
    client, server, expected = pair
    go = server.spawn([progs.path("goecho"), "serve", ":7101"])
    server.wait_listen(7101)
    argv = [progs.path("goecho"), "hold", "-mptcp"]
    with held_by(client, [*argv, f"http://{at(server.v4, 7101)}/"]) as h:
        assert h.ends(server) == [expected]
        if expected == SMCD:
            assert h.protocols() == [256]
            assert server.run("ss -HMn").out == ""
        else:
            # MPTCP on both ends, and not only asked for
            assert h.protocols() == [MPTCP] and h.lines[0]["mptcp"]
            assert len(server.run("ss -HMn").out.splitlines()) == 1
    go.kill()


def test_static_musl_is_smc_only_if_armed(pair):
    client, server, expected = pair
    echod = serve(server, 7200, prog="echod.musl")
    with held(client, server.v4, 7200, count=3, prog="hold.musl") as h:
        assert h.ends(server) == [expected] * 3
    echod.kill()


def test_go_and_musl_together_are_smc_only_if_armed(lab):
    """An armed Go or musl program talks to a pod that is not armed as before."""
    for server, want in ((lab.b, SMCD), (lab.x, ("tcp", "plain"))):
        go = server.spawn([progs.path("goecho"), "serve", ":7102"])
        server.wait_listen(7102)
        echod = serve(server, 7202, prog="echod.musl")
        url = f"http://{at(server.v4, 7102)}/"
        with held_by(lab.a, [progs.path("goecho"), "hold", url]) as h:
            assert h.ends(server) == [want]
        assert ends(lab.a, server, 7202, prog="hold.musl") == want
        go.kill()
        echod.kill()

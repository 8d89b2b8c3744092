# SPDX-License-Identifier: Apache-2.0
"""The programs of the demonstration: nginx and redis serve, wrk and
redis-benchmark ask. All from Debian, all unmodified, all told nothing of SMC."""
import csv
import io
import re

from rounds import Figures

CONNECTIONS = 8
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
PATIENCE = 90    # seconds

NGINX = """
daemon off; worker_processes 1; pid /tmp/nginx-{name}.pid;
error_log /tmp/nginx-{name}.log crit;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path /tmp/nginx-{name}; proxy_temp_path /tmp/nginx-{name};
  fastcgi_temp_path /tmp/nginx-{name}; uwsgi_temp_path /tmp/nginx-{name};
  scgi_temp_path /tmp/nginx-{name};
  server {{ listen {port}; location / {{ return 200 "{body}"; }} }}
}}
"""


def serve(pod):
    """Start nginx and redis in a pod, and wait until they listen."""
    conf = f"/tmp/nginx-{pod.name}.conf"
    pod.vm.write(conf, NGINX.format(name=pod.name, port=Wrk.port, body="x" * 128))
    pod.spawn(["nginx", "-c", conf])
    pod.spawn(["redis-server", "--port", str(Redis.port), "--save", "",
               "--protected-mode", "no", "--dir", "/tmp"])
    for load in Wrk, Redis:
        pod.wait_listen(load.port)


def milliseconds(text):
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(value) * UNITS[unit]


class Wrk:
    """nginx's."""

    name, port = "nginx", 8080

    def __init__(self, seconds):
        self.seconds = seconds

    def argv(self, server, _):
        return ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{self.seconds}s", "--latency",
                "--timeout", "30s", f"http://{server.v4}:{self.port}/"]

    @staticmethod
    def read(out):
        if "Socket errors" in out or "Non-2xx" in out:
            raise AssertionError(f"wrk had errors:\n{out}")
        find = lambda what: re.search(what, out, re.M).group(1)  # noqa: E731
        # from the line's start: "62.50%" stands elsewhere in the output
        return Figures(float(find(r"^Requests/sec:\s+([\d.]+)")),
                       milliseconds(find(r"^\s+99%\s+(\S+)")))


class Redis:
    """Its run ends after a number of requests, not after a time: so many as the
    last of its kind would have had answered in the time."""

    name, port = "redis", 6379
    guess = 1500    # requests a second

    def __init__(self, seconds):
        self.seconds = seconds

    def argv(self, server, last):
        requests = int(self.seconds * (last.rate if last else self.guess))
        return ["redis-benchmark", "-h", server.v4, "-p", str(self.port), "-c",
                str(CONNECTIONS), "-n", str(requests), "-t", "get", "--csv"]

    @staticmethod
    def read(out):
        rows = list(csv.DictReader(io.StringIO(out)))
        get = next(row for row in rows if row["test"] == "GET")
        return Figures(float(get["rps"]), float(get["p99_latency_ms"]))

# SPDX-License-Identifier: Apache-2.0
"""The programs of the demonstration: nginx and redis serve, wrk and
redis-benchmark ask. All from Debian, all unmodified, all told nothing of SMC."""
import csv
import io
import re
from dataclasses import dataclass

from smclab import wait_for

HTTP, REDIS = 8080, 6379
CONNECTIONS = 8
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}

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


@dataclass
class Figures:
    """What a load program reported about one run."""
    rate: float    # requests per second
    p50: float     # milliseconds
    p99: float


class Servers:
    """nginx and redis in one pod."""

    def __init__(self, pod):
        self.pod, self.procs = pod, []

    def start(self):
        name = self.pod.name
        conf = f"/tmp/nginx-{name}.conf"
        self.pod.vm.write(conf, NGINX.format(name=name, port=HTTP,
                                             body="x" * 128))
        self.procs = [
            self.pod.spawn(["nginx", "-c", conf]),
            self.pod.spawn(["redis-server", "--port", str(REDIS), "--save", "",
                            "--protected-mode", "no", "--dir", "/tmp"])]
        for port in (HTTP, REDIS):
            self.pod.wait_listen(port)

    def restart(self):
        """What a new template does to a Deployment's pods: sockets opened
        before the pod was armed stay what they are."""
        for proc in self.procs:
            proc.kill()
        for port in (HTTP, REDIS):
            wait_for(lambda p=port: not self.pod.run(
                f"ss -Hltn 'sport = :{p}'").out, 20, f"port {port} to be free")
        self.start()


def milliseconds(text):
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(value) * UNITS[unit]


def wrk(client, server, seconds):
    r = client.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s",
                    "--latency", "--timeout", "30s",
                    f"http://{server.v4}:{HTTP}/"], timeout=90)
    if "Socket errors" in r.out or "Non-2xx" in r.out:
        raise AssertionError(f"wrk had errors:\n{r.out}")
    find = lambda what: re.search(what, r.out, re.M).group(1)  # noqa: E731
    # from the line's start: "62.50%" stands elsewhere in the output
    return Figures(float(find(r"^Requests/sec:\s+([\d.]+)")),
                   milliseconds(find(r"^\s+50%\s+(\S+)")),
                   milliseconds(find(r"^\s+99%\s+(\S+)")))


def redis(client, server, requests):
    r = client.run(["redis-benchmark", "-h", server.v4, "-p", str(REDIS), "-c",
                    str(CONNECTIONS), "-n", str(requests), "-t", "get", "--csv"],
                   timeout=120)
    rows = list(csv.DictReader(io.StringIO(r.out)))
    get = next(row for row in rows if row["test"] == "GET")
    return Figures(float(get["rps"]), float(get["p50_latency_ms"]),
                   float(get["p99_latency_ms"]))

# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus beside the cluster's control plane, configured as
deploy/prometheus says, and all that it was told.

Its scrapes pass a proxy of the test's, which keeps what each agent answered: from
these texts alone promeval.py works out what a query has to say.
"""
import http.client
import json
import os
import re
import shutil
import socketserver
import subprocess
import threading
import time
import urllib.parse

import yaml

from . import paths, rootfs
from .machine import LabError, wait_for
from .promeval import NAME, Scrape, samples

DEPLOY = os.path.join(paths.TREE, "deploy")
EVERY_S = 5
# Grafana's: four scrapes at least
RATE_INTERVAL = f"{6 * EVERY_S}s"
HOST = "127.0.0.1"
LOG = "k8s-prometheus.log"
PORT = 9090
CPU = "process_cpu_seconds_total"
# by so much Prometheus may call a scrape later than it was, for even gaps
ALIGNED_S = 0.005


def read(name):
    with open(os.path.join(DEPLOY, name), encoding="utf-8") as f:
        return f.read()


def rules_file():
    """A file of Prometheus' own, made as deploy/prometheus/README.md says."""
    command = re.search(r"^    (sed .*) > smcmesh.rules.yaml$",
                        read("prometheus/README.md"), re.M)[1]
    return subprocess.run(command, shell=True, text=True, cwd=paths.TREE,
                          stdout=subprocess.PIPE, check=True).stdout


def alerts():
    """{name: expression}"""
    spec = yaml.safe_load(read("prometheus/rules.yaml"))["spec"]
    return {rule["alert"]: rule["expr"] for group in spec["groups"]
            for rule in group["rules"]}


def panels():
    """The dashboard's, in its order, without the titles of its rows."""
    return [p for p in json.loads(read("grafana/smcmesh.json"))["panels"]
            if p["type"] != "row"]


def concrete(expr, nodes=".*"):
    """A panel's query as Grafana would ask it."""
    return expr.replace("$__rate_interval", RATE_INTERVAL).replace("$node", nodes)


def queries():
    """{(title, legend): expression} of the dashboard, all nodes."""
    return {(p["title"], t["legendFormat"]): concrete(t["expr"])
            for p in panels() for t in p["targets"]}


def of_text(text):
    """The agent's CPU time at that scrape: no two have the same."""
    return next(v for name, _, v in samples(text) if name == CPU)


class Recorder(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """An HTTP proxy that hands on GET requests and keeps what was answered."""

    daemon_threads = True

    def __init__(self, wire):
        self.wire, self.kept = wire, []    # [when, "address:port", text or None]
        super().__init__((HOST, 0), None, bind_and_activate=False)
        self.socket.close()
        self.socket = wire.socket()
        self.server_bind()
        self.server_activate()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, client_address):
        with request, request.makefile("rwb") as f:
            line = f.readline().decode()
            asked = re.match(r"GET http://([\d.]+):(\d+)(/\S*) ", line)
            if not asked:
                return
            headers = iter(f.readline, b"\r\n")
            wanted = [h for h in headers if h.lower().startswith(b"accept:")]
            row = [time.time(), f"{asked[1]}:{asked[2]}", None]
            self.kept.append(row)
            whole = self.fetch(asked[1], int(asked[2]), asked[3], wanted)
            head, _, body = whole.partition(b"\r\n\r\n")
            row[2] = body.decode() if re.match(rb"HTTP/1\.\d 200 ", head) else None
            f.write(whole)

    def fetch(self, host, port, path, headers):
        with self.wire.connect(host, port, 2 * EVERY_S) as s:
            s.sendall(f"GET {path} HTTP/1.0\r\n".encode() + b"".join(headers)
                      + b"\r\n")
            return b"".join(iter(lambda: s.recv(1 << 16), b""))

    def handle_error(self, request, client_address):
        """An agent that does not answer: Prometheus sees the same."""


class Prometheus:
    """Scrapes the agents of @cluster from start() to stop()."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.folder = os.path.join(cluster.folder, "prometheus")
        os.makedirs(self.folder)
        self.recorder = Recorder(cluster.wire)
        self.proc = None

    def _config(self):
        """deploy/prometheus/scrape.yaml, and how to reach this API server."""
        job, = yaml.safe_load(read("prometheus/scrape.yaml"))["scrape_configs"]
        job["proxy_url"] = f"http://{HOST}:{self.recorder.server_address[1]}"
        discovery, = job["kubernetes_sd_configs"]
        control = self.cluster.control
        discovery.update(api_server=f"https://{control.api.host}:6443",
                         authorization={"credentials": control.tokens["admin"]},
                         tls_config={"ca_file": control.path("ca.crt")})
        return {"global": {"scrape_interval": f"{EVERY_S}s",
                           "scrape_timeout": f"{EVERY_S}s",
                           "evaluation_interval": f"{EVERY_S}s"},
                "rule_files": ["smcmesh.rules.yaml"], "scrape_configs": [job]}

    def start(self):
        for name, text in (("smcmesh.rules.yaml", rules_file()),
                           ("prometheus.yml", yaml.safe_dump(self._config()))):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as f:
                f.write(text)
        program = os.path.join(rootfs.find("prometheus"), "usr/bin/prometheus")
        with open(paths.log_file(LOG), "ab") as log:
            self.proc = self.cluster.wire.popen(
                [program, f"--config.file={self.folder}/prometheus.yml",
                 f"--storage.tsdb.path={self.folder}/data",
                 f"--web.listen-address={HOST}:{PORT}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self._ready, 120, "Prometheus", 0.5)
        return self

    def _ready(self):
        if self.proc.poll() is not None:
            raise LabError(f"Prometheus has ended, exit {self.proc.returncode}: see "
                           + paths.log_file(LOG))
        return self._get("/-/ready")[0] == 200

    def stop(self):
        self.proc.kill()
        self.proc.wait(30)
        self.recorder.shutdown()
        self.recorder.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _get(self, path, **query):
        connection = http.client.HTTPConnection(HOST, PORT, timeout=60)
        connection.sock = self.cluster.wire.connect(HOST, PORT, 60)
        try:
            connection.request("GET", path + "?" + urllib.parse.urlencode(query))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def api(self, path, **query):
        status, text = self._get("/api/v1/" + path, **query)
        assert status == 200, text
        return json.loads(text)["data"]

    def ask(self, expr, when=None):
        """{frozenset of labels: number}, as promeval has it."""
        told = self.api("query", query=expr, **({"time": f"{when:.3f}"} if when
                                                else {}))
        assert told["resultType"] == "vector", told
        return {frozenset(x["metric"].items()): float(x["value"][1])
                for x in told["result"]}

    def range(self, expr, begin, end, step):
        """[(labels, [(when, value)])]"""
        told = self.api("query_range", query=expr, start=f"{begin:.3f}",
                        end=f"{end:.3f}", step=step)
        return [(x["metric"], [(t, float(v)) for t, v in x["values"]])
                for x in told["result"]]

    def firing(self):
        return {a["labels"]["alertname"] for a in self.api("alerts")["alerts"]
                if a["state"] == "firing"}

    def _raw(self, name, until):
        """[(when, labels, value as text)] of all samples of that name."""
        return [(t, x["metric"], v) for x in self.api(
            "query", query=name + "[6h]", time=f"{until:.3f}")["result"]
                for t, v in x["values"]]

    def scrapes(self):
        """What each agent said, with the time and the labels that Prometheus gave
        it. A request comes to the proxy right after that time; one that Prometheus
        had given up may come late, and is told by the agent's CPU time."""
        now = time.time()
        up = self._raw("up", now)
        cpu = {(x["instance"], t): float(v) for t, x, v in self._raw(CPU, now)}
        out = []
        for instance in {metric["instance"] for _, metric, _ in up}:
            times = sorted((t, metric, v) for t, metric, v in up
                           if metric["instance"] == instance)
            ends = [t for t, *_ in times[1:]] + [now]
            for (when, metric, v), end in zip(times, ends):
                kept = [text for at, of, text in self.recorder.kept
                        if of == instance and when <= at + ALIGNED_S < end
                        and text and of_text(text) == cpu.get((instance, when))]
                assert v == "0" or kept, (when, instance)
                out.append(Scrape(when, {k: x for k, x in metric.items()
                                         if k != NAME}, kept[-1] if kept else None))
        return out

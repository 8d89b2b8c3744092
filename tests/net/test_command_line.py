# SPDX-License-Identifier: Apache-2.0
"""What smcmesh prints, where, and how shells complete it: against an agent that
answers from a table. It needs no rights."""
import contextlib
import fcntl
import http.server
import json
import os
import pty
import re
import shutil
import socketserver
import struct
import subprocess
import termios
import threading

import pytest
import yaml

from smclab import paths, wait_for
from smclab.native import SMCMESH

POD = {"namespace": "shop", "name": "web-0", "armed": False, "reason": "mesh-off",
       "sentence": "the mesh is switched off, and nothing else keeps it back",
       "remedy": "set spec.enabled of SmcMesh default", "transports": [],
       "published": ["10.0.0.1"], "late_listeners": [], "late_flows": 0}
NASTY = ["no", "0x10", "1e3", "2026-11-30", "12:30:45", "~", "", "a: b", "- a", "#c",
         "x\ny", " lead", "caf\u00e9", "=", "<<", "NULL", ".inf", "a\u0085b", "'", '"']
ENDPOINT = {"address": "10.0.0.1", "transports": ["smcr"], "node": "n1",
            "namespace": "shop", "pod": "web-0"}
SERVICE = {"address": "10.96.0.1", "port": 80, "namespace": "shop", "service": "web",
           "pod": "", "stranger": "", "why": "unread", "transports": []}
ROW = {"pod_id": 0, "peer": "10.0.0.9:80", "state": "mark", "until": "", "strikes": 1,
       "sentence": "it was closed during the SMC handshake"}
FULL = {"/v1/pods": {"pods": [POD], "node": "n1", "elsewhere": 0, "nasty": NASTY,
                     "numbers": [0, -7, 1.5, 1e-9, 1e21, 2**64 - 1, True, None]},
        "/v1/endpoints": {"endpoints": [ENDPOINT], "services": [SERVICE],
                          "paths": []},
        "/v1/quarantine": {"quarantine": [ROW]},
        "/v1/flows?follow=1": '{"event":"opened"}\n{"event":"closed"}\n'}
EMPTY = {"/v1/pods": {"pods": [], "node": "n1", "elsewhere": 2},
         "/v1/endpoints": {"endpoints": [], "services": [], "paths": []},
         "/v1/flows": {"flows": [], "total": 0, "shown": 0},
         "/v1/quarantine": {"quarantine": []}}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):    # pylint: disable=invalid-name
        said = self.server.answers[self.path]
        said = said() if callable(said) else said
        body = (said if isinstance(said, str) else json.dumps(said) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "a client"

    def log_message(self, *_):    # pylint: disable=arguments-differ
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def serve(tmp_path):
    """serve(answers) gives the directory of an agent with these answers."""
    with contextlib.ExitStack() as stack:
        def start(answers):
            server = stack.enter_context(Server(f"{tmp_path}/agent.sock", Handler))
            server.answers = answers
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            return str(tmp_path)

        yield start


def smcmesh(*args):
    return subprocess.run([SMCMESH, *args], text=True, capture_output=True,
                          timeout=120, check=False)


def read_all(fd):
    data = b""
    with contextlib.suppress(OSError):    # EIO: nobody has the terminal any more
        while chunk := os.read(fd, 4096):
            data += chunk
    return data


def on_terminal(columns, *args, **env):
    """What comes to a terminal with so many columns, in lines."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    clean = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    with subprocess.Popen([SMCMESH, *args], stdout=slave, stderr=slave,
                          env={**clean, **env}) as proc:
        os.close(slave)
        text = read_all(master).decode()
        os.close(master)
        assert proc.wait(120) == 0, text
    return text.replace("\r", "").splitlines()


# ---- tables -----------------------------------------------------------------

def test_table_fits_the_terminal_and_is_whole_in_a_pipe(serve):
    run = f"--run={serve(FULL)}"
    why = POD["sentence"]
    whole = smcmesh("pods", run).stdout.splitlines()
    assert whole[0].split() == ["NAMESPACE", "POD", "ARMED", "REASON", "TRANSPORTS",
                                "WHY"]
    assert whole[1].endswith(f"  {why}"), whole
    begin = whole[0].index("WHY")
    for columns in 80, 60:
        lines = on_terminal(columns, "pods", run)
        assert max(map(len, lines)) == columns, lines
        assert lines[1] == whole[1][:columns].rstrip(), lines
    # too narrow for the other columns: three letters of the last one stay
    for columns in 1, 20:
        lines = on_terminal(columns, "pods", run, NO_COLOR="1", TERM="dumb")
        assert lines[1] == whole[1][:begin + 3], lines
    # one that does not know its size has 80; COLUMNS says more than it
    assert max(map(len, on_terminal(0, "pods", run))) == 80
    assert max(map(len, on_terminal(80, "pods", run, COLUMNS="70"))) == 70
    wide = on_terminal(60, "pods", run, "-o", "wide")
    assert wide[0].split()[-2:] == ["PUBLISHED", "WHY"] and why in wide[1], wide
    assert "10.0.0.1" in wide[1] and "10.0.0.1" not in whole[1]
    assert "\033" not in "".join(wide + lines)


@pytest.mark.parametrize("command, sentence", [
    ("pods", "no pod of this node (n1); the source has 2 of others"),
    ("endpoints", "no endpoint: no armed pod is known here, of this node or another"),
    ("flows", "no flow of this node is recorded: armed pods have opened none"),
    ("quarantine", "no peer is in quarantine")])
def test_empty_table_has_its_head_and_says_what_it_means(serve, command, sentence):
    run = f"--run={serve(EMPTY)}"
    r = smcmesh(command, run)
    head, = r.stdout.splitlines()
    assert head.isupper() and head.count("  ") >= 3, head
    assert (r.returncode, r.stderr) == (0, f"smcmesh: {sentence}\n")
    r = smcmesh(command, run, "--no-headers")
    assert (r.returncode, r.stdout) == (0, "") and sentence in r.stderr, r


def test_top_without_rows_says_so_once(serve):
    held = {"pending": 0, "pending_max": 1}
    run = f"--run={serve({'/v1/top': {'node': 'n1', 'pods': [], 'held': held}})}"
    r = smcmesh("top", "-b", "-d", "0.1", "-n", "2", run)
    assert r.stdout.count("\nPOD ") == 2, r
    assert r.stderr == ("smcmesh: no pod of this node was armed yet: "
                        "smcmesh pods says why\n"), r


def test_names_and_rows_alone_are_for_scripts(serve):
    run = f"--run={serve(FULL)}"
    for command, name in (("pods", "shop/web-0"), ("endpoints", "10.0.0.1"),
                          ("quarantine", "10.0.0.9:80")):
        r = smcmesh(command, run, "-o", "name")
        assert (r.stdout, r.stderr) == (name + "\n", ""), r
    assert smcmesh("pods", run, "--no-headers").stdout.split(None, 3)[:3] == [
        "shop", "web-0", "no"]
    assert smcmesh("endpoints", run, "--no-headers").stdout.count("\n") == 1
    # control: for people there is more below
    assert "WHAT TO DO" in smcmesh("pods", run).stdout
    assert "WHY NOT" in smcmesh("endpoints", run).stdout


def test_yaml_is_the_json(serve):
    run = f"--run={serve(FULL)}"
    for args in (["pods", run], ["endpoints", run], ["version"]):
        as_json = smcmesh(*args, "-o", "json").stdout
        as_yaml = smcmesh(*args, "-o", "yaml").stdout
        assert yaml.safe_load(as_yaml) == json.loads(as_json), as_yaml
        assert as_yaml[0] not in "{[", as_yaml
    with subprocess.Popen([SMCMESH, "flows", "-f", run, "-o", "yaml"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as follower:
        lost = follower.stderr.readline()    # it waits for another agent now
        follower.terminate()
        events = follower.stdout.read()
    assert "the agent is lost" in lost
    assert list(yaml.safe_load_all(events)) == [{"event": "opened"},
                                                {"event": "closed"}]


# ---- shells -----------------------------------------------------------------

@pytest.fixture
def script(tmp_path):
    """The completion for a shell, in a file."""
    def make(shell):
        r = smcmesh("completion", shell)
        assert r.returncode == 0 and not r.stderr, r
        path = tmp_path / f"completion.{shell}"
        path.write_text(r.stdout, encoding="ascii")
        return str(path)

    return make


def test_bash_completes(script, tmp_path):
    """Of each line the words that are offered, as bash's readline would ask."""
    cases = {
        "sta": {"status"}, "qu": {"quarantine"}, "": None,
        "status --r": {"--run"}, "pods -o ": {"table", "wide", "json", "yaml", "name"},
        "pods --output j": {"json"}, "pods --output = y": {"yaml"},
        "pods --no": {"--no-headers"}, "flows --limit ": set(),
        f"status --run {tmp_path}/som": {f"{tmp_path}/some"},
        f"agent --ca {tmp_path}/fi": {f"{tmp_path}/file"},
        "help comp": {"completion"}, "completion ": {"bash", "zsh", "fish"},
        "quarantine ": {"clear", "all"}, "explain shop/": {"shop/web-0", "shop/db-0"},
        "node re": {"reset"}, "run bas": None, "syn_check --ur": {"--url"},
        "nonsense --r": set(),
    }
    (tmp_path / "some").mkdir()
    (tmp_path / "file").write_text("")
    # what it asks of an agent
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin/smcmesh"
    fake.write_text('#!/bin/sh\n[ "$*" = "pods -o name" ] &&\n'
                    'printf "shop/web-0\\nshop/db-0\\nother/x\\n"\n')
    fake.chmod(0o755)
    lines = [f". {script('bash')}"]
    for line in cases:
        words = ["smcmesh"] + line.split(" ")
        lines += [f"COMP_WORDS=({' '.join(repr(w) for w in words)})",
                  f"COMP_CWORD={len(words) - 1}", "_smcmesh",
                  'echo "${COMPREPLY[*]}"']
    r = subprocess.run(["bash", "--norc", "-u", "-c", "\n".join(lines)], text=True,
                       capture_output=True, timeout=120, check=False,
                       env={**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}"})
    assert r.returncode == 0 and not r.stderr, r.stderr
    said = dict(zip(cases, r.stdout.split("\n")))
    for line, words in cases.items():
        assert words is None or set(said[line].split()) == words, (line, said[line])
    assert {"status", "help", "--version"} <= set(said[""].split())
    assert "bash" in said["run bas"].split()


INTERACTIVE = {
    "bash": ["--norc", "--noprofile", "-i"],
    # -f: no rc files
    "zsh": ["-f", "-i"],
}
COMPINIT = "autoload -Uz compinit && compinit -u -D"
BEFORE = {"bash": "true", "zsh": COMPINIT}


@contextlib.contextmanager
def interactive(shell, **env):
    """A shell on a terminal: (write to it, what it wrote since the last call)."""
    pid, fd = pty.fork()
    if not pid:
        os.execve(shutil.which(shell), [shell, *INTERACTIVE[shell]],
                  {"PATH": os.environ["PATH"], "PS1": "$ ", "TERM": "dumb",
                   "HISTFILE": "/dev/null", **env})
    os.set_blocking(fd, False)
    got = []

    def type_until(typed, pattern):
        got.clear()
        os.write(fd, typed.encode())

        def has():
            with contextlib.suppress(BlockingIOError, OSError):
                got.append(os.read(fd, 4096).decode())
            return re.search(pattern, "".join(got))
        wait_for(has, 60, f"{pattern}, not {got}")

    try:
        yield type_until
    finally:
        os.kill(pid, 9)
        os.close(fd)
        os.waitpid(pid, 0)


KILL_LINE = "\x15"


@pytest.mark.parametrize("shell", list(INTERACTIVE))
def test_shell_completes_at_the_tabulator(script, tmp_path, shell):
    """A real one on a terminal, which only knows the script."""
    with interactive(shell, HOME=str(tmp_path)) as type_until:
        type_until(f"{BEFORE[shell]} && . {script(shell)} && echo rea''dy\n",
                   "\nready")
        for typed, wanted in (("smcmesh quar\t", "smcmesh quarantine "),
                              ("smcmesh pods --no-\t", "pods --no-headers "),
                              ("smcmesh pods --output=ya\t", "--output=yaml "),
                              ("smcmesh help sysd\t", "help sysdump "),
                              ("smcmesh completion f\t", "completion fish ")):
            type_until(KILL_LINE + typed, re.escape(wanted))


def test_zsh_finds_the_installed_script_itself(tmp_path):
    """By its name in a directory of $fpath: nobody sources it."""
    subprocess.run([f"{paths.TREE}/deploy/completions", SMCMESH, tmp_path],
                   check=True, timeout=60)
    with interactive("zsh", HOME=str(tmp_path)) as type_until:
        type_until(f"fpath+=({tmp_path}/zsh/site-functions) && {COMPINIT} && "
                   "echo rea''dy\n", "\nready")
        type_until("smcmesh quar\t", "smcmesh quarantine ")


def fish(home, *commands):
    r = subprocess.run(["fish", "--no-config", "-c", "\n".join(commands)], text=True,
                       capture_output=True, timeout=120, check=False,
                       env={**os.environ, "HOME": str(home),
                            "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)})
    assert r.returncode == 0 and not r.stderr, r
    return [line.split("\t") for line in r.stdout.splitlines()]


def test_fish_completes(script, tmp_path):
    """Its `complete -C` tells what it would offer: words, and what they mean."""
    source = f"source {script('fish')}"

    def offers(line):
        return dict(row if len(row) > 1 else (row[0], "") for row in fish(
            tmp_path, source, f"complete -C '{line}'"))
    assert offers("smcmesh quar").keys() == {"quarantine"}
    assert offers("smcmesh sta") == {
        "status": "the agent of this node: what it can do, and has done"}
    assert set(offers("smcmesh pods -o ")) == {"table", "wide", "json", "yaml", "name"}
    assert set(offers("smcmesh pods --output=ya")) == {"--output=yaml"}
    assert "--no-headers" in offers("smcmesh pods --no")
    assert "--no-headers" not in offers("smcmesh agent --no")
    assert {"bash", "zsh", "fish"} == set(offers("smcmesh completion "))
    assert set(offers("smcmesh help sysd")) == {"sysdump"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_is_one_of_its_shell(script, shell):
    """By the shell's own reading. (What is in the scripts: unit/test_cli.c.)"""
    path = script(shell)
    if shell == "bash":
        r = subprocess.run(["shellcheck", "-s", "bash", path], text=True,
                           capture_output=True, timeout=120, check=False)
        assert r.returncode == 0, r.stdout
    r = subprocess.run([shell, "-n", path], text=True, capture_output=True,
                       timeout=120, check=False)
    assert r.returncode == 0 and not r.stderr, r.stderr


# ---- waiting ----------------------------------------------------------------

def test_status_waits_for_who_does_not_answer_yet(tmp_path, serve):
    asked = []

    def not_ready():
        asked.append("status")
        return {"ready": False, "ready_sentence": "not ready: nothing was read yet"}

    with subprocess.Popen([SMCMESH, "status", "--wait=100s", f"--run={tmp_path}"],
                          text=True, stdout=subprocess.PIPE) as proc:
        answers = {"/v1/status": not_ready}
        serve(answers)
        wait_for(lambda: len(asked) > 2, 60, "it to ask again")
        r = smcmesh("status", "--wait=1s", f"--run={tmp_path}")
        assert (r.returncode, r.stdout) == (1, ""), r
        assert r.stderr == ("smcmesh status: not ready: nothing was read yet "
                            "(waited for 1 s)\n")
        assert proc.poll() is None
        answers["/v1/status"] = {"ready": True, "ready_sentence": "ready"}
        out = proc.communicate(timeout=120)[0]
        assert proc.returncode == 0 and re.search("^state +ready$", out, re.M), out

# SPDX-License-Identifier: Apache-2.0
"""kubectl-smcmesh against a kubectl that answers from files: three nodes with an
agent each, one of which cannot be asked, and one without."""
import hashlib
import io
import json
import os
import re
import stat
import subprocess
import tarfile

import pytest
import yaml

from smclab import paths

PLUGIN = os.path.join(paths.TREE, "deploy/kubectl/kubectl-smcmesh")
# Each call is a line of the file `calls`. What an agent says is in the files
# POD.out, POD.err and POD.rc, its logs in POD.log and POD.previous; what `get KIND`
# says in `KIND`.
KUBECTL = r"""#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/calls"
while :; do
	case $1 in
	--*=*) shift ;;
	-n) ns=$2; shift 2 ;;
	*) break ;;
	esac
done
case $1 in
get)
	case "$# $3" in
	2* | *" -o" | *" -l") what=$2 ;;
	*" -A") what=$2-A ;;
	*) what=$2-$3 ;;
	esac
	[ "$ns" != absent ] || what=nothing
	[ -e "$here/$what" ] || { echo "Error from server (NotFound)" >&2; exit 1; }
	cat "$here/$what"
	;;
logs)
	case " $* " in
	*" --previous=true "*) log=$2.previous ;;
	*) log=$2.log ;;
	esac
	[ -e "$here/$log" ] || { echo "Error: no log of $2" >&2; exit 1; }
	cat "$here/$log"
	;;
exec)
	pod=$2
	shift 5
	case "$*" in
	*" sysdump "*) cat >"$here/$pod.in" ;;
	*"--serve "*) [ ! -e "$here/$pod.serve" ] || cat "$here/$pod.serve"; exit 0 ;;
	esac
	cat "$here/$pod.out"
	cat "$here/$pod.err" >&2
	[ ! -e "$here/$pod.rc" ] || exit "$(cat "$here/$pod.rc")"
	;;
esac
"""
NODES = "n1|True\nn2|True\nn3|Unknown\nn4|True\nbare|True\n"
PODS = ("n1|agent-1||Running|2026-01-01T00:00:00Z\n"
        "n2|agent-2||Running|2026-01-01T00:00:00Z\n"
        "n3|agent-3||Running|2026-01-01T00:00:00Z\n"
        "n4|agent-4||Pending|\n")


class Fake:
    def __init__(self, folder):
        self.folder = folder
        self.write("kubectl", KUBECTL)
        os.chmod(folder / "kubectl", 0o755)
        self.write("nodes", NODES)
        self.write("pods", PODS)
        self.write("pod-web", "n1|10.0.1.1")
        self.write("pod-db", "n2|10.0.2.1")
        self.write("endpointslices", "")
        for i in 1, 2:
            self.says(i, out=f'{{"of":{i}}}\n')

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="ascii")

    def says(self, number, out="", err="", rc=0):
        """What the agent of that node says. (kubectl adds a line of its own to a
        failure that was the command's.)"""
        if rc:
            err += f"command terminated with exit code {rc}\n"
        self.write(f"agent-{number}.out", out)
        self.write(f"agent-{number}.err", err)
        self.write(f"agent-{number}.rc", str(rc))

    def refuse(self, number, err):
        """kubectl itself fails."""
        self.says(number, err=err)
        self.write(f"agent-{number}.rc", "1")

    def run(self, *argv):
        path = f"{self.folder}:{os.environ['PATH']}"
        return subprocess.run([PLUGIN, *argv], text=True, timeout=60,
                              capture_output=True, check=False,
                              env={**os.environ, "PATH": path})

    def calls(self, word):
        lines = (self.folder / "calls").read_text(encoding="ascii")
        return sorted(x for x in lines.splitlines() if f"{word} " in x + " ")


@pytest.fixture
def fake(tmp_path):
    return Fake(tmp_path)


def test_every_node_is_asked_and_those_that_cannot_be_are_named(fake):
    r = fake.run("pods")
    assert r.stdout == '== n1\n{"of":1}\n\n== n2\n{"of":2}\n\n'
    assert r.returncode == 3
    assert "n3: the node is not ready" in r.stderr
    assert "n4: its agent, pod agent-4, does not run (Pending)" in r.stderr
    assert "nodes without an agent: bare\n" in r.stderr
    assert fake.calls("exec") == [
        f"-n smcmesh-system exec agent-{i} -c agent -- smcmesh pods"
        for i in (1, 2)]


def test_json_has_all_nodes(fake):
    fake.refuse(2, 'error: "unable to\tupgrade" connection\n')
    r = fake.run("flows", "--all", "-o", "json")
    assert r.returncode == 3
    nodes = json.loads(r.stdout)["nodes"]
    assert nodes[0] == {"node": "n1", "exit": 0, "answer": {"of": 1}}
    assert nodes[1] == {"node": "n2", "exit": 3,
                        "error": 'error: "unable to upgrade" connection'}
    assert [n["node"] for n in nodes[2:]] == ["n3", "n4"]
    assert fake.calls("flows")[0].endswith("smcmesh flows --all -ojson")


@pytest.mark.parametrize("codes, worst", [
    ((0, 0), 0), ((0, 1), 1), ((1, 3), 1), ((3, 0), 3), ((2, 1), 2)])
def test_exit_status_is_the_gravest(fake, codes, worst):
    fake.write("nodes", "n1|True\nn2|True\n")
    fake.write("pods", "".join(PODS.splitlines(True)[:2]))
    for i, rc in enumerate(codes, 1):
        fake.says(i, out="{}\n", rc=rc)
    assert fake.run("doctor", "--check").returncode == worst


def test_only_one_node_is_asked(fake):
    assert fake.run("pods", "--node=n2").stdout == '== n2\n{"of":2}\n\n'
    assert len(fake.calls("exec")) == 1
    r = fake.run("pods", "--node", "n9")
    assert r.returncode == 3 and "n9 has no agent" in r.stderr


def test_pod_that_takes_over_is_the_one_that_is_asked(fake):
    fake.write("pods", "n1|old|2026-01-01T00:00:01Z|Running|2026-01-01\n" + PODS)
    fake.run("pods")
    assert "old" not in " ".join(fake.calls("exec"))


def test_options_of_kubectl_reach_it(fake):
    fake.run("pods", "--context", "it's $(here)", "--kubeconfig=/k c",
             "--agents", "elsewhere")
    for call in fake.calls("exec") + fake.calls("get"):
        assert call.startswith("--context=it's $(here) --kubeconfig=/k c")
    assert all("-n elsewhere exec" in c for c in fake.calls("exec"))


def test_status_begins_with_what_the_nodes_publish(fake):
    fake.write("smcnodes", "NAME READY\nn1 True\n")
    assert fake.run("status").stdout.startswith(
        "NAME READY\nn1 True\n\n== n1\n")


def test_explain_asks_both_nodes(fake):
    r = fake.run("explain", "default/web", "default/db:80", "-o", "json")
    assert r.returncode == 0, r.stderr
    halves = json.loads(r.stdout)["halves"]
    assert [(h["of"], h["node"], h["answer"]["of"]) for h in halves] == [
        ("default/web", "n1", 1), ("default/db", "n2", 2)]
    assert [c.split("smcmesh ")[-1] for c in fake.calls("explain")] == [
        "explain default/web 10.0.2.1:80 -ojson",
        "explain default/db 10.0.1.1:80 --server -ojson"]


@pytest.mark.parametrize("found, halves", [
    ("default/db\n", ["default/web", "default/db"]), ("", ["default/web"]),
    ("default/db\ndefault/db-2\n", ["default/web"])])
def test_explain_finds_the_pod_of_an_address(fake, found, halves):
    """If it is one pod's: not a Service's, nor the node's."""
    fake.write("pod-db", "n2|fd00::2")
    fake.write("pods-A", found)
    r = fake.run("explain", "default/web", "[fd00::2]:80", "-ojson")
    assert [h["of"] for h in json.loads(r.stdout)["halves"]] == halves
    assert fake.calls("get pods -A")[0].split(" -o ")[0].endswith(
        "status.podIP=fd00::2,spec.nodeName!=")
    assert fake.calls("explain")[0].endswith("default/web [fd00::2]:80 -ojson")


def test_explain_of_a_pod_without_an_address_yet(fake):
    fake.write("pod-web", "n1|")
    fake.run("explain", "default/web", "default/db:80")
    assert [c.split("smcmesh ")[-1] for c in fake.calls("explain")] == [
        "explain default/web 10.0.2.1:80", "explain default/db"]


def test_explain_of_a_word_asks_any_agent(fake):
    assert fake.run("explain", "not-endpoint").returncode == 0
    assert fake.calls("exec")[0].endswith("agent-1 -c agent -- smcmesh explain "
                                          "not-endpoint")


def test_explain_on_a_node_without_an_agent_goes_on_with_the_other(fake):
    fake.write("pod-web", "bare|10.0.9.1")
    r = fake.run("explain", "default/web", "default/db:80")
    assert r.returncode == 3 and "node bare has no agent" in r.stderr
    assert "== default/db, on n2" in r.stdout


def test_check_of_two_nodes_has_both_halves_and_services(fake):
    fake.says(1, out='{"ok":true}\n')
    fake.says(2, out='{"ok":true}\n')
    for i in 1, 2:
        fake.write(f"agent-{i}.serve",
                   f'listening 10.0.{i}.1:4000\n{{"ok":true,"served":{i}}}\n')
    fake.write("endpointslices", "shop|db|db-2\nother|else\n")
    fake.write("service-shop", "10.96.0.7|80|443\n")
    r = fake.run("check", "default/web", "default/db", "--count=5", "-ojson")
    assert r.returncode == 0, r.stderr
    got = [(c["node"], c["answer"]) for c in json.loads(r.stdout)["checks"]]
    assert got == [("n1", {"ok": True}), ("n2", {"ok": True, "served": 2}),
                   ("n2", {"ok": True}), ("n1", {"ok": True, "served": 1}),
                   ("n1", {"ok": True})]
    said = [c.split("smcmesh check ")[1] for c in fake.calls("check")]
    assert sorted(said) == sorted([
        "--serve default/db --count 5 -ojson",
        "--connect default/web 10.0.2.1:4000 --count 5 -ojson",
        "--serve default/web --count 5 -ojson",
        "--connect default/db 10.0.1.1:4000 --count 5 -ojson",
        "--connect default/web 10.96.0.7:80 --service --count 5 -ojson"])


def test_check_of_one_node_is_one_call(fake):
    fake.write("pod-db", "n1|10.0.1.2")
    fake.run("check", "default/web", "default/db")
    call, = fake.calls("exec")
    assert call.endswith("smcmesh check default/web default/db --count 3")


def test_check_without_a_server_says_why(fake):
    """The other way is tried all the same."""
    fake.write("agent-1.serve", "listening 10.0.1.1:4000\nserved\n")
    r = fake.run("check", "default/web", "default/db")
    assert r.returncode == 0 and "--connect default/web" not in " ".join(
        fake.calls("check"))
    assert "== default/db -> default/web, seen on n1\nserved\n" in r.stdout


@pytest.mark.parametrize("argv, rc, said", [
    ([], 2, "usage: kubectl smcmesh"), (["frobnicate"], 2, "no command"),
    (["pods", "-o", "yaml"], 2, "table or json"),
    (["flows", "-f"], 2, "one node"), (["pods", "--context"], 2, "a value"),
    (["check", "default/web"], 2, "two pods"),
    (["check", "web", "db"], 2, "expected NAMESPACE/POD, not db"),
    (["explain", "default/web", "db"], 2, "ADDRESS:PORT, not db"),
    (["explain", "--node=n1", "x"], 2, "no --node"),
    (["sysdump"], 2, "give -o FILE.tar"),
    (["sysdump", "-o", "-"], 2, "writes a file"),
    (["sysdump", "-o", "x", "--hash"], 2, "no option --hash"),
    (["explain", "absent/web"], 3, "absent/web is not found")])
def test_wrong_calls(fake, argv, rc, said):
    r = fake.run(*argv)
    assert (r.returncode, r.stdout) == (rc, "") and said in r.stderr, r.stderr


def archive(top, **files):
    """What smcmesh sysdump writes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"{top}/{name}.json")
            info.size, info.mode = len(text), 0o600
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def dump(fake, *argv):
    """The call, and {name: text} of the archive."""
    path = fake.folder / "all.tar"
    r = fake.run("sysdump", "-o", str(path), *argv)
    if not path.exists():
        return r, None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as tar:
        return r, {os.path.normpath(m.name): tar.extractfile(m).read().decode()
                   for m in tar.getmembers() if m.isreg()}


@pytest.fixture
def dumps(fake):
    for i in 1, 2:
        fake.says(i, err="smcmesh sysdump: files: 2\n")
        fake.write(f"agent-{i}.log", f"ready {i}\n")
        (fake.folder / f"agent-{i}.out").write_bytes(
            archive(f"n{i}", pods=f'{{"of":{i}}}'))
    return fake


def test_sysdump_has_all_nodes(dumps):
    r, files = dump(dumps)
    assert r.returncode == 3 and r.stdout == "", r
    errors = files.pop("errors.txt").splitlines()
    assert files == {"n1/pods.json": '{"of":1}', "n2/pods.json": '{"of":2}',
                     "n1/agent.log": "ready 1\n", "n2/agent.log": "ready 2\n"}
    assert errors == [
        "n1: agent-previous.log: Error: no log of agent-1",
        "n2: agent-previous.log: Error: no log of agent-2",
        "n3: the node is not ready",
        "n4: agent.log: Error: no log of agent-4",
        "n4: agent-previous.log: Error: no log of agent-4",
        "n4: its agent, pod agent-4, does not run (Pending)"]
    # of a node that does not answer nobody waits for a log
    assert not any("agent-3" in c for c in dumps.calls("logs"))
    assert "n3: the node is not ready" in r.stderr
    assert [c.split("smcmesh ")[-1] for c in dumps.calls("exec")] == [
        "sysdump -o -"] * 2


def test_sysdump_of_one_node(dumps):
    r, files = dump(dumps, "--node=n2")
    assert r.returncode == 0
    assert set(files) == {"n2/pods.json", "n2/agent.log", "errors.txt"}
    assert files["errors.txt"] == ("n2: agent-previous.log: Error: no log of "
                                   "agent-2\n")


def test_sysdump_of_an_agent_that_restarts_for_ever_has_its_logs(dumps):
    """It cannot be asked: what it said before it ended is what helps."""
    dumps.write("agent-4.previous", "smcmesh: the socket is taken\n")
    r, files = dump(dumps, "--node=n4")
    assert r.returncode == 3
    assert files["n4/agent-previous.log"] == "smcmesh: the socket is taken\n"
    assert "n4: its agent, pod agent-4, does not run" in files["errors.txt"]


def test_sysdump_with_hashes_has_one_key_and_no_names(dumps):
    r, files = dump(dumps, "--hash-names", "--hash-addresses")
    assert r.returncode == 3
    keys = {(dumps.folder / f"agent-{i}.in").read_bytes() for i in (1, 2)}
    key, = keys
    assert len(key) == 32 and key.strip(b"\0")
    for call in dumps.calls("exec"):
        assert call.endswith("--hash-names --hash-addresses "
                             "--hash-key /dev/stdin")
    assert files["errors.txt"].splitlines() == [
        "the agents' logs are left out: which of their words are names cannot be "
        "told"] + ["a node could not be asked"] * 2
    assert dumps.calls("logs") == [] and set(files) == {
        "n1/pods.json", "n2/pods.json", "errors.txt"}
    # another time, another key
    dump(dumps, "--hash-names", "--force")
    assert (dumps.folder / "agent-1.in").read_bytes() != key
    # and without hashes none at all
    dump(dumps, "--force")
    assert (dumps.folder / "agent-1.in").read_bytes() == b""


def test_sysdump_of_an_agent_that_fails_is_said(dumps):
    dumps.says(2, err="smcmesh: there is no command sysdump\n", rc=2)
    r, files = dump(dumps)
    assert r.returncode == 3 and "n1/pods.json" in files
    assert "n2: smcmesh: there is no command sysdump" in files["errors.txt"]


def test_sysdump_keeps_a_file_that_is_there(dumps):
    (dumps.folder / "all.tar").write_text("precious")
    r = dumps.run("sysdump", "-o", str(dumps.folder / "all.tar"))
    assert r.returncode == 1 and "is there already; --force" in r.stderr
    assert (dumps.folder / "all.tar").read_text() == "precious"
    r, files = dump(dumps, "--force")
    assert "n1/pods.json" in files


def test_sysdump_that_cannot_be_written_leaves_nothing(dumps):
    """A tar that fails as on a full disk, after some bytes."""
    dumps.write("tar", '#!/bin/sh\ncase $1 in -cf) echo half; exit 2 ;; esac\n'
                'exec /usr/bin/tar "$@"\n')
    os.chmod(dumps.folder / "tar", 0o755)
    before = set(os.listdir(dumps.folder)) | {"calls", "agent-1.in", "agent-2.in"}
    r, files = dump(dumps)
    assert r.returncode == 1 and files is None
    assert "all.tar could not be written" in r.stderr
    assert set(os.listdir(dumps.folder)) == before


def bench(fake, monkeypatch, *argv):
    """With a smcmesh that prints what it is called with, a word a line."""
    fake.write("smcmesh", "#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 1\n")
    os.chmod(fake.folder / "smcmesh", 0o755)
    monkeypatch.setenv("PATH", f"{fake.folder}:/usr/bin:/bin")
    return fake.run(*argv)


def test_bench_is_the_programs(fake, monkeypatch):
    r = bench(fake, monkeypatch, "--context=prod", "bench", "-t", "5", "-ojson",
              "--keep", "--agents=mesh")
    assert r.returncode == 1, "the program's own"
    assert r.stdout.splitlines() == [
        "bench", "--cluster", "--agents", "mesh", "--kubectl",
        "kubectl --context=prod", "--output", "json", "-t", "5", "--keep"]
    assert not os.path.exists(fake.folder / "calls"), "asks nobody itself"


def test_bench_says_what_it_cannot_pass_on_or_lacks(fake, monkeypatch):
    r = bench(fake, monkeypatch, "--user=a b", "bench")
    assert r.returncode == 2 and "with a space on to kubectl: --user=a b" in r.stderr
    r = bench(fake, monkeypatch, "bench", "--node=n1")
    assert r.returncode == 2 and "no --node" in r.stderr
    os.unlink(fake.folder / "smcmesh")
    r = fake.run("bench")
    assert r.returncode == 3 and "smcmesh is missing here" in r.stderr, r


def test_no_agent_at_all(fake):
    fake.write("pods", "")
    r = fake.run("status")
    assert r.returncode == 3 and "--agents names another" in r.stderr


def test_nothing_is_left(fake, monkeypatch, tmp_path):
    (tmp_path / "t").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    fake.run("pods")
    assert not os.listdir(tmp_path / "t")


def test_krew_gets_an_archive_and_what_is_in_it(tmp_path):
    uri = "https://mirror.example/kubectl-smcmesh.tar.gz"
    made = subprocess.run(
        ["make", "plugin", f"BUILD={tmp_path}", f"URI={uri}"], cwd=paths.TREE,
        text=True, capture_output=True, timeout=60, check=False)
    assert made.returncode == 0, made.stderr
    archive = tmp_path / "kubectl-smcmesh.tar.gz"
    with open(tmp_path / "smcmesh.yaml", encoding="utf-8") as f:
        plugin = yaml.safe_load(f)
    platform, = plugin["spec"]["platforms"]
    assert platform["uri"] == uri
    assert platform["sha256"] == hashlib.sha256(
        archive.read_bytes()).hexdigest()
    assert re.fullmatch(r"v\d+\.\d+\.\d+.*", plugin["spec"]["version"])
    with tarfile.open(archive) as tar:
        assert {f["from"] for f in platform["files"]} == set(tar.getnames())
        assert tar.getmember(platform["bin"]).mode & stat.S_IXUSR

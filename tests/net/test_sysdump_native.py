# SPDX-License-Identifier: Apache-2.0
"""smcmesh sysdump on this machine's own kernel, with an agent and without."""
import contextlib
import json
import os
import re
import stat
import subprocess
import tarfile

import pytest

from smclab import manifest, native, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
OF_AGENT = {"status.json", "pods.json", "endpoints.json", "flows.json",
            "quarantine.json", "metrics.txt", "log-level.json"}
OF_NODE = {"version.json", "doctor.json", "namespaces.json", "kernel-log.txt",
           "errors.txt"}
# names that occur nowhere else
POD, SPACE, NODE, PEER = ("zebrafinch-0", "quetzalspace", "axolotlnode",
                          "kakaponode")
ADDRESS, PEERS = "10.99.77.61", "10.99.77.62"


def sysdump(*args, **kw):
    return subprocess.run([native.SMCMESH, "sysdump", *args], timeout=120,
                          text=kw.pop("text", True), capture_output=True,
                          check=False, **kw)


def unpack(path):
    """{name in the top directory: text}, and that directory."""
    with tarfile.open(path) as t:
        members = t.getmembers()
        assert all(m.isreg() and m.mode == 0o600 and m.uid == m.gid == 0
                   for m in members), members
        tops = {m.name.split("/", 1)[0] for m in members}
        assert len(tops) == 1, tops
        return {m.name.split("/", 1)[1]: t.extractfile(m).read().decode()
                for m in members}, tops.pop()


def objects(*more):
    """A pod of its own, and another node's endpoint."""
    pod = manifest.pod(POD, NODE, ADDRESS, f"/run/netns/no-{POD}", namespace=SPACE)
    peer = manifest.node(PEER, [manifest.endpoint(PEERS, POD)], ueids=("OTHERS",))
    return [manifest.mesh(excludeCIDRs=[f"{PEERS}/32"]), pod, peer, *more]


@contextlib.contextmanager
def running(tmp_path, *more, node=NODE, **kw):
    """An agent that knows these objects."""
    a = native.Agent(tmp_path, f"file:{tmp_path}/pods.json", **kw)
    a.argv[a.argv.index("--node") + 1] = node
    with open(f"{tmp_path}/pods.json", "w", encoding="utf-8") as f:
        f.write(manifest.text(*objects(*more)))
    with native.bpffs(a.bpffs):
        try:
            a.start()
            wait_for(lambda: a.get("/v1/status")["ready"], 10, "the List")
            yield a
        finally:
            a.end()


@pytest.fixture
def agent(tmp_path):
    with running(tmp_path) as a:
        yield a


@pytest.fixture
def nothing(tmp_path):
    """The options of a node where nothing of ours ever was."""
    return ["--run", f"{tmp_path}/none", "--bpffs", f"{tmp_path}/none"]


def test_with_an_agent(agent, tmp_path):
    out = tmp_path / "x.tar"
    r = sysdump("-o", out, *agent.args)
    assert r.returncode == 0 and r.stdout == "", r
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    files, top = unpack(out)
    assert top == NODE and OF_AGENT | OF_NODE <= set(files), set(files)
    pod, = json.loads(files["pods.json"])["pods"]
    assert (pod["namespace"], pod["name"]) == (SPACE, POD)
    assert json.loads(files["status.json"])["pid"] == agent.proc.pid
    assert "\nsmcmesh_ready 1\n" in files["metrics.txt"]
    version = json.loads(files["version.json"])
    said = json.loads(subprocess.run([native.SMCMESH, "version", "-o", "json"],
                                     check=True, capture_output=True).stdout)
    assert [version[k] for k in ("smcmesh", "commit", "date")] == [
        said[k] for k in ("version", "commit", "date")]
    assert version["node"] == NODE
    assert version["kernel"] == os.uname().release
    doctor = json.loads(files["doctor.json"])
    assert doctor["capable"] is False and doctor["checks"]
    spaces = json.loads(files["namespaces.json"])["namespaces"]
    assert len({n["cookie"] for n in spaces}) == len(spaces) >= 1, spaces
    # this kernel has no SMC: the agent has made no maps, and that is said
    assert "maps: no maps of ours are pinned" in files["errors.txt"]
    said = re.search(r"files: (\d+); what could not be had: (\d+) ", r.stderr)
    assert int(said[1]) == len(files), r.stderr
    assert int(said[2]) == len(files["errors.txt"].splitlines()), r.stderr


def test_without_an_agent(nothing, tmp_path):
    out = tmp_path / "x.tar"
    r = sysdump("-o", out, *nothing)
    assert r.returncode == 0, r
    files, top = unpack(out)
    assert set(files) & (OF_AGENT | OF_NODE) == OF_NODE, set(files)
    assert top == os.uname().nodename
    for name in OF_AGENT:
        assert f"{name}: no agent answers on " in files["errors.txt"], files


def test_maps_are_dumped_by_their_types(tmp_path):
    """Those of an agent that makes maps on a kernel without SMC; and once it has
    been killed, what they hold is still there."""
    with running(tmp_path, binary=native.FAULTS,
                 env={"SMCMESH_MAPS_ONLY": "1"}) as a:
        wait_for(lambda: a.get("/v1/status")["ready"], 10, "the maps")
        for n, alive in enumerate((True, False)):
            if not alive:
                a.proc.kill()
                a.proc.wait()
            out = tmp_path / f"{n}.tar"
            assert sysdump("-o", out, *a.args).returncode == 0
            files, _ = unpack(out)
            assert ("pods.json" in files) == alive
            maps = {os.path.basename(f)[:-5]: json.loads(text)
                    for f, text in files.items() if f.startswith("maps/")}
            row, = maps["smc_cidr"]["rows"]
            assert row == {"key": {"prefixlen": 128, "ip": PEERS},
                           "value": {"exclude": 1}}
            config, = maps["smc_config"]["rows"]
            assert config["key"] == 0 and config["value"]["enabled"] == 1
            assert maps["smc_endpoint"]["map"] == "smc_endpoint"
            assert all(m["left_out"] == 0 for m in maps.values())
            assert "\nmaps" not in "\n" + files["errors.txt"], files
        out = tmp_path / "hashed.tar"
        assert sysdump("-o", out, "--hash-addresses", *a.args).returncode == 0
        raw = out.read_bytes()
        assert PEERS.encode() not in raw and b"smc_cidr" in raw


LONG_NODE = ".".join(["n" * 63] * 3 + ["e" * 61])


@pytest.mark.parametrize("tar", [["tar"], ["busybox", "tar"]], ids=["gnu", "busybox"])
def test_every_tar_reads_it(tmp_path, tar):
    """Into the files that Python's reads; also below a directory with the longest
    name that a node may have, of which a header has room for 155 characters."""
    out, files = tmp_path / "x.tar", tmp_path / "files"
    files.mkdir()
    with running(tmp_path, node=LONG_NODE) as a:
        assert sysdump("-o", out, *a.args).returncode == 0
    want, top = unpack(out)
    assert top == LONG_NODE[:155] and OF_AGENT | OF_NODE <= set(want)
    listed = subprocess.run([*tar, "-tvf", out], text=True, capture_output=True,
                            check=True)
    assert listed.stderr == "" and listed.stdout.count("\n") == len(want), listed
    subprocess.run([*tar, "-xf", out, "-C", files], check=True)
    assert {name: (files / top / name).read_text() for name in want} == want


# what else has a name: each occurs nowhere else either
SERVICE, OTHER_SPACE, BROKEN, LATER = ("ospreyservice", "ibexspace", "pangolin-7",
                                       "pangolin-8")
OLD_NODE, NETNS = "numbatnode", "okapinetns"
VIP, NODES = "10.99.78.1", "fd99:77::61"


def everything():
    """Objects that are used, that are left out, and that contradict each other."""
    broken = manifest.pod(BROKEN, NODE, ADDRESS, namespace=OTHER_SPACE)
    broken["spec"] = 7
    wrong = manifest.pod(LATER, NODE, [NODES, "10.99.78.300"], namespace=OTHER_SPACE,
                         enabled="maybe")
    service = manifest.service(SERVICE, VIP, 80, 7000, [PEERS])
    for o in service:
        o["metadata"]["namespace"] = SPACE
    claims = manifest.node(OLD_NODE, [manifest.endpoint(ADDRESS, LATER)])
    bad_node = manifest.node(OLD_NODE + "-2", [{"address": 7}])
    return [broken, wrong, *service, claims, bad_node]


@contextlib.contextmanager
def network_namespace(name):
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def leaks(path, words):
    """(file of the archive, word, where) of each that stands in it, or in a file's
    name."""
    found = []
    with tarfile.open(path) as t:
        for m in t.getmembers():
            text = m.name + "\n" + t.extractfile(m).read().decode()
            for w in words:    # and not within another word
                at = re.search(rf"(?<![a-z0-9]){re.escape(w)}(?![a-z0-9])", text,
                               re.I)
                if at:
                    found.append((m.name.split("/", 1)[1], w,
                                  text[max(0, at.start() - 60):at.end() + 60]))
    return found


@pytest.mark.parametrize("alive", [True, False], ids=["agent", "none"])
def test_nothing_of_all_that_has_a_name_is_left(tmp_path, alive):
    """With every kind of object in it, and with maps, which outlive the agent. What
    is asked of the node itself has the namespaces' own names."""
    names = [POD, SPACE, NODE, PEER, SERVICE, OTHER_SPACE, BROKEN, LATER, OLD_NODE,
             NETNS, os.uname().nodename]
    addresses = [ADDRESS, PEERS, VIP, NODES]
    with network_namespace(NETNS), running(
            tmp_path, *everything(), binary=native.FAULTS,
            env={"SMCMESH_MAPS_ONLY": "1"}) as a:
        wait_for(lambda: a.get("/v1/endpoints")["services"], 10, "the Service")
        assert BROKEN in str(a.get("/v1/status")["source"]), a.get("/v1/status")
        if not alive:
            a.proc.kill()
            a.proc.wait()
        out, hashed = tmp_path / "x.tar", tmp_path / "hashed.tar"
        assert sysdump("-o", out, *a.args).returncode == 0
        assert sysdump("-o", hashed, "--hash-names", "--hash-addresses",
                       *a.args).returncode == 0
    # control: they are there, or the test would find nothing whatever it hides
    known = {w for _, w, _ in leaks(out, names + addresses)}
    host = {os.uname().nodename}
    assert known >= (set(names + addresses) - host if alive else
                     {NETNS, PEERS, VIP} | host), known
    left = leaks(hashed, names + addresses)
    assert not left, left


def test_hashed_names_are_nowhere(agent, tmp_path):
    out = tmp_path / "x.tar"
    plain = [POD, SPACE, NODE, PEER]
    r = sysdump("-o", out, *agent.args)
    assert [n for n in plain if n.encode() in out.read_bytes()] == plain
    r = sysdump("-o", out, "--force", "--hash-names", *agent.args)
    assert r.returncode == 0, r
    raw = out.read_bytes()
    assert not [n for n in plain if n.encode() in raw]
    assert ADDRESS.encode() in raw    # that was not asked for
    files, top = unpack(out)
    pod, = json.loads(files["pods.json"])["pods"]
    for name in top, pod["name"], pod["namespace"]:
        assert re.fullmatch(r"name-[0-9a-f]{10}", name), name
    assert pod["name"] != pod["namespace"]
    # the same everywhere
    assert json.loads(files["status.json"])["node"] == top
    assert json.loads(files["version.json"])["node"] == top
    assert f"no-{pod['name']}" in pod["netns"], pod    # and in a path
    # JSON's keys are as they were
    assert {"namespace", "name", "reason"} <= set(pod)


def test_hashed_addresses_are_nowhere(agent, tmp_path):
    out = tmp_path / "x.tar"
    r = sysdump("-o", out, "--hash-names", "--hash-addresses", *agent.args)
    assert r.returncode == 0, r
    raw = out.read_bytes()
    gone = [ADDRESS, PEERS, POD, SPACE, NODE, PEER]
    assert not [n for n in gone if n.encode() in raw]
    files, _ = unpack(out)
    pod, = json.loads(files["pods.json"])["pods"]
    assert all(re.fullmatch(r"addr-[0-9a-f]{10}", a) for a in pod["addresses"])
    assert pod["addresses"]


def test_same_key_same_hashes(agent, tmp_path):
    key = tmp_path / "key"
    key.write_bytes(os.urandom(32))
    tops = []
    for n, with_key in enumerate((True, True, False, False)):
        how = ["--hash-key", key] if with_key else []
        out = tmp_path / f"{n}.tar"
        assert sysdump("-o", out, "--hash-names", *how,
                       *agent.args).returncode == 0
        tops.append(unpack(out)[1])
        assert key.read_bytes() not in out.read_bytes()
    assert tops[0] == tops[1] and len(set(tops)) == 3, tops


def test_standard_output(nothing):
    r = sysdump("-o", "-", *nothing, text=False)
    assert r.returncode == 0, r
    assert r.stdout[257:262] == b"ustar" and len(r.stdout) % 512 == 0
    with open("/dev/full", "wb") as full:
        r = subprocess.run([native.SMCMESH, "sysdump", "-o", "-", *nothing],
                           stdout=full, stderr=subprocess.PIPE, timeout=120,
                           text=True, check=False)
    assert r.returncode == 1 and "No space left" in r.stderr, r


def test_file_that_is_there_is_kept(nothing, tmp_path):
    out = tmp_path / "x.tar"
    out.write_text("precious")
    r = sysdump("-o", out, *nothing)
    assert r.returncode == 1 and f"{out} is there already; --force" in r.stderr
    assert out.read_text() == "precious"
    assert sysdump("-o", out, "--force", *nothing).returncode == 0
    assert OF_NODE <= set(unpack(out)[0])
    # a link is replaced, and not what it leads to
    target = tmp_path / "target"
    target.write_text("precious")
    link = tmp_path / "link.tar"
    link.symlink_to(target)
    assert sysdump("-o", link, *nothing).returncode == 1
    assert sysdump("-o", link, "--force", *nothing).returncode == 0
    assert target.read_text() == "precious" and not link.is_symlink()


@contextlib.contextmanager
def small_disk(path, size):
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path],
                   check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_full_disk_leaves_no_half_file(nothing, tmp_path, force):
    with small_disk(tmp_path / "disk", "12k") as disk:
        before = []
        if force:
            (disk / "x.tar").write_text("old")
            before = ["x.tar"]
        r = sysdump("-o", disk / "x.tar", *force, *nothing)
        assert r.returncode == 1 and "No space left" in r.stderr, r
        assert os.listdir(disk) == before
        assert not force or (disk / "x.tar").read_text() == "old"


JOURNAL = """#!/bin/sh
case "$*" in *--unit=smcmesh*) ;; *) exit 2 ;; esac
echo "2026-11-30T20:00:00.000000+00:00 n1 smcmesh[7]: pod gonespace/gonepod is armed"
"""


def test_the_journals_lines_of_the_agent(nothing, tmp_path):
    """By a journalctl that is put before the real one, if there is one. They name
    pods that nothing else in the archive does."""
    def gathered(name, *args, path=f"{tmp_path}/bin:{os.environ['PATH']}"):
        out = tmp_path / name
        r = sysdump("-o", out, *args, *nothing, env={**os.environ, "PATH": path})
        assert r.returncode == 0, r
        return unpack(out)[0]
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin/journalctl"
    fake.write_text(JOURNAL)
    fake.chmod(0o755)
    assert gathered("1.tar")["agent-log.txt"].endswith(
        "smcmesh[7]: pod gonespace/gonepod is armed\n")
    hashed = gathered("2.tar", "--hash-names")
    assert "agent-log.txt: left out: " in hashed["errors.txt"]
    assert not any("gonespace" in text for text in hashed.values())
    fake.write_text("#!/bin/sh\nexit 1\n")
    assert "agent-log.txt: journalctl failed\n" in gathered("3.tar")["errors.txt"]
    fake.write_text("#!/bin/sh\n")
    assert "agent-log.txt: the journal has nothing of smcmesh.service\n" in \
        gathered("4.tar")["errors.txt"]
    assert "agent-log.txt: there is no journalctl\n" in \
        gathered("5.tar", path=str(tmp_path))["errors.txt"]


@pytest.mark.parametrize("args, says", [
    ([], "give -o FILE"),
    (["-o", ""], "give -o FILE"),
    (["-o", "x.tar", "--hash-key", "k"], "--hash-key is for --hash-names"),
    (["-o", "x.tar", "--hash-names", "--hash-key", "/dev/null"],
     "/dev/null: a key has 16 to 4096 bytes, and this has 0"),
    (["-o", "x.tar", "--hash-names", "--hash-key", "/nonexistent"],
     "/nonexistent"),
])
def test_wrong_usage(nothing, tmp_path, args, says):
    r = sysdump(*args, *nothing, cwd=tmp_path)
    assert r.returncode == 2 and says in r.stderr, r
    assert not (tmp_path / "x.tar").exists()


def test_directory_that_is_not_there(nothing, tmp_path):
    r = sysdump("-o", tmp_path / "no/x.tar", *nothing)
    assert r.returncode == 1 and "No such file or directory" in r.stderr, r

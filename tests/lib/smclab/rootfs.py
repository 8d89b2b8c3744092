# SPDX-License-Identifier: Apache-2.0
"""The root file system that the VMs share, made once by mmdebstrap.

Servers and load programs live in it and not on the user's machine: nothing is
started or removed there. It is kept in the cache under a hash of this recipe,
shared read-only; every VM writes to an overlay of its own. There are two: "lab"
for most tests, and "k8s" with what a node of a cluster needs besides. A third,
"prometheus", has just that server, which runs here.
"""
import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

from . import paths

PACKAGES = """
python3 bash procps kmod psmisc
iproute2 ethtool nftables iptables tcpdump bpftool iputils-ping
rdma-core ibverbs-providers ibverbs-utils
libuv1 libcurl4 libmicrohttpd12 libmnl0 libnftables1 libip4tc2 libip6tc2 libibverbs1 libbpf1 libyyjson0
libyaml-0-2
nginx-light redis-server redis-tools haproxy memcached
wrk nghttp2-client apache2-utils sockperf qperf iperf3 curl netcat-openbsd
strace libasan8 libubsan1 libcmocka0
""".split()

# a Kubernetes node, and the store of the control plane
K8S = """
python3 bash procps kmod iproute2 nftables iptables conntrack iputils-ping
tcpdump curl bpftool rdma-core ibverbs-providers
libuv1 libcurl4 libmicrohttpd12 libmnl0 libnftables1 libip4tc2 libip6tc2 libibverbs1 libbpf1 libyyjson0
libyaml-0-2
containerd runc containernetworking-plugins etcd-server
""".split()

# what is too old or absent there: release -> {package: suite}
NEWER = {"bookworm": {"libbpf1": "bookworm-backports", "libyyjson0": "trixie"}}
# etcd 3.4 cannot tell how far a watch is: no streaming lists from the API server
NEWER_K8S = {"bookworm": {**NEWER["bookworm"], "etcd-server": "trixie"}}

# promtool alone: on Debian 12 it is in the package of the service
PROMTOOL = r"""
cd "$1/tmp"
package=$(chroot "$1" apt-cache pkgnames promtool | grep -x promtool || echo prometheus)
chroot "$1" sh -c "cd /tmp && apt-get -q download $package"
dpkg-deb --fsys-tarfile prom*.deb | tar -x -C "$1" ./usr/bin/promtool
rm prom*.deb
"""
# Debian 12's knows no Kubernetes to ask for its targets
NEWER_PROMETHEUS = {"bookworm": {"prometheus": "trixie"}}
# the server alone, without what its package depends on
PROMETHEUS = r"""
cd "$1/tmp"
APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -q download prometheus
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x -C "$1" ./usr/bin/prometheus
rm prometheus_*.deb
"""
EXCLUDE = ["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*",
           "/usr/share/info/*"]

UNUSED_DAYS = 7

# name -> (packages, newer, what the last hook does, size for people); without
# packages it is no system: what the hook puts there
SETS = {"lab": (PACKAGES, NEWER, PROMTOOL, "300 MB"),
        "k8s": (K8S, NEWER_K8S, "", "450 MB"),
        "prometheus": ((), NEWER_PROMETHEUS, PROMETHEUS, "120 MB")}


def hold(root):
    """A descriptor that keeps @root from being removed while it is open, and
    for some days."""
    os.utime(root)
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(fd, fcntl.LOCK_SH)
    return fd


def _remove_old():
    """Roots of other recipes that no VM uses, nor has used for a while: another
    checkout on this machine may have them."""
    for old in glob.glob(os.path.join(paths.cache(), "*root-*-*")):
        if time.time() - os.stat(old).st_mtime < UNUSED_DAYS * 86400:
            continue
        fd = os.open(old, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(fd)


def _codename():
    with open("/etc/os-release", encoding="utf-8") as f:
        fields = dict(line.rstrip().split("=", 1) for line in f if "=" in line)
    return fields.get("VERSION_CODENAME", "").strip('"')


def _newer(which):
    return SETS[which][1].get(_codename(), {})


def _key(which):
    packages, _, hook, _ = SETS[which]
    recipe = repr((packages, _newer(which) or None, hook, EXCLUDE))
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


def path(which="lab"):
    prefix = "" if which == "lab" else which
    return os.path.join(paths.cache(),
                        f"{prefix}root-{_codename()}-{_key(which)}")


def find(which="lab"):
    """The root to share: $SMCMESH_ROOT, or the cached one, made if need be."""
    given = os.environ.get("SMCMESH_ROOT")
    if given and which == "lab":
        return given
    if not os.path.isdir(path(which)):
        build(which)
    return path(which)


def _sources(which):
    """(apt source lines, apt preferences) for the private root."""
    codename, newer = _codename(), _newer(which)
    suites = [codename, *dict.fromkeys(newer.values())]
    lines = subprocess.run([os.path.join(paths.TREE, "tests/lib/archive"),
                            *suites], check=True, stdout=subprocess.PIPE,
                           text=True).stdout
    pins = "".join(f"Package: *\nPin: release n={s}\nPin-Priority: 50\n\n"
                   for s in suites[1:])
    pins += "".join(f"Package: {p}\nPin: release n={s}\nPin-Priority: 990\n\n"
                    for p, s in newer.items())
    return lines, pins


def _apt_options():
    """This machine's own ways through the network, for the apt in the root."""
    dump = subprocess.run(["apt-config", "dump"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    wanted = ("Acquire::http", "Acquire::https", "Acquire::Check-",
              "Acquire::Retries")
    return [f"--aptopt={line.rstrip(';')}" for line in dump.splitlines()
            if line.startswith(wanted) and not line.endswith('"";')]


def _mmdebstrap(which, target, work):
    packages, _, last, _ = SETS[which]
    lines, pins = _sources(which)
    prefs = os.path.join(work, "smclab")
    with open(prefs, "w", encoding="ascii") as f:
        f.write(pins)
    hook = os.path.join(work, "last")
    with open(hook, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\nset -e\n" + last)
    os.chmod(hook, 0o755)
    variant, when = (("important", "customize") if packages
                     else ("extract", "extract"))
    argv = ["mmdebstrap", f"--variant={variant}", "--format=directory",
            *(["--include=" + ",".join(packages)] if packages else []),
            "--skip=cleanup/apt/lists",
            '--aptopt=APT::Install-Recommends "false"', *_apt_options(),
            *[f"--dpkgopt=path-exclude={p}" for p in EXCLUDE],
            f"--setup-hook=copy-in {prefs} /etc/apt/preferences.d",
            f"--{when}-hook={hook}",
            f"--{when}-hook=rm -rf \"$1\"/var/lib/apt/lists/*",
            _codename(), target, "-"]
    subprocess.run(argv, input=lines, text=True, check=True, stdout=sys.stderr)


def build(which="lab"):
    """Make the root in the cache; a second caller waits for the first."""
    with open(os.path.join(paths.cache(), "root.lock"), "w",
              encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        target = path(which)
        if os.path.isdir(target):
            return
        if os.geteuid() != 0:
            raise PermissionError("the lab's root file system is not there yet,"
                                  " and making it needs root: sudo make root")
        print(f"  ROOT    {target} (about {SETS[which][3]}, a minute or two)",
              file=sys.stderr, flush=True)
        shutil.rmtree(target + ".new", ignore_errors=True)
        with tempfile.TemporaryDirectory() as work:
            try:
                _mmdebstrap(which, target + ".new", work)
            except (OSError, subprocess.CalledProcessError) as e:
                shutil.rmtree(target + ".new", ignore_errors=True)
                code = getattr(e, "returncode", e)
                raise RuntimeError("making the lab's root failed, see above: "
                                   f"mmdebstrap: {code}") from e
        os.rename(target + ".new", target)
        _remove_old()

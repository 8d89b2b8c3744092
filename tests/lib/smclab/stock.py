# SPDX-License-Identifier: Apache-2.0
"""Kernels as Debian ships them, in the cache under the version of their package:

    stock-6.12.117-1~deb12u1/vmlinuz config lib/modules/RELEASE/

Nothing is installed: the package is downloaded by this machine's own apt and
unpacked, and the depmod of the lab's root lists its modules.
"""
import fcntl
import functools
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from . import kernel, paths
from .rootfs import UNUSED_DAYS

SERIES = "6.12"    # the newest long-term one that has SMC
_DEPENDS = re.compile(r"(linux-image-[0-9][^ ,]*-amd64) \(= ([^)]+)\)")


def _apt(*argv):
    return subprocess.run(argv, check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def _is_newer(a, b):
    """Is a version of Debian's newer than another one? dpkg knows the order."""
    return not subprocess.run(["dpkg", "--compare-versions", a, "gt", b],
                              check=False).returncode


def _newest(found):
    """Of [(package, version)] the newest, or None."""
    best = None
    for package, version in found:
        if not best or _is_newer(version, best[1]):
            best = package, version
    return best


def _offered(series):
    """[(package, version)] of a series: what metapackages depend on; where none
    does (a backport that moved on), the images themselves."""
    meta = _apt("apt-cache", "show", f"linux-image-{series}-amd64",
                "linux-image-amd64")
    head = f"linux-image-{series}."
    found = [(p, v) for p, v in _DEPENDS.findall(meta) if p.startswith(head)]
    if found:
        return found
    names = _apt("apt-cache", "search", "--names-only",
                 rf"^linux-image-{re.escape(series)}\.[0-9.]+[^ ]*-amd64$")
    images = [line.split()[0] for line in names.splitlines()
              if not re.search(r"cloud|-rt-", line.split()[0])]
    return [(p, v) for p in images for v in re.findall(
        r"^Version: (.+)$", _apt("apt-cache", "show", p), re.M)]


def _kept(series):
    """Those in the cache, as [(directory, version)]."""
    return [(d, os.path.basename(d).removeprefix("stock-"))
            for d in glob.glob(os.path.join(paths.cache(), f"stock-{series}.*"))
            if os.path.exists(os.path.join(d, "vmlinuz"))]


@functools.cache
def find(series=SERIES):
    """The image of the newest kernel of @series that this machine's package
    lists have, downloaded if need be; without lists the newest in the cache."""
    offer = _newest(_offered(series))
    if not offer:
        kept = _newest(_kept(series))
        if not kept:
            raise RuntimeError(
                f"apt knows no linux-image of {series} and none is in "
                f"{paths.cache()}: run apt-get update, or tests/deps, which "
                "adds the suites that have it")
        directory = kept[0]
    else:
        directory = os.path.join(paths.cache(), "stock-" + offer[1])
        if not os.path.exists(os.path.join(directory, "vmlinuz")):
            _make(series, *offer, directory)
    os.utime(directory)
    return os.path.join(directory, "vmlinuz")


def _make(series, package, version, directory):
    with open(os.path.join(paths.cache(), "stock.lock"), "w",
              encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(os.path.join(directory, "vmlinuz")):
            return
        if os.geteuid() != 0:
            raise PermissionError(f"Debian's kernel {version} is not there yet, "
                                  "and unpacking it needs root: sudo make "
                                  "kernel-stock")
        print(f"  KERNEL  {directory} (about 110 MB, half a minute)",
              file=sys.stderr, flush=True)
        for left in glob.glob(os.path.join(paths.cache(), "stock.new-*")):
            shutil.rmtree(left)
        new = tempfile.mkdtemp(prefix="stock.new-", dir=paths.cache())
        os.chmod(new, 0o755)
        try:
            _unpack(f"{package}={version}", new)
            kernel.list_modules(new)
            os.rename(new, directory)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        _remove_old(series, directory)


def _unpack(package, new):
    """Keep the image, its configuration and its modules."""
    with tempfile.TemporaryDirectory(dir=new) as work:
        # apt's own user, which downloads, cannot write here: -o says not to try
        subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root",
                        "download", package], check=True, cwd=work,
                       stdout=sys.stderr)
        deb, = glob.glob(os.path.join(work, "*.deb"))
        subprocess.run(["dpkg-deb", "-x", deb, os.path.join(work, "x")],
                       check=True)
        images = glob.glob(os.path.join(work, "x/boot/vmlinuz-*"))
        if len(images) != 1:
            raise RuntimeError(f"{package} holds {len(images)} kernels in "
                               "/boot, expected 1")
        os.rename(images[0], os.path.join(new, "vmlinuz"))
        for config in glob.glob(os.path.join(work, "x/boot/config-*")):
            os.rename(config, os.path.join(new, "config"))
        modules, = glob.glob(os.path.join(work, "x/lib/modules")) + \
            glob.glob(os.path.join(work, "x/usr/lib/modules"))
        os.mkdir(os.path.join(new, "lib"))
        os.rename(modules, os.path.join(new, "lib/modules"))


def _remove_old(series, keep):
    """Versions of the series that no VM has booted for a while."""
    for old, _ in _kept(series):
        idle = time.time() - os.stat(old).st_mtime
        if old != keep and idle > UNUSED_DAYS * 86400:
            shutil.rmtree(old)

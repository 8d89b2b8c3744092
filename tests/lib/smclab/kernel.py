# SPDX-License-Identifier: Apache-2.0
"""Which kernel a VM boots: the test kernel, or a distribution's own.

    find()           what $SMCMESH_KERNEL says, else the test kernel
    find("test")     the test kernel, which is built where there is none
    find("stock")    Debian's own 6.12, from its package: stock.py
    find("stock-V")  Debian's own of that series, e.g. stock-6.17
    find(PATH)       an image; lib/modules beside it are its modules
"""
import functools
import gzip
import os
import re
import struct
import subprocess

from . import paths

FIND = os.path.join(paths.TREE, "tests/kernel/find")
BUILD = os.path.join(paths.TREE, "tests/kernel/build")


def release_of(image):
    """What `uname -r` says in a bzImage: Documentation/arch/x86/boot.rst,
    kernel_version."""
    with open(image, "rb") as f:
        head = f.read(0x8000)
    if head[0x202:0x206] != b"HdrS":
        raise ValueError(f"{image} is no bzImage: HdrS is not at 0x202")
    at = struct.unpack_from("<H", head, 0x20E)[0] + 0x200
    return head[at:head.index(b"\0", at)].split()[0].decode()


class Kernel:
    """image: the file; release: what `uname -r` says; version: (6, 12);
    modules: the directory that holds RELEASE/, or None: all is built in."""

    def __init__(self, image):
        self.image = os.path.realpath(image)
        self.release = release_of(self.image)
        self.version = tuple(map(int, re.findall(r"\d+", self.release)[:2]))
        beside = os.path.join(os.path.dirname(self.image), "lib/modules")
        listed = os.path.exists(os.path.join(beside, self.release,
                                             "modules.dep"))
        self.modules = beside if listed else None

    def __repr__(self):
        return f"{self.release} ({'modular' if self.modules else 'built in'})"

    def path(self, name):
        return os.path.join(self.modules, self.release, name)

    @functools.cached_property
    def config(self):
        """{"CONFIG_SMC": "m", ...}; {} where no file beside the image tells."""
        for name in ("config", ".config"):
            path = os.path.join(os.path.dirname(self.image), name)
            if os.path.exists(path):
                with open(path, encoding="utf-8") as f:
                    return dict(re.findall(r"^(CONFIG_\w+)=(.*)$", f.read(),
                                           re.M))
        return {}

    @property
    def shares(self):
        """Has it shared memory for SMC-D? Without it, and without RDMA, two ends
        that agreed upon SMC fall back."""
        return "y" in (self.config.get("CONFIG_DIBS_LO"),
                       self.config.get("CONFIG_SMC_LO"))

    def needed(self, names):
        """The files of these modules and of those that they need, in the order
        in which they load; without those that are built in."""
        deps = {}
        with open(self.path("modules.dep"), encoding="ascii") as f:
            for line in f:
                file, _, rest = line.partition(":")
                deps[_name(file)] = (file, rest.split())
        with open(self.path("modules.builtin"), encoding="ascii") as f:
            builtin = {_name(line.strip()) for line in f}
        out = []
        for name in names:
            if name in deps:
                file, rest = deps[name]
                out += [m for m in [*reversed(rest), file] if m not in out]
            elif name not in builtin:
                raise LookupError(f"{self.release} has no module {name}, which "
                                  "a VM needs to boot")
        return out

    def read(self, file):
        """A module as insmod wants it."""
        with open(self.path(file), "rb") as f:
            data = f.read()
        if file.endswith(".xz"):
            import lzma
            return lzma.decompress(data)
        return gzip.decompress(data) if file.endswith(".gz") else data


def _name(file):
    """smc_diag of kernel/net/smc/smc_diag.ko.xz, as modprobe(8) writes it."""
    return os.path.basename(file).split(".ko")[0].replace("-", "_")


def is_stock(which):
    return bool(re.fullmatch(r"stock(-\d+\.\d+)?", which))


def list_modules(directory):
    """depmod for what is in @directory, by the lab's root, in a mount namespace
    of its own: the root that VMs share stays as it is."""
    from . import rootfs
    if not os.path.exists(os.path.join(directory, "usr")):
        os.symlink(".", os.path.join(directory, "usr"))    # newer ones look there
    release, = os.listdir(os.path.join(directory, "lib/modules"))
    root = rootfs.find()
    hold = rootfs.hold(root)
    try:
        subprocess.run(["unshare", "--mount", "sh", "-ec",
                        'mount --bind "$1" "$2/mnt"; '
                        'exec chroot "$2" /sbin/depmod -b /mnt "$3"',
                        "depmod", directory, root, release], check=True)
    finally:
        os.close(hold)


@functools.cache
def find(which=None):
    which = which or os.environ.get("SMCMESH_KERNEL") or ""
    if is_stock(which):
        from . import stock
        return Kernel(stock.find(which.partition("-")[2] or stock.SERIES))
    if which not in ("", "test"):
        return Kernel(which)
    env = dict(os.environ, SMCMESH_CACHE=paths.cache(), SMCMESH_KERNEL=which)
    subprocess.run([BUILD], check=True, env=env)
    return Kernel(subprocess.run([FIND], check=True, env=env, text=True,
                                 stdout=subprocess.PIPE).stdout.strip())


def stock_or_given():
    """For tests of a distribution's kernel: what $SMCMESH_KERNEL says, else
    "stock"."""
    return os.environ.get("SMCMESH_KERNEL") or "stock"

# SPDX-License-Identifier: Apache-2.0
"""A small initramfs: busybox, two device nodes, of a modular kernel the modules
that a VM needs to boot, and the script that mounts the shared root below an
overlay and hands over to the guest agent. All other modules are shared: udev is
not there, so the kernel's own modprobe loads what it is asked for."""
import gzip
import io
import os
import shutil
import stat

INIT = r"""#!/bin/busybox sh
B=/bin/busybox
m() { $B mount "$@" || { echo "smclab: mount $*: failed"; $B poweroff -f; }; }
m -t devtmpfs dev /dev
m -t proc proc /proc
for k in /modules/*; do
	[ ! -e "$k" ] || $B insmod "$k" ||
		{ echo "smclab: insmod $k: failed"; $B poweroff -f; }
done
m -t tmpfs -o mode=755 rw /rw
$B mkdir -p /lower /new /rw/up /rw/work
P=trans=virtio,version=9p2000.L,msize=262144
m -t 9p -o ro,$P,cache=loose root /lower
m -t overlay -o lowerdir=/lower,upperdir=/rw/up,workdir=/rw/work root /new
$B mkdir -p /new/src /new/build /new/x /new/proc /new/sys /new/dev
m -t 9p -o ro,$P,cache=mmap src /new/src
m -t 9p -o ro,$P,cache=mmap build /new/build
m -t 9p -o $P x /new/x
if [ -d /modules ]; then
	$B mkdir -p /new/usr/lib/modules
	m -t 9p -o ro,$P,cache=loose modules /new/usr/lib/modules
fi
m --move /dev /new/dev
m --move /proc /new/proc
m -t sysfs sys /new/sys
$B mkdir -p /new/dev/pts /new/dev/shm
m -t devpts -o mode=620,ptmxmode=666 pts /new/dev/pts
m -t tmpfs shm /new/dev/shm
m -t tmpfs -o mode=755 run /new/run
m -t tmpfs tmp /new/tmp
# what this kernel lacks of these is found out by the tests that need it
for t in cgroup2:fs/cgroup bpf:fs/bpf debugfs:kernel/debug \
	tracefs:kernel/tracing securityfs:kernel/security; do
	[ -d /new/sys/${t#*:} ] &&
		$B mount -t ${t%%:*} ${t%%:*} /new/sys/${t#*:} 2>/dev/null
done
$B mkdir -p /new/run/netns /new/run/lock
$B mount --make-rshared /new/sys 2>/dev/null
for w in $($B cat /new/proc/cmdline); do
	case $w in smclab.name=*) $B hostname ${w#*=};; esac
done
$B ip link set lo up
exec $B switch_root /new /usr/bin/python3 -u /src/tests/lib/smclab/guest.py
"""

# in the order in which they load, but for what each of them needs
NEEDED = ["virtio_pci", "virtio_console", "9p", "9pnet_virtio", "overlay",
          "virtio_net"]


def _entry(out, name, mode, data=b"", rdev=(0, 0)):
    """One record of the 'newc' format of cpio(5)."""
    name = name.encode() + b"\0"
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(name), 0]
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + name
    for part in (head, data):
        out.write(part + b"\0" * (-len(part) % 4))


def _put_modules(out, kernel):
    """Of a @kernel that has some, for INIT: by number, so that the order stays."""
    if not kernel.modules:
        return
    _entry(out, "modules", stat.S_IFDIR | 0o755)
    for i, file in enumerate(kernel.needed(NEEDED)):
        name = f"modules/{i:02}-{os.path.basename(file).split('.')[0]}.ko"
        _entry(out, name, stat.S_IFREG | 0o644, kernel.read(file))


def build(path, kernel):
    """Write the image for @kernel to @path: it is renamed into place when whole."""
    busybox = shutil.which("busybox")
    if not busybox:
        raise FileNotFoundError("busybox is missing: make deps installs it")
    with open(busybox, "rb") as f:
        program = f.read()
    out = io.BytesIO()
    for name in ("bin", "dev", "proc", "rw"):
        _entry(out, name, stat.S_IFDIR | 0o755)
    _entry(out, "dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))
    _entry(out, "dev/null", stat.S_IFCHR | 0o666, rdev=(1, 3))
    _entry(out, "bin/busybox", stat.S_IFREG | 0o755, program)
    _put_modules(out, kernel)
    _entry(out, "init", stat.S_IFREG | 0o755, INIT.encode())
    _entry(out, "TRAILER!!!", 0)
    tmp = f"{path}.{os.getpid()}"
    with gzip.open(tmp, "wb", 1) as f:
        f.write(out.getvalue())
    os.rename(tmp, path)

# SPDX-License-Identifier: Apache-2.0
"""A systemd in a VM that boots to multi-user.target with our units installed.

    boot = systemd.Boot(vm, "smcmesh-node-setup")    # what is enabled
    boot.run("systemctl", "start", "smcmesh")
    boot.wait_done("smcmesh")

The VM itself is not booted by it (see initramfs.py), so it has a PID and a mount
namespace of its own. Network namespaces that were there before it are in its
/run/netns, too.
"""
from .machine import wait_for

# what the lab's root enables, and a node need not have; udev would give NICs
# other names
OTHERS = ("cron e2scrub_reap haproxy memcached nginx redis-server getty@tty1"
          " systemd-logind systemd-udevd systemd-udev-trigger").split()
# It is in the VM's network; the root of the cgroups, which a node has at
# /sys/fs/cgroup, is at /mnt.
SYSTEMD = """
mount --make-rprivate /
mount --bind /sys/fs/cgroup /mnt
umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/netns /var/netns
mount --rbind /run/netns /var/netns
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/lock /run/netns
mount --rbind /var/netns /run/netns
exec env -i container=smclab PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --unit=multi-user.target
"""
INSTALL = """
cd /src/deploy/systemd
for unit in *.service; do
    sed 's|/usr/local/bin/|/build/|' $unit > /etc/systemd/system/$unit
done
mkdir -p /etc/systemd/system/multi-user.target.wants /sys/fs/cgroup/systemd
rm -f /etc/systemd/system/timers.target.wants/*
"""


class Boot:
    def __init__(self, vm, *enabled):
        self.vm = vm
        masked = [f"ln -sf /dev/null /etc/systemd/system/{unit}.service"
                  for unit in OTHERS]
        wants = [f"ln -s ../{unit}.service /etc/systemd/system/"
                 "multi-user.target.wants/" for unit in enabled]
        vm.run(INSTALL + "\n".join(masked + wants))
        vm.spawn(["unshare", "--fork", "--pid", "--mount", "--cgroup",
                  "--mount-proc", "sh", "-ec", SYSTEMD], cgroup="systemd")
        wait_for(lambda: vm.run("pgrep -x systemd", check=False).rc == 0, 20,
                 "systemd")

    def _argv(self, args):
        pid = self.vm.run("pgrep -o -x systemd").out.strip()
        return ["nsenter", "-t", pid, "-m", "-p", "-C", "--", *args]

    def run(self, *args):
        """A command there, and what came of it."""
        return self.vm.run(self._argv(args), check=False)

    def spawn(self, *args):
        return self.vm.spawn(self._argv(args))

    def shows(self, unit, *properties):
        """{property: text}, as `systemctl show` has it."""
        got = self.run("systemctl", "show", "-p", ",".join(properties), unit).out
        return dict(line.split("=", 1) for line in got.splitlines())

    def state(self, unit):
        return self.shows(unit, "ActiveState", "SubState", "Result")

    def wait_done(self, unit):
        """Its state, once systemd is done with starting it."""
        def done():
            got = self.state(unit)
            return got.get("ActiveState") in ("active", "failed") and got
        return wait_for(done, 120, f"the end of {unit}")

# SPDX-License-Identifier: Apache-2.0
"""`smcmesh doctor` on other systems' files, as a whole: what a vendor's node shows
stands in a directory (--root). What is asked of the kernel itself is this one's,
which cannot do SMC: net/test_agent_native.py and vm/test_agent.py have the rest.

That every check is driven through pass and fail is smclab/checks.py, held to here."""
import glob
import json
import os
import subprocess

import pytest

from smclab import native, paths
from smclab.checks import DRIVEN, ROOT, UNIT, VM, driven

SYMBOLS = "0 D init_net\n"
WITH_SMC = SYMBOLS + "0 D tcp_have_smc\n"
HELD = ("0,7,12000000,-;unregister_netdevice: waiting for eth0 to become free. "
        "Usage count = 2\n")


@pytest.fixture(autouse=True, scope="module")
def without_smc():
    if doctor("-o", "json")["capable"]:
        pytest.skip("this kernel can do SMC")


def doctor(*args, netns=None):
    enter = ["ip", "netns", "exec", netns] if netns else []
    r = subprocess.run([*enter, native.SMCMESH, "doctor", *args], text=True,
                       timeout=60, stdout=subprocess.PIPE, check=True)
    return json.loads(r.stdout) if "json" in args else r.stdout


def node(root, os_id, version, release, files=None):
    """A root that looks like that system's, and what doctor says there."""
    files = {"etc/os-release": f'ID="{os_id}"\nVERSION_ID="{version}"\n'
                               'PRETTY_NAME="The System"\n',
             "proc/sys/kernel/osrelease": release + "\n",
             "proc/kallsyms": SYMBOLS, "dev/kmsg": "", **(files or {})}
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    report = doctor("-o", "json", "--root", str(root))
    assert report["kernel"] == release and report["system"] == "The System"
    assert not report["ok"]
    return {c["id"]: c for c in report["checks"]}


@pytest.mark.parametrize("os_id, version, release, symbols, found, fix", [
    ("debian", "", "7.3.4+deb14-amd64", SYMBOLS, "CONFIG_DIBS defaults to n",
     "(package linux, by reportbug) to build its kernels"),
    ("debian", "13", "6.12.95+deb13-amd64", WITH_SMC, "no smc_hs_ctrl (6.19)",
     "no newer kernel of Debian's will do"),
    ("arch", "", "6.18.40-arch1-1", WITH_SMC, "Arch Linux, before 6.19",
     "pacman -Syu"),
    ("ubuntu", "26.04", "7.0.0-10-generic", SYMBOLS,
     "the table of kernels knows nothing", "Ask whoever makes this kernel"),
    ("rocky", "9.3", "5.14.0-362.8.1.el9_3.x86_64", SYMBOLS, "CONFIG_SMC is off",
     "Red Hat builds SMC for s390x alone"),
    ("alinux", "3", "5.10.134-17.3.al8.x86_64", WITH_SMC, "net.smc.tcp2smc",
     "Alibaba Cloud Linux 4 (6.6) has part of it"),
    ("mine", "1", "7.3.4", SYMBOLS, "SMC is not built", "build it with the lines")])
def test_each_system_is_told_its_shortest_way(tmp_path, os_id, version, release,
                                              symbols, found, fix):
    kernel = node(tmp_path, os_id, version, release,
                  {"proc/kallsyms": symbols})["kernel"]
    assert kernel["status"] == "fail", kernel
    assert release in kernel["found"] and found in kernel["found"], kernel
    assert fix in kernel["fix"], kernel
    lines = "lines below" in kernel["fix"]
    assert lines == ("\nCONFIG_SMC=m\n" in kernel["fix"]), kernel


def test_the_guides_kernel_with_the_known_issue(tmp_path):
    checks = node(tmp_path, "alinux", "3", "5.10.134-16.3.al8.x86_64",
                  {"proc/kallsyms": WITH_SMC, "dev/kmsg": HELD + HELD,
                   "proc/sys/net/smc/tcp2smc": "0\n",
                   "sys/kernel/livepatch/kpatch_16664924/enabled": "0\n"})
    told = {name: checks[name]["status"] for name in (
        "alinux-16.3", "alinux-17.3", "alinux-tcp2smc", "alinux-hotfix",
        "held-device", "smc-fixes")}
    assert told == {"alinux-16.3": "pass", "alinux-17.3": "warn",
                    "alinux-tcp2smc": "pass", "alinux-hotfix": "warn",
                    "held-device": "warn", "smc-fixes": "unknown"}
    assert "2 times" in checks["held-device"]["found"], checks["held-device"]
    assert "waiting for \", 12 s to 12 s after" in checks["held-device"]["found"]
    # what is there is told as lines to read, too
    text = doctor("--root", str(tmp_path))
    assert text.startswith("Linux 5.10.134-16.3.al8.x86_64 on The System\n"), text
    assert "\nwarn     held-device\n  found  the kernel's log has 2 times" in text
    assert "alinux-16.3\n" not in text


def test_a_module_that_is_kept_out_is_told_from_one_that_is_missing(tmp_path):
    modules = "lib/modules/6.12.95+deb13-amd64/"
    files = {"proc/kallsyms": WITH_SMC,
             modules + "modules.dep": "kernel/net/smc/smc.ko.xz: x\n",
             modules + "modules.alias": "alias net-pf-2-proto-256-type-1 smc\n",
             "etc/modprobe.d/hard.conf": "install smc /bin/false\n",
             "proc/sys/kernel/version":
             "#1 SMP PREEMPT_DYNAMIC Debian 6.12.95-1 (2026-07-05)\n"}
    checks = node(tmp_path / "a", "debian", "13", "6.12.95+deb13-amd64", files)
    assert "hard.conf: install smc" in checks["smc-blacklisted"]["found"]
    assert checks["smc-module"]["fix"].startswith("See the check smc-blacklisted")
    assert checks["smc-vendor"]["status"] == "pass"
    assert "linux 6.12.95-1 lacks" in checks["smc-fixes"]["found"]
    # control: no such line, and no such file
    files["etc/modprobe.d/hard.conf"] = ""
    files[modules + "modules.dep"] = "kernel/net/a.ko.xz:\n"
    checks = node(tmp_path / "b", "debian", "13", "6.12.95+deb13-amd64", files)
    assert checks["smc-blacklisted"]["status"] == "skip"
    assert "Install the package" in checks["smc-module"]["fix"]


# ---- each check ----------------------------------------------------------------

RESERVED = "sys/module/smc/parameters/rsvd_ports_base"
RANGE = "proc/sys/net/ipv4/ip_local_port_range"
SOCKETS = ("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when"
           " retrnsmt   uid\n"
           "   0: 00000000:FFDC 00000000:0000 0A 00000000:00000000 00:00000000"
           " 00000000  1000        0 1\n")
DEBIAN = "lib/modules/6.12.95+deb13-amd64/"
ALINUX = "lib/modules/5.10.134-9.al8.x86_64/"
DEBIAN_FILES = {
    "proc/kallsyms": WITH_SMC,
    DEBIAN + "modules.alias": "alias net-pf-2-proto-256-type-1 smc\n",
    "proc/sys/kernel/version":
    "#1 SMP PREEMPT_DYNAMIC Debian 6.12.95-1 (2026-07-05)\n"}
RNIC = "sys/class/infiniband/erdma_0/"
# {name: (system, version, release, files, {check: status})}
ROOTS = {
    "the guide's": (
        "alinux", "3", "5.10.134-16.3.al8.x86_64",
        {"proc/kallsyms": WITH_SMC, "dev/kmsg": HELD,
         "proc/sys/net/smc/tcp2smc": "0\n", RESERVED: "65500\n",
         RANGE: "32768\t60999\n",
         "sys/kernel/livepatch/kpatch_16664924/enabled": "0\n",
         RNIC + "node_type": "4: RNIC\n",
         RNIC + "ports/1/state": "1: DOWN\n",
         RNIC + "ports/1/link_layer": "Ethernet\n",
         "sys/module/ib_core/parameters/netns_mode": "N\n"},
        {"alinux-16.3": "pass", "alinux-17.3": "warn", "alinux-tcp2smc": "pass",
         "alinux-hotfix": "warn", "held-device": "warn", "reserved-ports": "pass",
         "rdma-type": "pass", "rdma-port": "warn", "rdma-netns": "warn"}),
    "one before": (
        "alinux", "3", "5.10.134-9.al8.x86_64",
        {"proc/kallsyms": WITH_SMC, "proc/sys/net/smc/wmem": "1\n",
         RESERVED: "65500\n", "proc/1/net/tcp": SOCKETS,
         ALINUX + "modules.dep": "kernel/net/smc/smc.ko.xz: x\n",
         ALINUX + "modules.alias": "alias net-pf-2-proto-263-type-1 smc\n"},
        {"alinux-16.3": "fail", "alinux-17.3": "warn", "alinux-tcp2smc": "warn",
         "reserved-ports": "warn", "ipproto-number": "warn"}),
    "the newer guide's": (
        "alinux", "3", "5.10.134-17.3.al8.x86_64", {"proc/kallsyms": WITH_SMC},
        {"alinux-17.3": "pass", "alinux-hotfix": "skip", "held-device": "pass"}),
    "kept out": (
        "debian", "13", "6.12.95+deb13-amd64",
        {**DEBIAN_FILES, DEBIAN + "modules.dep": "kernel/net/smc/smc.ko.xz: x\n",
         "etc/modprobe.d/hard.conf": "blacklist smc\n"},
        {"kernel": "fail", "smc-module": "fail", "smc-blacklisted": "fail",
         "smc-vendor": "pass", "smc-fixes": "warn", "ipproto-number": "skip"}),
    "another vendor's": (
        "debian", "13", "6.12.95+deb13-amd64",
        {**DEBIAN_FILES, DEBIAN + "modules.dep": "updates/dkms/smc.ko: x\n"},
        {"smc-module": "fail", "smc-blacklisted": "pass", "smc-vendor": "warn"}),
    "mine": ("mine", "1", "7.3.4",
             {"sys/class/infiniband/erdma_0/node_type": "4: RNIC\n",
              RNIC + "ports/1/state": "4: ACTIVE\n",
              RNIC + "ports/1/link_layer": "Ethernet\n"},
             {"rdma-type": "warn", "reserved-ports": "skip",
              "rdma-netns": "unknown"}),
}


@pytest.mark.parametrize("name", ROOTS)
def test_each_system_has_its_statuses(tmp_path, name):
    os_id, version, release, files, statuses = ROOTS[name]
    checks = node(tmp_path, os_id, version, release, files)
    assert {c: checks[c]["status"] for c in statuses} == statuses, \
        {c: checks[c] for c in statuses}


def test_every_check_is_driven_through_pass_and_fail():
    report = doctor("-o", "json")
    features = {f["feature"] for f in report["features"]}
    ids = {c["id"] for c in report["checks"]} - features
    assert ids == set(DRIVEN), ids ^ set(DRIVEN)
    told = [s for *_, statuses in ROOTS.values() for s in statuses.items()]
    assert driven(ROOT, False) <= {c for c, status in told if status == "pass"}
    assert driven(ROOT, True) <= {c for c, status in told
                                  if status in ("warn", "fail")}
    units = "".join(open(path, encoding="utf-8").read() for path in
                    glob.glob(os.path.join(paths.TREE, "tests/unit/test_*.c")))
    for name, places in DRIVEN.items():
        for place in places:
            if place == UNIT:
                assert f'"{name}"' in units, name
            elif place not in (VM, ROOT) and not place.startswith("never: "):
                assert os.path.exists(os.path.join(paths.TREE, "tests", place)), name
    # of features that are checks, too, on made-up facts
    assert "features_are_checks_and_fail_where_all_depends_on_them" in units


# ---- this machine's own kernel -------------------------------------------------

def test_this_machine_is_told_as_it_is():
    report = doctor("-o", "json")
    checks = {c["id"]: c for c in report["checks"]}
    assert report["kernel"] == os.uname().release
    assert os.uname().release in checks["kernel"]["found"]
    assert checks["kernel"]["status"] == checks["ipproto_smc"]["status"] == "fail"
    devices = os.path.isdir("/sys/class/infiniband") and \
        os.listdir("/sys/class/infiniband")
    for name in "rdma-type", "rdma-port", "rdma-netns":
        assert (checks[name]["status"] == "skip") == (not devices), checks[name]
    # what needs SMC says nothing of a kernel without
    for name in ("ueid", "other-hooks", "sockmap", "foreign-selector", "pnet",
                 "encryption", "smcr-subnet", "landlock", "selinux"):
        assert checks[name]["status"] == "skip", checks[name]
    for name in "ueid-mesh", "memory-budget", "agent-silent", "reserved-ports":
        assert checks[name]["status"] == "skip", checks[name]
    for c in checks.values():
        assert c["found"] or c["status"] == "pass", c
        assert bool(c["means"]) == (c["status"] not in ("pass", "skip")), c


@pytest.mark.parametrize("rule, where", [
    ("nft 'table ip t { chain in { type filter hook input priority 0;"
     " tcp dport 9 synproxy mss 1460 wscale 7 timestamp; }; }'",
     "nftables: table t, chain in"),
    ("nft 'table inet t { synproxy s { mss 1460; wscale 7; timestamp; };"
     " chain in { type filter hook input priority 0;"
     " tcp dport 9 synproxy name s; }; }'", "nftables: table t, chain in"),
    ("iptables-nft -A FORWARD -p tcp --dport 9 -j SYNPROXY",
     "nftables: table filter, chain FORWARD"),
    ("ip6tables-legacy -A INPUT -p tcp --dport 9 -j SYNPROXY",
     "iptables-legacy: table filter, chain INPUT"),
    ("nft 'table ip t { chain in { type filter hook input priority 0;"
     " tcp dport 9 accept; }; }'", "")])
def test_rules_that_answer_syns_are_told(netns, rule, where):
    n = netns()
    n.run(rule)
    got = next(c for c in doctor("-o", "json", netns=n.name)["checks"]
               if c["id"] == "synproxy")
    assert got["status"] == ("warn" if where else "pass"), got
    assert got["found"] == where

# SPDX-License-Identifier: Apache-2.0
"""`smcmesh doctor` on other systems' files, as a whole: what a vendor's node shows
stands in a directory (--root). What is asked of the kernel itself is this one's,
which cannot do SMC: net/test_agent_native.py and vm/test_agent.py have the rest."""
import json
import subprocess

import pytest

from smclab import native

SYMBOLS = "0 D init_net\n"
WITH_SMC = SYMBOLS + "0 D tcp_have_smc\n"
HELD = ("0,7,12000000,-;unregister_netdevice: waiting for eth0 to become free. "
        "Usage count = 2\n")


@pytest.fixture(autouse=True, scope="module")
def without_smc():
    if doctor("-o", "json")["capable"]:
        pytest.skip("this kernel can do SMC")


def doctor(*args):
    r = subprocess.run([native.SMCMESH, "doctor", *args], text=True, timeout=60,
                       stdout=subprocess.PIPE, check=True)
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
     "No newer kernel of Debian's will do"),
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

# SPDX-License-Identifier: Apache-2.0
"""tests/kernel/fixes: what it reads of changelogs of Debian's package linux."""
import gzip
import os
import re
import subprocess

from smclab import paths

OLD = """\
linux (6.1.20-2) bookworm-security; urgency=high

  * New upstream stable update:
    - net/smc: mend a (CVE-2026-0001)
    - net/smc: mend a long thing that goes on in the
      next line (CVE-2026-0002, CVE-2026-0003)
    - net: smc91x: no matter of ours (CVE-2026-0004)
    - [s390x] net/smc: mend b
    - net/smc: no CVE of its own

 -- Somebody <x@example.org>  Mon, 30 Nov 2026 00:00:00 +0000

linux (6.1.19-1) bookworm; urgency=medium

    - net/smc: mend a
    - Revert "net/smc: Introduce it" (CVE-2026-0005)
  * [amd64] net/smc: a setting (CVE-2026-0006)
"""
NEW = """\
linux (6.12.9-1~bpo12+1) bookworm-backports; urgency=medium

    - net/smc: mend a

linux (6.12.9-1) unstable; urgency=medium

    - net/smc: mend a long thing that goes on
      in the next line
    - [s390x] net/smc: mend b (CVE-2026-0007)

linux (6.12~rc1-1~exp1) experimental; urgency=medium

    - Revert "net/smc: Introduce it"
"""


def made(tmp_path, *texts):
    names = []
    for i, text in enumerate(texts):
        names.append(str(tmp_path / f"changelog.{i}.gz"))
        with gzip.open(names[-1], "wt") as f:
            f.write(text)
    return subprocess.run([os.path.join(paths.TREE, "tests/kernel/fixes"), *names],
                          text=True, capture_output=True, check=True).stdout


def rows(text):
    return re.findall(r'^FIX\("([^"]+)", "CVE-2026-(\d+)", "([^"]+)",', text, re.M)


def test_the_first_version_that_has_a_fix_is_taken(tmp_path):
    text = made(tmp_path, OLD)
    assert rows(text) == [("6.1", "0001", "6.1.19-1"), ("6.1", "0002", "6.1.20-2"),
                          ("6.1", "0003", "6.1.20-2"), ("6.1", "0005", "6.1.19-1")]
    assert '"Revert \\"net/smc: Introduce it\\"")' in text
    assert " * 6.1.20-2.\n" in text


def test_another_series_is_joined_by_the_subject(tmp_path):
    """What a backport or a candidate has says nothing of the series."""
    of = rows(made(tmp_path, OLD, NEW))
    assert [r for r in of if r[0] == "6.12"] == [
        ("6.12", "0002", "6.12.9-1"), ("6.12", "0003", "6.12.9-1"),
        ("6.12", "0007", "6.12.9-1")]
    assert ("6.1", "0007", "6.1.20-2") in of
    assert len(of) == 8


def test_the_table_of_the_tree_is_in_the_form_that_it_makes():
    with open(os.path.join(paths.TREE, "user/doctor/smc_fixes.def"),
              encoding="utf-8") as f:
        text = f.read()
    found = re.findall(r'^FIX\("(\d\.\d+)", "CVE-\d{4}-\d+", "\1\.\d+-\d+",\n'
                       r'    "(?:[^"\\]|\\.)+"\)$', text, re.M)
    assert len(found) == text.count("FIX(") - 1 > 30    # its comment has one

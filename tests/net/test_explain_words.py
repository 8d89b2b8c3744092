# SPDX-License-Identifier: Apache-2.0
"""`smcmesh explain` of reasons and codes: no agent is asked."""
import json
import re
import subprocess

import pytest

from smclab import native

# Words: no agent is asked. The last line of those that cannot be helped begins
# with "nothing".
WORDS = [
    ("no-converter", "smcmesh doctor"), ("no-selector", "smcmesh doctor"),
    ("trial-failed", "LSM"), ("other-uid", "nothing"),
    ("changed", "smcmesh reopen"), ("listener-busy", "backlog"),
    ("not-offered", "for a client outside of the mesh nothing can be done"),
    ("0x03020000", "nothing: what IPsec covers"),
    ("0x03030003", "nothing can be done: it is the device's"),
    ("0x03050000", "nothing can be done: such peers are no Linux"),
    ("0x03030008", "the same UEID"), ("no-route", "give the pod a route"),
    ("0xffffff92", "accepts in time"), ("eagain", "nothing can be done but"),
]


def last_line(text):
    """The last line always says what to do."""
    last = text.strip().splitlines()[-1]
    assert re.match("what to do: .", last), text
    return last.removeprefix("what to do: ")


def explain(*args):
    """On this machine, where no agent is."""
    return subprocess.run([native.SMCMESH, "explain",
                           "--run", "/nonexistent", *args], check=False,
                          capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("word, do", WORDS, ids=[w[0] for w in WORDS])
def test_word_is_explained_without_an_agent(word, do):
    told = explain(word)
    last = last_line(told.stdout)
    assert told.returncode == 0 and do in last, told
    data = json.loads(explain("-o", "json", word).stdout)
    assert data["can_be_helped"] != last.startswith("nothing"), data
    assert word in (data["reason"], data["code"]), data


@pytest.mark.parametrize("args, rc", [
    (("no-such-reason",), 1), (("0x03031234",), 1), (("0xcode",), 2),
    (("a/b/c",), 2), (("a/b", "nowhere"), 2), (("no-netns", "10.0.0.1:80"), 2),
    (("-s", "a/b"), 2), (("a/b",), 3)], ids=lambda a: str(a))
def test_what_explain_does_not_know(args, rc):
    told = explain(*args)
    assert told.returncode == rc and told.stderr and not told.stdout, told

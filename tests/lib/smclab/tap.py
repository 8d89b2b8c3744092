# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin that prints TAP: pytest -p no:terminal -p smclab.tap tests/vm.

Without it (`pytest tests/vm`) pytest talks as usual. Comments at the end,
"# seconds 12.3 test_x.py", say what each file took, fixtures with it.
"""
import io
import os
import sys

from _pytest._io import TerminalWriter


class Tap:
    def __init__(self):
        # the real standard output: pytest captures the other one in tests
        self.out = os.fdopen(os.dup(sys.__stdout__.fileno()), "w",
                             buffering=1, encoding="utf-8")
        self.count = 0
        self.seconds = {}

    def line(self, ok, name, directive=""):
        self.count += 1
        word = "ok" if ok else "not ok"
        self.out.write(f"{word} {self.count} - {name}{directive}\n")

    def comment(self, text):
        for line in str(text).splitlines():
            self.out.write(f"# {line}\n")

    def pytest_collectreport(self, report):
        if report.failed:
            self.line(False, f"{report.nodeid or 'collection'}")
            self.comment(report.longrepr)

    def pytest_runtest_logreport(self, report):
        name = report.nodeid.split("/", 1)[-1]
        spent = self.seconds.get(name, 0) + report.duration
        self.seconds[name] = spent
        if report.skipped:
            reason = getattr(report, "wasxfail", None) or report.longrepr[2]
            self.line(True, name, " # SKIP " + reason.removeprefix("Skipped: "))
        elif report.failed:
            step = "" if report.when == "call" else f" ({report.when})"
            self.line(False, name + step)
            self.comment(report.longrepr)
            for title, text in report.sections:
                self.comment(f"---- {title}")
                self.comment(text)
        elif report.when == "call":
            self.line(True, name, f" # time={spent:.1f}s")

    def pytest_internalerror(self, excrepr):
        self.line(False, "pytest itself")
        self.comment(excrepr)

    def pytest_sessionfinish(self):
        files = {}
        for name, spent in self.seconds.items():
            path = name.split("::")[0]
            files[path] = files.get(path, 0) + spent
        for path, spent in files.items():
            self.comment(f"seconds {spent:.1f} {path}")
        self.out.write(f"1..{self.count}\n")
        self.out.flush()


def pytest_addoption(parser):
    # the terminal's option: without it an assertion with a message of its own
    # ends in an error of pytest 7
    parser.addoption("--verbose", action="count", default=0)


class NoTerminal:
    """Of the terminal's plugin what pytest 8 asks for before it can say how two
    values differ."""

    def __init__(self):
        self._tw = TerminalWriter(io.StringIO())


def pytest_configure(config):
    config.pluginmanager.register(NoTerminal(), "terminalreporter")
    config.pluginmanager.register(Tap(), "smclab-tap")

# SPDX-License-Identifier: Apache-2.0
"""Debian's Chromium without a window, driven as a person drives it: clicks and
typed text. It speaks the DevTools protocol over a pipe, so it opens no port.

    with Browser(wire.popen) as browser:     # in that network; default: this one's
        page = browser.open("http://localhost:8080/fortio/")
        page.type("[name=qps]", "100")
        page.click("[name=load]")
        page.wait("#cc1")
        page.picture("build/log/page.png")
        assert page.complaints == []         # what its console shows in red
"""
import base64
import json
import os
import select
import shutil
import subprocess
import time

from . import paths
from .machine import SLACK, LabError, wait_for

REPLY_S = 30    # seconds; a busy machine has four times that
# A page's own time is the reader's: no throttling of what is not in front, and
# nothing that calls home.
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-dev-shm-usage", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--disable-background-timer-throttling", "--remote-debugging-pipe",
         "--window-size=1200,900", "about:blank")
# Chromium reads orders from descriptor 3 and answers on 4.
START = 'exec 3<&0 4>&1; exec "$@" </dev/null >&2'
# The middle of what a selector finds, in view and of some size.
MIDDLE = """(selector => {
  const found = document.querySelector(selector);
  if (!found) return null;
  found.scrollIntoView({block: 'center', behavior: 'instant'});
  const box = found.getBoundingClientRect();
  if (!box.width || !box.height) return null;
  return {x: box.left + box.width / 2, y: box.top + box.height / 2};
})"""
# How many colours a canvas has; 1: nothing was drawn there.
COLOURS = """(selector => {
  const canvas = document.querySelector(selector);
  const data = canvas.getContext('2d').getImageData(
    0, 0, canvas.width, canvas.height).data;
  return new Set(new Uint32Array(data.buffer)).size;
})"""


class PageError(OSError):
    """Not there, or not yet: wait_for() asks again."""


class Browser:
    """popen: as subprocess.Popen; log: a file for what Chromium says."""

    def __init__(self, popen=subprocess.Popen, log=os.devnull):
        self.popen, self.log = popen, log
        self.proc, self.number, self.rest, self.pages = None, 0, b"", {}

    def __enter__(self):
        exe = shutil.which("chromium")
        if not exe:
            raise LabError("chromium is missing: tests/deps browser installs it")
        self.profile = paths.work_dir("chromium")
        with open(self.log, "ab") as log:
            self.proc = self.popen(
                ["sh", "-c", START, "sh", exe, *FLAGS,
                 "--user-data-dir=" + self.profile], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log,
                env=dict(os.environ, HOME=self.profile,
                         TMPDIR=self.profile))
        return self

    def __exit__(self, *exc):
        try:
            self.order("Browser.close")
            self.proc.wait(REPLY_S)
        except (LabError, OSError, subprocess.TimeoutExpired):
            self.proc.kill()
            self.proc.wait(REPLY_S)
        self.proc.stdin.close()
        self.proc.stdout.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def order(self, method, session=None, **params):
        """Send an order, and wait for its answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self.proc.stdin.write(json.dumps(message).encode() + b"\0")
        self.proc.stdin.flush()
        end = time.monotonic() + REPLY_S * SLACK
        while True:
            told = self._read(method, end)
            if told.get("id") != self.number:
                self._event(told)
            elif "error" in told:
                raise PageError(f"{method}: {told['error']['message']}")
            else:
                return told["result"]

    def _read(self, method, end):
        """The next message; @method is what it is waited for."""
        while b"\0" not in self.rest:
            left = max(end - time.monotonic(), 0)
            if not select.select([self.proc.stdout], [], [], left)[0]:
                raise LabError(f"chromium did not answer {method} in "
                               f"{REPLY_S * SLACK} s: see {self.log}")
            data = os.read(self.proc.stdout.fileno(), 1 << 16)
            if not data:
                raise LabError(f"chromium has ended at {method}: see {self.log}")
            self.rest += data
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def _event(self, told):
        page = self.pages.get(told.get("sessionId"))
        what, about = told.get("method"), told.get("params", {})
        if not page:
            return
        if what == "Runtime.exceptionThrown":
            thrown = about["exceptionDetails"]
            page.complaints.append(thrown.get("exception", {}).get(
                "description") or thrown["text"])
        elif what == "Log.entryAdded" and about["entry"]["level"] == "error":
            page.complaints.append(about["entry"]["text"] + " "
                                   + about["entry"].get("url", ""))

    def open(self, url):
        """A Page, loaded."""
        target = self.order("Target.createTarget", url="about:blank")["targetId"]
        session = self.order("Target.attachToTarget", targetId=target,
                             flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log"):
            page.order(domain + ".enable")
        page.go(url)
        return page


class Page:
    """complaints: what its console says went wrong, scripts and files."""

    def __init__(self, browser, session):
        self.browser, self.session, self.complaints = browser, session, []

    def order(self, method, **params):
        return self.browser.order(method, self.session, **params)

    def go(self, url):
        told = self.order("Page.navigate", url=url)
        if told.get("errorText"):
            raise PageError(f"{url}: {told['errorText']}")
        wait_for(lambda: self.value("document.readyState") == "complete",
                 REPLY_S, f"{url} to be loaded")

    def value(self, script):
        """What a line of JavaScript gives, as JSON can say it."""
        told = self.order("Runtime.evaluate", expression=script,
                          returnByValue=True)
        if "exceptionDetails" in told:
            raise PageError(f"{script}: {told['result'].get('description')}")
        return told["result"].get("value")

    def text(self, selector):
        """What a person reads there."""
        return self.value("document.querySelector("
                          f"{json.dumps(selector)}).innerText")

    def middle(self, selector):
        """Where that is to be seen."""
        found = self.value(f"{MIDDLE}({json.dumps(selector)})")
        if not found:
            raise PageError(f"nothing is to be seen of {selector}")
        return found

    def wait(self, selector, timeout=REPLY_S):
        """Until that is to be seen."""
        wait_for(lambda: self.middle(selector), timeout,
                 f"{selector} to be seen", 0.2)

    def click(self, selector):
        at = self.middle(selector)
        for what in ("mousePressed", "mouseReleased"):
            self.order("Input.dispatchMouseEvent", type=what, button="left",
                       clickCount=1, **at)

    def type(self, selector, text):
        """Into a field, in the place of what it has."""
        self.click(selector)
        self.value("document.activeElement.select()")
        self.order("Input.insertText", text=text)
        found = self.value("document.querySelector("
                           f"{json.dumps(selector)}).value")
        if found != text:
            raise LabError(f"{selector} has {found!r} after {text!r} was typed")

    def show(self, selector):
        """Into view."""
        self.value(f"{MIDDLE}({json.dumps(selector)})")

    def colours(self, selector):
        """Of a canvas."""
        return self.value(f"{COLOURS}({json.dumps(selector)})")

    def picture(self, path):
        """What is in view now, as PNG."""
        shot = self.order("Page.captureScreenshot", format="png")
        with open(path, "wb") as f:
            f.write(base64.b64decode(shot["data"]))

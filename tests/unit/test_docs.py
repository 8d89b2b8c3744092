# SPDX-License-Identifier: Apache-2.0
"""Links of the README and of what it leads to: the file is there, and the heading."""
import glob
import os
import re

import pytest

from smclab import paths

PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md",
         *sorted(os.path.relpath(p, paths.TREE) for p in
                 glob.glob(os.path.join(paths.TREE, "deploy/**/*.md"),
                           recursive=True))]


def read(name):
    with open(os.path.join(paths.TREE, name), encoding="utf-8") as f:
        return f.read()


def anchors(name):
    """Of its headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", read(name), re.M)
    return {re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-")
            for h in heads}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if re.match("https?:", link):
            continue
        where, _, heading = link.partition("#")
        where = os.path.normpath(os.path.join(os.path.dirname(page), where)
                                 if where else page)
        assert os.path.exists(os.path.join(paths.TREE, where)), link
        assert not heading or heading in anchors(where), link


def test_every_page_is_led_to():
    """By the README, or by one of the others."""
    led = {os.path.normpath(os.path.join(os.path.dirname(page), link.split("#")[0]))
           for page in PAGES for link in re.findall(r"\]\(([^)\s]+)\)", read(page))}
    for page in PAGES:
        if page.startswith("deploy/docs/"):
            assert page in led, page

# SPDX-License-Identifier: Apache-2.0
"""A figure of `smcmesh bench`'s page as a file of its own: where a page cannot be
shown (a README), and its style, scripts and neighbours are not there."""
import html
import os
import re

FIGURE = "times-log"
HEAD = 78    # the height of the lines above it
# the page has its figure as wide as itself
STYLE = "svg{width:auto;height:auto}svg .big{font-size:17px;font-weight:600}"


def sentences(told):
    """What was measured, and on what, as `bench.json` has it."""
    rate = {s: told["sides"][s]["spread"]["requests_per_second"]["median"]
            for s in ("tcp", "smc")}
    ratio = told["ratio"]["requests_per_second"]
    gain, noise = ("{median:.2f} ({low:.2f} to {high:.2f})".format(**ratio[s])
                   for s in ("smc", "control"))
    load, machine = told["load"], told["machine"]
    return [
        f"{rate['smc']:.0f} requests/s over SMC-D, {rate['tcp']:.0f} over TCP: "
        f"{gain} times as many",
        f"nginx and {load['generator']} in two pods of one node, "
        f"{load['connections']} connections, {told['rounds']} rounds of "
        f"{load['seconds']} s in turns; TCP beside TCP: {noise}.",
        f"The node: a virtual machine, its one processor emulated in software, on a "
        f"machine with {os.cpu_count()} processors. Linux {machine['kernel']}."]


def draw(page, told):
    """The SVG: the page's figure and style, with the sentences above."""
    style, = re.findall(r"<style>(.*?)</style>", page, re.S)
    figure, = re.findall(rf'<svg [^>]*aria-labelledby="{FIGURE}-t .*?</svg>', page,
                         re.S)
    tag, rest = figure.split(">", 1)
    width, height = re.search(r'viewBox="0 0 (\d+) (\d+)"', tag).groups()
    high = int(height) + HEAD
    tag = tag.replace(f'viewBox="0 0 {width} {height}"',
                      f'xmlns="http://www.w3.org/2000/svg" width="{width}" '
                      f'height="{high}" viewBox="0 {-HEAD} {width} {high}"')
    above = "".join(
        f'<text x="14" y="{y}"{big}>{html.escape(text)}</text>\n'
        for text, y, big in zip(sentences(told), (-50, -28, -10),
                                (' class="big"', "", "")))
    return (f"{tag}>\n<style>{style}{STYLE}</style>\n"
            f'<rect y="{-HEAD}" width="{width}" height="{high}" '
            f'style="fill:var(--back)"/>\n{above}{rest}\n')

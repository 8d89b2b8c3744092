# SPDX-License-Identifier: Apache-2.0
"""The dashboard's panels as one SVG page, drawn from what Prometheus answered: for
the docs, where no Grafana is at hand. Every panel is drawn over time, also what
Grafana shows as one number or as a table."""
import math
import re
import time
from xml.sax.saxutils import escape

from .prometheus import concrete, panels

WIDTH, HEIGHT, COLUMNS, MARGIN = 420, 210, 3, 14
LEFT, RIGHT, TOP, BOTTOM = 56, 8, 26, 62    # of a plot, inside its panel
STEP_S = 5
MOST = 6    # series of a panel; the largest
COLOURS = ["#1f6fb4", "#d9541e", "#3a8f3a", "#9c4fa3", "#b8860b", "#5f6b73"]
PREFIXES = ["", "k", "M", "G", "T"]
UNITS = {"percentunit": lambda v: f"{v * 100:.3g} %", "s": lambda v: seconds(v),
         "bytes": lambda v: short(v, "B"), "Bps": lambda v: short(v, "B/s"),
         "cps": lambda v: short(v, "/s")}


def short(value, unit=""):
    power = 0
    while abs(value) >= 1000 and power < len(PREFIXES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.3g} {PREFIXES[power]}{unit}".strip()


def seconds(value):
    return f"{value * 1000:.3g} ms" if 0 < abs(value) < 1 else f"{value:.3g} s"


def legend(template, labels):
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda m: labels.get(m[1], ""), template)


def series(panel, ask):
    """[(name, [(when, value)])], without what is no number; the largest."""
    found = []
    for target in panel["targets"]:
        for labels, values in ask(concrete(target["expr"])):
            known = [(t, v) for t, v in values if math.isfinite(v)]
            if known:
                found.append((legend(target["legendFormat"], labels), known))
    found.sort(key=lambda s: (-max(v for _, v in s[1]), s[0]))
    return found[:MOST]


def lines(values, x, y):
    """Of a path: what is further apart than two steps is not joined."""
    words, last = [], None
    for t, v in values:
        joined = last is not None and t - last <= 2 * STEP_S
        words.append(f"{'L' if joined else 'M'}{x(t):.0f} {y(v):.0f}")
        last = t
    return "".join(words)


def text(x, y, words, fill="#333", **more):
    more = "".join(f' {k.replace("_", "-")}="{v}"' for k, v in more.items())
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{fill}"{more}>{escape(words)}</text>'


def scale(found, begin, end):
    """(x of a time, y of a value, lowest, highest)"""
    values = [v for _, points in found for _, v in points]
    low, high = min(values + [0]), max(values + [0])
    high = high if high > low else low + 1
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    return (lambda t: LEFT + width * (t - begin) / (end - begin),
            lambda v: TOP + height * (high - v) / (high - low), low, high)


def one(panel, found, begin, end):
    x, y, low, high = scale(found, begin, end)
    unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit")
    said = UNITS.get(unit, short)
    out = [f'<rect width="{WIDTH}" height="{HEIGHT}" class="panel"/>',
           text(8, 17, panel["title"], font_weight="bold")]
    for value in (low, (low + high) / 2, high):
        out.append(f'<path d="M{LEFT} {y(value):.0f}H{WIDTH - RIGHT}" class="grid"/>')
        out.append(text(LEFT - 4, y(value) + 4, said(value), text_anchor="end"))
    for i, (name, values) in enumerate(found):
        colour = COLOURS[i % len(COLOURS)]
        at_x, at_y = LEFT + i % 2 * 180, HEIGHT - 42 + i // 2 * 14
        out.append(f'<path d="{lines(values, x, y)}" stroke="{colour}" class="line"/>')
        out.append(text(at_x, at_y, name[:28], fill=colour))
    minutes = (end - begin) / 60
    out.append(text(LEFT, HEIGHT - BOTTOM + 12, "0"))
    out.append(text(WIDTH - RIGHT, HEIGHT - BOTTOM + 12, f"{minutes:.0f} min",
                    text_anchor="end"))
    return out


STYLE = """
 svg { font: 11px sans-serif }
 .panel { fill: #fff; stroke: #ccc } .grid { stroke: #e4e4e4 }
 .line { fill: none; stroke-width: 1.5 }
"""


def page(found, begin, end):
    """@found: [(panel, its series)]"""
    rows = math.ceil(len(found) / COLUMNS)
    width = COLUMNS * (WIDTH + MARGIN) + MARGIN
    height = rows * (HEIGHT + MARGIN) + MARGIN
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
           f'width="{width}" height="{height}">', f"<style>{STYLE}</style>",
           f'<rect width="{width}" height="{height}" fill="#f4f5f5"/>']
    for i, (panel, values) in enumerate(found):
        x = MARGIN + i % COLUMNS * (WIDTH + MARGIN)
        y = MARGIN + i // COLUMNS * (HEIGHT + MARGIN)
        out += [f'<g transform="translate({x} {y})">',
                *one(panel, values, begin, end), "</g>"]
    return "\n".join([*out, "</svg>"]) + "\n"


def draw(path, ask, began):
    """Write the page. @ask: (query, begin, end, step) -> [(labels, [(when, value)])],
    from @began until now."""
    end = time.time()
    found = [(p, series(p, lambda expr: ask(expr, began, end, STEP_S)))
             for p in panels()]
    with open(path, "w", encoding="utf-8") as f:
        f.write(page(found, began, end))

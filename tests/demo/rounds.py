# SPDX-License-Identifier: Apache-2.0
"""Runs that take turns: plain, annotated, control, and again. What else the machine
does then meets all of them, and how far the ratios of the rounds lie apart says
what is left of it."""
from dataclasses import dataclass, field
from statistics import median

ROUNDS = 3
PLAIN, ANNOTATED, CONTROL = SIDES = ("plain", "annotated", "control")


@dataclass
class Figures:
    """What a load program reported about one run."""
    rate: float    # requests per second
    p99: float     # milliseconds


@dataclass
class Ratio:
    """Of one side's rates to another's: of each round, whose runs stood beside each
    other; then the median of these, the least and the greatest."""
    median: float
    low: float
    high: float


@dataclass
class Row:
    """One load over one path."""
    load: str
    path: str
    runs: dict = field(default_factory=lambda: {side: [] for side in SIDES})
    became: dict = field(default_factory=dict)    # side: the kernel's words

    def take(self, side, figures, became):
        self.runs[side].append(figures)
        self.became.setdefault(side, set()).add(became)

    def last(self, side):
        return self.runs[side][-1] if self.runs[side] else None

    def rate(self, side):
        return median(f.rate for f in self.runs[side])

    def p99(self, side):
        return median(f.p99 for f in self.runs[side])

    def ratio(self, side, to=PLAIN):
        each = [a.rate / b.rate for a, b in zip(self.runs[side], self.runs[to],
                                                strict=True)]
        return Ratio(median(each), min(each), max(each))

    def is_clear(self):
        """Do the ratios of annotated and control lie apart in all rounds?"""
        gain, noise = self.ratio(ANNOTATED), self.ratio(CONTROL)
        return gain.low > noise.high or gain.high < noise.low

    def mode(self, side):
        """Of all its connections in all rounds."""
        return " and ".join(sorted(self.became[side]))


def take_turns(row, run):
    """run(side, the side's last Figures): (Figures, what the connections were)"""
    for _ in range(ROUNDS):
        for side in SIDES:
            row.take(side, *run(side, row.last(side)))
    return row

# SPDX-License-Identifier: Apache-2.0
"""What a query of Prometheus has to answer, worked out from the agents' own texts.

    scrapes = [Scrape(when, {"node": "n1", ...}, text), ...]
    Store(scrapes).ask('sum by (node) (rate(smcmesh_flows_total[5m]))', when)

The part of PromQL that the dashboard and the alerts use, written from its
documentation; Prometheus itself is compared with it, so each is the other's test.
An answer is {frozenset of (label, value): number}.
"""
import collections
import math
import re

NAME = "__name__"
LOOKBACK_S = 300
SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$', re.M)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
ESCAPED = re.compile(r"\\(.)")
TOKEN = re.compile(r"""\s*(?:
    (?P<time>\d+[smhd](?=\])) | (?P<number>\d+(?:\.\d+)?) |
    (?P<word>[a-zA-Z_:][\w:]*) | (?P<text>"(?:[^"\\]|\\.)*") |
    (?P<sign>=~|!~|!=|==|>=|<=|[-+*/<>=(){}\[\],]))""", re.X)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LEVELS = [("or",), ("and", "unless"), ("==", "!=", ">", "<", ">=", "<="), ("*", "/")]
ARITHMETIC = {"*": lambda a, b: a * b,
              "/": lambda a, b: a / b if b else math.copysign(math.inf, a)
              if a else math.nan}
COMPARED = {"==": lambda a, b: a == b, "!=": lambda a, b: a != b,
            ">": lambda a, b: a > b, "<": lambda a, b: a < b,
            ">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b}

# when: seconds since 1970; labels: the target's; text: None: nothing was answered
Scrape = collections.namedtuple("Scrape", "when labels text")


def samples(text):
    """[(name, labels, value)] of an exposition."""
    return [(name, {k: ESCAPED.sub(lambda m: "\n" if m[1] == "n" else m[1], v)
                    for k, v in LABEL.findall(labels)}, float(value))
            for name, labels, value in SAMPLE.findall(text)]


def _without(labels, *names):
    return frozenset(x for x in labels if x[0] not in names)


def _only(labels, names):
    return frozenset(x for x in labels if x[0] in names)


class Store:
    """Series as a server has them that scraped these; a target's labels are those
    of a series that has none of that name itself (honor_labels)."""

    def __init__(self, scrapes):
        self.series = collections.defaultdict(list)    # labels: [(when, value)]
        last = {}
        for s in sorted(scrapes, key=lambda s: s.when):
            target = frozenset(s.labels.items())
            now = set()
            for name, labels, value in samples(s.text or ""):
                key = frozenset({**s.labels, **labels, NAME: name}.items())
                now.add(key)
                self.series[key].append((s.when, value))
            self.series[target | {(NAME, "up")}].append((s.when, float(
                s.text is not None)))
            # what was there and is not any more has an end
            for key in last.get(target, set()) - now:
                self.series[key].append((s.when, None))
            last[target] = now

    def found(self, matchers):
        return [(labels, values) for labels, values in self.series.items()
                if all(test(dict(labels).get(name, "")) for name, test in matchers)]

    def ask(self, expr, when):
        return Question(self, expr, when).answer()


def _matcher(name, op, text):
    if op in ("=", "!="):
        return name, lambda v: (v == text) == (op == "=")
    pattern = re.compile(text)
    return name, lambda v: bool(pattern.fullmatch(v)) == (op == "=~")


def _rate(values, begin, end, per_second):
    """As Prometheus extrapolates: to the ends of the range where samples come that
    near, else by half a gap, and then not to before a counter's zero (2.53; 2.42
    looked at that zero first)."""
    if len(values) < 2:
        return None
    (first, low), (last, high) = values[0], values[-1]
    grown = high - low + sum(a for (_, a), (_, b) in zip(values, values[1:]) if b < a)
    spanned = last - first
    gap = spanned / (len(values) - 1)
    before, after = (edge if edge < gap * 1.1 else gap / 2
                     for edge in (first - begin, end - last))
    if grown > 0 and low >= 0:
        before = min(before, spanned * low / grown)
    return grown * (spanned + before + after) / spanned / (
        (end - begin) if per_second else 1)


OVER_TIME = {
    "rate": lambda v, begin, end: _rate(v, begin, end, True),
    "increase": lambda v, begin, end: _rate(v, begin, end, False),
    "max_over_time": lambda v, begin, end: max(x for _, x in v) if v else None}


def _quantile(q, buckets):
    """buckets: [(upper bound, count of all below)]"""
    buckets = sorted(buckets)
    if len(buckets) < 2 or not math.isinf(buckets[-1][0]):
        return math.nan
    most, counts = 0, []
    for _, count in buckets:
        most = max(most, count)
        counts.append(most)
    if not most:
        return math.nan
    rank = q * most
    at = next(i for i, count in enumerate(counts) if count >= rank)
    if at == len(buckets) - 1:
        return buckets[-2][0]
    low, under = (buckets[at - 1][0], counts[at - 1]) if at else (0, 0)
    return low + (buckets[at][0] - low) * (rank - under) / (counts[at] - under)


class Question:
    """One query at one time, read from left to right."""

    def __init__(self, store, expr, when):
        self.store, self.when, self.at = store, when, 0
        self.tokens, end = [], 0
        while expr[end:].strip():
            m = TOKEN.match(expr, end)
            if not m:
                raise ValueError(f"{expr!r}: not understood at {expr[end:]!r}")
            self.tokens.append((m.lastgroup, m[m.lastgroup]))
            end = m.end()

    def next(self):
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, *wanted):
        token = self.next()
        if wanted and token not in wanted:
            raise ValueError(f"{token!r} where one of {wanted} was expected")
        self.at += 1
        return token

    def answer(self):
        value = self.level(0)
        if self.next():
            raise ValueError(f"{self.next()!r} was not expected")
        return value

    def level(self, n):
        if n == len(LEVELS):
            return self.primary()
        left = self.level(n + 1)
        while self.next() in LEVELS[n]:
            op, on = self.take(), None
            if self.next() == "on":
                self.take()
                on = self.names()
            left = self.joined(op, left, self.level(n + 1), on)
        return left

    def names(self):
        self.take("(")
        found = []
        while self.next() != ")":
            found.append(self.take())
            if self.next() == ",":
                self.take()
        self.take(")")
        return found

    def joined(self, op, left, right, on):
        def key(labels):
            return _without(labels, NAME) if on is None else _only(labels, on)

        if not isinstance(right, dict):
            return self.against_number(op, left, right)
        keys = {key(k): (k, v) for k, v in right.items()}
        if op == "and":
            return {k: v for k, v in left.items() if key(k) in keys}
        if op == "unless":
            return {k: v for k, v in left.items() if key(k) not in keys}
        if op == "or":
            have = {key(k) for k in left}
            return {**left, **{k: v for k, v in right.items() if key(k) not in have}}
        assert len(keys) == len(right) and len({key(k) for k in left}) == len(left), (
            f"{op}: not one to one")
        pairs = [(k, v, keys[key(k)][1]) for k, v in left.items() if key(k) in keys]
        if op in COMPARED:
            return {k: a for k, a, b in pairs if COMPARED[op](a, b)}
        return {key(k): ARITHMETIC[op](a, b) for k, a, b in pairs}

    def against_number(self, op, left, number):
        if op in COMPARED:
            return {k: v for k, v in left.items() if COMPARED[op](v, number)}
        return {_without(k, NAME): ARITHMETIC[op](v, number) for k, v in left.items()}

    def primary(self):
        kind, token = self.tokens[self.at]
        if kind == "number":
            self.take()
            return float(token)
        if token == "(":
            self.take()
            value = self.level(0)
            self.take(")")
            return value
        self.take()
        if token == "sum":
            return self.sum()
        if token in OVER_TIME:
            return self.over_time(token)
        if token in ("topk", "histogram_quantile"):
            self.take("(")
            number = float(self.take())
            self.take(",")
            value = self.level(0)
            self.take(")")
            return self.highest(number, value) if token == "topk" else \
                self.quantiles(number, value)
        return self.instant(self.matchers(token))

    def sum(self):
        by = []
        if self.next() == "by":
            self.take()
            by = self.names()
        self.take("(")
        value = self.level(0)
        self.take(")")
        out = collections.defaultdict(list)
        for labels, v in value.items():
            out[_only(labels, by)].append(v)
        return {k: sum(v) for k, v in out.items()}

    @staticmethod
    def highest(count, value):
        return dict(sorted(value.items(), key=lambda x: -x[1])[:int(count)])

    @staticmethod
    def quantiles(q, value):
        out = collections.defaultdict(list)
        for labels, v in value.items():
            out[_without(labels, NAME, "le")].append(
                (float(dict(labels)["le"]), v))
        return {k: _quantile(q, v) for k, v in out.items()}

    def matchers(self, name):
        found = [(NAME, lambda v: v == name)]
        if self.next() != "{":
            return found
        self.take()
        while self.next() != "}":
            label, op, text = self.take(), self.take(), self.take()
            found.append(_matcher(label, op, ESCAPED.sub(r"\1", text[1:-1])))
            if self.next() == ",":
                self.take()
        self.take()
        return found

    def instant(self, matchers):
        out = {}
        for labels, values in self.store.found(matchers):
            seen = [(t, v) for t, v in values if t <= self.when]
            if seen and seen[-1][1] is not None and (
                    seen[-1][0] > self.when - LOOKBACK_S):
                out[labels] = seen[-1][1]
        return out

    def over_time(self, function):
        self.take("(")
        matchers = self.matchers(self.take())
        self.take("[")
        span = self.take()
        self.take("]")
        self.take(")")
        begin = self.when - int(span[:-1]) * UNITS[span[-1]]
        out = {}
        for labels, values in self.store.found(matchers):
            value = OVER_TIME[function](
                [(t, v) for t, v in values if begin <= t <= self.when
                 and v is not None], begin, self.when)
            if value is not None:
                out[_without(labels, NAME)] = value
        return out

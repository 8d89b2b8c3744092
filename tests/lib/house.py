# SPDX-License-Identifier: Apache-2.0
"""The rooms of user/: who may use whom, and that no files stand in a circle.

An arrow leads from a file to the file that defines a function or a table which it
names; read as text, for a lint runs before there is anything built.
"""
import functools
import re

# A room and those it may use, with all that those may. Whatever stands further
# down is used freely; nothing points up, and none beside.
MAY_USE = {
    "base": (), "loop": ("base",), "mesh": ("base",),
    "telemetry": ("mesh",), "datapath": ("mesh",), "objects": ("mesh",),
    "node": ("mesh",), "kube": ("objects", "loop"),
    "source": ("kube",), "doctor": ("node", "datapath", "telemetry"),
    "pods": ("source", "doctor"),
    "cluster": ("pods",), "serve": ("cluster",), "agent": ("serve",),
    "cli": ("agent",),
}
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", re.S)
TABLE = re.compile(r"^(?!static|extern|typedef|return)[a-z_][\w ]*[ *]"
                   r"(?:const )?(\w+)(?:\[[^\]]*\])*\s*(?:=|;$)")
# a word that is no member and no tag
WORD = re.compile(r"(?<![\w.>])(?<!struct )(?<!enum )(?<!union )[A-Za-z_]\w*"
                  r"|(?<=[^-]>)[A-Za-z_]\w*")
DECLARED = re.compile(r"(\w+)\(")
EXTERN = re.compile(r"^extern [^;]*;", re.M)
INCLUDE = re.compile(r'^#include "([\w/]+\.h)"', re.M)


def below(room, seen=None):
    """All rooms that @room may use."""
    seen = set() if seen is None else seen
    for other in MAY_USE[room]:
        if other not in seen:
            seen.add(other)
            below(other, seen)
    return seen


@functools.cache
def strip(text):
    return COMMENT.sub(" ", text)


def definitions(text):
    """(names that others may use, names that are the file's own)."""
    public, own, head = set(), set(), []
    for line in strip(text).split("\n"):
        if line == "{":
            m = re.search(r"(?!__attribute__)\b(\w+)\(", " ".join(head))
            if m:
                static = re.match(r"static\b", head[0])
                (own if static else public).add(m.group(1))
            head = []
            continue
        m = TABLE.match(line) if not head or line[:1] not in " \t" else None
        if m and "(" not in line.split("=")[0]:
            public.add(m.group(1))
        elif line.startswith("static"):
            m = re.match(r"static [\w ]*[ *](\w+)(?:\[[^\]]*\])*\s*[=;]", line)
            if m:
                own.add(m.group(1))
        head = head + [line] if line.strip() and line[0] not in "}#" else []
    return public, own


@functools.cache
def declared(text):
    text = strip(text)
    return set(DECLARED.findall(text)).union(
        *(WORD.findall(x) for x in EXTERN.findall(text)))


def names_seen(name, texts, seen):
    """What the headers declare that a file includes, and those include."""
    out = set()
    for header in INCLUDE.findall(texts.get(name, "")):
        header = "user/" + header
        if header in texts and header not in seen:
            seen.add(header)
            out |= declared(texts[header])
            out |= names_seen(header, texts, seen)
    return out


def arrows(texts):
    """{file: {file: names}} of {file: text}. A name that no header of the file
    declares is another one."""
    where, own = {}, {}
    sources = [n for n in texts if n.endswith(".c")]
    for name in sources:
        public, own[name] = definitions(texts[name])
        where.update(dict.fromkeys(public, name))
    out = {}
    for name in sources:
        out[name] = {}
        used = set(WORD.findall(strip(texts[name]))) - own[name]
        for word in used & names_seen(name, texts, set()):
            if where.get(word, name) != name:
                out[name].setdefault(where[word], set()).add(word)
    return out


def circles(graph):
    """Sets of files each of which leads to all others of its set."""
    index, low, stack, out = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in graph[v]:
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            found = stack[stack.index(v):]
            del stack[stack.index(v):]
            if len(found) > 1:
                out.append(sorted(found))

    for v in graph:
        if v not in index:
            visit(v)
    return out


def circle_complaints(texts):
    graph = arrows(texts)
    bad = []
    for found in circles(graph):
        bad.append(f"{found[0]}: {len(found)} files in a circle:")
        bad += [f"  {a} -> {b}: {', '.join(sorted(graph[a][b]))}"
                for a in found for b in sorted(graph[a]) if b in found]
    return bad


# A row of these tables has a half for the node and one for each namespace, in
# two files of one name: the header of the table, and a file of each row.
HALVES = re.compile(r"(selector|converter)(_\w+)?$")
HALVES_IN = {"datapath", "node"}


def twins(names):
    """Files of one name in two rooms, but for the halves of a table's row."""
    rooms = {}
    for n in names:
        _, room, base = n.split("/")
        rooms.setdefault(base.rsplit(".", 1)[0], set()).add(room)
    return [f"user/: {base} is a file of {' and '.join(sorted(of))}"
            for base, of in sorted(rooms.items()) if len(of) > 1
            and not (HALVES.match(base) and of == HALVES_IN)]


def use_complaints(texts):
    bad = []
    for n, text in texts.items():
        room = n.split("/")[1]
        if room not in MAY_USE:
            bad.append(f"{n}: the room {room}/ is in no list (tests/lib/house.py)")
            continue
        for i, line in enumerate(text.split("\n"), 1):
            m = re.match(r'#include\s+"(\w+)/', line)
            other = m.group(1) if m else room
            if other in MAY_USE and other != room and other not in below(room):
                bad.append(f"{n}:{i}: {room}/ may not use {other}/")
    return bad


def complaints(names, read):
    """@names: of the tree; @read: gives the text of one."""
    mine = [n for n in names if re.match(r"user/\w+/\w+\.[ch]$", n)]
    texts = {n: read(n) for n in mine}
    return use_complaints(texts) + twins(mine) + circle_complaints(texts)

# SPDX-License-Identifier: Apache-2.0
"""The rooms of user/: who may use whom, that no files stand in a circle, and which
room writes what of the agent's state.

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
# The structs that all rooms above pods/ share, each where it is defined.
STATE = {"agent": "user/pods/known.h", "pod": "user/pods/pod.h"}
AGENT_FIELDS, POD_BOOLEANS = 20, 4
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


# ---- the agent's state

def struct_body(text, name):
    """What stands between the braces of its definition, without comments."""
    text = strip(text)
    m = re.search(rf"\bstruct {name} {{", text)
    if not m:
        return None
    depth, i = 1, m.end()
    while depth:
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        i += 1
    return text[m.end():i - 1]


def members(body):
    """[(type, declarator)]; the type of a struct that is defined in place is its
    head, e.g. "struct pod_evict"."""
    out, depth, start, head = [], 0, 0, None
    for i, c in enumerate(body):
        if c == "{":
            head = head or body[start:i].strip()
            depth += 1
        elif c == "}":
            depth -= 1
            start = i + 1 if not depth else start
        elif c == ";" and not depth:
            m = re.match(r"\s*((?:(?:const|struct|enum|unsigned|long) )*\w+(?= )|)"
                         r"(.*)", body[start:i].strip(), re.S)
            kind, rest = (head, body[start:i]) if head else m.groups()
            out += [(kind, d.strip()) for d in rest.split(",")]
            head, start = None, i + 1
    return out


def booleans(text, name):
    """Those of a struct, and of structs of the same text that it has in it."""
    out = []
    for kind, declarator in members(struct_body(text, name) or ""):
        m = re.match(r"struct (\w+)$", kind)
        if kind == "bool":
            out.append(declarator)
        elif m and "*" not in declarator:
            out += booleans(text, m.group(1))
    return out


def parts(texts):
    """{struct: (struct agent's or struct pod's, member)} of what pods/ defines."""
    out = {s: (s, None) for s in STATE}
    headers = [x for n, x in texts.items() if re.match(r"user/pods/\w+\.h$", n)]
    for state, name in STATE.items():
        for kind, declarator in members(struct_body(texts[name], state) or ""):
            m = re.match(r"struct (\w+)$", kind)
            if m and "*" not in declarator and any(
                    struct_body(x, m.group(1)) is not None for x in headers):
                out[m.group(1)] = (state, declarator)
    return out


def functions(text):
    """(number of its first line, its text) of each, comments blanked out."""
    text = COMMENT.sub(lambda m: "\n" * m.group().count("\n") or " ", text)
    at = 1
    for chunk in re.split(r"(?<=\n}\n)", text):
        yield at, chunk
        at += chunk.count("\n")


def writes(text, known):
    """[(struct, member, line)]: what is assigned, counted up or taken away, by a
    variable of a type in @known or by where others keep an agent or a pod. What a
    callee does with a member's address is the callee's."""
    out = []
    path = r"(\w+)(?:\.\w+|\[[^\]]*\])*"
    after = r"\s*(?:=(?!=)|[-+|&^*/]=|<<=|>>=|\+\+|--)"
    before = r"(?:\+\+|--|take_ptr\(|take_fd\(|memset\(&?)"
    for at, chunk in functions(text):
        bases = [("pod", None, r"(?:(?:->|\.)v\[[^\]]*\]|->pod)->"),
                 ("agent", None, r"->(?:a|agent)(?:->|\.)")]
        for name, (state, member) in known.items():
            for var in set(re.findall(rf"\bstruct {name} \*?(\w+)(?=[,;)=\s])",
                                      chunk)):
                bases.append((state, member, rf"(?<![\w>.]){var}(?:->|\.)"))
        for state, member, base in bases:
            for m in [*re.finditer(base + path + after, chunk),
                      *re.finditer(before + r"[\w>.-]*?" + base + path, chunk)]:
                out.append((state, member or m.group(1),
                            at + chunk.count("\n", 0, m.start())))
    return out


def writer_complaints(texts):
    known, rooms = parts(texts), {}
    for name in sorted(texts):
        room = name.split("/")[1]
        if room not in MAY_USE or "pods" not in {room} | below(room):
            continue    # it knows neither struct
        for state, member, line in writes(texts[name], known):
            rooms.setdefault((state, member), {}).setdefault(
                room, f"{name}:{line}")
    return [f"user/: struct {state}'s {member} is written by "
            + " and by ".join(f"{r}/ ({of[r]})" for r in sorted(of))
            + ": one room writes a member, the others call its functions"
            for (state, member), of in sorted(rooms.items()) if len(of) > 1]


def state_complaints(texts):
    if not all(n in texts for n in STATE.values()):
        return []
    bad = []
    fields = members(struct_body(texts[STATE["agent"]], "agent") or "")
    flags = booleans(texts[STATE["pod"]], "pod")
    if len(fields) > AGENT_FIELDS:
        bad.append(f"{STATE['agent']}: struct agent has {len(fields)} fields, at "
                   f"most {AGENT_FIELDS}: {fields[-1][1]} and others that one "
                   "file writes are a struct")
    if len(flags) > POD_BOOLEANS:
        bad.append(f"{STATE['pod']}: struct pod has {len(flags)} booleans, at "
                   f"most {POD_BOOLEANS}: of {', '.join(flags)} those that "
                   "exclude each other are an enum, the others a set")
    return bad + writer_complaints(texts)


def complaints(names, read):
    """@names: of the tree; @read: gives the text of one."""
    mine = [n for n in names if re.match(r"user/\w+/\w+\.[ch]$", n)]
    texts = {n: read(n) for n in mine}
    return (use_complaints(texts) + twins(mine) + circle_complaints(texts)
            + state_complaints(texts))

# SPDX-License-Identifier: Apache-2.0
"""What the lint says of rooms: each complaint with its control."""
import house

A = "/* SPDX */\n#include \"mesh/b.h\"\n\nint a_of(int x)\n{\n\treturn %s;\n}\n"
B = ("#include \"mesh/a.h\"\n\nconst int b_table[] = {1};\n\n"
     "static int own(void)\n{\n\treturn 0;\n}\n\n"
     "int b_of(int x)\n{\n\treturn %s;\n}\n")
HEADERS = {"user/mesh/a.h": "int a_of(int x);\n",
           "user/mesh/b.h": "int b_of(int x);\nextern const int b_table[];\n"}


def said(files):
    return house.complaints(sorted(files), files.get)


def two(a, b, more=None):
    return said({**HEADERS, "user/mesh/a.c": A % a, "user/mesh/b.c": B % b,
                 **(more or {})})


def test_two_files_that_use_each_other_are_a_circle():
    for a in "b_of(x)", "b_table[x]", "apply(b_of)":
        assert two(a, "x") == []
        assert two("x", "a_of(x)") == []
        assert len(two(a, "a_of(x)")) == 3


def test_a_member_a_tag_and_a_comment_are_no_use():
    for a in "p->b_of", "p.b_table", "sizeof(struct b_of)", "x /* b_of() */", \
            '"b_of"':
        assert two(a, "a_of(x)") == []


def test_an_own_function_of_that_name_is_no_use():
    own = A % "own(x)" + "\nstatic int own(int x)\n{\n\treturn x;\n}\n"
    assert said({**HEADERS, "user/mesh/a.c": own,
                 "user/mesh/b.c": B % "a_of(x)"}) == []


def test_a_room_uses_those_below_it_alone():
    up = {"user/node/c.h": "int c;\n"}
    assert two("x", "x", up) == []
    assert two("x", "x", {**up, "user/pods/d.c": '#include "node/c.h"\n'}) == []
    bad, = two("x", "x", {**up, "user/mesh/d.c": '#include "node/c.h"\n'})
    assert bad == "user/mesh/d.c:1: mesh/ may not use node/"
    bad, = two("x", "x", {"user/attic/e.c": ""})
    assert "attic/ is in no list" in bad


def test_two_rooms_have_no_file_of_one_name():
    bad, = two("x", "x", {"user/node/a.h": ""})
    assert bad == "user/: a is a file of mesh and node"


def test_halves_of_a_row_have_one_name_in_two_rooms():
    def halves(name, *rooms):
        return two("x", "x", {f"user/{r}/{name}": "" for r in rooms})

    for name in "selector.h", "selector_x.c", "converter_x.c":
        assert halves(name, "node", "datapath") == []
        assert len(halves(name, "node", "mesh")) == 1
        assert len(halves(name, "node", "datapath", "mesh")) == 1
    for name in "recorder_x.c", "selectors.c":
        assert len(halves(name, "node", "datapath")) == 1


# ---- the agent's state

KNOWN = "struct looks {\n\tbool left; /* some */\n};\n\nstruct agent {%s\n};\n"
FIELDS = "\n\tconst struct options *opt;\n\tint a, b[2];\n\tstruct looks looks;"
PODS = ("struct told {\n\tunsigned int flags;\n\tstruct evict {%s\n\t\tint n;\n\t} "
        "evict;\n};\n\nstruct pod {\n\tchar *uid, *ns;\n\tbool one, two;%s\n\t"
        "struct told told;\n\tstruct far far;\n\tstruct told *others;\n};\n")


def state(fields=FIELDS, inside="", flags="", files=None):
    return said({"user/pods/known.h": KNOWN % fields,
                 "user/pods/pod.h": PODS % (inside, flags),
                 "user/node/far.h": "struct far {\n\tbool v, w, x;\n};\n",
                 **(files or {})})


def test_agent_has_twenty_fields():
    more = "".join(f"\n\tint *x{i}, y{i};" for i in range(8))
    assert state(FIELDS + more) == []
    bad, = state(FIELDS + more + "\n\tstruct { int z; } last;")
    assert bad.startswith("user/pods/known.h: struct agent has 21 fields, at most "
                          "20: last and")


def test_pod_has_four_booleans():
    assert state(flags="\n\tbool three, four;") == []
    assert state(flags="\n\tbool three;", inside="\n\t\tbool deep;") == []
    bad, = state(flags="\n\tbool three, four;", inside="\n\t\tbool deep;")
    assert bad.startswith("user/pods/pod.h: struct pod has 5 booleans, at most 4: "
                          "of one, two, three, four, deep those")


def writer(line, head="struct agent *a, struct pod *p"):
    return f"static void f({head})\n{{\n\t{line}\n}}\n"


def written(line, other="p->told.flags |= 1; a->looks.left = true;", **more):
    return state(files={"user/cluster/c.c": writer(other),
                        "user/pods/d.c": writer(line, **more)})


def test_two_rooms_write_one_member():
    for line in "p->told.evict.n = 1;", "p->told.flags &= ~2;", "p->told.flags++;", \
            "++p->told.flags;", "take_ptr(p->told.said);", "memset(&p->told, 0, 8);", \
            "a->pods.v[i]->told.flags = 2;", "job->pod->told.flags = 2;":
        bad, = written(line)
        assert bad == ("user/: struct pod's told is written by cluster/ (user/clus"
                       "ter/c.c:3) and by pods/ (user/pods/d.c:3): one room writes "
                       "a member, the others call its functions")
    for line in "a->looks.left |= x;", "c->agent->looks.left = x;":
        bad, = written(line)
        assert bad.startswith("user/: struct agent's looks is written by cluster/")
    for head in "struct looks *l", "struct looks *l, int x":
        assert len(written("l->left = true;", head=head)) == 1
    assert len(written("t->flags = 2;", head="struct told *t")) == 1


def test_a_read_a_call_and_another_member_are_no_write():
    for line in "if (p->told.flags == 1)", "x = p->told.flags;", "g(&p->told.evict);", \
            "p->one = true;", "a->b[1] = 2;", "/* p->told.flags = 1; */ x++;", \
            "q->told.flags = 1;", "p->far.told = 1;":
        assert written(line) == []
    # of another struct, and in a room that cannot know these
    assert written("p->told.flags = 1;", head="struct row *p") == []
    assert state(files={"user/cluster/c.c": writer("p->told.flags = 1;"),
                        "user/node/d.c": writer("p->told.flags = 1;")}) == []

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

// SPDX-License-Identifier: Apache-2.0
/* JSON to worlds, the text as a whole, lists, sizes: what is read, what is left
 * out, what is said. */
#include "decoded.h"

/* ---- the text as a whole --------------------------------------------------
 */

static void broken_json_has_line_and_column(void **state)
{
	_decoded_ struct decoded d = decode("{\n  \"kind\": \"List\",\n  x\n}");

	assert_int_equal(d.err, -EINVAL);
	assert_says(d.error.data, "broken JSON at line 3, column 3: ");
}

static void empty_or_cut_text_is_broken_json(void **state)
{
	static const char *const texts[] = {"",
					    " ",
					    "\n\n",
					    "{",
					    "[",
					    "nul",
					    "{\"kind\":\"List\",\"items\":[",
					    "{\"kind\":\"List\"} x",
					    "\xff"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		_decoded_ struct decoded d = decode(texts[i]);

		assert_int_equal(d.err, -EINVAL);
		assert_says(d.error.data, "broken JSON at line ");
	}
}

static void other_documents_are_refused(void **state)
{
	static const struct {
		const char *json, *error;
	} cases[] = {
		{"[]", "found an array"},
		{"\"List\"", "found \"List\""},
		{"7", "found 7"},
		{"{}", "kind is missing"},
		{"{\"kind\":3}", "kind is 3"},
		{"{\"kind\":\"Status\"}", "found one \"Status\""},
		{"{\"kind\":\"List\"}", "items are missing"},
		{"{\"kind\":\"List\",\"items\":{}}", "items are an object"},
		{"{\"kind\":\"PodList\",\"items\":1}", "items are 1"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_decoded_ struct decoded d = decode(cases[i].json);

		assert_int_equal(d.err, -EINVAL);
		assert_says(d.error.data, "expected a Kubernetes List");
		assert_says(d.error.data, cases[i].error);
	}
}

static void failure_leaves_the_world_alone(void **state)
{
	struct mesh_world w;
	struct buf notes = {0}, error = {0};

	memset(&w, 0x5a, sizeof(w));
	assert_int_equal(kube_decode_list("[", 1, &w, &notes, &error), -EINVAL);
	for (size_t i = 0; i < sizeof(w); i++)
		assert_int_equal(((char *)&w)[i], 0x5a);
	buf_free(&notes);
	buf_free(&error);
}

static void empty_list_is_an_empty_world(void **state)
{
	_decoded_ struct decoded d = decode_items("");
	_decoded_ struct decoded null =
		decode("{\"kind\":\"PodList\",\"items\":null}");

	assert_int_equal(d.err, 0);
	assert_int_equal(null.err, 0);
	assert_int_equal(d.world.n_pods + d.world.n_nodes, 0);
	assert_int_equal(null.world.n_pods, 0);
	assert_int_equal(d.world.config.enabled, MESH_UNSET);
	assert_int_equal(d.world.config.asm_enabled, MESH_UNSET);
	assert_string_equal(d.world.config.ueid, "SMCMESH");
	assert_int_equal(d.world.config.mark, 0x100);
	assert_int_equal(d.world.config.mark_mask, 0xff00);
}

/* ---- lists ----------------------------------------------------------------
 */

static void lists_nest_and_unknown_kinds_pass(void **state)
{
	_decoded_ struct decoded d = decode_items(POD(
		"a") ",{\"kind\":\"Deployment\",\"spec\":3},"
		     "{\"kind\":\"List\",\"items\":[" POD(
			     "b") ","
				  "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":["
				  "{\"metadata\":{\"name\":\"c\"}}]}]}," POD(
					  "d"));

	assert_int_equal(d.err, 0);
	assert_string_equal(notes(&d), "");
	assert_int_equal(d.world.n_pods, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(d.world.pods[i].name[0], 'a' + i);
}

static void one_object_alone_is_a_world(void **state)
{
	_decoded_ struct decoded d = decode(POD("a"));

	assert_string_equal(only_pod(&d)->name, "a");
}

static void lists_nested_too_deep_are_noted(void **state)
{
	enum { DEPTH = 100000 };
	static const char open[] = "{\"kind\":\"List\",\"items\":[";
	struct buf b = {0};

	for (int i = 0; i < DEPTH; i++)
		assert_int_equal(buf_add(&b, open, sizeof(open) - 1), 0);
	for (int i = 0; i < DEPTH; i++)
		assert_int_equal(buf_add(&b, "]}", 2), 0);
	_decoded_ struct decoded d = decode_n(b.data, b.len);

	buf_free(&b);
	assert_int_equal(d.err, 0);
	assert_says(notes(&d), "nested more than 8 deep");
}

static void items_that_are_no_objects_are_noted(void **state)
{
	_decoded_ struct decoded d = decode_items(
		"3,null,[],{},{\"kind\":7},{\"kind\":\"List\"}," POD("a"));

	assert_int_equal(d.err, 0);
	assert_int_equal(d.world.n_pods, 1);
	assert_says(notes(&d), "the List: items[0] is 3, expected an object; "
			       "the item is left out\n");
	assert_says(notes(&d), "items[1] is null, expected an object");
	assert_says(notes(&d), "items[2] is an array, expected an object");
	assert_says(notes(&d), "items[3].kind is missing, expected a string");
	assert_says(notes(&d), "items[4].kind is 7, expected a string");
	assert_says(notes(&d), "List: items is missing, expected an array");
}

static void objects_of_other_groups_are_not_ours(void **state)
{
	_decoded_ struct decoded d = decode_items(
		"{\"kind\":\"Pod\",\"apiVersion\":\"x.io/v1\","
		"\"metadata\":{\"name\":\"a\"}},"
		"{\"kind\":\"SmcNode\",\"apiVersion\":\"v1\","
		"\"metadata\":{\"name\":\"n\"}},"
		"{\"kind\":\"SmcNode\",\"apiVersion\":\"smcmesh.io/v9\","
		"\"metadata\":{\"name\":\"m\"}}");

	assert_int_equal(d.err, 0);
	assert_int_equal(d.world.n_pods, 0);
	assert_int_equal(d.world.n_nodes, 1);
	assert_string_equal(d.world.nodes[0].name, "m");
	assert_says(notes(&d), "Pod default/a: it is a Pod of apiVersion "
			       "\"x.io/v1\", not ours; it is left out");
}

static void of_doubles_the_later_counts(void **state)
{
	_decoded_ struct decoded d = decode_items(
		"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"uid\":\"1\"},"
		"\"spec\":{\"nodeName\":\"old\"}}," POD(
			"b") ","
			     "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"uid\":\"2\"},"
			     "\"spec\":{\"nodeName\":\"new\"}},"
			     "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"c\",\"uid\":\"3\"}},"
			     "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"d\",\"uid\":\"3\"}},"
			     "{\"kind\":\"SmcNode\",\"metadata\":{\"name\":\"n\"},"
			     "\"status\":{\"bootID\":\"1\"}},"
			     "{\"kind\":\"SmcNode\",\"metadata\":{\"name\":\"n\"},"
			     "\"status\":{\"bootID\":\"2\"}}");

	assert_int_equal(d.err, 0);
	assert_int_equal(d.world.n_pods, 3);
	assert_string_equal(d.world.pods[0].name, "b");
	assert_string_equal(d.world.pods[1].node, "new");
	assert_string_equal(d.world.pods[2].name, "d");
	assert_int_equal(d.world.n_nodes, 1);
	assert_string_equal(d.world.nodes[0].boot_id, "2");
	assert_says(notes(&d), "Pod: default/a is listed twice");
	assert_says(notes(&d), "Pod: default/c is listed twice, or its UID is");
	assert_says(notes(&d), "SmcNode: n is listed twice");
}

static void doubles_of_each_kind_are_told_by_namespace_and_name(void **state)
{
	static const struct {
		const char *kind, *ns;
	} items[] = {
		{"Service", "a"},	{"Service", "b"},
		{"Service", "a"},	{"EndpointSlice", "a"},
		{"EndpointSlice", "b"}, {"EndpointSlice", "b"},
		{"Namespace", "a"},	{"Namespace", "b"},
	};
	struct buf list = {};

	for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++)
		buf_printf(&list,
			   "%s{\"kind\":\"%s\",\"metadata\":{"
			   "\"namespace\":\"%s\",\"name\":\"x\"}}",
			   i ? "," : "", items[i].kind, items[i].ns);
	_decoded_ struct decoded d = decode_items(list.data);

	buf_free(&list);
	assert_int_equal(d.err, 0);
	assert_int_equal(d.world.n_services, 2);
	assert_int_equal(d.world.n_slices, 2);
	assert_int_equal(d.world.n_namespaces, 1);
	assert_says(notes(&d), "Service: a/x is listed twice;");
	assert_says(notes(&d), "EndpointSlice: b/x is listed twice;");
	assert_says(notes(&d), "Namespace: x is listed twice;");
}

/* ---- sizes ----------------------------------------------------------------
 */

static void notes_of_many_bad_items_are_cut(void **state)
{
	struct buf items = {0};

	for (int i = 0; i < 20000; i++)
		buf_printf(&items, "%s%d", i ? "," : "", i);
	_decoded_ struct decoded d = decode_items(items.data);

	buf_free(&items);
	assert_int_equal(d.err, 0);
	assert_in_range(d.notes.len, 60000, 70000);
	assert_says(notes(&d), "further notes are left out\n");
}

static void huge_values_are_cut_in_notes(void **state)
{
	struct buf json = {0};

	buf_printf(&json, "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\","
			  "\"uid\":\"");
	for (int i = 0; i < 100000; i++)
		buf_add(&json, "\xc3\xa4", 2);
	buf_printf(&json, "\"}}");
	_decoded_ struct decoded d = decode_n(json.data, json.len);

	buf_free(&json);
	assert_int_equal(d.err, 0);
	assert_in_range(d.notes.len, 1, 1000);
	assert_says(notes(&d), "...\", expected a string of at most 1024");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_json_has_line_and_column),
		cmocka_unit_test(empty_or_cut_text_is_broken_json),
		cmocka_unit_test(other_documents_are_refused),
		cmocka_unit_test(failure_leaves_the_world_alone),
		cmocka_unit_test(empty_list_is_an_empty_world),
		cmocka_unit_test(lists_nest_and_unknown_kinds_pass),
		cmocka_unit_test(one_object_alone_is_a_world),
		cmocka_unit_test(lists_nested_too_deep_are_noted),
		cmocka_unit_test(items_that_are_no_objects_are_noted),
		cmocka_unit_test(objects_of_other_groups_are_not_ours),
		cmocka_unit_test(of_doubles_the_later_counts),
		cmocka_unit_test(
			doubles_of_each_kind_are_told_by_namespace_and_name),
		cmocka_unit_test(notes_of_many_bad_items_are_cut),
		cmocka_unit_test(huge_values_are_cut_in_notes),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}

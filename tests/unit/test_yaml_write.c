// SPDX-License-Identifier: Apache-2.0
/* JSON as YAML: by its text, and as the reader of kubeconfigs has it back.
 * (Against a reader of somebody else's: net/test_command_line.py.) */
#include "unit.h"

#include "base/buf.h"
#include "objects/yaml.h"

static char *yaml_of(const char *json)
{
	yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
	struct buf out = {};

	assert_non_null(doc);
	assert_int_equal(yaml_write(yyjson_doc_get_root(doc), &out), 0);
	yyjson_doc_free(doc);
	return buf_take(&out);
}

static void test_yaml_is_what_people_know_from_kubectl(void **state)
{
	_free_ char *text = yaml_of(
		"{\"pods\":[{\"name\":\"web-0\",\"armed\":true,\"late\":[],"
		"\"held\":{},\"id\":7,\"left\":1.5,\"until\":null}]}");

	assert_string_equal(text, "pods:\n"
				  "- name: web-0\n"
				  "  armed: true\n"
				  "  late: []\n"
				  "  held: {}\n"
				  "  id: 7\n"
				  "  left: 1.5\n"
				  "  until: null\n");
}

static void test_yaml_keeps_a_text_a_text(void **state)
{
	static const struct {
		const char *json, *yaml;
	} texts[] = {
		{"\"web\"", "web\n"},
		{"\"/run/x y\"", "/run/x y\n"},
		{"\"\"", "\"\"\n"},
		{"\"no\"", "\"no\"\n"},
		{"\"TRUE\"", "\"TRUE\"\n"},
		{"\"Null\"", "\"Null\"\n"},
		{"\"~\"", "\"~\"\n"},
		{"\"12\"", "\"12\"\n"},
		{"\"0x10\"", "\"0x10\"\n"},
		{"\".5\"", "\".5\"\n"},
		{"\"2026-11-30\"", "\"2026-11-30\"\n"},
		{"\"10.0.0.1\"", "\"10.0.0.1\"\n"},
		{"\"- a\"", "\"- a\"\n"},
		{"\"a: b\"", "'a: b'\n"},
		{"\"a #b\"", "'a #b'\n"},
		{"\"a\\u001bb\"", "\"a\\eb\"\n"},
		{"1e3", "1000.0\n"},
		{"1e-30", "1.0e-30\n"},
		{"1e300", "1.0e+300\n"},
		{"-7", "-7\n"},
		{"18446744073709551615", "18446744073709551615\n"},
	};

	for (size_t i = 0; i < array_size(texts); i++) {
		_free_ char *text = yaml_of(texts[i].json);

		assert_string_equal(text, texts[i].yaml);
	}
}

/* The reader of kubeconfigs is one that this was not written with. */
static void test_yaml_is_read_back(void **state)
{
	static const char *const texts[] = {"no",
					    "a: b",
					    "x\ny\n",
					    " lead",
					    "trail ",
					    "\t",
					    "'q'",
					    "\"q\"",
					    "- a",
					    "#c",
					    "{a}",
					    "&a",
					    "*a",
					    "!t",
					    "%d",
					    "@x",
					    "caf\xc3\xa9",
					    "a\xc2\x80"
					    "b",
					    "?",
					    "null"};

	for (size_t i = 0; i < array_size(texts); i++) {
		yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
		yyjson_mut_val *root = yyjson_mut_obj(doc);
		_buf_ struct buf out = {}, error = {};
		yyjson_doc *frozen, *back;

		yyjson_mut_doc_set_root(doc, root);
		yyjson_mut_obj_add_str(doc, root, texts[i], texts[i]);
		frozen = yyjson_mut_doc_imut_copy(doc, NULL);
		assert_int_equal(yaml_write(yyjson_doc_get_root(frozen), &out),
				 0);
		back = yaml_read(out.data, out.len, &error);
		if (!back)
			fail_msg("%s: %s", out.data, error.data);
		if (!yyjson_equals(yyjson_doc_get_root(back),
				   yyjson_doc_get_root(frozen)))
			fail_msg("%s was read back as another", out.data);
		yyjson_doc_free(back);
		yyjson_doc_free(frozen);
		yyjson_mut_doc_free(doc);
	}
}

static void test_yaml_of_bytes_that_are_no_text(void **state)
{
	static const char json[] = "[\"eth\xff\"]";
	yyjson_doc *doc = yyjson_read(json, strlen(json),
				      YYJSON_READ_ALLOW_INVALID_UNICODE);
	_buf_ struct buf out = {};

	assert_int_equal(yaml_write(yyjson_doc_get_root(doc), &out), 0);
	assert_string_equal(out.data, "- eth?\n");
	yyjson_doc_free(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml_is_what_people_know_from_kubectl),
		cmocka_unit_test(test_yaml_keeps_a_text_a_text),
		cmocka_unit_test(test_yaml_is_read_back),
		cmocka_unit_test(test_yaml_of_bytes_that_are_no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

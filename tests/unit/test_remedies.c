// SPDX-License-Identifier: Apache-2.0
/* What to do, below the lists of pods and of flows: each reason once. */
#include "unit.h"

#include "cli/remedies.h"
#include "telemetry/labels.h"
#include "telemetry/fallback.h"

static yyjson_doc *doc;
static struct remedies found;

static int empty(void **state)
{
	yyjson_doc_free(doc);
	doc = NULL;
	remedies_free(&found);
	return 0;
}

static yyjson_val *given(const char *json)
{
	doc = yyjson_read(json, strlen(json), 0);
	assert_non_null(doc);
	return yyjson_doc_get_root(doc);
}

static void assert_row(size_t i, const char *label, size_t n, const char *text)
{
	assert_true(i < found.n);
	assert_string_equal(found.v[i].label, label);
	assert_int_equal(found.v[i].n, n);
	assert_string_equal(found.v[i].text, text);
}

static void armed_pods_have_no_remedy_others_theirs_once(void **state)
{
	remedies_of_pods(
		given("[{\"armed\":false,\"reason\":\"x\",\"remedy\":\"do x\"},"
		      "{\"armed\":true,\"reason\":\"none\",\"remedy\":\"y\"},"
		      "{\"armed\":false,\"reason\":\"z\",\"remedy\":\"\"},"
		      "{\"armed\":false,\"reason\":\"x\",\"remedy\":\"do x\"}]"),
		&found);
	assert_int_equal(found.n, 1);
	assert_row(0, "x", 2, "do x");
}

static void a_tcp_flow_has_its_reasons_remedy(void **state)
{
	remedies_of_flows(
		given("[{\"outcome\":\"tcp\",\"reason\":\"not-endpoint\"},"
		      "{\"outcome\":\"smcd\",\"reason\":\"none\"},"
		      "{\"outcome\":\"pending\",\"reason\":\"none\"},"
		      "{\"outcome\":\"tcp\",\"reason\":\"from-the-future\"},"
		      "{\"outcome\":\"tcp\",\"reason\":\"path-bad\"},"
		      "{\"outcome\":\"tcp\",\"reason\":\"not-endpoint\"}]"),
		&found);
	assert_int_equal(found.n, 2);
	assert_row(0, "not-endpoint", 2,
		   reason_remedy(SMC_REASON_NOT_ENDPOINT));
	assert_row(1, "path-bad", 1, reason_remedy(SMC_REASON_PATH_BAD));
}

static void a_flow_that_fell_back_has_its_codes_remedy(void **state)
{
	remedies_of_flows(
		given("[{\"outcome\":\"fallback\",\"reason\":\"none\","
		      "\"kernel_label\":\"no-ueid\","
		      "\"kernel_code\":\"0x03030008\"},"
		      "{\"outcome\":\"failed\",\"reason\":\"none\","
		      "\"kernel_label\":\"eproto\","
		      "\"kernel_code\":\"0xffffffb9\"},"
		      "{\"outcome\":\"fallback\",\"reason\":\"none\","
		      "\"kernel_label\":\"none\","
		      "\"kernel_code\":\"0x00000000\"}]"),
		&found);
	assert_int_equal(found.n, 2);
	assert_row(0, "no-ueid", 1, fallback_remedy(0x03030008));
	assert_row(1, "eproto", 1, fallback_remedy(-EPROTO));
}

static void without_a_reason_nothing_is_printed(void **state)
{
	char text[512] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");

	remedies_print(&found, "PODS", f);
	assert_int_equal(ftell(f), 0);
	remedies_of_pods(
		given("[{\"armed\":false,\"reason\":\"x\",\"remedy\":\"do x\"}]"),
		&found);
	remedies_print(&found, "PODS", f);
	fclose(f);
	assert_string_equal(text, "\n"
				  "REASON  PODS  WHAT TO DO\n"
				  "x       1     do x\n");
}

#define test(f) cmocka_unit_test_teardown(f, empty)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(armed_pods_have_no_remedy_others_theirs_once),
		test(a_tcp_flow_has_its_reasons_remedy),
		test(a_flow_that_fell_back_has_its_codes_remedy),
		test(without_a_reason_nothing_is_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

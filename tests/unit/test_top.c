// SPDX-License-Identifier: Apache-2.0
/* `smcmesh top`: two answers of the agent, and what is shown of them. */
#include "typed.h"

#include "base/cleanup.h"
#include "cli/output.h"
#include "cli/top_print.h"

#define HELD                                                                    \
	"\"held\":{\"rations\":true,\"pending\":5,\"pending_max\":512,"         \
	"\"connections\":12,\"connections_max\":4000,\"buffer_bytes\":1572864," \
	"\"buffer_bytes_max\":1073741824,\"rationed\":7}"

#define POD(name, id, flows, traffic, held)                           \
	"{\"namespace\":\"shop\",\"pod\":\"" name "\",\"pod_id\":" id \
	",\"open\":{\"smcr\":3,\"smcd\":4,\"tcp\":5,\"fallback\":6,"  \
	"\"pending\":9},\"flows\":{" flows "},\"traffic\":" traffic   \
	",\"held\":{\"pending\":32,\"pending_max\":128,"              \
	"\"connections\":100,\"connections_max\":1000,"               \
	"\"buffer_bytes\":2048" held "}}"

#define TRAFFIC(at, rx, tx)                                    \
	"{\"clock_seconds\":" at ",\"smcr\":{\"rx_bytes\":" rx \
	",\"tx_bytes\":" tx "},\"smcd\":{\"rx_bytes\":10,\"tx_bytes\":20}}"

static const char before[] =
	"{\"node\":\"n1\",\"time\":\"T0\",\"clock_seconds\":100.0," HELD
	",\"pods\":[" POD(
		"a", "7", "\"smcr\":10,\"tcp\":1,\"fallback\":2",
		TRAFFIC("100.5", "1000", "5000"),
		"") "," POD("reset", "8", "\"smcr\":50,\"fallback\":9", "null",
			    "") "," POD("again", "3", "\"smcr\":1",
					TRAFFIC("1.0", "0", "0"), "") "]}";

/* "a" was busy; "reset" is counted anew; "again" is another pod of that name;
 * "new" was not there. */
static const char now[] =
	"{\"node\":\"n1\",\"time\":\"T1\",\"clock_seconds\":104.0," HELD
	",\"pods\":[" POD("reset", "8", "\"smcr\":2,\"fallback\":1", "null", "") "," POD(
		"new", "9", "\"smcr\":9", TRAFFIC("104.5", "9", "9"),
		"") "," POD("again", "11", "\"smcr\":9",
			    TRAFFIC("104.5", "9", "9"),
			    "") "," POD("a", "7",
					"\"smcr\":20,\"tcp\":5,\"fallback\":4",
					TRAFFIC("104.5", "1000", "2053000"),
					",\"rationed\":3") "]}";

static struct bench {
	yyjson_doc *before, *now;
	struct top_rows rows;
	char text[8192];
} b;

static int up(void **state)
{
	memset(&b, 0, sizeof(b));
	b.before = yyjson_read(before, sizeof(before) - 1, 0);
	b.now = yyjson_read(now, sizeof(now) - 1, 0);
	assert_non_null(b.before);
	assert_non_null(b.now);
	assert_int_equal(top_rows_make(yyjson_doc_get_root(b.before),
				       yyjson_doc_get_root(b.now), &b.rows),
			 0);
	return 0;
}

static int down(void **state)
{
	output_choose(NULL, true);
	top_rows_free(&b.rows);
	yyjson_doc_free(b.before);
	yyjson_doc_free(b.now);
	return 0;
}

static void print(size_t lines, size_t columns)
{
	const struct top_size size = {lines, columns};
	FILE *f = fmemopen(b.text, sizeof(b.text), "w");

	top_print(yyjson_doc_get_root(b.now), &b.rows, &size, f);
	fclose(f);
}

static void test_rates_are_between_two_answers(void **state)
{
	const struct top_row *a = &b.rows.v[0];

	assert_int_equal(b.rows.n, 4);
	assert_float_equal(b.rows.seconds, 4, 1e-9);
	assert_string_equal(a->pod, "a");	/* most bytes */
	assert_float_equal(a->opened, 4, 1e-9); /* 16 in 4 s */
	assert_float_equal(a->fell, 0.5, 1e-9);
	assert_float_equal(a->smcr_tx, 512000, 1e-6);
	assert_float_equal(a->smcr_rx, 0, 1e-9);
	assert_float_equal(a->smcd_tx, 0, 1e-9);
	assert_int_equal(a->smcr + a->smcd, 7);
	assert_int_equal(a->tcp, 11); /* what fell back is TCP */
	assert_int_equal(a->fallbacks, 4);
	assert_int_equal(top_ration(a), 25);
	assert_int_equal(a->rationed, 3);
}

static void test_what_nobody_knows_is_no_0(void **state)
{
	for (size_t i = 1; i < b.rows.n; i++) {
		const struct top_row *row = &b.rows.v[i];
		bool counted = !strcmp(row->pod, "reset");

		/* no traffic in one of the two answers, or none before */
		assert_true(row->smcr_rx < 0 && row->smcd_tx < 0);
		/* fewer than before: counted anew, and none is negative */
		assert_true(counted ? row->opened == 0 && row->fell == 0
				    : row->opened < 0 && row->fell < 0);
	}
}

static const char *line_of(const char *pod)
{
	const char *at = strstr(b.text, pod);

	if (!at)
		fail_msg("%s is not in: %s", pod, b.text);
	return at;
}

static void assert_fits(size_t lines, size_t columns)
{
	size_t n = 0;

	for (char *line = b.text; *line; n++) {
		size_t len = strcspn(line, "\n");

		if (len > columns)
			fail_msg("%zu columns: %.*s", len, (int)len, line);
		line += len + 1;
	}
	if (n > lines)
		fail_msg("%zu lines, not %zu:\n%s", n, lines, b.text);
}

static void test_table_fits_80_by_24(void **state)
{
	print(24, 80);
	assert_fits(24, 80);
	assert_says(b.text, "smcmesh top: node n1, T1, the last 4.0 s\n");
	assert_says(b.text, "pending 5/512  connections 12/4000  "
			    "buffers 1.5M/1.0G  rationed 7\n");
	assert_says(b.text, "POD                        SMC   TCP  NEW/s "
			    "SMC-R/s SMC-D/s  FELL   MEM   RATION\n");
	assert_says(line_of("shop/a "), " 500K ");
	assert_says(line_of("shop/a "), " 25%+3\n");
	assert_says(line_of("shop/new "), "      -       -       -     0");
}

static void test_small_terminals_get_what_fits(void **state)
{
	static const size_t sizes[][2] = {{6, 80}, {5, 40}, {4, 10}, {24, 1},
					  {1, 1},  {3, 67}, {7, 68}};

	for (size_t i = 0; i < array_size(sizes); i++) {
		print(sizes[i][0], sizes[i][1]);
		assert_fits(sizes[i][0], sizes[i][1]);
	}
	print(6, 80); /* room for two lines: a pod, and how many more */
	assert_says(b.text, "shop/a ");
	assert_says(b.text, "and 3 more pods\n");
	/* control: there is room for all */
	print(8, 80);
	assert_null(strstr(b.text, "more pods"));
	line_of("shop/new ");
}

static void test_long_names_keep_their_end(void **state)
{
	b.rows.v[0].pod = "fortioserver-7d9f8c6b5d-\x1b[1mxk2lp";
	print(24, 80);
	assert_fits(24, 80);
	assert_says(b.text, "~er-7d9f8c6b5d-?[1mxk2lp ");
	/* without a terminal nothing is cut */
	print(0, 0);
	assert_says(b.text, "shop/fortioserver-7d9f8c6b5d-?[1mxk2lp ");
}

/* What the short one adds up is apart in the wide one. */
static void test_wide_table_has_each_direction_and_ration(void **state)
{
	output_choose("wide", true);
	print(0, 0);
	assert_says(
		b.text,
		"POD          SMC-R SMC-D   TCP  NEW/s FELL/s  R-IN/s R-OUT/s"
		"  D-IN/s D-OUT/s  FELL   MEM  PENDING     CONNS RATIONED\n");
	assert_says(
		line_of("shop/a "),
		"shop/a           3     4    11    4.0    0.5       0    500K"
		"       0       0     4  2.0K   32/128  100/1000        3\n");
	/* a terminal cuts it all the same */
	print(24, 80);
	assert_fits(24, 80);
}

static void test_a_page_without_rows_says_so(void **state)
{
	size_t n = b.rows.n;

	b.rows.n = 0;
	print(24, 80);
	assert_says(b.text, "RATION\nno pod of this node was armed yet: ");
	/* without a page whoever prints it says so, on stderr */
	print(0, 0);
	assert_null(strstr(b.text, "no pod of"));
	b.rows.n = n;
}

static void test_rows_and_names_alone_are_for_scripts(void **state)
{
	output_choose("name", true);
	print(0, 0);
	assert_string_equal(b.text,
			    "shop/a\nshop/reset\nshop/again\nshop/new\n");
	output_choose("table", false);
	print(0, 0);
	assert_int_equal(strncmp(b.text, "shop/a ", 7), 0);
	assert_null(strstr(b.text, "NEW/s"));
	assert_null(strstr(b.text, "pending"));
	/* control */
	output_choose("table", true);
	print(0, 0);
	assert_says(b.text, "pending 5/512");
}

static void test_wrong_top_usage_exits_with_2(void **state)
{
	static char *const delays[] = {"0",   "0.05", "3601", "-1", "x",  "",
				       "1e3", "nan",  "2s",   " 1", "0x2"};
	static char *const counts[] = {"0", "-1", "x", "", "1x", "1234567890"};
	char says[96];
	struct said s;

	for (size_t i = 0; i < array_size(delays); i++) {
		s = TYPE("top", "--run", "/nonexistent", "-d", delays[i]);
		assert_int_equal(s.status, 2);
		snprintf(says, sizeof(says),
			 "--delay is seconds from 0.1 to 3600, not %s\n",
			 delays[i]);
		assert_says(s.err, says);
	}
	for (size_t i = 0; i < array_size(counts); i++) {
		s = TYPE("top", "--run", "/nonexistent", "--count", counts[i]);
		assert_int_equal(s.status, 2);
		assert_says(s.err, "from 1, not ");
	}
	s = TYPE("top", "--run", "/nonexistent", "-d", "0.1", "-n", "1");
	assert_int_equal(s.status, 1);
	assert_says(s.err, "no agent answers");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rates_are_between_two_answers),
		TEST(test_what_nobody_knows_is_no_0),
		TEST(test_table_fits_80_by_24),
		TEST(test_small_terminals_get_what_fits),
		TEST(test_long_names_keep_their_end),
		TEST(test_wide_table_has_each_direction_and_ration),
		TEST(test_a_page_without_rows_says_so),
		TEST(test_rows_and_names_alone_are_for_scripts),
		TEST(test_wrong_top_usage_exits_with_2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

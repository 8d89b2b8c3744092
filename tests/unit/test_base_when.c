// SPDX-License-Identifier: Apache-2.0
/* base/when: RFC 3339. */
#include "unit.h"

#include "base/when.h"

static void times_go_and_come_back(void **state)
{
	static const struct {
		const char *text;
		long long seconds;
		const char *back;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"},
		{"2025-03-01T12:00:00Z", 1740830400, "2025-03-01T12:00:00Z"},
		{"2024-02-29T23:59:59Z", 1709251199, "2024-02-29T23:59:59Z"},
		{"2000-02-29T00:00:00Z", 951782400, "2000-02-29T00:00:00Z"},
		{"2025-03-01T20:00:00+08:00", 1740830400,
		 "2025-03-01T12:00:00Z"},
		{"2025-03-01T06:30:00.123456789-05:30", 1740830400,
		 "2025-03-01T12:00:00Z"},
		{"2025-03-01t12:00:00z", 1740830400, "2025-03-01T12:00:00Z"},
		{"1969-12-31T23:59:59Z", -1, "1969-12-31T23:59:59Z"},
		{"9999-12-31T23:59:59Z", 253402300799, "9999-12-31T23:59:59Z"},
		{"1000-01-01T00:00:00Z", -30610224000, "1000-01-01T00:00:00Z"},
		{"2016-12-31T23:59:60Z", 1483228800, "2017-01-01T00:00:00Z"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[WHEN_STRLEN];
		long long got;

		assert_int_equal(when_parse(cases[i].text, &got), 0);
		assert_true(got == cases[i].seconds);
		assert_string_equal(when_format(got, text), cases[i].back);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"now",
		"0",
		"2025",
		"2025-03-01",
		"2025-03-01T12:00:00",
		"2025-03-01 12:00:00Z",
		"2025-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2025-13-01T00:00:00Z",
		"2025-00-01T00:00:00Z",
		"2025-01-00T00:00:00Z",
		"2025-04-31T00:00:00Z",
		"2025-03-01T24:00:00Z",
		"2025-03-01T12:60:00Z",
		"2025-03-01T12:00:61Z",
		"2025-03-01T12:00:00.Z",
		"2025-03-01T12:00:00Zx",
		"2025-03-01T12:00:00+8:00",
		"2025-03-01T12:00:00+24:00",
		"2025-03-01T12:00:00+08",
		"0000-01-01T00:00:00Z",
		"+025-03-01T12:00:00Z",
		"20250-3-01T12:00:00Z",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		long long got = 42;

		if (when_parse(texts[i], &got) != -EINVAL || got != 42)
			fail_msg("\"%s\" was taken", texts[i]);
	}
}

static void absurd_times_are_still_text(void **state)
{
	char text[WHEN_STRLEN];

	assert_string_equal(when_format(INT64_MAX, text),
			    "9223372036854775807");
	assert_string_equal(when_format(67767976233532799LL, text),
			    "2147483647-12-31T23:59:59Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_go_and_come_back),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(absurd_times_are_still_text),
	};

	return cmocka_run_group_tests_name("base/when", tests, NULL, NULL);
}

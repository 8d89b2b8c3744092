// SPDX-License-Identifier: Apache-2.0
/* user/base/rpm_order: each pair in both directions. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/rpm_order.h"

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void assert_order(const char *a, const char *b, int want)
{
	if (sign(rpm_order(a, b)) != want || sign(rpm_order(b, a)) != -want)
		fail_msg("%s, %s: %d and %d, expected %d", a, b,
			 rpm_order(a, b), rpm_order(b, a), want);
}

/* Each is older than the next. */
static void versions_are_in_rpms_order(void **state)
{
	static const char *const rising[] = {
		"~",	  "",	    "1~~",	"1~rc1", "1~rc1.1", "1",
		"1^",	  "1^git1", "1^git1.1", "1a",	 "1ab",	    "1b",
		"1.0",	  "1.0a",   "1.0.1",	"1.1",	 "1.9",	    "1.10",
		"1.10.a", "1.10.1", "2",	"10",	 "010.1",   "11"};

	for (size_t i = 0; i < array_size(rising); i++)
		for (size_t k = 0; k < array_size(rising); k++)
			assert_order(rising[i], rising[k],
				     sign((int)i - (int)k));
}

static void separators_and_leading_zeros_do_not_count(void **state)
{
	assert_order("1.2", "1_2", 0);
	assert_order("1.2", "1..2", 0);
	assert_order("1.2.", "1.2", 0);
	assert_order("1.02", "1.2", 0);
	assert_order("1a2", "1.a.2", 0);
	assert_order("00", "0", 0);
	assert_order("1.0", "1.00000", 0);
	assert_order("99999999999999999999", "100000000000000000000", -1);
}

static void kernel_releases_are_compared_version_first(void **state)
{
	assert_order("5.10.134-16.3.al8.x86_64", "5.10.134-16.3", 1);
	assert_order("5.10.134-16.2.al8.x86_64", "5.10.134-16.3", -1);
	assert_order("5.10.134-16.10.al8.x86_64", "5.10.134-16.3", 1);
	assert_order("5.10.134-16.3.al8.x86_64", "5.10.134-17.3", -1);
	assert_order("5.10.134-9.al8.x86_64", "5.10.134-16.3", -1);
	assert_order("5.10.134.1-2", "5.10.134-16.3", 1);
	assert_order("5.10.84-10.4", "5.10.134-16.3", -1);
	assert_order("6.6.25-2.al23.x86_64", "5.10.134-17.3", 1);
	assert_order("6.12.95+deb13-amd64", "6.12", 1);
	assert_order("6.12.95+deb13-amd64", "6.13", -1);
	/* without a release only the version counts */
	assert_order("6.18-rc3", "6.18", 0);
	assert_order("6.8.0-52-generic", "6.8.0", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_in_rpms_order),
		cmocka_unit_test(separators_and_leading_zeros_do_not_count),
		cmocka_unit_test(kernel_releases_are_compared_version_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

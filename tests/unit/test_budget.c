// SPDX-License-Identifier: Apache-2.0
/* What is left of the memory for SMC's buffers. */
#include "unit.h"

#include "agent/budget.h"

static void test_bytes_beside_ours_are_never_negative(void **state)
{
	assert_int_equal(budget_beside(100, 30), 70);
	assert_int_equal(budget_beside(100, 100), 0);
	/* the two were not read at one moment */
	assert_int_equal(budget_beside(100, 130), 0);
	assert_int_equal(budget_beside(100, -4096), 100);
	assert_int_equal(budget_beside(0, 0), 0);
}

static void test_others_beyond_the_limit_shrink_what_is_left(void **state)
{
	assert_int_equal(budget_left(100, 0), 100);
	assert_int_equal(budget_left(100, 100), 100);
	assert_int_equal(budget_left(100, 130), 70);
	assert_int_equal(budget_left(100, 199), 1);
	assert_int_equal(budget_left(100, 200), 0);
	assert_int_equal(budget_left(100, ~0ULL), 0);
	assert_int_equal(budget_left(0, 0), 0);
	assert_int_equal(budget_left(0, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_beside_ours_are_never_negative),
		cmocka_unit_test(
			test_others_beyond_the_limit_shrink_what_is_left),
	};

	return cmocka_run_group_tests_name("agent/budget", tests, NULL, NULL);
}

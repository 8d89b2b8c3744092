// SPDX-License-Identifier: Apache-2.0
/* To when the lease of a node's offers is moved: user/pods/lease.c. */
#include "unit.h"

#include "pods/lease.h"

#define SECOND 1000000000ULL
#define NOW (5000 * SECOND)
#define OLD (LEASE_KNOWLEDGE_MS + 1ULL)

static void assert_until(__u64 have, __u32 lease_s, __u64 age_ms, __u64 want)
{
	__u64 got = lease_until(have, NOW, lease_s, age_ms);

	if (got != want)
		fail_msg("have %llu, lease %u, age %llu: %llu, not %llu", have,
			 lease_s, age_ms, got, want);
}

static void lease_is_moved_on_while_knowledge_is_fresh(void **state)
{
	assert_until(0, 300, 0, NOW + 300 * SECOND);
	assert_until(NOW - 1, 300, 0, NOW + 300 * SECOND);
	assert_until(NOW + 295 * SECOND, 300, 0, NOW + 300 * SECOND);
	assert_until(NOW + 295 * SECOND, 300, LEASE_KNOWLEDGE_MS,
		     NOW + 300 * SECOND);
}

/* Not by each reconcile, of which there may be many in a second. */
static void lease_is_not_moved_for_less_than_a_second(void **state)
{
	__u64 near = NOW + 299 * SECOND + 1;

	assert_until(near, 300, 0, near);
	assert_until(near - 1, 300, 0, NOW + 300 * SECOND);
	assert_until(NOW + 300 * SECOND, 300, 0, NOW + 300 * SECOND);
}

static void old_knowledge_does_not_move_the_lease(void **state)
{
	assert_until(NOW + 100 * SECOND, 300, OLD, NOW + 100 * SECOND);
	assert_until(NOW - 1, 300, OLD, NOW - 1);
	assert_until(0, 300, OLD, 0);
	assert_until(NOW + 100 * SECOND, 0, OLD, NOW + 100 * SECOND);
}

static void lease_of_0_has_no_end(void **state)
{
	assert_until(0, 0, 0, SMC_NO_END);
	assert_until(NOW + SECOND, 0, 0, SMC_NO_END);
	assert_until(SMC_NO_END, 0, 0, SMC_NO_END);
	assert_until(SMC_NO_END, 0, OLD, SMC_NO_END);
}

/* It is made shorter at once, whatever is known. */
static void shorter_lease_holds_at_once(void **state)
{
	assert_until(SMC_NO_END, 300, 0, NOW + 300 * SECOND);
	assert_until(SMC_NO_END, 300, OLD, NOW + 300 * SECOND);
	assert_until(NOW + 300 * SECOND, 15, 0, NOW + 15 * SECOND);
	assert_until(NOW + 300 * SECOND, 15, OLD, NOW + 15 * SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lease_is_moved_on_while_knowledge_is_fresh),
		cmocka_unit_test(lease_is_not_moved_for_less_than_a_second),
		cmocka_unit_test(old_knowledge_does_not_move_the_lease),
		cmocka_unit_test(lease_of_0_has_no_end),
		cmocka_unit_test(shorter_lease_holds_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

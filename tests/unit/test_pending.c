// SPDX-License-Identifier: Apache-2.0
/* SMC sockets that are counted as under way: which of them are not. */
#include "unit.h"

#include <linux/smc_diag.h>

#include "mesh/stale_pending.h"
#include "node/diag.h"
#include "node/pending_sockets.h"

#define S 1000000000ULL

static void test_young_pending_socket_is_not_asked_of(void **state)
{
	const struct smc_pending v = {.since_ns = 100 * S};

	assert_false(mesh_pending_is_old(&v, 100 * S));
	assert_false(mesh_pending_is_old(&v, 102 * S));
	assert_true(mesh_pending_is_old(&v, 102 * S + 1));
	/* made since `now` was read */
	assert_false(mesh_pending_is_old(&v, 99 * S));
}

/* Two namespaces, 5 was asked, 6 was not. */
static void test_diagnosis_tells_which_pending_are_over(void **state)
{
	const struct diag_smc smc[] = {
		{.cookie = 1, .state = DIAG_SMC_INIT},
		{.cookie = 2, .state = DIAG_SMC_ACTIVE},
		{.cookie = 3,
		 .state = DIAG_SMC_INIT,
		 .mode = SMC_DIAG_MODE_FALLBACK_TCP},
		{.cookie = 4, .state = DIAG_SMC_LISTEN},
		{.cookie = 5, .state = DIAG_SMC_CLOSED},
		{.cookie = 9, .state = DIAG_SMC_INIT},
	};
	struct mesh_pending v[] = {{1, 5, 0}, {2, 5, 0}, {3, 5, 0}, {4, 5, 0},
				   {5, 5, 0}, {7, 5, 0}, {8, 6, 0}};
	const size_t n = sizeof(v) / sizeof(*v);

	pending_tell(v, n, 5, smc, sizeof(smc) / sizeof(*smc));
	assert_int_equal(v[0].told, MESH_PENDING_UNDER_WAY);
	for (size_t i = 1; i < 6; i++)
		assert_int_equal(v[i].told, MESH_PENDING_OVER);
	assert_int_equal(v[6].told, MESH_PENDING_UNTOLD);
	/* none at all is an answer, too */
	pending_tell(v, n, 6, NULL, 0);
	assert_int_equal(v[6].told, MESH_PENDING_OVER);
	assert_int_equal(v[0].told, MESH_PENDING_UNDER_WAY);
}

static void test_only_pending_that_are_over_are_listed(void **state)
{
	const struct mesh_pending v[] = {
		{9, 1, MESH_PENDING_OVER},
		{8, 1, MESH_PENDING_UNTOLD},
		{1ULL << 40, 1, MESH_PENDING_OVER},
		{7, 1, MESH_PENDING_UNDER_WAY},
		{2, 1, MESH_PENDING_OVER},
	};
	__u64 out[5];

	assert_int_equal(mesh_pending_over(v, 5, out), 3);
	assert_int_equal(out[0], 2);
	assert_int_equal(out[1], 9);
	assert_int_equal(out[2], 1ULL << 40);
	assert_int_equal(mesh_pending_over(v, 0, out), 0);
}

static void test_only_cookies_of_both_lists_are_said_twice(void **state)
{
	const __u64 before[] = {2, 5, 9}, now[] = {1, 2, 3, 9, 11};
	__u64 out[5];

	assert_int_equal(mesh_pending_twice(before, 3, now, 5, out), 2);
	assert_int_equal(out[0], 2);
	assert_int_equal(out[1], 9);
	assert_int_equal(mesh_pending_twice(NULL, 0, now, 5, out), 0);
	assert_int_equal(mesh_pending_twice(before, 3, NULL, 0, out), 0);
	assert_int_equal(mesh_pending_twice(now, 5, now, 5, out), 5);
}

static void test_drift_is_told_only_where_nothing_moved(void **state)
{
	assert_int_equal(mesh_pending_drift(7, 7, 7), 0);
	assert_int_equal(mesh_pending_drift(7, 5, 7), -2);
	assert_int_equal(mesh_pending_drift(0, 3, 0), 3);
	/* it went below zero */
	assert_int_equal(mesh_pending_drift(-1U, 0, -1U), 1);
	/* while sockets come and go nothing is known */
	assert_int_equal(mesh_pending_drift(7, 5, 8), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_young_pending_socket_is_not_asked_of),
		cmocka_unit_test(test_diagnosis_tells_which_pending_are_over),
		cmocka_unit_test(test_only_pending_that_are_over_are_listed),
		cmocka_unit_test(
			test_only_cookies_of_both_lists_are_said_twice),
		cmocka_unit_test(test_drift_is_told_only_where_nothing_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* What the rows of the kernel's maps make of a pod, for an answer. */
#include "unit.h"

#include "pods/armed_rows.h"

static struct pod_state state_of(const struct pod *p, struct smc_pod *v,
				 size_t n, bool full)
{
	const struct armed_rows rows = {v, n};

	return armed_rows_state(&rows, p, full);
}

static void test_pod_with_a_row_is_armed(void **state)
{
	const struct pod p = {.id = 7, .reason = SMC_REASON_NO_NETNS};
	struct smc_pod v[] = {{.pod_id = 6},
			      {.pod_id = 7, .transports = SMC_TRANSPORT_SMCD}};
	struct pod_state is = state_of(&p, v, 2, false);

	assert_true(is.armed && !is.refused);
	assert_int_equal(is.reason, SMC_REASON_NONE);
	assert_int_equal(is.kernel.transports, SMC_TRANSPORT_SMCD);
	/* that of another pod is not its own */
	is = state_of(&p, v, 1, false);
	assert_false(is.armed);
	assert_int_equal(is.kernel.pod_id, 0);
}

/* Its row was taken away behind our back: told so, and the pod is as it was. */
static void test_drift_is_told_and_changes_nothing(void **state)
{
	const struct pod p = {.id = 7, .arming = POD_ARMED, .kernel.pod_id = 7};
	struct pod_state is = state_of(&p, NULL, 0, false);

	assert_false(is.armed);
	assert_int_equal(is.reason, SMC_REASON_NOT_ARMED);
	assert_true(pod_armed(&p) && p.kernel.pod_id == 7);
	assert_int_equal(p.reason, SMC_REASON_NONE);
	is = state_of(&p, NULL, 0, true);
	assert_int_equal(is.reason, SMC_REASON_POD_MAP_FULL);
}

static void test_refused_pod_is_not_armed(void **state)
{
	struct pod p = {.id = 7};
	struct smc_pod v[] = {{.pod_id = 7, .flags = SMC_POD_REFUSED}};
	struct pod_state is = state_of(&p, v, 1, false);

	assert_true(is.refused && !is.armed);
	assert_int_equal(is.reason, SMC_REASON_REFUSED);
	/* once refused, whatever its row says */
	v[0].flags = 0;
	p.arming = POD_REFUSED;
	is = state_of(&p, v, 1, false);
	assert_true(is.refused && !is.armed);
}

static void test_row_that_denies_arms_nobody(void **state)
{
	const struct pod p = {.id = 7, .reason = SMC_REASON_NOT_ANNOTATED};
	struct smc_pod v[] = {{.pod_id = 7, .flags = SMC_POD_DENY},
			      {.pod_id = 7}};
	struct pod_state is = state_of(&p, v, 1, false);

	assert_false(is.armed);
	assert_int_equal(is.reason, SMC_REASON_NOT_ANNOTATED);
	assert_true(state_of(&p, v, 2, false).armed);
}

/* Rows of number 0 are nobody's. */
static void test_pod_without_a_number_has_no_row(void **state)
{
	const struct pod p = {.reason = SMC_REASON_NO_NETNS};
	struct smc_pod v[] = {{.transports = SMC_TRANSPORT_SMCD}};

	assert_false(state_of(&p, v, 1, false).armed);
}

/* The reconcile makes them the pods' state; what it does not arm has no row. */
static void test_rows_become_the_state_of_pods(void **state)
{
	struct pod armed = {.id = 7, .reason = SMC_REASON_NO_NETNS};
	struct pod refused = {.id = 8, .arming = POD_ARMED};
	struct pod gone = {.id = 9, .arming = POD_ARMED, .kernel.pod_id = 9};
	struct pod *v[] = {&armed, &refused, &gone};
	struct pods pods = {.v = v, .n = 3};
	struct smc_pod row[] = {{.pod_id = 7},
				{.pod_id = 8, .flags = SMC_POD_REFUSED}};
	const struct armed_rows rows = {row, 2};

	pods_take_rows(&pods, &rows, false);
	assert_true(pod_armed(&armed) && !pod_refused(&armed));
	assert_int_equal(armed.reason, SMC_REASON_NONE);
	assert_int_equal(armed.kernel.pod_id, 7);
	assert_true(pod_refused(&refused) && !pod_armed(&refused));
	assert_int_equal(refused.reason, SMC_REASON_REFUSED);
	assert_int_equal(gone.arming, POD_UNARMED);
	assert_int_equal(gone.reason, SMC_REASON_NOT_ARMED);
	assert_int_equal(gone.kernel.pod_id, 0);
	/* a refused pod stays so, whatever its row says then */
	row[1].flags = 0;
	pods_take_rows(&pods, &rows, false);
	assert_true(pod_refused(&refused));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pod_with_a_row_is_armed),
		cmocka_unit_test(test_drift_is_told_and_changes_nothing),
		cmocka_unit_test(test_refused_pod_is_not_armed),
		cmocka_unit_test(test_row_that_denies_arms_nobody),
		cmocka_unit_test(test_pod_without_a_number_has_no_row),
		cmocka_unit_test(test_rows_become_the_state_of_pods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

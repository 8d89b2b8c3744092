// SPDX-License-Identifier: Apache-2.0
/* What the control socket answers from, as far as no kernel is needed. */
#include "unit.h"

#include "agent/api.h"

/* Two pods with late flows, in the order of the kernel's answers: none. */
static void test_late_flows_are_found_by_cookie(void **state)
{
	enum { N = 500 };
	struct pod_late_flow flows[2][N] = {};
	struct pod pod[3] = {{.id = 7, .late_flows = flows[0]},
			     {.id = 9, .late_flows = flows[1]},
			     {.id = 11}};
	struct pod *v[] = {&pod[0], &pod[1], &pod[2]};
	const struct pods pods = {.v = v, .n = 3};
	struct api_late late;

	pod[0].n_late_flows = pod[1].n_late_flows = N;
	for (int i = 0; i < N; i++)
		for (int k = 0; k < 2; k++)
			flows[k][i].flow.cookie = 4 * (i * 77 % N) + 2 * k + 1;
	assert_return_code(api_late_make(&pods, &late), 0);
	assert_int_equal(late.n, 2 * N);
	for (__u64 cookie = 0; cookie < 4 * N + 2; cookie++) {
		bool there = cookie < 4 * N;

		assert_int_equal(api_late_has(&late, 7, cookie),
				 there && cookie % 4 == 1);
		assert_int_equal(api_late_has(&late, 9, cookie),
				 there && cookie % 4 == 3);
		assert_false(api_late_has(&late, 11, cookie));
	}
	api_late_free(&late);
}

static void test_no_late_flow_is_found(void **state)
{
	const struct pods none = {};
	struct api_late late;

	assert_return_code(api_late_make(&none, &late), 0);
	assert_false(api_late_has(&late, 1, 0));
	api_late_free(&late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late_flows_are_found_by_cookie),
		cmocka_unit_test(test_no_late_flow_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: Apache-2.0
/* What the control socket answers from, as far as no kernel is needed. */
#include "unit.h"

#include "serve/api.h"

static struct smc_handshake key_of(__u32 isn, __u16 kind)
{
	return (struct smc_handshake){.isn = isn, .kind = kind};
}

static bool late_has(const struct api_late *late, __u32 isn, __u16 kind)
{
	const struct smc_handshake key = key_of(isn, kind);

	return api_late_has(late, &key);
}

/* Two pods with late flows, in the order of the kernel's answers: none. */
static void test_late_flows_are_found_by_key(void **state)
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
			flows[k][i].key =
				key_of(4 * (i * 77 % N) + 2 * k + 1, 1 + k);
	assert_return_code(api_late_make(&pods, &late), 0);
	assert_int_equal(late.n, 2 * N);
	for (__u32 isn = 0; isn < 4 * N + 2; isn++) {
		bool there = isn < 4 * N;

		assert_int_equal(late_has(&late, isn, SMC_ROLE_CLIENT),
				 there && isn % 4 == 1);
		assert_int_equal(late_has(&late, isn, SMC_ROLE_SERVER),
				 there && isn % 4 == 3);
		assert_false(late_has(&late, isn, SMC_KIND_SOCKET));
	}
	api_late_free(&late);
}

static void test_without_pods_no_late_flow_is_found(void **state)
{
	const struct pods none = {};
	struct api_late late;

	assert_return_code(api_late_make(&none, &late), 0);
	assert_false(late_has(&late, 0, SMC_ROLE_CLIENT));
	api_late_free(&late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late_flows_are_found_by_key),
		cmocka_unit_test(test_without_pods_no_late_flow_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

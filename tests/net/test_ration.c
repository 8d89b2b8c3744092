// SPDX-License-Identifier: Apache-2.0
/* user/datapath/ration.c: limits, and what is counted wrongly; the counting
 * itself is tests/bpf/test_ration.c's and tests/vm/test_ration.py's.
 */
#include "world.h"

#define POD (3 * SMC_PODS + 5)
#define SLOT 5

static struct smc_usage usage_of(struct datapath *dp, __u32 slot)
{
	struct smc_usage u;

	assert_int_equal(bpf_map_lookup_elem(dp->map_fd[MAP_USAGE], &slot, &u),
			 0);
	return u;
}

static void set_pending(struct datapath *dp, __u32 slot, __u32 pending)
{
	struct smc_usage u = usage_of(dp, slot);

	u.pending = pending;
	must_put(dp->map_fd[MAP_USAGE], &slot, &u);
}

static void put_row(struct datapath *dp, __u64 cookie, __u32 slot)
{
	const struct smc_pending row = {
		.slot = slot, .netns = 3, .since_ns = 7};

	must_put(dp->map_fd[MAP_PENDING], &cookie, &row);
}

static __u64 rationed_of(struct datapath *dp, __u32 slot)
{
	__u64 n;

	assert_int_equal(datapath_rationed(dp, slot, &n), 0);
	return n;
}

/* On this machine's own kernel nothing is counted, and that is written down,
 * also where an agent before had it otherwise. */
static void test_config_says_whether_sockets_are_counted(void **state)
{
	struct datapath *dp = open_idle();
	bool all = has_smc && has_tracing;
	struct smc_config c = config_now(dp);
	__u32 zero = 0;

	assert_int_equal(datapath_rations(dp), all);
	assert_int_equal(!!(c.uses & SMC_USE_PENDING), all);
	c.uses ^= SMC_USE_PENDING;
	must_put(dp->map_fd[MAP_CONFIG], &zero, &c);
	datapath_close(dp);
	dp = open_idle();
	assert_int_equal(!!(config_now(dp).uses & SMC_USE_PENDING), all);
	datapath_close(dp);
	remove_all();
}

static void test_pod_limits_are_set_and_forgotten_without_counts(void **state)
{
	struct datapath *dp = open_idle();

	set_pending(dp, SLOT, 3);
	assert_int_equal(datapath_limit_pod(dp, POD, 64, 200), 0);
	assert_int_equal(usage_of(dp, SLOT).pending_max, 64);
	assert_int_equal(usage_of(dp, SLOT).connections_max, 200);
	assert_int_equal(usage_of(dp, SLOT).pending, 3);
	assert_int_equal(datapath_limit_pod(dp, POD, 0, 7), 0);
	assert_int_equal(usage_of(dp, SLOT).pending_max, 0);
	assert_int_equal(usage_of(dp, SLOT).connections_max, 7);
	assert_int_equal(datapath_forget_pod(dp, POD), 0);
	assert_int_equal(usage_of(dp, SLOT).connections_max, 0);
	assert_int_equal(usage_of(dp, SLOT).pending, 3);
	datapath_close(dp);
	remove_all();
}

static bool is_known(__u32 slot, void *arg)
{
	return slot == *(__u32 *)arg;
}

/* Whoever went while no agent ran leaves no limits to the next of its slot. */
static void test_limits_of_unknown_pods_are_swept(void **state)
{
	struct datapath *dp = open_idle();
	__u32 known = SLOT;

	assert_int_equal(datapath_limit_pod(dp, SLOT, 9, 9), 0);
	assert_int_equal(datapath_limit_pod(dp, SLOT + 1, 9, 9), 0);
	assert_int_equal(datapath_sweep_counters(dp, is_known, &known), 0);
	assert_int_equal(usage_of(dp, SLOT).pending_max, 9);
	assert_int_equal(usage_of(dp, SLOT + 1).pending_max, 0);
	assert_int_equal(usage_of(dp, SLOT + 1).connections_max, 0);
	datapath_close(dp);
	remove_all();
}

static void test_rationed_are_summed_by_slot_and_for_the_node(void **state)
{
	struct datapath *dp = open_idle();
	int fd = dp->map_fd[MAP_COUNTER];

	put_counter(fd, SLOT, SMC_COUNTER_RATIONED_CONVERTED, 11);
	put_counter(fd, SMC_SLOT_STRANGERS, SMC_COUNTER_RATIONED_OWN, 6);
	put_counter(fd, SMC_SLOT_STRANGERS, SMC_COUNTER_RATIONED_CONVERTED, 1);
	put_counter(fd, SLOT, SMC_COUNTER_OFFERS, 99);
	assert_int_equal(rationed_of(dp, SLOT), 11);
	assert_int_equal(rationed_of(dp, SMC_SLOT_STRANGERS), 7);
	assert_int_equal(rationed_of(dp, SMC_SLOT_NODE), 18);
	datapath_close(dp);
	remove_all();
}

/* ---- what is counted wrongly ---- */

static int sum_cookies(__u64 cookie, const struct smc_pending *v, void *arg)
{
	assert_int_equal(v->netns, 3);
	assert_int_equal(v->since_ns, 7);
	*(__u64 *)arg += cookie;
	return 0;
}

static void test_pending_row_is_dropped_and_uncounted_once(void **state)
{
	struct datapath *dp = open_idle();
	__u64 sum = 0;

	put_row(dp, 100, SLOT);
	put_row(dp, 20, SMC_SLOT_STRANGERS);
	set_pending(dp, SLOT, 1);
	set_pending(dp, SMC_SLOT_STRANGERS, 1);
	set_pending(dp, SMC_SLOT_NODE, 2);
	assert_int_equal(datapath_each_pending(dp, sum_cookies, &sum), 0);
	assert_int_equal(sum, 120);
	/* rows outlive an agent */
	datapath_close(dp);
	dp = open_idle();
	assert_int_equal(datapath_pending_drop(dp, 100), 0);
	assert_int_equal(datapath_pending_drop(dp, 100), -ENOENT);
	assert_int_equal(usage_of(dp, SLOT).pending, 0);
	assert_int_equal(usage_of(dp, SMC_SLOT_STRANGERS).pending, 1);
	assert_int_equal(usage_of(dp, SMC_SLOT_NODE).pending, 1);
	datapath_close(dp);
	remove_all();
}

static void test_pending_count_is_mended_by_its_drift(void **state)
{
	_free_ __u32 *counts = calloc(SMC_PODS, sizeof(*counts));
	struct datapath *dp = open_idle();

	assert_non_null(counts);
	set_pending(dp, SLOT, 3);
	set_pending(dp, SMC_SLOT_NODE, 9);
	assert_int_equal(datapath_pending_counts(dp, counts), 0);
	assert_int_equal(counts[SLOT], 3);
	assert_int_equal(counts[SMC_SLOT_NODE], 9);
	assert_int_equal(datapath_pending_mend(dp, SLOT, -2), 0);
	assert_int_equal(datapath_pending_mend(dp, SLOT + 1, 4), 0);
	assert_int_equal(datapath_pending_counts(dp, counts), 0);
	assert_int_equal(counts[SLOT], 1);
	assert_int_equal(counts[SLOT + 1], 4);
	assert_int_equal(counts[SMC_SLOT_NODE], 9);
	datapath_close(dp);
	remove_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_config_says_whether_sockets_are_counted),
		TEST(test_pod_limits_are_set_and_forgotten_without_counts),
		TEST(test_limits_of_unknown_pods_are_swept),
		TEST(test_rationed_are_summed_by_slot_and_for_the_node),
		TEST(test_pending_row_is_dropped_and_uncounted_once),
		TEST(test_pending_count_is_mended_by_its_drift),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

// SPDX-License-Identifier: Apache-2.0
/* user/datapath: the rows of another ABI that ours begins with, and what BPF
 * must know of them. See other_abi.h. */
#include "other_abi.h"

#define ABI (SMC_ABI_VERSION + 1)

/* Put a row into a map of theirs, or delete it. */
static void put_theirs(enum map_id id, const void *key, const void *value)
{
	struct left l = left_of(ABI);
	_close_ int fd = pin(l.dir, map_rows[id].name, PIN_MAP);

	must_put(fd, key, value);
}

static void delete_theirs(enum map_id id, const void *key)
{
	struct left l = left_of(ABI);
	_close_ int fd = pin(l.dir, map_rows[id].name, PIN_MAP);

	assert_int_equal(bpf_map_delete_elem(fd, key), 0);
}

/* ---- peers in quarantine ---- */

static struct smc_usage node_usage(struct datapath *dp)
{
	struct smc_usage u;

	assert_int_equal(datapath_usage(dp, SMC_SLOT_NODE, &u), 0);
	return u;
}

static void quarantine_there(__u16 port, __u64 until)
{
	const struct smc_quarantine q = {.until_ns = until,
					 .state = SMC_QUARANTINE_STRUCK};
	const struct smc_quarantine_key peer = {.port = port};

	put_theirs(MAP_QUARANTINE, &peer, &q);
}

/* Our programs count in smc_usage while the other ABI's still put peers into
 * quarantine; a frozen map takes no row from user space any more, but goes on
 * for programs. */
static void test_quarantine_is_taken_over_while_our_programs_count(void **state)
{
	struct datapath *dp;

	make_later(ABI, SMC_ABI_VERSION);
	delete_theirs(MAP_QUARANTINE, &(struct smc_quarantine_key){.port = 80});
	dp = open_idle();
	assert_int_equal(node_usage(dp).quarantined_until, 0);
	assert_int_equal(datapath_pending_mend(dp, SMC_SLOT_NODE, 3), 0);
	assert_int_equal(bpf_map_freeze(dp->map_fd[MAP_USAGE]), 0);
	datapath_close(dp);
	quarantine_there(81, 77);
	dp = open_idle();
	assert_int_equal(node_usage(dp).quarantined_until, 77);
	assert_int_equal(node_usage(dp).quarantines, 1);
	assert_int_equal(node_usage(dp).pending, 3);
	datapath_close(dp);
	remove_all();
}

static void test_quarantine_of_another_start_counts_as_long_as_it(void **state)
{
	static const struct {
		__u16 port;
		__u64 until, all;
	} cases[] = {{81, 99, 99}, {82, 50, 99}};
	struct datapath *dp;

	make_later(ABI, SMC_ABI_VERSION);
	dp = open_idle();
	assert_int_equal(node_usage(dp).quarantined_until, 77);
	for (size_t i = 0; i < array_size(cases); i++) {
		datapath_close(dp);
		quarantine_there(cases[i].port, cases[i].until);
		dp = open_idle();
		assert_int_equal(node_usage(dp).quarantined_until,
				 cases[i].all);
		assert_int_equal(node_usage(dp).quarantines, 2 + i);
	}
	datapath_close(dp);
	remove_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_quarantine_is_taken_over_while_our_programs_count),
		TEST(test_quarantine_of_another_start_counts_as_long_as_it),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

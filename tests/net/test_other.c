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

/* ---- which look-ups can hit ---- */

#define BY_ROWS (SMC_USE_PORTS | SMC_USE_CIDRS | SMC_USE_SIDECARS)

static struct datapath *open_again(struct datapath *dp)
{
	datapath_close(dp);
	return open_idle();
}

static void set_off(struct datapath *dp)
{
	struct smc_config c = config_now(dp);

	c.enabled = 0;
	must_put(dp->map_fd[MAP_CONFIG], &(__u32){0}, &c);
}

/* Else connect_guard lets SMC sockets that are not the proxy's pass a sidecar's
 * redirect. */
static void test_rows_taken_over_are_looked_up_from_the_start(void **state)
{
	const __u32 want = SMC_USE_PORTS | SMC_USE_SIDECARS;
	struct datapath *dp;

	make_later(ABI, SMC_ABI_VERSION);
	dp = open_idle();
	assert_int_equal(config_now(dp).uses & BY_ROWS, want);
	dp = open_again(dp);
	assert_int_equal(config_now(dp).uses & BY_ROWS, want);
	datapath_close(dp);
	remove_all();
}

static void test_maps_without_rows_are_not_looked_up(void **state)
{
	const struct smc_port_key port = {.prefixlen = SMC_PORT_PREFIX + 16,
					  .role = SMC_ROLE_CLIENT,
					  .port = {3306 >> 8, 3306 & 0xff}};
	struct datapath *dp;

	make_later(ABI, SMC_ABI_VERSION);
	delete_theirs(MAP_PORT, &port);
	delete_theirs(MAP_NETNS, &(__u64){0xc00000});
	dp = open_idle();
	assert_int_equal(config_now(dp).uses & BY_ROWS, 0);
	datapath_close(dp);
	remove_all();
}

/* A second start whose switch is off takes theirs again, beside its own. */
static void test_second_take_over_keeps_what_rows_do_not_decide(void **state)
{
	const struct smc_pod own = {.pod_id = 8, .flags = SMC_POD_SIDECAR};
	struct datapath *dp;

	make_later(ABI, SMC_ABI_VERSION);
	delete_theirs(MAP_NETNS, &(__u64){0xc00000});
	dp = open_idle();
	assert_int_equal(datapath_use_paths(dp), 0);
	must_put(dp->map_fd[MAP_NETNS], &(__u64){0xd00000}, &own);
	set_off(dp);
	dp = open_again(dp);
	assert_int_equal(config_now(dp).enabled, 1);
	assert_true(config_now(dp).uses & SMC_USE_PATHS);
	assert_int_equal(config_now(dp).uses & BY_ROWS,
			 SMC_USE_PORTS | SMC_USE_SIDECARS);
	datapath_close(dp);
	remove_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_quarantine_is_taken_over_while_our_programs_count),
		TEST(test_quarantine_of_another_start_counts_as_long_as_it),
		TEST(test_rows_taken_over_are_looked_up_from_the_start),
		TEST(test_maps_without_rows_are_not_looked_up),
		TEST(test_second_take_over_keeps_what_rows_do_not_decide),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

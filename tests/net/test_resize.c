// SPDX-License-Identifier: Apache-2.0
/* user/datapath: pinned maps of another size are replaced, with what is in
 * them. See world.h. */
#include "world.h"

/* Pin one like ours but for its size in place of the pinned one. Return: its
 * descriptor. */
static int pin_resized(const char *name, __u32 entries)
{
	_close_ int ours = pin(dir, name, PIN_MAP);
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int fd;

	assert_int_equal(bpf_map_get_info_by_fd(ours, &info, &len), 0);
	opts.map_flags = info.map_flags;
	fd = bpf_map_create(info.type, name, info.key_size, info.value_size,
			    entries, &opts);
	assert_true(fd >= 0);
	assert_int_equal(pin_put(fd, dir, name), 0);
	return fd;
}

static __u32 entries_of(const char *name)
{
	_close_ int fd = pin(dir, name, PIN_MAP);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	assert_int_equal(bpf_map_get_info_by_fd(fd, &info, &len), 0);
	return info.max_entries;
}

static void put_endpoints(int fd, __u32 n)
{
	struct smc_endpoint e = {.transports = SMC_TRANSPORT_SMCD,
				 .node_id = 7};

	for (__u32 i = 0; i < n; i++) {
		struct smc_addr a = {{[10] = 0xff, [11] = 0xff}};

		memcpy(a.ip + 12, &i, sizeof(i));
		must_put(fd, &a, &e);
	}
}

/* A hash, an LRU, a trie, arrays of one value and of one for each CPU. */
static void resize_some(void)
{
	_close_ int endpoint = pin_resized("smc_endpoint", 500);
	_close_ int quarantine = pin_resized("smc_quarantine", 64);
	_close_ int cidr = pin_resized("smc_cidr", 8);
	_close_ int usage = pin_resized("smc_usage", 2 * SMC_PODS);
	_close_ int counter = pin_resized("smc_counter", 16);
	_close_ int event = pin_resized("smc_event", 4096);
	struct smc_quarantine_key peer = {.port = 80};
	struct smc_quarantine q = {.until_ns = 5, .strikes = 2};
	struct smc_cidr_key net = {.prefixlen = 112};
	struct smc_usage u = {.flows = 3};
	struct smc_cidr exclude = {1};
	__u32 slot = 4;

	put_endpoints(endpoint, 400);
	must_put(quarantine, &peer, &q);
	must_put(cidr, &net, &exclude);
	must_put(usage, &slot, &u);
	put_counter(counter, 4, SMC_COUNTER_OFFERS, 9);
}

static void assert_all_is_there(struct datapath *dp)
{
	struct smc_quarantine_key peer = {.port = 80};
	struct smc_cidr_key net = {.prefixlen = 112};
	struct smc_quarantine q;
	struct smc_cidr exclude;
	struct smc_usage u;
	__u32 slot = 4;

	assert_int_equal(endpoints_now(dp), 400);
	assert_int_equal(
		bpf_map_lookup_elem(dp->map_fd[MAP_QUARANTINE], &peer, &q), 0);
	assert_int_equal(q.strikes, 2);
	assert_int_equal(
		bpf_map_lookup_elem(dp->map_fd[MAP_CIDR], &net, &exclude), 0);
	assert_int_equal(bpf_map_lookup_elem(dp->map_fd[MAP_USAGE], &slot, &u),
			 0);
	assert_int_equal(u.flows, 3);
	assert_int_equal(counter_of(dp, 4, SMC_COUNTER_OFFERS), 9);
	assert_int_equal(entries_of("smc_endpoint"), SMC_ENDPOINT_ENTRIES);
	assert_int_equal(entries_of("smc_usage"), SMC_PODS);
	assert_int_equal(entries_of("smc_counter"), SMC_PODS);
	assert_int_equal(entries_of("smc_event"), SMC_EVENT_BYTES);
	assert_true(datapath_events_fd(dp) >= 0);
}

static void test_map_of_another_size_is_replaced_with_its_rows(void **state)
{
	struct datapath *dp = open_idle();
	__u32 old, kept = id_of(dir, "smc_netns", PIN_MAP);

	datapath_close(dp);
	resize_some();
	old = id_of(dir, "smc_endpoint", PIN_MAP);
	dp = open_idle();
	assert_all_is_there(dp);
	assert_int_equal(heal(dp), 0);
	assert_int_equal(id_of(dir, "smc_netns", PIN_MAP), kept);
	wait_gone(bpf_map_get_fd_by_id, old);
	datapath_close(dp);
	/* and it stays */
	old = id_of(dir, "smc_endpoint", PIN_MAP);
	dp = open_idle();
	assert_int_equal(id_of(dir, "smc_endpoint", PIN_MAP), old);
	datapath_close(dp);
	remove_all();
}

/* A row that the old program writes after the copy, one that it changes, one
 * that has gone from the new map, and one that is newer there. */
static void test_rows_written_during_a_resize_are_kept(void **state)
{
	struct datapath *dp = open_idle();
	__u64 keys[] = {1, 2, 3, 4};
	struct smc_pod v = {.pod_id = 1}, w = {.pod_id = 2}, got;
	int fd = dp->map_fd[MAP_NETNS];
	_close_ int old = -1;

	old = pin_resized("smc_netns", 64);
	for (int i = 1; i < 4; i++)
		must_put(old, &keys[i], &v);
	assert_int_equal(adopt_check_pins(dp), 0);
	assert_true(adopt_is_resized(dp, "smc_netns"));
	assert_false(adopt_is_resized(dp, "smc_cgroup"));
	assert_int_equal(adopt_copy(dp), 0);
	must_put(old, &keys[0], &w);
	must_put(old, &keys[1], &w);
	assert_int_equal(bpf_map_delete_elem(fd, &keys[2]), 0);
	v.pod_id = 3;
	must_put(fd, &keys[3], &v);
	must_put(old, &keys[3], &w);
	adopt_finish(dp);
	assert_int_equal(bpf_map_lookup_elem(fd, &keys[0], &got), 0);
	assert_int_equal(got.pod_id, 2);
	assert_int_equal(bpf_map_lookup_elem(fd, &keys[1], &got), 0);
	assert_int_equal(got.pod_id, 2);
	assert_int_equal(bpf_map_lookup_elem(fd, &keys[2], &got), -ENOENT);
	assert_int_equal(bpf_map_lookup_elem(fd, &keys[3], &got), 0);
	assert_int_equal(got.pod_id, 3);
	assert_int_equal(pin_is(dir, "smc_netns", fd), 1);
	datapath_close(dp);
	remove_all();
}

static int open_and_die(void)
{
	struct datapath *dp = NULL;

	setenv("SMCMESH_FAULT", "resize:pinned:2", 1);
	return datapath_open(&opt, &dp) ? 1 : 0;
}

static void test_resize_killed_halfway_loses_no_row(void **state)
{
	struct datapath *dp = open_idle();

	datapath_close(dp);
	resize_some();
	assert_int_equal(in_child(open_and_die), -SIGKILL);
	dp = open_idle();
	assert_all_is_there(dp);
	assert_int_equal(heal(dp), 0);
	datapath_close(dp);
	remove_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_map_of_another_size_is_replaced_with_its_rows),
		TEST(test_rows_written_during_a_resize_are_kept),
		TEST(test_resize_killed_halfway_loses_no_row),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

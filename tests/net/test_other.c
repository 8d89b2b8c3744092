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

/* ---- rows that find no room ---- */

struct no_room {
	enum map_id id;
	unsigned int room, counted_at; /* rows of ours; where keys differ */
	enum bpf_map_type type;
	const void *filler, *last; /* values of theirs */
	bool denies;
};

/* Make a map of theirs with one row more than ours can hold. The last one by
 * its key finds no room. */
static void make_longer(const struct no_room *c)
{
	const struct map_row *map = &map_rows[c->id];
	_cleanup_(rows_free) struct rows rows = {.key_size = map->key_size,
						 .value_size = map->value_size};
	struct left l = left_of(ABI);
	unsigned int full = 0;
	int err = 0, fd;

	pin_drop(l.dir, map->name);
	fd = make_map(&l, c->type, map->name, map->key_size, map->value_size,
		      c->room + 1);
	for (unsigned int i = 0; i <= c->room; i++) {
		const __u32 at = htonl(i);
		unsigned char key[64] = {};

		if (c->id == MAP_CIDR)
			key[0] = 128;
		memcpy(key + c->counted_at, &at, sizeof(at));
		assert_int_equal(
			rows_add(&rows, key, i < c->room ? c->filler : c->last),
			0);
	}
	map_write(fd, &rows, 0, rows.n, &full, &err);
	assert_int_equal(err, 0);
	assert_int_equal(full, 0);
	close(fd);
}

static void assert_no_room(const struct no_room *c)
{
	struct left l = left_of(ABI);
	struct datapath *dp;
	int pods = 0, fd;

	make_later(ABI, SMC_ABI_VERSION);
	make_longer(c);
	dp = open_idle();
	assert_int_equal(config_now(dp).enabled, !c->denies);
	/* what found room is there, of the maps after this one, too */
	assert_int_equal(endpoints_now(dp),
			 c->id == MAP_ENDPOINT ? SMC_ENDPOINT_ENTRIES : 3);
	assert_int_equal(datapath_each_cgroup(dp, count_pod, &pods), 0);
	assert_int_equal(pods, c->id == MAP_CGROUP ? SMC_CGROUP_ENTRIES : 1);
	/* and their programs guard what ours do not know of */
	fd = pin_open(l.link_dir, "another_hook", PIN_LINK);
	assert_int_equal(fd >= 0, c->denies);
	close(fd);
	datapath_close(dp);
	remove_all();
}

static void test_row_without_room_switches_off_if_it_denies(void **state)
{
	const struct smc_service yes = {.transports = SMC_TRANSPORT_SMCD};
	const struct smc_service no = {};
	const struct smc_endpoint endpoint = {.transports = SMC_TRANSPORT_SMCD};
	const struct smc_endpoint answers = {.transports = SMC_TRANSPORT_SMCD,
					     .flags = SMC_ENDPOINT_ANSWER_ONLY};
	const struct smc_cidr cidr = {.exclude = 1};
	const struct smc_pod pod = {.pod_id = 9};
	const struct smc_pod refused = {.pod_id = 9, .flags = SMC_POD_REFUSED};
	const struct smc_pod sidecar = {.pod_id = 9, .flags = SMC_POD_SIDECAR};
	const enum bpf_map_type hash = BPF_MAP_TYPE_HASH;
	const struct no_room cases[] = {
		{MAP_CIDR, SMC_CIDR_ENTRIES, 16, BPF_MAP_TYPE_LPM_TRIE, &cidr,
		 &cidr, true},
		{MAP_SERVICE, SMC_SERVICE_ENTRIES, 12, hash, &yes, &no, true},
		{MAP_SERVICE, SMC_SERVICE_ENTRIES, 12, hash, &no, &yes, false},
		{MAP_ENDPOINT, SMC_ENDPOINT_ENTRIES, 12, hash, &endpoint,
		 &answers, false},
		{MAP_NETNS, SMC_NETNS_ENTRIES, 4, hash, &pod, &sidecar, true},
		{MAP_NETNS, SMC_NETNS_ENTRIES, 4, hash, &pod, &refused, false},
		{MAP_CGROUP, SMC_CGROUP_ENTRIES, 4, hash, &pod, &pod, true},
	};
	size_t n = getenv("SMCMESH_EMULATED") ? 2 : array_size(cases);

	for (size_t i = 0; i < n; i++)
		assert_no_room(&cases[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_quarantine_is_taken_over_while_our_programs_count),
		TEST(test_quarantine_of_another_start_counts_as_long_as_it),
		TEST(test_rows_taken_over_are_looked_up_from_the_start),
		TEST(test_maps_without_rows_are_not_looked_up),
		TEST(test_second_take_over_keeps_what_rows_do_not_decide),
		TEST(test_row_without_room_switches_off_if_it_denies),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

// SPDX-License-Identifier: Apache-2.0
/* user/datapath: what the agents of other ABIs left: adopted, taken over,
 * refused, taken away. See other_abi.h. */
#include "other_abi.h"

struct pods_seen {
	struct smc_pod by_key[2];
	int n;
};

static int see_pod(__u64 key, const struct smc_pod *v, void *arg)
{
	struct pods_seen *s = arg;

	if (key - 0xc00000 < 2)
		s->by_key[key - 0xc00000] = *v;
	s->n++;
	return 0;
}

struct flows_seen {
	struct smc_flow by_port[FLOWS];
	struct smc_handshake keys[FLOWS];
	int n;
};

static int see_flow(const struct smc_handshake *key, const struct smc_flow *v,
		    void *arg)
{
	struct flows_seen *s = arg;
	int i = v->local_port - 1000;

	assert_in_range(i, 0, FLOWS - 1);
	s->by_port[i] = *v;
	s->keys[i] = *key;
	s->n++;
	return 0;
}

/* In the one direction it was excluded in, and no other. */
static void assert_excluded(struct datapath *dp)
{
	_cleanup_(rows_free) struct rows rows = {
		.key_size = sizeof(struct smc_port_key),
		.value_size = sizeof(struct smc_port)};
	const struct smc_port_key *key;

	assert_int_equal(map_read(dp->map_fd[MAP_PORT], &rows), 0);
	assert_int_equal(rows.n, 1);
	key = rows_key(&rows, 0);
	assert_int_equal(key->prefixlen, 64);
	assert_int_equal(key->pod_id, 0);
	assert_int_equal(key->role, SMC_ROLE_CLIENT);
	assert_int_equal(key->port[0] << 8 | key->port[1], 3306);
	assert_true(config_now(dp).uses & SMC_USE_PORTS);
}

/* What an agent reads when it starts, and what it may rely on. */
static void assert_first_half(struct datapath *dp)
{
	const struct smc_quarantine_key peer = {.port = 80};
	struct pods_seen seen = {};
	struct smc_quarantine q;
	struct smc_usage u;
	int n = 0;

	assert_true(datapath_is_armed(dp));
	assert_int_equal(datapath_each_netns(dp, see_pod, &seen), 0);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.by_key[0].pod_id, 5);
	assert_int_equal(seen.by_key[0].flags, SMC_POD_SIDECAR);
	assert_int_equal(seen.by_key[0].n_owners, 1);
	assert_int_equal(seen.by_key[0].owners[0].uid, 1337);
	assert_int_equal(seen.by_key[0].owners[0].gid, SMC_ID_ANY);
	assert_int_equal(seen.by_key[1].pod_id, 6);
	assert_int_equal(seen.by_key[1].flags, SMC_POD_REFUSED);
	assert_int_equal(datapath_each_cgroup(dp, count_pod, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(
		bpf_map_lookup_elem(dp->map_fd[MAP_QUARANTINE], &peer, &q), 0);
	assert_int_equal(q.state, SMC_QUARANTINE_STRUCK);
	assert_int_equal(q.until_ns, 77);
	assert_int_equal(q.strikes, 3);
	assert_int_equal(q.reason, (__u32)-ETIMEDOUT);
	assert_int_equal(
		bpf_map_lookup_elem(dp->map_fd[MAP_USAGE], &(__u32){0}, &u), 0);
	assert_int_equal(u.quarantines, 1);
	assert_int_equal(u.quarantined_until, 77);
	assert_int_equal(config_now(dp).abi_version, SMC_ABI_VERSION);
	assert_int_equal(config_now(dp).enabled, 1);
	assert_int_equal(config_now(dp).node_id, 9);
	assert_int_equal(endpoints_now(dp), 3);
	assert_excluded(dp);
}

/* The agent arms the same pod with the same number. */
static void apply_again(struct datapath *dp)
{
	struct any_plan p _plan_;
	struct smc_pod v;
	__u64 key = 0xc00000;

	plan_init(&p, 2, 0);
	for (int i = 0; i < 2; i++)
		p.plan.pods[i].value.pod_id = 5 + i;
	apply(dp, &p);
	assert_int_equal(bpf_map_lookup_elem(dp->map_fd[MAP_NETNS], &key, &v),
			 0);
	assert_int_equal(v.flags, 0);
	key++;
	assert_int_equal(bpf_map_lookup_elem(dp->map_fd[MAP_NETNS], &key, &v),
			 0);
	assert_int_equal(v.flags, SMC_POD_REFUSED);
	key++;
	assert_int_equal(bpf_map_lookup_elem(dp->map_fd[MAP_NETNS], &key, &v),
			 0);
	assert_int_equal(v.flags, SMC_POD_SHARED);
	assert_int_equal(endpoints_now(dp), 0);
	assert_false(config_now(dp).uses & SMC_USE_PORTS);
}

static struct flows_seen assert_second_half(struct datapath *dp)
{
	struct flows_seen flows = {};
	struct smc_usage u;

	for (__u32 pod = 5; pod <= 6; pod++) {
		assert_int_equal(counter_of(dp, pod, COUNTED), 10 * pod);
		assert_int_equal(
			counter_of(dp, pod,
				   SMC_COUNTER_REASON + SMC_REASON_LOOPBACK),
			10 * pod + 1);
	}
	for (__u32 slot = 0; slot < SMC_PODS; slot++)
		assert_int_equal(counter_of(dp, slot, COUNTER_MARK), 0);
	assert_int_equal(datapath_each_flow(dp, false, see_flow, &flows), 0);
	assert_int_equal(flows.n, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(flows.by_port[i].outcome, outcomes[i]);
		assert_int_equal(flows.by_port[i].flags, SMC_FLOW_UPGRADED);
		assert_int_equal(flows.by_port[i].pod_id, 5);
	}
	assert_int_equal(
		bpf_map_lookup_elem(dp->map_fd[MAP_USAGE], &(__u32){5}, &u), 0);
	assert_int_equal(u.flows, 2);
	return flows;
}

static void assert_gone(unsigned int abi)
{
	struct left l = left_of(abi);

	assert_int_equal(access(l.link_dir, F_OK), -1);
	if (abi > 1)
		assert_int_equal(access(l.dir, F_OK), -1);
	else
		assert_int_equal(count_pins(l.dir), 0);
}

static void test_upgrade_from_abi_1_takes_over_everything(void **state)
{
	struct left l = left_of(1);
	struct flows_seen flows;
	struct datapath *dp;

	make_first();
	dp = open_idle();
	assert_first_half(dp);
	/* Its maps are untouched until it is time. Of its links that goes which
	 * would convert beside ours; the mark of its sidecar rule is needed. */
	assert_int_equal(pin_open(l.link_dir, "sockproto", PIN_LINK), -ENOENT);
	assert_true(id_of(l.link_dir, "flow_connect4", PIN_LINK));
	assert_int_equal(count_pins(l.dir), 9);
	apply_again(dp);
	/* what was applied stays applied, should we die now */
	datapath_close(dp);
	dp = open_idle();
	assert_int_equal(endpoints_now(dp), 0);
	/* a count of ours is added to */
	put_counter(dp->map_fd[MAP_COUNTER], 5, SMC_COUNTER_OFFERS, 3);
	assert_int_equal(datapath_take_over(dp), 0);
	assert_int_equal(counter_of(dp, 5, SMC_COUNTER_OFFERS), 3);
	flows = assert_second_half(dp);
	assert_true(flows.by_port[0].cookie == 0x123456789000);
	assert_int_equal(flows.keys[1].isn, 0x56789001);
	assert_int_equal(flows.keys[1].local_port, 0x1234);
	assert_int_equal(flows.keys[1].kind, SMC_KIND_SOCKET);
	assert_gone(1);
	assert_int_equal(datapath_take_over(dp), 0);
	assert_second_half(dp);
	assert_int_equal(heal(dp), 0);
	datapath_close(dp);
	dp = open_idle();
	assert_second_half(dp);
	datapath_close(dp);
	remove_all();
}

/* Another ABI that can be read, be it an older or a newer one. */
static void test_another_readable_abi_is_taken_over(void **state)
{
	struct flows_seen flows;
	struct datapath *dp;

	make_later(SMC_ABI_VERSION + 3, SMC_ABI_VERSION);
	dp = open_idle();
	assert_first_half(dp);
	apply_again(dp);
	assert_int_equal(datapath_take_over(dp), 0);
	flows = assert_second_half(dp);
	assert_int_equal(flows.keys[1].isn, 1);
	assert_int_equal(flows.keys[1].kind, SMC_ROLE_CLIENT);
	assert_gone(SMC_ABI_VERSION + 3);
	datapath_close(dp);
	remove_all();
}

/* What was recorded by both, while both ran, is shown once. */
static void test_flow_recorded_by_both_abis_is_shown_once(void **state)
{
	struct smc_flow_job job = {.key = {.isn = 99, .kind = SMC_ROLE_CLIENT},
				   .flow = {.pod_id = 5,
					    .role = SMC_ROLE_CLIENT,
					    .local_port = 1000,
					    .outcome = SMC_OUTCOME_SMCD,
					    .netns_cookie = 0xc00000}};
	struct flows_seen flows = {};
	struct datapath *dp;

	make_first();
	dp = open_idle();
	assert_int_equal(job_run(dp, JOB_FLOW_PUT, &job, sizeof(job)), 0);
	assert_int_equal(datapath_take_over(dp), 0);
	assert_int_equal(datapath_each_flow(dp, false, see_flow, &flows), 0);
	assert_int_equal(flows.n, 2);
	assert_int_equal(flows.keys[0].isn, 99);
	assert_int_equal(flows.by_port[0].flags, 0);
	assert_int_equal(flows.by_port[1].flags, SMC_FLOW_UPGRADED);
	datapath_close(dp);
	remove_all();
}

/* ---- death on the way ---- */

static char fault[64];

static int open_and_take(void)
{
	struct datapath *dp = NULL;

	setenv("SMCMESH_FAULT", fault, 1);
	return datapath_open(&opt, &dp) || datapath_take_over(dp);
}

static void die_at(const char *point, int passage, unsigned int abi)
{
	struct datapath *dp;

	if (abi == 1)
		make_first();
	else
		make_later(abi, SMC_ABI_VERSION);
	snprintf(fault, sizeof(fault), "takeover:%s:%d", point, passage);
	assert_int_equal(in_child(open_and_take), -SIGKILL);
	dp = open_idle();
	assert_int_equal(datapath_take_over(dp), 0);
	assert_second_half(dp);
	assert_gone(abi);
	assert_int_equal(heal(dp), 0);
	datapath_close(dp);
	remove_all();
}

/* An emulated CPU takes seconds for each: there only the first two. */
static void test_killed_upgrade_is_finished_by_the_next(void **state)
{
	static const struct {
		const char *point;
		int passages;
	} points[] = {{"added", 2},	{"map", 2},   {"forgotten", 2},
		      {"flow", 2},	{"taken", 1}, {"links", 1},
		      {"converter", 1}, {"hush", 1}};
	bool slow = getenv("SMCMESH_EMULATED");
	size_t n = slow ? 2 : array_size(points);

	for (size_t i = 0; i < n; i++) {
		for (int k = 1; k <= (slow ? 1 : points[i].passages); k++)
			die_at(points[i].point, k, 1);
		if (!slow)
			die_at(points[i].point, 1, SMC_ABI_VERSION + 1);
	}
}

/* ---- what is refused, and taken away ---- */

static void assert_refused(void)
{
	struct datapath *dp = NULL;

	assert_int_equal(datapath_open(&opt, &dp), -EPROTO);
	assert_null(dp);
}

static void remove_abi(unsigned int abi, struct buf *said)
{
	struct datapath_options one = opt;

	one.abi = abi;
	assert_int_equal(datapath_remove(&one, false, said), 0);
}

static void assert_says_of(const struct buf *said, const char *what,
			   unsigned int abi)
{
	char line[64];

	snprintf(line, sizeof(line), "%s (ABI %u)\n", what, abi);
	assert_says(said->data, line);
}

static void test_unreadable_abi_is_refused_and_left_alone(void **state)
{
	const unsigned int abi = SMC_ABI_VERSION + 5;
	struct left l = left_of(abi);
	unsigned int abis[4];
	_buf_ struct buf said = {};
	struct datapath *dp;
	__u32 link;
	int pins;

	/* beside one of ours, with its rows */
	dp = open_armed();
	datapath_close(dp);
	make_later(abi, abi);
	link = id_of(l.link_dir, "sockproto", PIN_LINK);
	pins = count_pins(l.dir);
	assert_refused();
	assert_int_equal(id_of(l.link_dir, "sockproto", PIN_LINK), link);
	assert_int_equal(count_pins(l.dir), pins);
	assert_int_equal(datapath_abis(&opt, abis, 4), 2);
	assert_int_equal(abis[0], SMC_ABI_VERSION);
	assert_int_equal(abis[1], abi);
	/* the way out leaves ours alone */
	remove_abi(abi, &said);
	assert_says_of(&said, "removed converter sockproto", abi);
	assert_says_of(&said, "removed map smc_netns", abi);
	assert_gone(abi);
	dp = open_idle();
	assert_int_equal(heal(dp), 0);
	datapath_close(dp);
	remove_all();
}

/* Its agent died when it made its first pin, or the first one again. */
static void
test_half_made_pin_of_another_abi_goes_with_its_directory(void **state)
{
	struct left l = left_of(SMC_ABI_VERSION + 1);
	char whole[PATH_MAX + 32], half[PATH_MAX + 32];
	struct datapath *dp;

	make_dirs(&l);
	close(make_map(&l, BPF_MAP_TYPE_HASH, "smc_netns", 8,
		       sizeof(struct smc_pod), 10));
	assert_refused(); /* the control: a whole one */
	snprintf(whole, sizeof(whole), "%s/smc_netns", l.dir);
	snprintf(half, sizeof(half), "%s/smc_netns_new", l.dir);
	assert_int_equal(rename(whole, half), 0);
	dp = open_idle();
	assert_int_equal(access(half, F_OK), 0);
	assert_int_equal(datapath_take_over(dp), 0);
	assert_gone(l.abi);
	datapath_close(dp);
	remove_all();
}

/* What says of itself something that cannot be. */
static void test_abi_that_contradicts_itself_is_refused(void **state)
{
	struct left l = left_of(SMC_ABI_VERSION + 1);
	_close_ int c = -1, netns = -1;
	struct datapath *dp;

	/* the agent died before it made its first map */
	make_dirs(&l);
	dp = open_idle();
	assert_int_equal(datapath_take_over(dp), 0);
	assert_gone(SMC_ABI_VERSION + 1);
	datapath_close(dp);
	/* maps without a version */
	make_dirs(&l);
	netns = make_map(&l, BPF_MAP_TYPE_HASH, "smc_netns", 8,
			 sizeof(struct smc_pod), 10);
	assert_refused();
	/* the version of another directory */
	c = make_map(&l, BPF_MAP_TYPE_ARRAY, "smc_config", 4, 32, 1);
	must_put(c, &(__u32){0}, (__u32[8]){SMC_ABI_VERSION + 2, 2});
	assert_refused();
	must_put(c, &(__u32){0}, (__u32[8]){SMC_ABI_VERSION + 1, 2});
	dp = open_idle();
	datapath_close(dp);
	/* a map that is not what it says it can read */
	cleanup_close(&netns);
	netns = make_map(&l, BPF_MAP_TYPE_HASH, "smc_netns", 8, 24, 10);
	assert_refused();
	remove_all();
}

static void test_remove_takes_one_abi_or_all(void **state)
{
	_buf_ struct buf said = {}, first = {};
	unsigned int abis[4];
	struct datapath *dp;

	make_first();
	make_later(SMC_ABI_VERSION + 1, SMC_ABI_VERSION);
	dp = open_armed();
	datapath_close(dp);
	assert_int_equal(datapath_abis(&opt, abis, 4), 3);
	remove_abi(1, &first);
	assert_says_of(&first, "removed link flow_connect4", 1);
	assert_null(strstr(first.data, "another_hook"));
	assert_int_equal(datapath_abis(&opt, abis, 4), 2);
	assert_int_equal(datapath_remove(&opt, false, &said), 0);
	assert_says(said.data, "removed map smc_endpoint\n");
	assert_says_of(&said, "removed map smc_netns", SMC_ABI_VERSION + 1);
	assert_null(strstr(said.data, "left"));
	assert_int_equal(access(root, F_OK), -1);
	assert_int_equal(datapath_abis(&opt, abis, 4), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_upgrade_from_abi_1_takes_over_everything),
		TEST(test_another_readable_abi_is_taken_over),
		TEST(test_flow_recorded_by_both_abis_is_shown_once),
		TEST(test_killed_upgrade_is_finished_by_the_next),
		TEST(test_unreadable_abi_is_refused_and_left_alone),
		TEST(test_half_made_pin_of_another_abi_goes_with_its_directory),
		TEST(test_abi_that_contradicts_itself_is_refused),
		TEST(test_remove_takes_one_abi_or_all),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

// SPDX-License-Identifier: Apache-2.0
/* user/datapath: plans into maps, and what the maps hold back out. See world.h.
 */
#include "base/clock.h"
#include "world.h"

#include <math.h>
#include <smcmesh/counters.h>

/* ---- maps ---- */

static void test_plan_is_applied_by_its_changes_alone(void **state)
{
	struct datapath *dp = open_idle();
	struct any_plan p _plan_;

	plan_init(&p, 3, 20);
	p.plan.n_cidrs = 2;
	p.plan.cidrs = calloc(2, sizeof(*p.plan.cidrs));
	cidr_parse("10.9.0.0/16", &p.plan.cidrs[0]);
	cidr_parse("fd00::/8", &p.plan.cidrs[1]);
	p.plan.n_ports = 1;
	p.plan.ports = calloc(1, sizeof(*p.plan.ports));
	p.plan.ports[0] = (struct plan_port){0, SMC_ROLE_CLIENT, 3306, 3306};
	/* 3 pods, 20 endpoints, 2 prefixes, 1 port; and the configuration */
	assert_did(apply(dp, &p), 26, 1, 0, 0);
	assert_did(apply(dp, &p), 0, 0, 0, 0);
	assert_int_equal(config_now(dp).transports, SMC_TRANSPORT_SMCD);
	p.plan.endpoints[4].value.transports = SMC_TRANSPORT_SMCR;
	p.plan.n_endpoints = 15;
	p.plan.n_cidrs = 1;
	p.plan.pods[1].armed = false;
	assert_did(apply(dp, &p), 0, 1, 7, 0);
	assert_int_equal(endpoints_now(dp), 15);
	p.plan.enabled = false;
	assert_did(apply(dp, &p), 0, 1, 0, 0);
	assert_int_equal(config_now(dp).enabled, 0);
	datapath_close(dp);
	remove_all();
}

static struct smc_service service_of(struct datapath *dp,
				     const struct plan_service *row)
{
	struct smc_service v = {};

	assert_int_equal(
		bpf_map_lookup_elem(dp->map_fd[MAP_SERVICE], &row->key, &v), 0);
	return v;
}

static void test_service_rows_are_applied_by_changes_alone(void **state)
{
	struct datapath *dp = open_idle();
	struct plan_service *rows;
	struct any_plan p _plan_;

	plan_init(&p, 0, 0);
	apply(dp, &p);
	rows = calloc(2, sizeof(*rows));
	rows[0].key.port = 80;
	rows[0].transports = SMC_TRANSPORT_SMCR;
	rows[1].key.port = 81;
	p.plan.services = rows;
	p.plan.n_services = 2;
	assert_did(apply(dp, &p), 2, 0, 0, 0);
	assert_did(apply(dp, &p), 0, 0, 0, 0);
	assert_int_equal(service_of(dp, &rows[0]).transports,
			 SMC_TRANSPORT_SMCR);
	assert_int_equal(service_of(dp, &rows[1]).transports, 0);
	p.plan.n_services = 1;
	assert_did(apply(dp, &p), 0, 0, 1, 0);
	datapath_close(dp);
	remove_all();
}

/* Only who moves it changes it: no plan does, and no restart. */
static void test_lease_outlives_plans_and_restarts(void **state)
{
	struct datapath *dp = open_idle();
	struct smc_config c;
	struct any_plan p _plan_;

	plan_init(&p, 1, 1);
	apply(dp, &p);
	/* nothing is offered before somebody says so */
	c = config_now(dp);
	assert_int_equal(c.offers_until_ns, 0);
	assert_true(datapath_offers_left(&c) == 0);
	assert_int_equal(datapath_offer_until(dp, SMC_NO_END), 0);
	c = config_now(dp);
	assert_true(isinf(datapath_offers_left(&c)));
	assert_int_equal(
		datapath_offer_until(dp, clock_now() + 300000000000ULL), 0);
	c = config_now(dp);
	assert_true(datapath_offers_left(&c) > 200 &&
		    datapath_offers_left(&c) <= 300);
	p.plan.n_endpoints = 0;
	apply(dp, &p);
	assert_int_equal(config_now(dp).offers_until_ns, c.offers_until_ns);
	datapath_close(dp);
	dp = open_idle();
	assert_int_equal(config_now(dp).offers_until_ns, c.offers_until_ns);
	assert_int_equal(datapath_offer_until(dp, clock_now() - 1), 0);
	c = config_now(dp);
	assert_true(datapath_offers_left(&c) == 0);
	datapath_close(dp);
	remove_all();
}

static struct smc_pod row_of(struct datapath *dp, enum map_id map, __u64 key)
{
	struct smc_pod v;

	assert_int_equal(bpf_map_lookup_elem(dp->map_fd[map], &key, &v), 0);
	return v;
}

static void test_marks_of_bpf_are_kept_by_the_next_plan(void **state)
{
	struct datapath *dp = open_idle();
	struct any_plan p _plan_;
	struct smc_pod v;
	__u64 key;

	plan_init(&p, 1, 0);
	apply(dp, &p);
	key = p.plan.pods[0].netns_cookie;
	v = row_of(dp, MAP_NETNS, key);
	v.flags |= SMC_POD_REFUSED | SMC_POD_LISTENS; /* as BPF does */
	assert_int_equal(
		bpf_map_update_elem(dp->map_fd[MAP_NETNS], &key, &v, BPF_ANY),
		0);
	assert_did(apply(dp, &p), 0, 0, 0, 0);
	p.plan.pods[0].value.transports = SMC_TRANSPORT_SMCR;
	assert_did(apply(dp, &p), 0, 1, 0, 0);
	v = row_of(dp, MAP_NETNS, key);
	assert_int_equal(v.flags, SMC_POD_REFUSED | SMC_POD_LISTENS);
	assert_int_equal(v.transports, SMC_TRANSPORT_SMCR);
	p.plan.pods[0].value.pod_id = 99;
	assert_did(apply(dp, &p), 0, 1, 0, 0);
	assert_int_equal(row_of(dp, MAP_NETNS, key).flags, 0);
	/* Not armed, but remembered. */
	p.plan.pods[0].armed = false;
	p.plan.pods[0].value.flags = SMC_POD_REFUSED;
	assert_did(apply(dp, &p), 0, 1, 0, 0);
	assert_int_equal(row_of(dp, MAP_NETNS, key).flags, SMC_POD_REFUSED);
	p.plan.pods[0].netns_cookie = 0;
	assert_did(apply(dp, &p), 0, 0, 1, 0);
	datapath_close(dp);
	remove_all();
}

static void test_host_pod_is_a_cgroup_row_in_a_shared_netns(void **state)
{
	struct datapath *dp = open_idle();
	struct any_plan p _plan_;
	int n = 0;

	plan_init(&p, 1, 0);
	p.plan.pods[0].netns_cookie = 0;
	p.plan.pods[0].cgroup_id = 4242;
	p.plan.shared_netns = 1;
	assert_did(apply(dp, &p), 2, 1, 0, 0);
	assert_int_equal(row_of(dp, MAP_NETNS, 1).flags, SMC_POD_SHARED);
	assert_int_equal(row_of(dp, MAP_CGROUP, 4242).flags, 0);
	/* no pod, so nobody is told of it */
	assert_int_equal(datapath_each_netns(dp, count_pod, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(datapath_each_cgroup(dp, count_pod, &n), 0);
	assert_int_equal(n, 1);

	p.plan.pods[0].armed = false;
	p.plan.n_denied = 1;
	p.plan.denied = calloc(1, sizeof(*p.plan.denied));
	p.plan.denied[0].cgroup_id = 4242;
	p.plan.denied[0].value =
		(struct smc_pod){.pod_id = 1, .flags = SMC_POD_DENY};
	assert_did(apply(dp, &p), 0, 1, 0, 0);
	assert_int_equal(row_of(dp, MAP_CGROUP, 4242).flags, SMC_POD_DENY);

	p.plan.n_denied = 0;
	p.plan.shared_netns = 0;
	assert_did(apply(dp, &p), 0, 0, 1, 0);
	assert_int_equal(row_of(dp, MAP_NETNS, 1).flags, SMC_POD_SHARED);
	datapath_close(dp);
	remove_all();
}

static void test_full_pod_map_keeps_the_rows_it_has(void **state)
{
	struct datapath *dp = open_idle();
	const struct bpf_map *map =
		bpf_object__find_map_by_name(dp->obj, "smc_netns");
	size_t most = bpf_map__max_entries(map);
	struct any_plan some _plan_, more _plan_;
	int n = 0;

	plan_init(&some, most - 10, 5);
	plan_init(&more, most + 7, 5);
	assert_did(apply(dp, &some), most - 10 + 5, 1, 0, 0);
	/* the seven with the highest cookies find no room */
	more.plan.pods[0].value.transports = 0;
	assert_did(apply(dp, &more), 10, 1, 0, 7);
	assert_int_equal(datapath_each_netns(dp, count_pod, &n), 0);
	assert_int_equal(n, most);
	for (size_t i = 0; i < most - 10; i++)
		row_of(dp, MAP_NETNS, some.plan.pods[i].netns_cookie);
	assert_int_equal(row_of(dp, MAP_NETNS, more.plan.pods[0].netns_cookie)
				 .transports,
			 0);
	/* again: still no room, nothing else happens */
	assert_did(apply(dp, &more), 0, 0, 0, 7);
	assert_did(apply(dp, &some), 0, 1, 10, 0);
	datapath_close(dp);
	remove_all();
}

/* CPU time, because others use this machine too; on an emulated CPU there is
 * no limit to keep. */
static void assert_under_a_second(clock_t start, const char *what)
{
	double spent = (double)(clock() - start) / CLOCKS_PER_SEC;

	print_message("# 150,000 endpoints, %s: %.3f s CPU\n", what, spent);
	if (!getenv("SMCMESH_EMULATED"))
		assert_true(spent < 1);
}

static void test_150000_endpoints_are_applied_in_a_second(void **state)
{
	struct datapath *dp = open_idle();
	struct any_plan p _plan_;
	clock_t start;

	plan_init(&p, 1, 150000);
	start = clock();
	assert_did(apply(dp, &p), 150001, 1, 0, 0);
	assert_under_a_second(start, "all new");
	start = clock();
	assert_did(apply(dp, &p), 0, 0, 0, 0);
	assert_under_a_second(start, "nothing to do");
	p.plan.n_endpoints = 10;
	assert_did(apply(dp, &p), 0, 0, 149990, 0);
	assert_int_equal(endpoints_now(dp), 10);
	datapath_close(dp);
	remove_all();
}

struct walked {
	unsigned char times[20000]; /* by value, which is the row's number */
	int rows, most;
};

static int see_row(const void *key, const void *value, void *arg)
{
	struct walked *w = arg;
	__u32 i;

	memcpy(&i, value, sizeof(i));
	w->times[i]++;
	return ++w->rows == w->most ? -ECANCELED : 0;
}

/* Each once; and no further than it is to go. */
static void assert_walked(int fd, const struct rows *shape, int n)
{
	struct walked w = {.most = n + 1}, part = {.most = n / 2};

	assert_int_equal(map_walk(fd, shape, see_row, &w), 0);
	assert_int_equal(w.rows, n);
	for (int i = 0; i < n; i++)
		assert_int_equal(w.times[i], 1);
	assert_int_equal(map_walk(fd, shape, see_row, &part), -ECANCELED);
	assert_int_equal(part.rows, n / 2);
}

/* A map type without batches, and one with crowded buckets. */
static void test_map_of_any_type_is_read_whole(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, no_prealloc,
		    .map_flags = BPF_F_NO_PREALLOC);
	static const struct {
		enum bpf_map_type type;
		__u32 room;
		int n;
	} kinds[] = {{BPF_MAP_TYPE_HASH, 20000, 20000},
		     {BPF_MAP_TYPE_LRU_HASH, 20000, 10000},
		     {BPF_MAP_TYPE_LPM_TRIE, 20000, 20000},
		     {BPF_MAP_TYPE_ARRAY, 300, 300}};

	for (size_t k = 0; k < array_size(kinds); k++) {
		bool trie = kinds[k].type == BPF_MAP_TYPE_LPM_TRIE;
		bool array = kinds[k].type == BPF_MAP_TYPE_ARRAY;
		_cleanup_(rows_free) struct rows r = {.key_size = array ? 4 : 8,
						      .value_size = 4};
		unsigned int full = 0;
		_close_ int fd = -1;
		int err = 0;

		fd = bpf_map_create(kinds[k].type, "test", r.key_size, 4,
				    kinds[k].room, trie ? &no_prealloc : NULL);
		assert_true(fd >= 0);
		for (__u32 i = 0; i < (__u32)kinds[k].n; i++) {
			__u32 key[2] = {array ? i : 32, i};

			assert_int_equal(rows_add(&r, key, &i), 0);
		}
		assert_int_equal(map_write(fd, &r, 0, r.n, &full, &err), r.n);
		assert_int_equal(err, 0);
		r.n = 0;
		assert_int_equal(map_read(fd, &r), 0);
		assert_int_equal(r.n, kinds[k].n);
		for (size_t i = 0; i < r.n; i++)
			assert_memory_equal((char *)rows_key(&r, i) +
						    r.key_size - 4,
					    rows_value(&r, i), 4);
		assert_walked(fd, &r, kinds[k].n);
		if (array)
			continue;
		assert_int_equal(map_delete(fd, &r, &err), kinds[k].n);
		assert_int_equal(err, 0);
		assert_int_equal(map_delete(fd, &r, &err), 0);
		assert_int_equal(err, 0);
		assert_int_equal(map_read(fd, &r), 0);
		assert_int_equal(r.n, 0);
	}
}

struct sums {
	__u64 by_slot[SMC_PODS];
	int rows;
};

static int add_counter(const struct smc_counter_key *key, __u64 value,
		       void *arg)
{
	struct sums *s = arg;

	s->by_slot[key->slot] += value;
	s->rows++;
	return 0;
}

static struct sums sums_now(struct datapath *dp)
{
	struct sums s = {};

	assert_int_equal(datapath_each_counter(dp, add_counter, &s), 0);
	return s;
}

/* @value, and on every further CPU one more. */
static void count_for(struct datapath *dp, __u32 slot, __u32 counter,
		      __u64 value)
{
	int cpus = libbpf_num_possible_cpus(), fd = dp->map_fd[MAP_COUNTER];
	struct smc_counters *each = calloc(cpus, sizeof(*each));

	assert_non_null(each);
	assert_int_equal(bpf_map_lookup_elem(fd, &slot, each), 0);
	for (int i = 0; i < cpus; i++)
		((__u64 *)&each[i])[counter] = value + i;
	assert_int_equal(bpf_map_update_elem(fd, &slot, each, BPF_ANY), 0);
	free(each);
}

static void test_counters_are_summed_and_forgotten_by_slot(void **state)
{
	struct datapath *dp = open_idle();
	__u64 cpus = libbpf_num_possible_cpus(), all = cpus * (cpus - 1) / 2;
	struct sums s;

	for (__u32 slot = 1; slot <= 3; slot++) {
		for (__u32 c = 0; c < 4; c++)
			count_for(dp, slot, c, slot * 100);
		count_for(dp, slot, SMC_COUNTER_REASON + 2, slot * 100);
		/* numbers that this version has no names for */
		count_for(dp, slot, SMC_COUNTER_MAX, 7);
		count_for(dp, slot, SMC_COUNTERS_ROOM - 1, 7);
	}
	s = sums_now(dp);
	assert_int_equal(s.rows, 15);
	for (__u32 slot = 1; slot <= 3; slot++)
		assert_int_equal(s.by_slot[slot],
				 5 * (slot * 100 * cpus + all));
	/* a pod's number is more than its slot */
	assert_int_equal(datapath_forget_pod(dp, SMC_PODS + 2), 0);
	s = sums_now(dp);
	assert_int_equal(s.rows, 10);
	assert_int_equal(s.by_slot[2], 0);
	datapath_close(dp);
	remove_all();
}

static bool is_number(__u32 slot, void *arg)
{
	return slot == *(__u32 *)arg;
}

/* Whoever went while no agent ran, also with counters we do not know. */
static void test_counters_of_unknown_pods_are_swept(void **state)
{
	struct datapath *dp = open_idle();
	__u32 ours = 2;
	struct sums s;

	assert_int_equal(datapath_sweep_counters(dp, is_number, &ours), 0);
	for (__u32 slot = 0; slot <= 3; slot++) {
		count_for(dp, slot, 0, 1);
		count_for(dp, slot, SMC_COUNTER_REASON, 1);
	}
	count_for(dp, SMC_POD_SLOTS, SMC_COUNTERS_ROOM - 1, 1);
	count_for(dp, SMC_SLOT_STRANGERS, 0, 1);
	/* of no pod are SMC_SLOT_NODE and SMC_SLOT_STRANGERS */
	assert_int_equal(datapath_sweep_counters(dp, is_number, &ours), 3);
	s = sums_now(dp);
	assert_int_equal(s.rows, 5);
	assert_true(s.by_slot[0] && s.by_slot[2] &&
		    s.by_slot[SMC_SLOT_STRANGERS]);
	assert_int_equal(datapath_sweep_counters(dp, is_number, &ours), 0);
	datapath_close(dp);
	remove_all();
}

static void test_lost_flow_is_told_as_evicted(void **state)
{
	struct datapath *dp = open_idle();

	assert_false(datapath_flows_evicted(dp));
	count_for(dp, 9, SMC_COUNTER_OFFERS, 1);
	assert_false(datapath_flows_evicted(dp));
	count_for(dp, 9, SMC_COUNTER_FLOWS_LOST, 1);
	assert_true(datapath_flows_evicted(dp));
	datapath_close(dp);
	remove_all();
}

static int stop_at_third(__u64 key, const struct smc_pod *v, void *arg)
{
	return ++*(int *)arg == 3 ? -ECANCELED : 0;
}

static void test_walk_over_pods_stops_when_told(void **state)
{
	struct datapath *dp = open_idle();
	struct any_plan p _plan_;
	int n = 0;

	plan_init(&p, 10, 0);
	apply(dp, &p);
	assert_int_equal(datapath_each_netns(dp, stop_at_third, &n),
			 -ECANCELED);
	assert_int_equal(n, 3);
	datapath_close(dp);
	remove_all();
}

/* ---- events: a TCP connection of an armed namespace ---- */

static __u64 own_cookie(void)
{
	_close_ int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(__u64);
	__u64 cookie = 0;

	assert_int_equal(
		getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len), 0);
	return cookie;
}

static void connect_once(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(to);
	_close_ int listener = socket(AF_INET, SOCK_STREAM, 0);
	_close_ int client = socket(AF_INET, SOCK_STREAM, 0);
	_close_ int server = -1;

	assert_int_equal(bind(listener, (void *)&to, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (void *)&to, &len), 0);
	assert_int_equal(connect(client, (void *)&to, len), 0);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
}

static void on_event(const struct smc_event *e, void *arg)
{
	++((int *)arg)[e->type];
}

static int count_flow(const struct smc_handshake *key, const struct smc_flow *v,
		      void *arg)
{
	++((int *)arg)[v->closed];
	return 0;
}

/* Also where the kernel has the other recorder, which does not see them. */
static struct datapath *open_recording(void)
{
	struct datapath *dp = open_idle();

	assert_int_equal(datapath_record(dp, MESH_RECORDER_SOCKOPS), 0);
	assert_int_equal(datapath_arm(dp), 0);
	return dp;
}

static void test_events_reach_only_who_follows(void **state)
{
	struct datapath *dp = open_recording();
	struct pollfd p = {.fd = datapath_events_fd(dp), .events = POLLIN};
	int seen[SMC_EVENT_REFUSED + 1] = {}, flows[2] = {};
	struct any_plan plan _plan_;

	plan_init(&plan, 1, 0);
	plan.plan.pods[0].netns_cookie = own_cookie();
	apply(dp, &plan);
	/* nobody is told but who follows */
	connect_once();
	assert_int_equal(datapath_events_read(dp, on_event, seen), 0);
	assert_int_equal(datapath_follow(dp, true), 0);
	/* more than are handed over at once */
	for (int i = 0; i < 1000; i++)
		connect_once();
	while (poll(&p, 1, 0) == 1)
		assert_in_range(datapath_events_read(dp, on_event, seen), 1,
				1024);
	assert_int_equal(seen[SMC_EVENT_OPENED], 2000);
	assert_int_equal(datapath_each_flow(dp, false, count_flow, flows), 0);
	assert_int_equal(flows[0] + flows[1], 2002);
	datapath_close(dp);
	remove_all();
}

/* ---- flows that only the agent knows the end of ---- */

static struct smc_usage usage_of(struct datapath *dp, __u32 slot)
{
	struct smc_usage u;

	assert_int_equal(bpf_map_lookup_elem(dp->map_fd[MAP_USAGE], &slot, &u),
			 0);
	return u;
}

static void test_flow_is_put_and_closed_once(void **state)
{
	struct datapath *dp = open_idle();
	struct smc_flow_job job = {
		.key = {.isn = 7, .netns = 8, .kind = SMC_KIND_SOCKET},
		.flow = {.pod_id = SMC_PODS + 5, .outcome = SMC_OUTCOME_TCP}};
	const struct smc_handshake *key = &job.key;
	int flows[2] = {};

	assert_int_equal(datapath_flow_seen(dp, key, &job.flow), -ENOENT);
	assert_int_equal(datapath_flow_close(dp, key, &job.flow), -ENOENT);
	assert_int_equal(job_run(dp, JOB_FLOW_PUT, &job, sizeof(job)), 0);
	assert_int_equal(job.result, 0);
	assert_int_equal(job_run(dp, JOB_FLOW_PUT, &job, sizeof(job)), 0);
	assert_int_equal(job.result, -EEXIST);
	assert_int_equal(usage_of(dp, 5).flows, 1);
	assert_int_equal(usage_of(dp, 0).flows, 1);
	job.flow.rx_bytes = 99;
	assert_int_equal(datapath_flow_seen(dp, key, &job.flow), 0);
	assert_int_equal(datapath_flow_close(dp, key, &job.flow), 0);
	assert_int_equal(datapath_flow_close(dp, key, &job.flow), -ENOENT);
	assert_int_equal(usage_of(dp, 5).flows, 0);
	assert_int_equal(usage_of(dp, 0).flows, 0);
	assert_int_equal(datapath_each_flow(dp, true, count_flow, flows), 0);
	assert_int_equal(flows[0] + flows[1], 0);
	assert_int_equal(datapath_each_flow(dp, false, count_flow, flows), 0);
	assert_int_equal(flows[1], 1);
	datapath_close(dp);
	remove_all();
}

/* ---- what the programs need not look up ---- */

static void test_config_says_which_maps_have_rows(void **state)
{
	struct datapath *dp = open_idle();
	__u32 plain = config_now(dp).uses;
	struct any_plan p _plan_;

	plan_init(&p, 1, 1);
	p.plan.cidrs = calloc(1, sizeof(*p.plan.cidrs));
	cidr_parse("10.9.0.0/16", &p.plan.cidrs[0]);
	p.plan.ports = calloc(1, sizeof(*p.plan.ports));
	p.plan.ports[0] = (struct plan_port){0, SMC_ROLE_CLIENT, 3306, 3306};
	apply(dp, &p);
	assert_int_equal(config_now(dp).uses, plain);
	p.plan.n_cidrs = 1;
	assert_did(apply(dp, &p), 1, 1, 0, 0);
	assert_int_equal(config_now(dp).uses, plain | SMC_USE_CIDRS);
	assert_int_equal(datapath_follow(dp, true), 0);
	p.plan.n_ports = 1;
	p.plan.n_cidrs = 0;
	assert_did(apply(dp, &p), 1, 1, 1, 0);
	assert_int_equal(config_now(dp).uses,
			 plain | SMC_USE_PORTS | SMC_USE_FOLLOWED);
	assert_int_equal(datapath_follow(dp, false), 0);
	assert_int_equal(config_now(dp).uses, plain | SMC_USE_PORTS);
	p.plan.pods[0].value.flags = SMC_POD_SIDECAR;
	apply(dp, &p);
	assert_int_equal(config_now(dp).uses,
			 plain | SMC_USE_PORTS | SMC_USE_SIDECARS);
	p.plan.pods[0].value.flags = 0;
	apply(dp, &p);
	assert_int_equal(config_now(dp).uses, plain | SMC_USE_PORTS);
	datapath_close(dp);
	/* a restart leaves what the rows need */
	dp = open_idle();
	assert_int_equal(config_now(dp).uses, plain | SMC_USE_PORTS);
	datapath_close(dp);
	remove_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plan_is_applied_by_its_changes_alone),
		TEST(test_service_rows_are_applied_by_changes_alone),
		TEST(test_lease_outlives_plans_and_restarts),
		TEST(test_marks_of_bpf_are_kept_by_the_next_plan),
		TEST(test_host_pod_is_a_cgroup_row_in_a_shared_netns),
		TEST(test_full_pod_map_keeps_the_rows_it_has),
		TEST(test_150000_endpoints_are_applied_in_a_second),
		TEST(test_map_of_any_type_is_read_whole),
		TEST(test_counters_are_summed_and_forgotten_by_slot),
		TEST(test_counters_of_unknown_pods_are_swept),
		TEST(test_lost_flow_is_told_as_evicted),
		TEST(test_flow_is_put_and_closed_once),
		TEST(test_config_says_which_maps_have_rows),
		TEST(test_walk_over_pods_stops_when_told),
		TEST(test_events_reach_only_who_follows),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

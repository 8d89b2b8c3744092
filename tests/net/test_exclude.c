// SPDX-License-Identifier: Apache-2.0
/* user/datapath: what denies and finds no room. See world.h. The maps are small
 * ones in the place of ours, so that they are full soon. */
#include "world.h"

static void make_small(struct datapath *dp, enum map_id id, __u32 entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	bool trie = id == MAP_PORT || id == MAP_CIDR;
	int fd =
		bpf_map_create(trie ? BPF_MAP_TYPE_LPM_TRIE : BPF_MAP_TYPE_HASH,
			       map_rows[id].name, map_rows[id].key_size,
			       map_rows[id].value_size, entries, &opts);

	assert_true(fd >= 0);
	close(dp->map_fd[id]);
	dp->map_fd[id] = fd;
}

/* Of a pod's own (0: of every pod) so many ports, out. Pods in order. */
static void exclude_ports(struct any_plan *p, __u32 pod_id, __u16 n)
{
	struct mesh_plan *plan = &p->plan;

	plan->ports = reallocarray(plan->ports, plan->n_ports + n + 1,
				   sizeof(*plan->ports));
	assert_non_null(plan->ports);
	for (__u16 i = 0; i < n; i++)
		plan->ports[plan->n_ports++] = (struct plan_port){
			pod_id, SMC_ROLE_CLIENT, 1000 + i, 1000 + i};
}

static void forget_ports(struct any_plan *p)
{
	free(p->plan.ports);
	p->plan.ports = NULL;
	p->plan.n_ports = 0;
}

static void exclude_cidrs(struct any_plan *p, int from, int n)
{
	char text[32];

	free(p->plan.cidrs);
	p->plan.n_cidrs = n;
	p->plan.cidrs = calloc(n, sizeof(*p->plan.cidrs));
	assert_non_null(p->plan.cidrs);
	for (int i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "10.%d.0.0/16", from + i);
		assert_int_equal(cidr_parse(text, &p->plan.cidrs[i]), 0);
	}
}

static bool is_armed(struct datapath *dp, const struct any_plan *p, size_t i)
{
	const struct plan_pod *pod = &p->plan.pods[i];
	enum map_id id = pod->netns_cookie ? MAP_NETNS : MAP_CGROUP;
	struct smc_pod row;

	return !bpf_map_lookup_elem(dp->map_fd[id],
				    pod->netns_cookie ? &pod->netns_cookie
						      : &pod->cgroup_id,
				    &row) &&
	       !(row.flags & SMC_POD_DENY);
}

static void assert_armed(struct datapath *dp, const struct any_plan *p,
			 bool first, bool second, bool third)
{
	assert_int_equal(is_armed(dp, p, 0), first);
	assert_int_equal(is_armed(dp, p, 1), second);
	assert_int_equal(is_armed(dp, p, 2), third);
	assert_int_equal(config_now(dp).enabled, 1);
}

/* A pod whose own ports are not all there is not armed; the others are. */
static void test_pod_without_room_for_its_ports_is_not_armed(void **state)
{
	struct datapath *dp = open_idle();
	struct datapath_changes did;
	struct any_plan p _plan_;

	make_small(dp, MAP_PORT, 8);
	plan_init(&p, 3, 1);
	exclude_ports(&p, 1, 4);
	exclude_ports(&p, 2, 6);
	did = apply(dp, &p);
	assert_int_equal(did.full, 2);
	assert_int_equal(did.missing, 2);
	assert_false(did.off);
	assert_true(did.no_room[2]);
	assert_false(did.no_room[1] || did.no_room[3]);
	assert_armed(dp, &p, true, false, true);
	/* again: it is no better, and no worse */
	assert_did(apply(dp, &p), 0, 0, 0, 2);
	assert_armed(dp, &p, true, false, true);
	/* what another one no longer excludes makes room for the next time */
	forget_ports(&p);
	exclude_ports(&p, 2, 6);
	did = apply(dp, &p);
	assert_true(did.no_room[2]);
	assert_armed(dp, &p, true, false, true);
	assert_did(apply(dp, &p), 3, 0, 0, 0); /* two ports, and the pod */
	assert_armed(dp, &p, true, true, true);
	/* one that is armed excludes more than there is room for */
	exclude_ports(&p, 3, 3);
	did = apply(dp, &p);
	assert_true(did.no_room[3]);
	assert_armed(dp, &p, true, true, false);
	datapath_close(dp);
	remove_all();
}

/* Without a row its cgroup would pass untouched. */
static void test_cgroup_without_room_for_its_ports_is_denied(void **state)
{
	struct datapath *dp = open_idle();
	struct any_plan p _plan_;
	struct smc_pod row;
	__u64 id = 4242;

	make_small(dp, MAP_PORT, 2);
	plan_init(&p, 1, 0);
	p.plan.pods[0].netns_cookie = 0;
	p.plan.pods[0].cgroup_id = id;
	p.plan.shared_netns = 1;
	exclude_ports(&p, 1, 3);
	apply(dp, &p);
	assert_int_equal(bpf_map_lookup_elem(dp->map_fd[MAP_CGROUP], &id, &row),
			 0);
	assert_int_equal(row.flags, SMC_POD_DENY);
	forget_ports(&p);
	exclude_ports(&p, 1, 2);
	apply(dp, &p);
	assert_true(is_armed(dp, &p, 0));
	datapath_close(dp);
	remove_all();
}

/* What holds for all switches all off; and what replaces a full map's content
 * is no reason to. */
static void test_cidrs_without_room_switch_all_off(void **state)
{
	struct datapath *dp = open_idle();
	struct datapath_changes did;
	struct any_plan p _plan_;

	make_small(dp, MAP_CIDR, 4);
	plan_init(&p, 1, 1);
	exclude_cidrs(&p, 0, 4);
	assert_false(apply(dp, &p).off);
	assert_int_equal(config_now(dp).enabled, 1);
	exclude_cidrs(&p, 0, 5);
	did = apply(dp, &p);
	assert_true(did.off);
	assert_int_equal(did.missing, 1);
	assert_int_equal(config_now(dp).enabled, 0);
	assert_true(apply(dp, &p).off);
	exclude_cidrs(&p, 1, 4);
	did = apply(dp, &p);
	assert_false(did.off);
	assert_int_equal(did.full, 0);
	assert_int_equal(config_now(dp).enabled, 1);
	exclude_cidrs(&p, 100, 4);
	did = apply(dp, &p);
	assert_false(did.off);
	assert_int_equal(did.added, 4);
	assert_int_equal(did.removed, 4);
	assert_int_equal(config_now(dp).enabled, 1);
	datapath_close(dp);
	remove_all();
}

static void test_ports_of_all_without_room_switch_all_off(void **state)
{
	struct datapath *dp = open_idle();
	struct datapath_changes did;
	struct any_plan p _plan_;

	make_small(dp, MAP_PORT, 4);
	plan_init(&p, 1, 1);
	exclude_ports(&p, 0, 5);
	did = apply(dp, &p);
	assert_true(did.off);
	assert_false(did.no_room[0]);
	assert_int_equal(config_now(dp).enabled, 0);
	forget_ports(&p);
	exclude_ports(&p, 0, 4);
	assert_false(apply(dp, &p).off);
	assert_int_equal(config_now(dp).enabled, 1);
	datapath_close(dp);
	remove_all();
}

static void test_denied_cgroups_without_room_switch_all_off(void **state)
{
	struct datapath *dp = open_idle();
	struct any_plan p _plan_;

	make_small(dp, MAP_CGROUP, 1);
	plan_init(&p, 1, 1);
	p.plan.n_denied = 2;
	p.plan.denied = calloc(2, sizeof(*p.plan.denied));
	for (int i = 0; i < 2; i++)
		p.plan.denied[i] = (struct plan_denied){
			4242 + i, {.pod_id = 9, .flags = SMC_POD_DENY}};
	assert_true(apply(dp, &p).off);
	assert_int_equal(config_now(dp).enabled, 0);
	p.plan.n_denied = 1;
	assert_false(apply(dp, &p).off);
	assert_int_equal(config_now(dp).enabled, 1);
	/* control: a row that allows is just left out */
	p.plan.pods[0].netns_cookie = 0;
	p.plan.pods[0].cgroup_id = 4300;
	assert_false(apply(dp, &p).off);
	assert_false(is_armed(dp, &p, 0));
	assert_int_equal(config_now(dp).enabled, 1);
	datapath_close(dp);
	remove_all();
}

/* @n rows from that port on, of which the first @offered offer. */
static void services(struct any_plan *p, __u16 port, int n, int offered)
{
	free(p->plan.services);
	p->plan.n_services = n;
	p->plan.services = calloc(n, sizeof(*p->plan.services));
	assert_non_null(p->plan.services);
	for (int i = 0; i < n; i++) {
		p->plan.services[i].key.port = port + i;
		p->plan.services[i].transports =
			i < offered ? SMC_TRANSPORT_SMCD : 0;
	}
}

/* A Service's row that only says no, and the same of one that offers. */
static void test_denying_services_without_room_switch_all_off(void **state)
{
	struct datapath *dp = open_idle();
	struct datapath_changes did;
	struct any_plan p _plan_;

	make_small(dp, MAP_SERVICE, 4);
	plan_init(&p, 1, 1);
	services(&p, 80, 4, 2);
	assert_false(apply(dp, &p).off);
	/* all four make way for others */
	services(&p, 90, 4, 0);
	did = apply(dp, &p);
	assert_false(did.off);
	assert_int_equal(did.full, 0);
	assert_int_equal(did.added, 4);
	services(&p, 100, 4, 0);
	did = apply(dp, &p);
	assert_false(did.off);
	assert_int_equal(did.added, 4);
	assert_int_equal(did.removed, 4);
	assert_int_equal(config_now(dp).enabled, 1);
	/* one too many */
	services(&p, 100, 5, 0);
	did = apply(dp, &p);
	assert_true(did.off);
	assert_int_equal(config_now(dp).enabled, 0);
	/* control: of those that offer it is just left out */
	services(&p, 99, 5, 1);
	did = apply(dp, &p);
	assert_false(did.off);
	assert_int_equal(did.full, 1);
	assert_int_equal(config_now(dp).enabled, 1);
	datapath_close(dp);
	remove_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pod_without_room_for_its_ports_is_not_armed),
		TEST(test_cgroup_without_room_for_its_ports_is_denied),
		TEST(test_cidrs_without_room_switch_all_off),
		TEST(test_ports_of_all_without_room_switch_all_off),
		TEST(test_denied_cgroups_without_room_switch_all_off),
		TEST(test_denying_services_without_room_switch_all_off),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

// SPDX-License-Identifier: Apache-2.0
/* user/datapath: an agent that dies between the two passes of an apply leaves
 * what the old plan and the new one both allow, and no more. See world.h. */
#include "world.h"

static struct any_plan old_plan, new_plan;

static int apply_and_die(void)
{
	struct datapath_changes did;
	struct datapath *dp = NULL;

	setenv("SMCMESH_FAULT", "maps:taken", 1);
	if (datapath_open(&opt, &dp))
		return 1;
	return datapath_apply(dp, &new_plan.plan, &new_plan.config, &did) ? 2
									  : 0;
}

static struct smc_pod cgroup_row(struct datapath *dp, __u64 id)
{
	struct smc_pod pod;

	assert_int_equal(bpf_map_lookup_elem(dp->map_fd[MAP_CGROUP], &id, &pod),
			 0);
	return pod;
}

static __u32 transports_of(struct datapath *dp, size_t i)
{
	struct smc_endpoint e;

	assert_int_equal(bpf_map_lookup_elem(dp->map_fd[MAP_ENDPOINT],
					     &new_plan.plan.endpoints[i].addr,
					     &e),
			 0);
	return e.transports;
}

static void deny_cgroup(struct any_plan *p, __u64 id)
{
	p->plan.n_denied = 1;
	p->plan.denied = calloc(1, sizeof(*p->plan.denied));
	p->plan.denied[0].cgroup_id = id;
	p->plan.denied[0].value =
		(struct smc_pod){.pod_id = 1, .flags = SMC_POD_DENY};
}

static void exclude(struct any_plan *p, const char *cidr)
{
	p->plan.n_cidrs = 1;
	p->plan.cidrs = calloc(1, sizeof(*p->plan.cidrs));
	cidr_parse(cidr, &p->plan.cidrs[0]);
}

static bool excludes(struct datapath *dp, const char *ip)
{
	struct smc_cidr_key key = {.prefixlen = 128};
	struct smc_addr a = addr(ip);
	struct smc_cidr row;

	memcpy(key.ip, a.ip, sizeof(key.ip));
	return !bpf_map_lookup_elem(dp->map_fd[MAP_CIDR], &key, &row);
}

/* Of the endpoints' number @i: the port of a row of smc_service. */
static void service_row(struct any_plan *p, size_t i, __u16 port,
			__u32 transports)
{
	struct mesh_plan *plan = &p->plan;
	struct plan_service *row;

	plan->services = reallocarray(plan->services, plan->n_services + 1,
				      sizeof(*plan->services));
	row = &plan->services[plan->n_services++];
	*row = (struct plan_service){.transports = transports};
	row->key = addr_port(&new_plan.plan.endpoints[i].addr, port);
}

/* The transports of the row there; -1: there is none. */
static int service_at(struct datapath *dp, size_t i, __u16 port)
{
	const struct smc_addr_port key =
		addr_port(&new_plan.plan.endpoints[i].addr, port);
	struct smc_service s;

	return bpf_map_lookup_elem(dp->map_fd[MAP_SERVICE], &key, &s)
		       ? -1
		       : (int)s.transports;
}

/* A hostNetwork pod that was denied is armed again in the moment in which
 * addresses are excluded: never is it armed without them. */
static void test_plan_applied_by_half_allows_what_both_do(void **state)
{
	struct datapath *dp = open_idle();

	plan_init(&old_plan, 0, 4);
	plan_init(&new_plan, 1, 5);
	deny_cgroup(&old_plan, 4242);
	exclude(&old_plan, "10.8.0.0/16");
	new_plan.plan.pods[0].netns_cookie = 0;
	new_plan.plan.pods[0].cgroup_id = 4242;
	exclude(&new_plan, "10.9.0.0/16");
	old_plan.plan.endpoints[1].value.transports = 1;
	new_plan.plan.endpoints[1].value.transports = 3;
	old_plan.plan.endpoints[2].value.transports = 1;
	new_plan.plan.endpoints[2].value.transports = 2;
	old_plan.plan.endpoints[3].value.transports = 3;
	new_plan.plan.endpoints[3].value.transports = 1;
	service_row(&old_plan, 0, 80, 0); /* goes */
	service_row(&new_plan, 0, 81, 0);
	service_row(&new_plan, 0, 82, 3);
	service_row(&new_plan, 4, 83, 0); /* with its endpoint */
	apply(dp, &old_plan);
	assert_int_equal(in_child(apply_and_die), -SIGKILL);
	assert_int_equal(service_at(dp, 0, 80), 0);
	assert_int_equal(service_at(dp, 0, 81), 0);
	assert_int_equal(service_at(dp, 0, 82), -1);
	assert_int_equal(service_at(dp, 4, 83), 0);
	assert_true(excludes(dp, "10.8.0.1"));
	assert_true(excludes(dp, "10.9.0.1"));
	assert_int_equal(cgroup_row(dp, 4242).flags, SMC_POD_DENY);
	assert_int_equal(transports_of(dp, 0), SMC_TRANSPORT_SMCD);
	assert_int_equal(transports_of(dp, 1), 1);
	assert_int_equal(transports_of(dp, 2), 0);
	assert_int_equal(transports_of(dp, 3), 1);
	assert_int_equal(endpoints_now(dp), 4);
	/* control: whoever lives on has all of the new plan */
	assert_did(apply(dp, &new_plan), 2, 3, 2, 0);
	assert_int_equal(service_at(dp, 0, 80), -1);
	assert_int_equal(service_at(dp, 0, 82), 3);
	assert_false(excludes(dp, "10.8.0.1"));
	assert_int_equal(cgroup_row(dp, 4242).flags, 0);
	assert_int_equal(transports_of(dp, 2), 2);
	datapath_close(dp);
	any_plan_free(&old_plan);
	any_plan_free(&new_plan);
	remove_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plan_applied_by_half_allows_what_both_do),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

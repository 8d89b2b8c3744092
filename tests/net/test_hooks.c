// SPDX-License-Identifier: Apache-2.0
/* user/datapath: what runs, and when; who records. See world.h. */
#include "world.h"

/* Not one of somebody else who tests on this machine. */
static bool is_of_our_cgroup(const struct bpf_link_info *info)
{
	struct stat st;

	assert_int_equal(stat(cgroup, &st), 0);
	return info->type != BPF_LINK_TYPE_CGROUP ||
	       info->cgroup.cgroup_id == st.st_ino;
}

static bool is_link_to(__u32 id, const char *program)
{
	_close_ int fd = bpf_link_get_fd_by_id(id), prog = -1;
	struct bpf_link_info info = {};
	struct bpf_prog_info of = {};
	__u32 len = sizeof(info), of_len = sizeof(of);

	if (fd < 0 || bpf_link_get_info_by_fd(fd, &info, &len) ||
	    !is_of_our_cgroup(&info))
		return false;
	prog = bpf_prog_get_fd_by_id(info.prog_id);
	return prog >= 0 && !bpf_prog_get_info_by_fd(prog, &of, &of_len) &&
	       !strcmp(of.name, program);
}

/* Is there a link to a program of that name, pinned or not? */
static bool runs(const char *program)
{
	__u32 id = 0;

	while (!bpf_link_get_next_id(id, &id))
		if (is_link_to(id, program))
			return true;
	return false;
}

static void wait_stopped(const char *program)
{
	struct timespec pause = {.tv_nsec = 5000000};

	for (int i = 0; i < 2000 && runs(program); i++)
		nanosleep(&pause, NULL);
	assert_false(runs(program));
}

static void assert_nothing_runs(void)
{
	for (size_t i = 0; i < LINKS; i++)
		if (link_rows[i].flags & LINK_ARMED)
			wait_stopped(link_rows[i].name);
}

static void test_arm_attaches_hooks_and_disarm_may_keep_guards(void **state)
{
	struct datapath *dp = open_idle();

	assert_nothing_runs();
	assert_int_equal(datapath_record(dp, MESH_RECORDER_SOCKOPS), 0);
	assert_nothing_runs();
	assert_int_equal(datapath_arm(dp), 0);
	assert_int_equal(datapath_arm(dp), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(runs(armed_links[i]), has_tracing);
	assert_true(runs("flow_sockops"));
	assert_int_equal(heal(dp), 0);
	/* what is open is guarded, and recorded to its end */
	datapath_disarm(dp, true);
	assert_true(datapath_is_armed(dp));
	wait_stopped("sockproto");
	assert_int_equal(runs("connect_guard"), has_tracing);
	assert_true(prog_of("flow_sockops"));
	assert_int_equal(heal(dp), 0);
	assert_int_equal(datapath_arm(dp), 0);
	assert_int_equal(runs("sockproto"), has_tracing);
	datapath_disarm(dp, false);
	assert_false(datapath_is_armed(dp));
	assert_nothing_runs();
	assert_int_equal(heal(dp), 0);
	datapath_close(dp);
	assert_nothing_runs();
	remove_all();
}

/* A restart attaches at once what armed pods need, and nothing for others. */
static void test_restart_attaches_hooks_only_for_armed_pods(void **state)
{
	static const __u32 others[] = {SMC_POD_DENY, SMC_POD_REFUSED};
	struct datapath *dp = open_armed();
	struct any_plan p _plan_;

	plan_init(&p, 1, 0);
	apply(dp, &p);
	datapath_close(dp);
	dp = open_idle();
	assert_true(datapath_is_armed(dp));
	assert_int_equal(runs("sockproto"), has_tracing);
	for (size_t i = 0; i < array_size(others); i++) {
		p.plan.pods[0].value.flags = others[i];
		apply(dp, &p);
		datapath_close(dp);
		dp = open_idle();
		wait_stopped("sockproto");
	}
	datapath_disarm(dp, false);
	datapath_close(dp);
	dp = open_idle();
	assert_false(datapath_is_armed(dp));
	assert_nothing_runs();
	datapath_close(dp);
	remove_all();
}

/* What guarded open sockets when the agent died goes on to do so. */
static void test_restart_keeps_guards_of_open_sockets(void **state)
{
	struct datapath *dp = open_sockops();

	datapath_disarm(dp, true);
	datapath_close(dp);
	dp = open_idle();
	assert_true(runs("flow_sockops"));
	assert_int_equal(runs("connect_guard"), has_tracing);
	assert_false(runs("sockproto"));
	datapath_disarm(dp, false);
	assert_nothing_runs();
	datapath_close(dp);
	remove_all();
}

/* A pod has opened an SMC listener, as BPF says it. */
static void listen_in(struct datapath *dp, const struct plan_pod *pod)
{
	struct smc_pod row = pod->value;

	row.flags |= SMC_POD_LISTENS;
	must_put(dp->map_fd[MAP_NETNS], &pod->netns_cookie, &row);
}

static void test_syn_waits_is_attached_once_a_pod_listens(void **state)
{
	struct datapath *dp = open_armed();
	struct any_plan p _plan_, none _plan_;

	plan_init(&none, 0, 0);
	plan_init(&p, 2, 0);
	apply(dp, &p);
	datapath_listen(dp);
	assert_false(runs("syn_waits"));
	listen_in(dp, &p.plan.pods[1]);
	assert_false(runs("syn_waits"));
	datapath_listen(dp);
	datapath_listen(dp);
	assert_int_equal(runs("syn_waits"), has_tracing);
	assert_int_equal(heal(dp), 0);
	/* the next agent knows by the row, or by the pin */
	datapath_close(dp);
	assert_int_equal(pin_drop(link_dir, "syn_waits"), has_tracing);
	wait_stopped("syn_waits");
	dp = open_idle();
	assert_int_equal(runs("syn_waits"), has_tracing);
	apply(dp, &none);
	datapath_close(dp);
	dp = open_idle();
	assert_int_equal(runs("syn_waits"), has_tracing);
	datapath_disarm(dp, true);
	assert_int_equal(runs("syn_waits"), has_tracing);
	datapath_disarm(dp, false);
	assert_nothing_runs();
	/* from the start: with the next listener */
	assert_int_equal(datapath_arm(dp), 0);
	assert_false(runs("syn_waits"));
	datapath_close(dp);
	remove_all();
}

static void test_recorder_is_the_wished_one_that_can_be_had(void **state)
{
	bool smc = has_smc && has_tracing;
	struct datapath *dp = open_idle();
	__u32 pending = smc ? SMC_USE_PENDING : 0; /* whoever records */
	__u32 plain = pending | (smc ? SMC_USE_PLAIN : 0);

	assert_string_equal(datapath_recorder(dp), smc ? "smc" : "sockops");
	assert_int_equal(runs("smc_closed"), smc);
	assert_int_equal(config_now(dp).uses, plain);
	assert_int_equal(datapath_arm(dp), 0);
	assert_int_equal(runs("flow_passive"), smc);
	assert_int_equal(runs("flow_sockops"), !smc);

	assert_int_equal(datapath_record(dp, MESH_RECORDER_SOCKOPS), 0);
	assert_string_equal(datapath_recorder(dp), "sockops");
	assert_true(runs("flow_sockops"));
	wait_stopped("smc_closed");
	wait_stopped("flow_passive");
	assert_int_equal(config_now(dp).uses, pending);
	assert_int_equal(heal(dp), 0);

	/* where it cannot be had the other goes on */
	assert_int_equal(datapath_record(dp, MESH_RECORDER_SMC), 0);
	assert_string_equal(datapath_recorder(dp), smc ? "smc" : "sockops");
	assert_int_equal(runs("smc_closed"), smc);
	assert_int_equal(config_now(dp).uses, plain);
	assert_int_equal(datapath_record(dp, MESH_RECORDER_AUTO), 0);
	assert_int_equal(runs("flow_passive"), smc);
	if (smc)
		wait_stopped("flow_sockops");
	assert_int_equal(datapath_follow(dp, true), 0);
	assert_int_equal(config_now(dp).uses, plain | SMC_USE_FOLLOWED);
	datapath_close(dp);
	/* whoever followed did so by the agent that has gone */
	dp = open_idle();
	assert_int_equal(config_now(dp).uses, plain);
	datapath_close(dp);
	remove_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_arm_attaches_hooks_and_disarm_may_keep_guards),
		TEST(test_restart_attaches_hooks_only_for_armed_pods),
		TEST(test_restart_keeps_guards_of_open_sockets),
		TEST(test_syn_waits_is_attached_once_a_pod_listens),
		TEST(test_recorder_is_the_wished_one_that_can_be_had),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

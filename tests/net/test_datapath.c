// SPDX-License-Identifier: Apache-2.0
/* user/datapath: open, adopt, refuse, heal, die, remove. See world.h. */
#include "world.h"

/* ---- features ---- */

static void test_probe_tells_features_and_methods(void **state)
{
	struct datapath_method methods[8];
	char top[PATH_MAX];
	struct features fs;
	size_t n;

	features_probe(&opt, &fs);
	assert_true(feature_present(&fs, FEATURE_BTF));
	assert_true(feature_present(&fs, FEATURE_BPFFS));
	assert_true(feature_present(&fs, FEATURE_CGROUP2));
	assert_true(feature_present(&fs, FEATURE_CAPABILITIES));
	for (int i = 0; i < FEATURE_MAX; i++)
		print_message("# %s: %s %s\n", feature_text(i)->label,
			      fs.v[i].state == FEATURE_PRESENT	 ? "yes"
			      : fs.v[i].state == FEATURE_MISSING ? "no"
								 : "unknown",
			      fs.v[i].detail);
	assert_int_equal(features_find_cgroup2("/proc", top, sizeof(top)), 0);
	assert_true(features_is_cgroup_root(top));
	assert_false(features_is_cgroup_root(cgroup));
	if (!feature_present(&fs, FEATURE_IPPROTO_SMC))
		assert_false(feature_present(&fs, FEATURE_HS_CTRL));
	n = datapath_methods(&fs, methods, array_size(methods));
	assert_int_equal(n, 5);
	assert_string_equal(methods[0].name, "sockproto");
	assert_string_equal(methods[1].name, "hs_ctrl");
	assert_int_equal(methods[1].possible,
			 feature_present(&fs, FEATURE_HS_CTRL));
	assert_string_equal(methods[2].name, "synfilter");
	assert_int_equal(methods[2].possible,
			 feature_present(&fs, FEATURE_TCX) &&
				 feature_present(&fs, FEATURE_KERN_CTX));
	assert_string_equal(methods[3].kind, "recorder");
	assert_string_equal(methods[3].name, "smc");
	assert_string_equal(methods[4].name, "sockops");
	assert_true(methods[4].possible);
	features_probe(&(struct datapath_options){.cgroup = "/proc"}, &fs);
	assert_int_equal(fs.v[FEATURE_CGROUP2].state, FEATURE_MISSING);
}

/* ---- open, close, open ---- */

static void test_without_smc_nothing_is_pinned(void **state)
{
	struct datapath_options plain = opt;
	struct any_plan p _plan_;
	struct datapath *dp;
	int n = 0;

	plan_init(&p, 3, 10);
	if (has_smc)
		skip();
	plain.idle = false;
	assert_int_equal(datapath_open(&plain, &dp), 0);
	assert_string_equal(datapath_converter(dp), "none");
	assert_string_equal(datapath_selector(dp), "none");
	assert_null(datapath_ctrl_name(dp));
	assert_int_equal(datapath_events_fd(dp), -1);
	assert_did(apply(dp, &p), 0, 0, 0, 0);
	assert_int_equal(heal(dp), 0);
	assert_int_equal(datapath_retire_selectors(dp), 0);
	assert_string_equal(datapath_recorder(dp), "none");
	assert_int_equal(datapath_record(dp, MESH_RECORDER_SOCKOPS), 0);
	assert_int_equal(datapath_arm(dp), 0);
	assert_false(datapath_is_armed(dp));
	datapath_disarm(dp, true);
	assert_int_equal(datapath_follow(dp, true), 0);
	assert_int_equal(datapath_take_over(dp), 0);
	assert_false(datapath_flows_evicted(dp));
	assert_int_equal(datapath_forget_pod(dp, 1), 0);
	assert_int_equal(datapath_sweep_counters(dp, NULL, NULL), 0);
	assert_int_equal(datapath_each_netns(dp, count_pod, &n), 0);
	assert_int_equal(n, 0);
	datapath_close(dp);
	assert_int_equal(access(dir, F_OK), -1);
}

static void test_open_pins_maps_and_attaches_no_armed_link(void **state)
{
	struct datapath *dp = open_idle();
	struct stat st;

	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	for (size_t i = 0; i < MAP_MAX; i++)
		assert_true(id_of(dir, map_rows[i].name, PIN_MAP));
	assert_string_equal(datapath_cgroup(dp), cgroup);
	assert_int_equal(config_now(dp).abi_version, SMC_ABI_VERSION);
	assert_int_equal(config_now(dp).abi_readable, SMC_ABI_READABLE);
	assert_int_equal(config_now(dp).enabled, 0);
	assert_int_equal(heal(dp), 0);
	assert_false(datapath_is_armed(dp));
	for (size_t i = 0; i < array_size(armed_links); i++)
		assert_int_equal(pin_open(link_dir, armed_links[i], PIN_LINK),
				 -ENOENT);
	assert_int_equal(datapath_arm(dp), 0);
	assert_int_equal(heal(dp), 0);
	datapath_close(dp);
	/* nobody holds them but their pins */
	if (has_tracing)
		assert_true(prog_of("sockproto"));
	remove_all();
}

static void test_restart_keeps_maps_rows_and_the_link(void **state)
{
	struct datapath *dp = open_sockops();
	__u32 map = id_of(dir, "smc_endpoint", PIN_MAP);
	__u32 link = id_of(link_dir, "flow_sockops", PIN_LINK);
	__u32 prog = prog_of("flow_sockops");
	int pins = count_pins(link_dir);
	struct any_plan p _plan_;

	plan_init(&p, 2, 100);
	assert_did(apply(dp, &p), 102, 1, 0, 0);
	datapath_close(dp);

	dp = open_idle();
	assert_int_equal(id_of(dir, "smc_endpoint", PIN_MAP), map);
	assert_int_equal(endpoints_now(dp), 100);
	assert_int_equal(config_now(dp).enabled, 1);
	assert_did(apply(dp, &p), 0, 0, 0, 0);
	/* the same link with another program, and the same recorder */
	assert_string_equal(datapath_recorder(dp), "sockops");
	assert_int_equal(id_of(link_dir, "flow_sockops", PIN_LINK), link);
	assert_int_not_equal(prog_of("flow_sockops"), prog);
	wait_gone(bpf_prog_get_fd_by_id, prog);
	assert_int_equal(count_pins(link_dir), pins);
	datapath_close(dp);
	remove_all();
}

static void test_restart_replaces_tracing_links(void **state)
{
	struct datapath *dp = open_armed();
	struct any_plan p _plan_;
	__u32 link, prog;

	plan_init(&p, 1, 0);
	apply(dp, &p);
	/* tests/vm/test_datapath.py runs this where tracing is allowed */
	if (has_tracing) {
		link = id_of(link_dir, "sockproto", PIN_LINK);
		prog = prog_of("sockproto");
		datapath_close(dp);
		dp = open_idle();
		assert_int_not_equal(id_of(link_dir, "sockproto", PIN_LINK),
				     link);
		wait_gone(bpf_link_get_fd_by_id, link);
		wait_gone(bpf_prog_get_fd_by_id, prog);
	}
	datapath_close(dp);
	remove_all();
}

/* A link that was pinned for another cgroup is replaced. */
static void test_link_of_another_cgroup_is_replaced(void **state)
{
	struct datapath_options other = opt;
	char sub[PATH_MAX + 8];
	struct datapath *dp = open_sockops();
	__u32 link = id_of(link_dir, "flow_sockops", PIN_LINK);
	struct any_plan p _plan_;

	plan_init(&p, 1, 0);
	apply(dp, &p);
	datapath_close(dp);
	snprintf(sub, sizeof(sub), "%s/sub", cgroup);
	assert_int_equal(mkdir(sub, 0755), 0);
	other.cgroup = sub;
	assert_int_equal(datapath_open(&other, &dp), 0);
	assert_int_not_equal(id_of(link_dir, "flow_sockops", PIN_LINK), link);
	wait_gone(bpf_link_get_fd_by_id, link);
	datapath_close(dp);
	remove_all();
	assert_int_equal(rmdir(sub), 0);
}

static void test_reader_sees_the_rows_of_an_open_datapath(void **state)
{
	struct datapath *dp = NULL, *reader = NULL;
	struct any_plan p _plan_;

	plan_init(&p, 2, 100);
	assert_int_equal(datapath_read(&opt, &reader), -ENOENT);
	dp = open_idle();
	apply(dp, &p);
	assert_int_equal(datapath_read(&opt, &reader), 0);
	assert_int_equal(endpoints_now(reader), 100);
	datapath_close(reader);
	datapath_close(dp);
	remove_all();
}

/* Two at once: the agent forbids it, and it must not do harm either. */
static void test_two_datapaths_at_once_do_no_harm(void **state)
{
	struct datapath *first = open_sockops(), *second = open_sockops();
	unsigned int n;

	assert_int_equal(heal(second), 0);
	/* the pins of tracing links are the second one's now */
	assert_int_equal(datapath_check(first, &n), has_tracing ? -EEXIST : 0);
	assert_int_equal(n, 0);
	datapath_close(first);
	assert_int_equal(heal(second), 0);
	assert_true(prog_of("flow_sockops"));
	datapath_close(second);
	remove_all();
}

/* ---- what is refused ---- */

static void assert_refused(int want)
{
	struct datapath *dp = NULL;

	assert_int_equal(datapath_open(&opt, &dp), want);
	assert_null(dp);
}

static void test_maps_of_another_version_are_refused(void **state)
{
	struct datapath *dp = open_sockops();
	struct smc_config c = config_now(dp);
	__u32 prog = prog_of("flow_sockops"), zero = 0;
	int pins = count_pins(dir);

	c.abi_version = SMC_ABI_VERSION + 1;
	assert_int_equal(
		bpf_map_update_elem(dp->map_fd[MAP_CONFIG], &zero, &c, BPF_ANY),
		0);
	datapath_close(dp);
	assert_refused(-EPROTO);
	assert_int_equal(datapath_read(&opt, &dp), -EPROTO);
	assert_int_equal(prog_of("flow_sockops"), prog);
	assert_int_equal(count_pins(dir), pins);
	/* the way out */
	remove_all();
	dp = open_idle();
	datapath_close(dp);
	remove_all();
}

static void test_map_of_another_definition_is_refused(void **state)
{
	struct datapath *dp = open_sockops();
	_close_ int fd = -1;
	__u32 id, prog = prog_of("flow_sockops");

	datapath_close(dp);
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "smc_port", 8, 8, 17, NULL);
	assert_true(fd >= 0);
	assert_int_equal(pin_put(fd, dir, "smc_port"), 0);
	id = id_of(dir, "smc_port", PIN_MAP);
	assert_refused(-EPROTO);
	assert_int_equal(id_of(dir, "smc_port", PIN_MAP), id);
	assert_int_equal(prog_of("flow_sockops"), prog);
	remove_all();
}

static void test_pin_of_another_kind_is_refused(void **state)
{
	struct datapath *dp = open_sockops();
	_close_ int fd = -1;

	fd = fcntl(dp->link_fd[links_find("flow_sockops")], F_DUPFD_CLOEXEC, 0);
	assert_true(fd >= 0);
	datapath_close(dp);
	assert_int_equal(pin_put(fd, dir, "smc_port"), 0);
	assert_refused(-EMEDIUMTYPE);
	assert_int_equal(pin_drop(dir, "smc_port"), 1);
	remove_all();
}

static void test_open_without_bpffs_is_refused(void **state)
{
	struct datapath_options none = opt;
	struct datapath *dp = NULL;

	none.bpffs = "/proc";
	assert_int_equal(datapath_open(&none, &dp), -ENOTDIR);
	none.bpffs = "/nowhere";
	assert_int_equal(datapath_open(&none, &dp), -ENOTDIR);
	assert_null(dp);
}

static void test_open_without_cgroup2_has_no_sockops_recorder(void **state)
{
	struct datapath_options none = opt;
	struct datapath *dp = NULL;

	none.cgroup = "/tmp";
	assert_int_equal(datapath_open(&none, &dp), 0);
	assert_null(datapath_cgroup(dp));
	assert_false(feature_present(datapath_features(dp), FEATURE_CGROUP2));
	/* the other recorder, if there is one */
	assert_int_equal(datapath_record(dp, MESH_RECORDER_SOCKOPS), 0);
	assert_string_equal(datapath_recorder(dp),
			    has_smc && has_tracing ? "smc" : "none");
	assert_int_equal(datapath_arm(dp), 0);
	assert_int_equal(pin_open(link_dir, "flow_sockops", PIN_LINK), -ENOENT);
	if (has_tracing)
		assert_true(prog_of("sockproto"));
	datapath_close(dp);
	remove_all();
}

static int open_without_caps(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {};
	struct datapath *dp = NULL;

	if (syscall(SYS_capset, &head, none))
		return 1;
	return datapath_open(&opt, &dp) == -EPERM ? 0 : 2;
}

static void test_open_without_capabilities_leaves_nothing(void **state)
{
	assert_int_equal(in_child(open_without_caps), 0);
	assert_int_equal(access(dir, F_OK), -1);
}

/* ---- drift ---- */

static void test_lost_pins_are_put_back(void **state)
{
	struct datapath *dp = open_sockops();
	__u32 map = id_of(dir, "smc_netns", PIN_MAP);
	__u32 link = id_of(link_dir, "flow_sockops", PIN_LINK);
	int maps = count_pins(dir), links = count_pins(link_dir);

	assert_int_equal(pin_drop(dir, "smc_netns"), 1);
	assert_int_equal(pin_drop(link_dir, "flow_sockops"), 1);
	assert_int_equal(heal(dp), 2);
	assert_int_equal(id_of(dir, "smc_netns", PIN_MAP), map);
	assert_int_equal(id_of(link_dir, "flow_sockops", PIN_LINK), link);
	assert_int_equal(heal(dp), 0);
	/* all of it, directories too */
	remove_all();
	assert_true(heal(dp) > 0);
	assert_int_equal(heal(dp), 0);
	assert_int_equal(count_pins(dir), maps);
	assert_int_equal(count_pins(link_dir), links);
	datapath_close(dp);
	remove_all();
}

static void test_detached_link_is_attached_again(void **state)
{
	struct datapath *dp = open_sockops();
	__u32 link = id_of(link_dir, "flow_sockops", PIN_LINK);
	_close_ int fd = pin(link_dir, "flow_sockops", PIN_LINK);

	assert_int_equal(bpf_link_detach(fd), 0);
	assert_int_equal(heal(dp), 1);
	assert_int_not_equal(id_of(link_dir, "flow_sockops", PIN_LINK), link);
	assert_int_equal(heal(dp), 0);
	datapath_close(dp);
	remove_all();
}

static __u32 pin_foreign(const char *in, const char *name)
{
	_close_ int fd =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 4, 1, NULL);

	assert_true(fd >= 0);
	assert_int_equal(pin_put(fd, in, name), 0);
	return id_of(in, name, PIN_MAP);
}

/* Somebody else's pins are left, and hide no repair. */
static void test_foreign_pins_are_left_and_hide_no_repair(void **state)
{
	struct datapath *dp = open_sockops();
	__u32 map = pin_foreign(dir, "smc_port");
	__u32 link = pin_foreign(link_dir, "flow_sockops");
	unsigned int n;

	assert_int_equal(datapath_check(dp, &n), -EEXIST);
	assert_int_equal(n, 0);
	assert_int_equal(dp->n_said, 2);
	assert_int_equal(pin_drop(dir, "smc_cidr"), 1);
	assert_int_equal(pin_drop(dir, "smc_usage"), 1);
	assert_int_equal(datapath_check(dp, &n), -EEXIST);
	assert_int_equal(n, 2);
	assert_int_equal(dp->n_said, 2);
	assert_int_equal(id_of(dir, "smc_port", PIN_MAP), map);
	assert_int_equal(id_of(link_dir, "flow_sockops", PIN_MAP), link);
	/* they go: ours are back */
	assert_int_equal(pin_drop(dir, "smc_port"), 1);
	assert_int_equal(pin_drop(link_dir, "flow_sockops"), 1);
	assert_int_equal(heal(dp), 2);
	assert_int_equal(heal(dp), 0);
	datapath_close(dp);
	remove_all();
}

/* What an agent left that died between attaching and renaming, and what is
 * somebody else's. */
static void test_half_made_pin_is_swept_and_a_foreign_one_left(void **state)
{
	struct datapath *dp = open_sockops();
	_close_ int fd = -1;

	fd = bpf_link_create(bpf_program__fd(bpf_object__find_program_by_name(
				     dp->obj, "flow_sockops")),
			     dp->cgroup_fd, BPF_CGROUP_SOCK_OPS, NULL);
	assert_true(fd >= 0);
	assert_int_equal(pin_put(fd, link_dir, "flow_sockops_new"), 0);
	assert_int_equal(pin_put(fd, link_dir, "somebody_elses"), 0);
	datapath_close(dp);
	dp = open_idle();
	assert_int_equal(pin_open(link_dir, "flow_sockops_new", PIN_LINK),
			 -ENOENT);
	assert_true(id_of(link_dir, "somebody_elses", PIN_LINK));
	/* it guards what may be open, armed or not */
	assert_true(prog_of("flow_sockops"));
	datapath_close(dp);
	assert_int_equal(pin_drop(link_dir, "somebody_elses"), 1);
	remove_all();
}

/* ---- death at every step ---- */

static char fault[64];
static struct any_plan fault_plan;

static int open_and_apply(void)
{
	struct datapath_changes did;
	struct datapath *dp = NULL;

	setenv("SMCMESH_FAULT", fault, 1);
	if (datapath_open(&opt, &dp) || datapath_arm(dp))
		return 1;
	return datapath_apply(dp, &fault_plan.plan, &fault_plan.config, &did)
		       ? 2
		       : 0;
}

static void die_at(const char *point, int passage, bool from_scratch)
{
	struct datapath *dp;

	dp = from_scratch ? NULL : open_armed();
	if (dp)
		apply(dp, &fault_plan);
	datapath_close(dp);
	snprintf(fault, sizeof(fault), "%s:%d", point, passage);
	assert_int_equal(in_child(open_and_apply), -SIGKILL);
	/* what was attached before still is */
	if (!from_scratch && has_tracing)
		for (size_t i = 0; i < 2; i++)
			assert_true(prog_of(armed_links[i]));
	if (!from_scratch && !has_smc)
		assert_true(prog_of("flow_sockops"));
	dp = open_idle();
	assert_int_equal(heal(dp), 0);
	apply(dp, &fault_plan);
	assert_did(apply(dp, &fault_plan), 0, 0, 0, 0);
	assert_int_equal(endpoints_now(dp), fault_plan.plan.n_endpoints);
	datapath_close(dp);
	remove_all();
}

static void die_at_each(const char *const points[], int passages,
			bool from_scratch)
{
	for (size_t i = 0; points[i]; i++)
		for (int passage = 1; passage <= passages; passage++)
			die_at(points[i], passage, from_scratch);
}

/* An emulated CPU takes seconds for each: there only once. */
static void test_killed_start_is_finished_by_the_next(void **state)
{
	static const char *const maps[] = {"maps:quarter", "maps:half",
					   "maps:three-quarters", NULL};
	static const char *const flows[] = {"attach:flow_sockops", NULL};
	static const char *const tracing[] = {"attach:connect_guard",
					      "attach:sockproto", NULL};
	static const char *const smc[] = {
		"attach:selector",     "attach:sock_made",
		"attach:sock_undone",  "attach:smc_closed",
		"attach:flow_passive", NULL};
	bool slow = getenv("SMCMESH_EMULATED");

	plan_init(&fault_plan, 3, 1000);
	for (int scratch = 0; scratch <= !slow; scratch++) {
		die_at_each(maps, 1, scratch);
		if (!has_smc)
			die_at_each(flows, slow ? 1 : 2, scratch);
		if (has_tracing)
			die_at_each(tracing, slow ? 1 : 2, scratch);
		if (has_smc)
			die_at_each(smc, 1, scratch);
	}
	any_plan_free(&fault_plan);
}

/* ---- remove ---- */

static void test_remove_leaves_nothing_of_ours(void **state)
{
	struct datapath *dp = open_sockops();
	__u32 prog = prog_of("flow_sockops"), map;
	__u32 link = id_of(link_dir, "flow_sockops", PIN_LINK);
	_buf_ struct buf said = {}, again = {};

	map = id_of(dir, "smc_endpoint", PIN_MAP);
	datapath_close(dp);
	assert_int_equal(datapath_remove(&opt, false, &said), 0);
	if (has_tracing)
		assert_says(said.data, "removed converter sockproto\n");
	assert_says(said.data, "removed link flow_sockops\n");
	assert_says(said.data, "removed map smc_endpoint\n");
	assert_null(strstr(said.data, "left"));
	assert_null(strstr(said.data, "ABI"));
	assert_int_equal(access(root, F_OK), -1);
	wait_gone(bpf_link_get_fd_by_id, link);
	wait_gone(bpf_prog_get_fd_by_id, prog);
	wait_gone(bpf_map_get_fd_by_id, map);
	assert_int_equal(datapath_remove(&opt, false, &again), 0);
	assert_int_equal(again.len, 0);
}

static void test_remove_leaves_pins_of_others(void **state)
{
	struct datapath *dp = open_sockops();
	_close_ int map =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 4, 1, NULL);
	_buf_ struct buf said = {};

	assert_true(map >= 0);
	assert_int_equal(pin_put(map, dir, "my_map"), 0);
	assert_int_equal(pin_put(dp->link_fd[links_find("flow_sockops")],
				 link_dir, "my_link"),
			 0);
	datapath_close(dp);
	assert_int_equal(datapath_remove(&opt, false, &said), 0);
	assert_says(said.data, "my_map: not made by smcmesh\n");
	assert_says(said.data, "my_link: not made by smcmesh\n");
	assert_int_equal(count_pins(dir), 1);
	assert_int_equal(count_pins(link_dir), 1);
	assert_int_equal(pin_drop(dir, "my_map"), 1);
	assert_int_equal(pin_drop(link_dir, "my_link"), 1);
	remove_all();
}

/* ---- pins that are half made ---- */

/* Like an agent that dies while it puts back a pin that had gone. */
static int lose_and_die(void)
{
	struct datapath *dp = open_sockops();
	unsigned int repairs;

	setenv("SMCMESH_FAULT", "pin:fresh", 1);
	return pin_drop(dir, "smc_flow") != 1 || datapath_check(dp, &repairs);
}

static void leave_half_made(void)
{
	assert_int_equal(in_child(lose_and_die), -SIGKILL);
	assert_int_equal(pin_open(dir, "smc_flow", PIN_MAP), -ENOENT);
	assert_true(id_of(dir, "smc_flow_new", PIN_MAP));
}

static void test_remove_takes_half_made_pins(void **state)
{
	_close_ int link = -1, map = -1;
	_buf_ struct buf said = {};

	leave_half_made();
	/* and of one that died beside the whole pin */
	map = pin(dir, "smc_cidr", PIN_MAP);
	assert_int_equal(pin_put(map, dir, "smc_cidr_new"), 0);
	link = pin(link_dir, "flow_sockops", PIN_LINK);
	assert_int_equal(pin_put(link, link_dir, "flow_sockops_new"), 0);
	assert_int_equal(datapath_remove(&opt, false, &said), 0);
	assert_says(said.data, "removed map smc_flow_new\n");
	assert_null(strstr(said.data, "left"));
	assert_int_equal(access(root, F_OK), -1);
}

/* Somebody else's map in such a place is not taken for one. */
static void test_start_takes_half_made_pins_of_maps(void **state)
{
	struct datapath *dp;
	__u32 foreign;

	leave_half_made();
	foreign = pin_foreign(dir, "smc_port_new");
	dp = open_idle();
	assert_int_equal(pin_open(dir, "smc_flow_new", PIN_MAP), -ENOENT);
	assert_true(id_of(dir, "smc_flow", PIN_MAP));
	assert_int_equal(id_of(dir, "smc_port_new", PIN_MAP), foreign);
	assert_int_equal(heal(dp), 0);
	datapath_close(dp);
	assert_int_equal(pin_drop(dir, "smc_port_new"), 1);
	remove_all();
}

/* Root without the capability to open any file. */
static int remove_what_cannot_be_opened(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2] = {};
	_buf_ struct buf said = {};

	if (syscall(SYS_capget, &head, caps))
		return 1;
	caps[0].effective &=
		~(1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH);
	if (syscall(SYS_capset, &head, caps))
		return 2;
	if (datapath_remove(&opt, false, &said) != -EACCES)
		return 3;
	return strstr(said.data, "left") ? 0 : 4;
}

static void test_remove_fails_where_a_pin_cannot_be_opened(void **state)
{
	static const char *const pins[] = {"smc_cidr", "links/flow_sockops"};
	char path[PATH_MAX + 32];

	for (size_t i = 0; i < array_size(pins); i++) {
		datapath_close(open_sockops());
		snprintf(path, sizeof(path), "%s/%s", dir, pins[i]);
		assert_int_equal(chmod(path, 0), 0);
		assert_int_equal(in_child(remove_what_cannot_be_opened), 0);
		assert_int_equal(access(path, F_OK), 0);
		remove_all();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_probe_tells_features_and_methods),
		TEST(test_without_smc_nothing_is_pinned),
		TEST(test_open_pins_maps_and_attaches_no_armed_link),
		TEST(test_restart_keeps_maps_rows_and_the_link),
		TEST(test_restart_replaces_tracing_links),
		TEST(test_link_of_another_cgroup_is_replaced),
		TEST(test_reader_sees_the_rows_of_an_open_datapath),
		TEST(test_two_datapaths_at_once_do_no_harm),
		TEST(test_maps_of_another_version_are_refused),
		TEST(test_map_of_another_definition_is_refused),
		TEST(test_pin_of_another_kind_is_refused),
		TEST(test_open_without_bpffs_is_refused),
		TEST(test_open_without_cgroup2_has_no_sockops_recorder),
		TEST(test_open_without_capabilities_leaves_nothing),
		TEST(test_lost_pins_are_put_back),
		TEST(test_detached_link_is_attached_again),
		TEST(test_foreign_pins_are_left_and_hide_no_repair),
		TEST(test_half_made_pin_is_swept_and_a_foreign_one_left),
		TEST(test_killed_start_is_finished_by_the_next),
		TEST(test_remove_leaves_nothing_of_ours),
		TEST(test_remove_leaves_pins_of_others),
		TEST(test_remove_takes_half_made_pins),
		TEST(test_start_takes_half_made_pins_of_maps),
		TEST(test_remove_fails_where_a_pin_cannot_be_opened),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

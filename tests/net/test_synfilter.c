// SPDX-License-Identifier: Apache-2.0
/*
 * The selector synfilter, both halves, on this machine's own kernel: filters on
 * every device of a namespace, kept there, in front, and read back; new devices
 * take away that sockets are converted. What the filters do to packets:
 * tests/bpf/test_synfilter.c.
 */
#include "world.h"

#include "base/strv.h"
#include "datapath/selector.h"
#include "node/proc.h"
#include "node/selector.h"

#define TCX_EGRESS 47
#define BEFORE 8

static bool possible; /* on this kernel */

static void run(const char *command)
{
	if (system(command))
		fail_msg("%s failed", command);
}

static int index_of(const char *device)
{
	int i = if_nametoindex(device);

	assert_true(i > 0);
	return i;
}

/* A pair: of one kind that every kernel has. */
#define ADD_ETH0 "ip link add eth0 type veth peer name peer0"

/* ---- the namespace's half ---- */

static struct netns_ref ref_of(const struct datapath *dp)
{
	return (struct netns_ref){.path = "/proc/self/ns/net",
				  .ours = datapath_ctrl_names(dp)};
}

static const struct netns_selector *half(void)
{
	return netns_selector_find("synfilter");
}

static int set(const struct datapath *dp, struct netns_facts *f)
{
	const struct netns_ref ref = ref_of(dp);

	*f = (struct netns_facts){.transports = SMC_TRANSPORT_SMCR};
	return half()->set(&ref, datapath_ctrl_name(dp), f);
}

/* In a namespace where nothing could carry SMC. */
static int set_idle(const struct datapath *dp, struct netns_facts *f)
{
	const struct netns_ref ref = ref_of(dp);

	*f = (struct netns_facts){};
	return half()->set(&ref, datapath_ctrl_name(dp), f);
}

static int check(const struct datapath *dp, struct netns_facts *f)
{
	const struct netns_ref ref = ref_of(dp);

	*f = (struct netns_facts){};
	return half()->check(&ref, f);
}

static struct datapath *open_filter(void)
{
	struct datapath *dp;

	if (!possible)
		skip();
	dp = open_idle();
	assert_string_equal(datapath_selector(dp), "synfilter");
	assert_true(datapath_guards(dp));
	return dp;
}

/* ---- what is on a device ---- */

/* The programs on the way out of a device, the first ones. Return: how many. */
static unsigned int programs_of(const char *device, __u32 ids[8])
{
	LIBBPF_OPTS(bpf_prog_query_opts, q, .prog_ids = ids, .prog_cnt = 8);
	int err = bpf_prog_query_opts(index_of(device), TCX_EGRESS, &q);

	assert_true(!err || err == -ENOENT);
	return q.prog_cnt;
}

/* The kernel frees a link a moment after its last pin has gone. */
static void wait_uncovered(const char *device)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	__u32 ids[8];

	for (int i = 0; programs_of(device, ids) && i < 500; i++)
		nanosleep(&pause, NULL);
	assert_int_equal(programs_of(device, ids), 0);
}

static bool is_ours(__u32 id)
{
	_close_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	assert_true(fd >= 0);
	assert_int_equal(bpf_prog_get_info_by_fd(fd, &info, &len), 0);
	return !strncmp(info.name, "syn_egress", strlen("syn_egress"));
}

static void assert_covered(const char *device)
{
	__u32 ids[8];

	assert_int_equal(programs_of(device, ids), 1);
	assert_true(is_ours(ids[0]));
}

/* A program that says of every packet: accepted, ask nobody else. */
static int foreign_before(const char *device)
{
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = BEFORE);
	_close_ int prog = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "theirs",
					 "GPL", pass, array_size(pass), NULL);
	int link = bpf_link_create(prog, index_of(device), TCX_EGRESS, &opts);

	assert_true(link >= 0);
	return link;
}

/* ---- tests ---- */

static void test_every_device_is_covered(void **state)
{
	struct datapath *dp = open_filter();
	struct netns_facts f;

	run(ADD_ETH0);
	assert_int_equal(check(dp, &f), -ENODATA);
	assert_int_equal(f.reason, SMC_REASON_SELECTOR_FAILED);
	/* nobody pays where nothing can be armed */
	assert_int_equal(set_idle(dp, &f), -ENODEV);
	assert_int_equal(f.reason, SMC_REASON_NO_TRANSPORT);
	assert_int_equal(check(dp, &f), -ENODATA);
	assert_int_equal(set(dp, &f), 0);
	assert_true(f.ctrl_is_ours);
	assert_string_equal(f.ctrl, "synfilter");
	assert_covered("lo");
	assert_covered("eth0");
	assert_int_equal(check(dp, &f), 0);
	assert_int_equal(set(dp, &f), 0); /* nothing is done twice */
	/* what has been armed keeps them */
	assert_int_equal(set_idle(dp, &f), 0);
	assert_covered("eth0");
	/* what does not take a filter away */
	run("ip link set eth0 name eth1 mtu 1400 up");
	assert_int_equal(check(dp, &f), 0);
	assert_covered("eth1");
	/* a new one */
	run("ip link add eth0 type veth peer name peer1");
	assert_int_equal(check(dp, &f), -ENOENT);
	assert_non_null(strstr(f.detail, ": no syn_egress"));
	assert_int_equal(set(dp, &f), 0);
	assert_int_equal(check(dp, &f), 0);
	assert_covered("eth0");
	run("ip link del eth0; ip link del eth1");
	datapath_close(dp);
	remove_all();
}

/* A device that is made anew under the same name and number: the pin leads to a
 * link of no device. */
#define ADD_PAIR                               \
	"ip link add eth0 index 77 type veth " \
	"peer name peer0 index 78"

static void test_a_replaced_device_is_covered_again(void **state)
{
	struct datapath *dp = open_filter();
	struct netns_facts f;
	int before;

	run(ADD_PAIR);
	assert_int_equal(set(dp, &f), 0);
	before = count_pins(datapath_ctrl_name(dp));
	run("ip link del eth0");
	run(ADD_PAIR);
	assert_int_equal(check(dp, &f), -ENOENT);
	assert_int_equal(set(dp, &f), 0);
	assert_int_equal(check(dp, &f), 0);
	assert_covered("eth0");
	assert_int_equal(count_pins(datapath_ctrl_name(dp)), before);
	/* the pins of devices that do not come again are removed */
	run("ip link del eth0");
	assert_int_equal(heal(dp), 0);
	assert_int_equal(count_pins(datapath_ctrl_name(dp)), before - 4);
	assert_int_equal(check(dp, &f), 0);
	datapath_close(dp);
	remove_all();
}

static void test_a_foreign_program_in_front_is_told_and_overtaken(void **state)
{
	struct datapath *dp = open_filter();
	struct netns_facts f;
	_close_ int theirs = -1, again = -1;
	__u32 ids[8];

	run(ADD_ETH0);
	assert_int_equal(set(dp, &f), 0);
	theirs = foreign_before("eth0");
	assert_int_equal(programs_of("eth0", ids), 2);
	assert_false(is_ours(ids[0]));
	assert_int_equal(check(dp, &f), -EEXIST);
	assert_int_equal(f.reason, SMC_REASON_FOREIGN_SELECTOR);
	assert_false(f.ctrl_is_ours);
	assert_non_null(strstr(f.detail, "eth0: program theirs ("));
	assert_non_null(strstr(f.detail, ") runs before syn_egress"));
	assert_int_equal(set(dp, &f), 0);
	assert_int_equal(check(dp, &f), 0);
	/* once more: both of the equal programs have been there */
	again = foreign_before("eth0");
	assert_int_equal(check(dp, &f), -EEXIST);
	assert_int_equal(set(dp, &f), 0);
	assert_int_equal(check(dp, &f), 0);
	assert_int_equal(programs_of("eth0", ids), 3);
	assert_true(is_ours(ids[0]));
	assert_false(is_ours(ids[1]) || is_ours(ids[2]));
	run("ip link del eth0");
	datapath_close(dp);
	remove_all();
}

/* Packets to an ipvlan in mode l3s do not pass its tc. Where the kernel has no
 * ipvlan the controls are left: vm/test_stock.py runs the rest. */
static void test_an_ipvlan_in_mode_l3s_is_refused(void **state)
{
	struct datapath *dp = open_filter();
	struct netns_facts f;

	run("ip link add m0 type veth peer name m1");
	assert_int_equal(set(dp, &f), 0);
	if (!system("ip link add eth0 link m0 type ipvlan mode l3s "
		    "2>/dev/null")) {
		print_message("# l3s\n");
		assert_int_equal(set(dp, &f), -EOPNOTSUPP);
		assert_int_equal(f.reason, SMC_REASON_SELECTOR_FAILED);
		assert_non_null(
			strstr(f.detail, "eth0: an ipvlan in mode l3s"));
		run("ip link set eth0 type ipvlan mode l2");
	}
	assert_int_equal(set(dp, &f), 0);
	run("ip link del m0");
	datapath_close(dp);
	remove_all();
}

/* ---- guarded ---- */

static void put_row(struct datapath *dp)
{
	const struct smc_pod pod = {.pod_id = 3};
	__u64 cookie = netns_own_cookie();

	must_put(dp->map_fd[MAP_NETNS], &cookie, &pod);
}

static bool is_guarded(struct datapath *dp)
{
	__u64 cookie = netns_own_cookie();
	struct smc_pod pod;

	assert_int_equal(
		bpf_map_lookup_elem(dp->map_fd[MAP_NETNS], &cookie, &pod), 0);
	return pod.flags & SMC_POD_GUARDED;
}

static unsigned int appeared;

static void on_event(const struct smc_event *e, void *arg)
{
	if (e->type != SMC_EVENT_DEVICE)
		return;
	assert_true(e->flow.netns_cookie == netns_own_cookie());
	assert_int_equal(e->flow.pod_id, 3);
	appeared++;
}

static void test_a_new_device_ends_the_guard(void **state)
{
	struct datapath *dp = open_filter();
	struct netns_facts f;

	if (!has_tracing) { /* nobody would notice, so nothing is converted */
		(void)!datapath_arm(dp);
		assert_true(dp->link_fd[links_find("dev_made")] < 0);
		assert_true(dp->link_fd[links_find("sockproto")] < 0);
		datapath_close(dp);
		remove_all();
		return;
	}
	print_message("# guard\n");
	assert_int_equal(datapath_arm(dp), 0);
	assert_true(dp->link_fd[links_find("dev_made")] >= 0);
	assert_true(dp->link_fd[links_find("dev_moved")] >= 0);
	assert_int_equal(set(dp, &f), 0); /* no row yet: nothing to guard */
	put_row(dp);
	assert_false(is_guarded(dp));
	assert_int_equal(set(dp, &f), 0);
	assert_true(is_guarded(dp));
	/* control: a device elsewhere */
	run("ip netns add synfilter-other && "
	    "ip -n synfilter-other link add eth0 type veth peer name peer0");
	assert_true(is_guarded(dp));
	/* one that is moved here */
	run("ip -n synfilter-other link set eth0 netns $PPID");
	assert_false(is_guarded(dp));
	assert_int_equal(set(dp, &f), 0);
	assert_true(is_guarded(dp));
	assert_covered("eth0");
	/* and one that is made here */
	run("ip link add eth1 type veth peer name peer1");
	assert_false(is_guarded(dp));
	assert_true(datapath_events_read(dp, on_event, NULL) >= 2);
	assert_int_equal(appeared, 2);
	assert_int_equal(set(dp, &f), 0);
	assert_true(is_guarded(dp));
	run("ip netns del synfilter-other; ip link del eth0; ip link del eth1");
	assert_true(is_guarded(dp));
	datapath_close(dp);
	remove_all();
}

/* ---- the agent's ---- */

static void test_a_restart_puts_new_programs_into_the_links(void **state)
{
	struct datapath *dp = open_filter();
	struct netns_facts f;
	__u32 before[8], after[8];

	assert_int_equal(set(dp, &f), 0);
	assert_int_equal(programs_of("lo", before), 1);
	datapath_close(dp);
	assert_covered("lo"); /* without an agent */
	dp = open_filter();
	assert_int_equal(check(dp, &f), 0);
	assert_int_equal(set(dp, &f), 0);
	assert_int_equal(programs_of("lo", after), 1);
	assert_int_not_equal(before[0], after[0]);
	assert_covered("lo");
	datapath_close(dp);
	remove_all();
}

static void test_lost_pins_of_programs_are_made_again(void **state)
{
	struct datapath *dp = open_filter();
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/syn_egress", datapath_ctrl_name(dp));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(heal(dp), 1);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(heal(dp), 0);
	datapath_close(dp);
	remove_all();
}

static void test_release_and_removal_leave_nothing(void **state)
{
	struct datapath *dp = open_filter();
	const struct netns_ref ref = ref_of(dp);
	char name[SMC_CTRL_NAME_MAX] = "";
	struct netns_facts f;
	_buf_ struct buf said = {};

	assert_int_equal(half()->left(&ref, name), 0);
	assert_int_equal(half()->release(&ref), 0);
	assert_int_equal(set(dp, &f), 0);
	assert_int_equal(half()->left(&ref, name), 1);
	assert_string_equal(name, "synfilter");
	assert_int_equal(half()->release(&ref), 1);
	assert_int_equal(half()->left(&ref, name), 0);
	wait_uncovered("lo");
	/* sockets that live keep their filters */
	assert_int_equal(set(dp, &f), 0);
	datapath_close(dp);
	assert_int_equal(datapath_remove(&opt, true, &said), 0);
	assert_non_null(strstr(said.data, "left 2 filters in "));
	assert_covered("lo");
	remove_all();
	wait_uncovered("lo");
}

static int setup_filter(void **state)
{
	struct features fs;
	int err = setup(state);

	features_probe(&opt, &fs);
	possible = selector_for(&fs) == &selector_synfilter;
	return err;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_device_is_covered),
		TEST(test_a_replaced_device_is_covered_again),
		TEST(test_a_foreign_program_in_front_is_told_and_overtaken),
		TEST(test_an_ipvlan_in_mode_l3s_is_refused),
		TEST(test_a_new_device_ends_the_guard),
		TEST(test_a_restart_puts_new_programs_into_the_links),
		TEST(test_lost_pins_of_programs_are_made_again),
		TEST(test_release_and_removal_leave_nothing),
	};

	return cmocka_run_group_tests_name("synfilter", tests, setup_filter,
					   teardown);
}

// SPDX-License-Identifier: Apache-2.0
/* user/node on made-up /proc and cgroup trees, and on messages made here. */
#include "unit.h"
#include "tree.h"
#include "procs.h"
#include "started.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/cgroup.h"
#include "node/diag.h"
#include "node/encrypt.h"
#include "node/helper.h"
#include "node/netns.h"
#include "node/nl.h"
#include "node/proc.h"
#include "node/uidmap.h"

/* ---- cgroups ------------------------------------------------------------- */

static void assert_found(const char *uid, const char *where)
{
	char path[CGROUP_PATH_MAX] = "";

	assert_int_equal(cgroup_find_pod(at("cg"), uid, path), 0);
	assert_string_equal(path, at(where));
}

static void test_pod_cgroup_is_found_by_its_uid(void **state)
{
	char path[CGROUP_PATH_MAX] = "untouched";

	make_dirs("cg/system.slice/podman.service");
	make_dirs("cg/kubepods/burstable/pod" UID2 "/c1");
	make_dirs("cg/kubelet.slice/kubelet-kubepods.slice/"
		  "kubelet-kubepods-burstable.slice/"
		  "kubelet-kubepods-burstable-pod" UID1_ ".slice/c2");
	make_dirs("cg/system.slice/podman.service/kubepods/pod" STATIC_UID);
	assert_found(UID2, "cg/kubepods/burstable/pod" UID2);
	assert_found(UID1, "cg/kubelet.slice/kubelet-kubepods.slice/"
			   "kubelet-kubepods-burstable.slice/"
			   "kubelet-kubepods-burstable-pod" UID1_ ".slice");
	assert_found(STATIC_UID, "cg/system.slice/podman.service/kubepods/"
				 "pod" STATIC_UID);

	*strchr(path, 'd') = 'D';
	assert_int_equal(cgroup_find_pod(at("cg"), "none", path), -ENOENT);
	assert_int_equal(cgroup_find_pod(at("nowhere"), UID1, path), -ENOENT);
	assert_string_equal(path, "untoucheD");
}

/* What a container makes below its own cgroup is not another pod. */
static void test_directory_below_a_pod_is_no_other_pod(void **state)
{
	char path[CGROUP_PATH_MAX];

	make_dirs("cg/kubepods/pod" UID2 "/c1/pod" UID1);
	assert_int_equal(cgroup_find_pod(at("cg"), UID1, path), -ENOENT);
}

static void test_cgroup_id_falls_back_to_the_inode(void **state)
{
	struct stat st;
	__u64 id = 0;

	assert_int_equal(cgroup_id(at("nowhere"), &id), -ENOENT);
	assert_int_equal(cgroup_id(at("proc"), &id), 0);
	assert_return_code(stat(at("proc"), &st), errno);
	assert_int_equal(id, st.st_ino); /* no kernfs: the fall-back */
}

static void test_cgroup_is_populated_as_its_events_say(void **state)
{
	write_text("cg/a/cgroup.events", "populated 0\nfrozen 0\n");
	assert_false(cgroup_populated(at("cg/a")));
	write_text("cg/a/cgroup.events", "populated 1\nfrozen 0\n");
	assert_true(cgroup_populated(at("cg/a")));
	assert_true(cgroup_populated(at("cg"))); /* the root has no such file */
}

/* ---- processes ----------------------------------------------------------- */

static void test_start_time_is_read_or_an_error(void **state)
{
	make_process(7, "ns/pod", "ns/host", "", 12345);
	assert_int_equal(started(at("proc"), 7), 12345);
	assert_int_equal(started(at("proc"), 8), -ENOENT);
	write_text("proc/9/stat", "9 (x) S 1");
	assert_int_equal(started(at("proc"), 9), -EINVAL);
}

static void test_uid_is_translated_by_its_map_or_refused(void **state)
{
	__u32 uid = 7;

	write_text("map", "         0     100000      65536\n"
			  "     70000       5000          1\n");
	assert_int_equal(uidmap_translate(at("map"), 1337, &uid), 0);
	assert_int_equal(uid, 101337);
	assert_int_equal(uidmap_translate(at("map"), 65535, &uid), 0);
	assert_int_equal(uid, 165535);
	assert_int_equal(uidmap_translate(at("map"), 70000, &uid), 0);
	assert_int_equal(uid, 5000);
	assert_int_equal(uidmap_translate(at("map"), 65536, &uid), -ERANGE);
	assert_int_equal(uidmap_translate(at("map"), 70001, &uid), -ERANGE);
	assert_int_equal(uid, 5000);
	write_text("map", "         0          0 4294967295\n");
	assert_int_equal(uidmap_translate(at("map"), 4294967294, &uid), 0);
	assert_int_equal(uid, 4294967294);
	assert_int_equal(uidmap_translate(at("nomap"), 1, &uid), -ENOENT);
}

static int uid_to_host(const char *proc, const char *netns, __u32 uid,
		       __u32 *out)
{
	const struct netns_ref ref = {.path = netns, .proc = at(proc)};
	struct smc_owner o = {uid, SMC_ID_ANY};
	int err = uidmap_owners(&ref, &o, 1);

	assert_int_equal(o.gid, SMC_ID_ANY);
	*out = o.uid;
	return err;
}

static void test_uid_of_a_pod_is_translated_by_its_process(void **state)
{
	__u32 uid = 0;

	/* No process there: as it is. */
	assert_int_equal(uid_to_host("proc", at("ns/pod"), 1337, &uid), 0);
	assert_int_equal(uid, 1337);

	make_process(5, "ns/host", "ns/host", "", 1);
	make_process(6, "ns/pod", "ns/inner", "", 2);
	write_text("proc/6/uid_map", "0 100000 65536\n");
	assert_int_equal(uid_to_host("proc", at("ns/pod"), 1337, &uid), 0);
	assert_int_equal(uid, 101337);
	assert_int_equal(uid_to_host("proc", at("ns/pod"), 65536, &uid),
			 -ERANGE);

	/* Groups have a map of their own. */
	const struct netns_ref ref = {.path = at("ns/pod"), .proc = at("proc")};
	struct smc_owner o[] = {{SMC_ID_ANY, 7}, {8, 9}};

	write_text("proc/6/gid_map", "0 200000 65536\n");
	assert_int_equal(uidmap_owners(&ref, o, 2), 0);
	assert_int_equal(o[0].uid, SMC_ID_ANY);
	assert_int_equal(o[0].gid, 200007);
	assert_int_equal(o[1].uid, 100008);
	assert_int_equal(o[1].gid, 200009);

	/* 6 turns out to be a program's own sandbox in a pod of the host's. */
	make_process(8, "ns/pod", "ns/host", "", 2);
	assert_int_equal(uid_to_host("proc", at("ns/pod"), 1337, &uid), 0);
	assert_int_equal(uid, 1337);
	assert_int_equal(uid_to_host("proc", at("gone"), 1, &uid), -ENOENT);
}

/* A process in namespaces of its own. Return: 0 where that is not allowed. */
static pid_t start_in_user_namespace(void)
{
	int ends[2];
	char byte = 0;
	pid_t pid;

	assert_return_code(pipe(ends), errno);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) ||
		    write(ends[1], "s", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		pid = 0;
	}
	close(ends[0]);
	return pid;
}

/* The process that the path names is asked, and no other: there is no @proc to
 * search. */
static void test_uid_is_translated_by_the_named_process_alone(void **state)
{
	char path[64], text[64];
	pid_t pid = start_in_user_namespace();
	__u32 uid = 0;
	FILE *f;

	if (!pid)
		skip();
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	snprintf(text, sizeof(text), "1337 %u 1", getuid());
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	assert_int_equal(uid_to_host("no", path, 1337, &uid), 0);
	assert_int_equal(uid, getuid());
	assert_int_equal(uid_to_host("no", path, 1338, &uid), -ERANGE);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(uid_to_host("no", path, 1337, &uid), -ENOENT);
}

struct netns_seen {
	int n, stop_at;
	bool gone;
	char last[4096];
};

static int note_netns(const struct place *place, void *arg)
{
	struct netns_seen *seen = arg;

	if (strncmp(place->path, tree_top,
		    strlen(tree_top))) /* one of this machine's */
		return 0;
	snprintf(seen->last, sizeof(seen->last), "%s", place->path);
	if (++seen->n == seen->stop_at)
		return -ECANCELED;
	return seen->gone ? -ENOENT : 0;
}

static void test_each_netns_is_visited_once(void **state)
{
	struct netns_seen seen = {0};

	make_process(1, "ns/host", "ns/host", "", 1);
	make_process(2, "ns/pod", "ns/host", "", 1);
	make_process(3, "ns/pod", "ns/host", "", 1);
	make_process(4, "ns/gone", "ns/host", "", 1);
	make_dirs("proc/sys");
	make_dirs("proc/12x");
	assert_int_equal(netns_each(at("proc"), note_netns, &seen), 0);
	assert_int_equal(seen.n, 2);

	seen = (struct netns_seen){.gone = true};
	assert_int_equal(netns_each(at("proc"), note_netns, &seen), 0);
	assert_int_equal(seen.n, 3); /* the pod's by both of its processes */

	seen = (struct netns_seen){.stop_at = 1};
	assert_int_equal(netns_each(at("proc"), note_netns, &seen), -ECANCELED);
	assert_int_equal(netns_each(at("no"), note_netns, &seen), -ENOENT);
}

/* ---- listeners ----------------------------------------------------------- */

static const struct diag_smc smc_at_80 = {.state = DIAG_SMC_LISTEN,
					  .local_port = 80};

static void test_inner_tcp_sockets_of_smc_are_dropped(void **state)
{
	struct diag_smc smc[] = {smc_at_80,
				 {.state = DIAG_SMC_ACTIVE, .local_port = 90}};
	struct netns_listener tcp[] = {
		{.port = 90}, {.port = 80, .inode = 5}, {.port = 22}};

	assert_int_equal(diag_without_smc(tcp, 3, smc, 2, at("proc")), 2);
	assert_int_equal(tcp[0].port, 22);
	assert_int_equal(tcp[1].port, 90);
	assert_int_equal(diag_without_smc(NULL, 0, smc, 2, at("proc")), 0);
	assert_int_equal(diag_without_smc(tcp, 2, NULL, 0, at("proc")), 2);
}

/* Two addresses, or SO_REUSEPORT: the one with a file is the application's. */
static void test_tcp_listener_beside_smc_is_told_by_its_file(void **state)
{
	struct netns_listener tcp[] = {
		{.addr = addr("10.0.0.2"), .port = 80, .inode = 11},
		{.addr = addr("10.0.0.1"), .port = 80, .inode = 12},
		{.addr = addr("10.0.0.1"), .port = 443, .inode = 13},
	};

	make_dirs("proc/3/fd");
	assert_return_code(symlink("socket:[10]", at("proc/3/fd/3")), errno);
	assert_return_code(symlink("socket:[12]", at("proc/3/fd/4")), errno);
	assert_return_code(symlink("pipe:[11]", at("proc/3/fd/5")), errno);
	assert_int_equal(diag_without_smc(tcp, 3, &smc_at_80, 1, at("proc")),
			 2);
	assert_int_equal(tcp[0].inode, 12);
	assert_addr(tcp[0].addr, "10.0.0.1");
	assert_int_equal(tcp[1].inode, 13);
}

/* ---- netlink ------------------------------------------------------------- */

static void test_attribute_missing_or_short_reads_as_nothing(void **state)
{
	const struct nlattr *tb[4], *in[3];
	struct nlattr *nest;
	struct nl_request r;
	char text[4];

	nl_init(&r, 77, NLM_F_DUMP);
	*(__u32 *)mnl_nlmsg_put_extra_header(r.head, 4) = 99;
	mnl_attr_put_u16(r.head, 1, 0x1234);
	nest = mnl_attr_nest_start(r.head, 2);
	mnl_attr_put_strz(r.head, 2, "overlong");
	mnl_attr_nest_end(r.head, nest);
	mnl_attr_put_u32(r.head, 1000, 1);

	nl_attrs(r.head, 4, tb, 3);
	assert_int_equal(nl_u16(tb[1]), 0x1234);
	assert_int_equal(nl_u32(tb[1]), 0); /* too short for that */
	assert_null(tb[3]);
	assert_int_equal(nl_u8(tb[3]), 0);
	nl_nest(tb[2], in, 2);
	nl_str(in[2], text, sizeof(text));
	assert_string_equal(text, "ove");
	nl_str(in[1], text, sizeof(text));
	assert_string_equal(text, "");
	nl_nest(NULL, in, 2);
	assert_null(in[2]);
}

/* The kind of a device is two levels down; what is not WireGuard is not told.
 */
static void test_only_a_wireguard_device_encrypts(void **state)
{
	static const struct {
		const char *kind, *what;
	} cases[] = {{"wireguard", "the WireGuard device wg0"},
		     {"wireguardx", ""},
		     {"veth", ""},
		     {NULL, ""}};

	for (size_t i = 0; i < array_size(cases); i++) {
		char what[ENCRYPT_TEXT_MAX] = "";
		struct nlattr *info;
		struct nl_request r;

		nl_init(&r, RTM_NEWLINK, 0);
		mnl_nlmsg_put_extra_header(r.head, sizeof(struct ifinfomsg));
		mnl_attr_put_strz(r.head, IFLA_IFNAME, "wg0");
		info = mnl_attr_nest_start(r.head, IFLA_LINKINFO);
		if (cases[i].kind)
			mnl_attr_put_strz(r.head, IFLA_INFO_KIND,
					  cases[i].kind);
		mnl_attr_nest_end(r.head, info);
		assert_int_equal(encrypt_take_link(r.head, what),
				 *cases[i].what ? MNL_CB_STOP : MNL_CB_OK);
		assert_string_equal(what, cases[i].what);
	}
}

/* A message that ends anywhere is read up to there, and no further. */
static void test_cut_message_is_read_no_further_than_its_end(void **state)
{
	const struct nlattr *tb[2];
	struct nl_request r;

	nl_init(&r, 77, 0);
	mnl_nlmsg_put_extra_header(r.head, sizeof(struct genlmsghdr));
	mnl_attr_put_strz(r.head, 1, "value");
	for (__u32 len = r.head->nlmsg_len; len >= sizeof(*r.head); len--) {
		struct nlmsghdr *exact = malloc(len);

		memcpy(exact, r.head, len);
		exact->nlmsg_len = len;
		nl_attrs(exact, sizeof(struct genlmsghdr), tb, 1);
		assert_int_equal(!!tb[1], len >= r.head->nlmsg_len - 2);
		free(exact);
	}
}

static void test_bad_ueid_is_refused_and_a_listed_one_found(void **state)
{
	struct smc_ueids list = {.v = {"A", "B"}, .n = 2};

	assert_int_equal(smc_ueid_add("no"), -EINVAL);
	assert_int_equal(smc_ueid_remove("no"), -EINVAL);
	assert_true(smc_ueid_has(&list, "B"));
	assert_false(smc_ueid_has(&list, "C"));
}

static void test_rdma_device_that_lacks_anything_is_not_usable(void **state)
{
	const struct rdma_device good = {
		.netdev = "eth0",
		.active = true,
		.channel_adapter = true,
		.subnet.prefixlen = 112,
	};
	struct rdma_device d = good;

	assert_true(rdma_usable(&d));
	d.active = false; /* no cable */
	assert_false(rdma_usable(&d));
	d = good;
	d.channel_adapter = false; /* iWARP */
	assert_false(rdma_usable(&d));
	d = good;
	d.netdev[0] = '\0'; /* in another namespace */
	assert_false(rdma_usable(&d));
	d = good;
	d.subnet.prefixlen = 0; /* no IPv4 address */
	assert_false(rdma_usable(&d));
}

/* ---- the helper, in the namespace that the test is in -------------------- */

static int say_arg(const void *arg, struct buf *answer)
{
	buf_printf(answer, "%s", (const char *)arg);
	return 3;
}

static int run_for_ever(const void *arg, struct buf *answer)
{
	while (pause())
		;
	return 0;
}

static int die_early(const void *arg, struct buf *answer)
{
	buf_printf(answer, "half an answer");
	return raise(SIGKILL);
}

static int leave(const void *arg, struct buf *answer)
{
	exit(0); /* as a library may */
}

static int say_much(const void *arg, struct buf *answer)
{
	for (int i = 0; i < 200000; i++)
		buf_add(answer, &i, sizeof(i));
	return 0;
}

static int refuse(const void *arg, struct buf *answer)
{
	return -EXDEV;
}

/* The caller's descriptors are not the helper's. */
static int count_open(const void *arg, struct buf *answer)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int run(helper_fn fn, struct buf *answer)
{
	return helper_run(NULL, fn, "hello", 2000, answer);
}

static void test_helper_hands_back_its_answer_and_result(void **state)
{
	_buf_ struct buf b = {}, much = {};
	int fd = open("/dev/null", O_RDONLY);

	buf_printf(&b, ">");
	assert_int_equal(run(say_arg, &b), 3);
	assert_string_equal(b.data, ">hello");
	assert_int_equal(run(say_arg, NULL), 3);
	assert_int_equal(run(refuse, &b), -EXDEV);
	assert_string_equal(b.data, ">hello");
	assert_int_equal(run(say_much, &much), 0);
	assert_int_equal(much.len, 200000 * sizeof(int));
	assert_int_equal(((int *)much.data)[199999], 199999);
	assert_int_equal(run(count_open, NULL), 4); /* 0, 1, 2, the pipe */
	close(fd);
}

static int nest(const void *arg, struct buf *answer)
{
	return helper_run(NULL, say_arg, arg, 1000, answer);
}

static bool closes; /* as libuv's handler does with what it takes for its own */

static void close_some(void)
{
	for (int fd = STDERR_FILENO + 2; closes && fd < 10; fd++)
		close(fd);
}

static void test_helper_may_run_a_helper(void **state)
{
	_buf_ struct buf b = {};
	int low[8];

	/* What the first one has there is not the pipe that is made next. */
	for (int i = 0; i < 8; i++)
		low[i] = open("/dev/null", O_RDONLY);
	assert_int_equal(pthread_atfork(NULL, NULL, close_some), 0);
	closes = true;
	assert_int_equal(run(nest, &b), 3);
	closes = false;
	assert_string_equal(b.data, "hello");
	for (int i = 0; i < 8; i++)
		close(low[i]);
}

static void test_helper_that_fails_is_an_error_and_leaves_nobody(void **state)
{
	const struct netns_ref nowhere = {.path = at("no")},
			       file = {.path = at("ns/pod")};
	_buf_ struct buf b = {};

	assert_int_equal(run(die_early, &b), -EIO);
	assert_int_equal(run(leave, &b), -EIO);
	assert_int_equal(helper_run(NULL, run_for_ever, NULL, 50, &b),
			 -ETIMEDOUT);
	assert_int_equal(helper_run(&nowhere, say_arg, "", 2000, &b), -ENOENT);
	assert_int_equal(helper_run(&file, say_arg, "", 2000, &b), -EINVAL);
	assert_int_equal(b.len, 0);
	/* Nobody is left behind. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* ---- how long a helper has ---- */

#define LIMIT_MS 1000

/* So much of a processor's time. */
static int burn(const void *arg, struct buf *answer)
{
	const int *ms = arg;
	struct timespec t;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < *ms);
	return 0;
}

static int doze(const void *arg, struct buf *answer)
{
	const int *ms = arg;

	usleep(*ms * 1000);
	return 0;
}

#define HOGS 9

static void crowd(pid_t hogs[HOGS])
{
	for (int i = 0; i < HOGS; i++) {
		hogs[i] = fork();
		assert_return_code(hogs[i], errno);
		if (hogs[i])
			continue;
		alarm(60);
		for (;;)
			;
	}
}

static void disperse(const pid_t hogs[HOGS])
{
	for (int i = 0; i < HOGS; i++) {
		kill(hogs[i], SIGKILL);
		waitpid(hogs[i], NULL, 0);
	}
}

static long long wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* What @fn comes to that needs @ms of the processor. Where others, too, want
 * the machine, and it had all the time that it can have, it gets less to do. */
static int in_crowd(helper_fn fn, int ms)
{
	long long began;
	int err;

	do {
		began = wall_ms();
		err = helper_run(NULL, fn, &ms, LIMIT_MS, NULL);
		ms /= 2;
	} while (err == -ETIME && ms > 10 &&
		 wall_ms() - began >= LIMIT_MS * (1 + HELPER_EXCUSED));
	return err;
}

/* The same in a helper of the helper's, which itself does nothing. */
static int burn_below(const void *arg, struct buf *answer)
{
	return helper_run(NULL, burn, arg, LIMIT_MS, NULL);
}

/* What @fn comes to, on its own; where others want the machine, again. */
static int alone(helper_fn fn, int ms)
{
	int err = -ETIME;

	for (int i = 0; i < 10 && err == -ETIME; i++)
		err = helper_run(NULL, fn, &ms, LIMIT_MS, NULL);
	return err;
}

/* Of ten that want one processor each has a tenth: 120 ms take 1,200. */
static void test_a_busy_machine_is_no_fault_of_a_helpers(void **state)
{
	int much = 2 * LIMIT_MS;
	cpu_set_t before, one;
	pid_t hogs[HOGS];

	assert_return_code(sched_getaffinity(0, sizeof(before), &before),
			   errno);
	CPU_ZERO(&one);
	for (int cpu = 0; !CPU_COUNT(&one); cpu++)
		if (CPU_ISSET(cpu, &before))
			CPU_SET(cpu, &one);
	assert_return_code(sched_setaffinity(0, sizeof(one), &one), errno);
	crowd(hogs);
	assert_int_equal(in_crowd(burn, 120), 0);
	assert_int_equal(in_crowd(burn_below, 120), 0);
	/* one that would need too much, and had a tenth of a processor */
	assert_int_equal(helper_run(NULL, burn, &much, LIMIT_MS, NULL), -ETIME);
	disperse(hogs);
	assert_return_code(sched_setaffinity(0, sizeof(before), &before),
			   errno);
	/* the controls: one that works for too long, and one that is kept
	 * waiting for something else */
	assert_int_equal(alone(burn, much), -ETIMEDOUT);
	assert_int_equal(alone(doze, much), -ETIMEDOUT);
}

#define node_test(f) cmocka_unit_test_setup(f, empty_proc)

int main(void)
{
	const struct CMUnitTest tests[] = {
		node_test(test_pod_cgroup_is_found_by_its_uid),
		node_test(test_directory_below_a_pod_is_no_other_pod),
		node_test(test_cgroup_id_falls_back_to_the_inode),
		node_test(test_cgroup_is_populated_as_its_events_say),
		node_test(test_start_time_is_read_or_an_error),
		node_test(test_uid_is_translated_by_its_map_or_refused),
		node_test(test_uid_of_a_pod_is_translated_by_its_process),
		node_test(test_uid_is_translated_by_the_named_process_alone),
		node_test(test_each_netns_is_visited_once),
		node_test(test_inner_tcp_sockets_of_smc_are_dropped),
		node_test(test_tcp_listener_beside_smc_is_told_by_its_file),
		node_test(test_attribute_missing_or_short_reads_as_nothing),
		node_test(test_only_a_wireguard_device_encrypts),
		node_test(test_cut_message_is_read_no_further_than_its_end),
		node_test(test_bad_ueid_is_refused_and_a_listed_one_found),
		node_test(test_rdma_device_that_lacks_anything_is_not_usable),
		node_test(test_helper_hands_back_its_answer_and_result),
		node_test(test_helper_may_run_a_helper),
		node_test(test_helper_that_fails_is_an_error_and_leaves_nobody),
		node_test(test_a_busy_machine_is_no_fault_of_a_helpers),
	};

	return cmocka_run_group_tests(tests, tree_make, tree_remove);
}

// SPDX-License-Identifier: Apache-2.0
/*
 * agent/starts on this machine's own cgroups: pods are started as kubelet and a
 * runtime do, and each one's namespace is told. Below directories of the test's
 * own, so a kubelet of this machine is not disturbed.
 */
#include "unit.h"
#include "no_inotify.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pods/starting.h"
#include "datapath/features.h"
#include "node/cgroup.h"
#include "node/proc.h"

#define STARTS 25
#define GIVE_UP_MS 20000

static struct bench {
	uv_loop_t loop;
	uv_timer_t guard;
	struct starts *starts;
	char top[CGROUP_PATH_MAX]; /* ours in the hierarchy */
	bool v2, gave_up;
	/* what was told of the pod */
	char uid[64];
	bool cgroup_told, netns_told;
	struct ns_id told;
} b;

static void told(const char *uid, const struct place *at, void *arg)
{
	if (strcmp(uid, b.uid))
		return;
	b.cgroup_told = true;
	if (at) {
		b.told = at->id;
		b.netns_told = true;
	}
	uv_stop(&b.loop); /* told by a timer, the loop would poll first */
}

static void give_up(uv_timer_t *timer)
{
	b.gave_up = true;
}

static void run_until(const bool *flag)
{
	b.gave_up = false;
	uv_timer_start(&b.guard, give_up, GIVE_UP_MS, 0);
	while (!*flag && !b.gave_up)
		uv_run(&b.loop, UV_RUN_ONCE);
	uv_timer_stop(&b.guard);
	assert_true(*flag);
}

/* ---- hierarchies --------------------------------------------------------- */

static void open_in(const char *mount)
{
	snprintf(b.top, sizeof(b.top), "%s/smcmesh-test.%d", mount, getpid());
	assert_return_code(mkdir(b.top, 0755), errno);
	assert_int_equal(
		starts_open(&b.loop, "/proc", b.top, told, NULL, &b.starts), 0);
}

static int up(void **state)
{
	memset(&b, 0, sizeof(b));
	uv_loop_init(&b.loop);
	uv_timer_init(&b.loop, &b.guard);
	return 0;
}

static int down(void **state)
{
	static const char *const levels[] = {
		"kubepods/burstable", "kubepods",
		"kubepods.slice/kubepods-burstable.slice", "kubepods.slice",
		""};
	char path[CGROUP_PATH_MAX + 64];

	starts_close(b.starts);
	uv_close((uv_handle_t *)&b.guard, NULL);
	uv_run(&b.loop, UV_RUN_DEFAULT);
	uv_loop_close(&b.loop);
	for (size_t i = 0; b.top[0] && i < array_size(levels); i++) {
		snprintf(path, sizeof(path), "%s/%s", b.top, levels[i]);
		rmdir(path);
	}
	return 0;
}

/* ---- one start ----------------------------------------------------------- */

static void make(char path[CGROUP_PATH_MAX], const char *name)
{
	size_t len = strlen(path);

	snprintf(path + len, CGROUP_PATH_MAX - len, "/%s", name);
	if (mkdir(path, 0755) && errno != EEXIST)
		fail_msg("make %s: %s", path, strerror(errno));
}

static void make_pod(bool systemd, char path[CGROUP_PATH_MAX])
{
	char name[160], escaped[64];

	strcpy(escaped, b.uid);
	for (char *c = escaped; *c; c++)
		*c = *c == '-' ? '_' : *c;
	snprintf(name, sizeof(name),
		 systemd ? "kubepods-burstable-pod%s.slice" : "pod%s",
		 systemd ? escaped : b.uid);
	strcpy(path, b.top);
	make(path, systemd ? "kubepods.slice" : "kubepods");
	make(path, systemd ? "kubepods-burstable.slice" : "burstable");
	make(path, name);
}

static void __attribute__((noreturn)) sandbox(const char *cgroup, int out)
{
	char procs[CGROUP_PATH_MAX + 16];
	int fd;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup);
	fd = open(procs, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1 || unshare(CLONE_NEWNET) ||
	    write(out, "s", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static pid_t start_sandbox(const char *cgroup)
{
	int ends[2];
	char byte;
	pid_t pid;

	assert_return_code(pipe(ends), errno);
	pid = fork();
	assert_return_code(pid, errno);
	if (!pid)
		sandbox(cgroup, ends[1]);
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return pid;
}

static void end_sandbox(pid_t pid, const char *container, const char *pod)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	while (rmdir(container) && errno == EBUSY)
		uv_sleep(1);
	assert_return_code(rmdir(pod), errno);
}

/* @known: the API said so before the cgroup came; else after the sandbox. */
static void start_one(unsigned int n, bool systemd, bool known)
{
	char pod[CGROUP_PATH_MAX], container[CGROUP_PATH_MAX];
	struct ns_id is;
	pid_t pid;

	b.cgroup_told = b.netns_told = false;
	snprintf(b.uid, sizeof(b.uid), "%08x-1111-4222-8333-%012x", getpid(),
		 n);
	if (known)
		starts_follow(b.starts, b.uid);
	make_pod(systemd, pod);
	run_until(&b.cgroup_told);
	assert_false(b.netns_told);
	strcpy(container, pod);
	make(container, "sandbox");
	pid = start_sandbox(container);
	if (!known)
		starts_follow(b.starts, b.uid);
	run_until(&b.netns_told);
	assert_int_equal(proc_ns("/proc", pid, "net", &is), 0);
	assert_true(ns_same(&is, &b.told));
	end_sandbox(pid, container, pod);
	starts_unfollow(b.starts, b.uid);
}

static void start_all(void)
{
	for (unsigned int n = 0; n < STARTS; n++)
		start_one(n, n & 1, n & 2);
}

static void test_pod_starts_are_told_of_on_cgroup_v2(void **state)
{
	char mount[CGROUP_PATH_MAX];

	if (getuid() || features_find_cgroup2("/proc", mount, sizeof(mount)))
		skip();
	open_in(mount);
	start_all();
}

static void test_pod_starts_are_told_of_on_cgroup_v1(void **state)
{
	char mount[CGROUP_PATH_MAX];

	if (getuid() || cgroup_v1_mount("/proc", "pids", mount))
		skip();
	open_in(mount);
	start_all();
}

static void make_next_pod(unsigned int n, char path[CGROUP_PATH_MAX])
{
	b.cgroup_told = false;
	snprintf(b.uid, sizeof(b.uid), "%08x-1111-4222-8333-%012x", getpid(),
		 n);
	make_pod(false, path);
}

/* No inotify instance is left: the agent starts, a scan finds the pod, and when
 * there is one, the next pod is told of as it comes. The last of the tests: the
 * process stays in its user namespace. */
static void test_without_inotify_a_scan_finds_the_pod(void **state)
{
	char first[CGROUP_PATH_MAX], second[CGROUP_PATH_MAX];

	if (!no_inotify())
		skip();
	open_in("/tmp");
	make_next_pod(1, first);
	starts_scan(b.starts);
	assert_true(b.cgroup_told);
	assert_true(inotify_limit(1));
	starts_scan(b.starts);
	make_next_pod(2, second);
	assert_false(b.cgroup_told);
	run_until(&b.cgroup_told);
	assert_return_code(rmdir(first), errno);
	assert_return_code(rmdir(second), errno);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_pod_starts_are_told_of_on_cgroup_v2, up, down),
		cmocka_unit_test_setup_teardown(
			test_pod_starts_are_told_of_on_cgroup_v1, up, down),
		cmocka_unit_test_setup_teardown(
			test_without_inotify_a_scan_finds_the_pod, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

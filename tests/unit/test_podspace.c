// SPDX-License-Identifier: Apache-2.0
/* user/node/podspace, kubefiles, place: whose a namespace is, and that it is
 * still the one, on made-up /proc and cgroup trees. */
#include "unit.h"
#include "tree.h"
#include "procs.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "node/helper.h"
#include "node/kubefiles.h"
#include "node/podspace.h"

#define KUBELET "/var/lib/kubelet"

static void assert_in(const char *dir, const char *path)
{
	_place_ struct place found = PLACE_NONE;
	int err = podspace_in(at("proc"), at(dir), &found);

	assert_int_equal(err, path ? 0 : -ENOENT);
	if (path)
		assert_string_equal(found.path, at(path));
	else
		assert_int_equal(found.fd, -1);
}

static void assert_search(const char *uid, const char *path)
{
	_place_ struct place found = PLACE_NONE;
	int err = podspace_search(at("proc"), uid, &found);

	assert_int_equal(err, path ? 0 : -ENOENT);
	if (path)
		assert_string_equal(found.path, at(path));
	else
		assert_int_equal(found.fd, -1);
}

/* ---- whose --------------------------------------------------------------- */

/*
 * 1 is the host's init; 20 is being started by the runtime and still in the
 * host's namespace; 30 is the sandbox; 25 came later and unshared its own.
 */
static void make_pod_processes(const char *cgroup)
{
	make_process(1, "ns/host", "ns/host", "0::/init.scope\n", 1);
	make_process(20, "ns/host", "ns/host", cgroup, 50);
	make_process(25, "ns/inner", "ns/host", cgroup, 300);
	make_process(30, "ns/pod", "ns/host", cgroup, 200);
	make_process(40, "ns/pod", "ns/host", "0::/user.slice\n", 10);
}

static void test_process_in_a_pods_directory_is_found(void **state)
{
	make_pod_processes("");
	write_text("cg/pod" UID1 "/cgroup.procs", "");
	assert_in("cg/pod" UID1, NULL);
	write_text("cg/pod" UID1 "/c1/cgroup.procs", "0\n20\n25\n");
	assert_in("cg/pod" UID1, "proc/25/ns/net");
	write_text("cg/pod" UID1 "/c2/x/cgroup.procs", "30\n99\n");
	assert_in("cg/pod" UID1, "proc/30/ns/net");
	assert_in("cg/nowhere", NULL);
}

/* The list becomes @list while the start of process 30 is asked for the first
 * time. Return: who does so, to be waited for. */
static pid_t change_when_asked(const char *list)
{
	static const char start[] =
		"30 (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 200 0";
	pid_t pid;
	int out;

	assert_return_code(unlink(at("proc/30/stat")), errno);
	assert_return_code(mkfifo(at("proc/30/stat"), 0600), errno);
	pid = fork();
	assert_return_code(pid, errno);
	if (pid)
		return pid;
	out = open(at("proc/30/stat"), O_WRONLY);
	write_text("cg/pod" UID1 "/cgroup.procs", list);
	write_text("proc/30/next", start);
	rename(at("proc/30/next"), at("proc/30/stat"));
	_exit(write(out, start, strlen(start)) < 0);
}

/* The number was listed, but not any more when its directory was open: then it
 * may have been another process' already. */
static void test_process_that_is_listed_no_more_is_not_taken(void **state)
{
	static const struct {
		const char *list, *found;
	} cases[] = {{"30\n", "proc/30/ns/net"}, {"31\n", NULL}};

	for (size_t i = 0; i < array_size(cases); i++) {
		pid_t pid;

		empty_proc(state);
		make_pod_processes("");
		write_text("cg/pod" UID1 "/cgroup.procs", "30\n");
		pid = change_when_asked(cases[i].list);
		assert_in("cg/pod" UID1, cases[i].found);
		waitpid(pid, NULL, 0);
	}
}

static void test_pod_is_found_by_the_cgroup_of_a_process(void **state)
{
	make_pod_processes("4:memory:/kubepods/pod" UID1 "/c1\n0::/\n");
	assert_search(UID1, "proc/30/ns/net");
	assert_search(UID2, NULL);
}

/* The names that runtimes make, and how deep they may be. */
static void test_pod_is_found_by_the_names_of_every_runtime(void **state)
{
	static const char *const tables[] = {
		"0::/system.slice/containerd.service/kubepods-burstable-pod" UID1_
		".slice:cri-containerd:99\n",
		"0::/kubepods-pod" UID1_ ".slice:cri-containerd:99\n",
		"0::/user.slice/user-1000.slice/user@1000.service/user.slice/"
		"libpod-1.scope/container/kubelet.slice/kubelet-kubepods.slice/"
		"kubelet-kubepods-pod" UID1_ ".slice/cri-1.scope\n",
		"0::/../../pod" UID1 "/1\n",
	};

	for (size_t i = 0; i < array_size(tables); i++) {
		empty_proc(state);
		make_pod_processes(tables[i]);
		assert_search(UID1, "proc/30/ns/net");
		assert_search(UID2, NULL);
	}
}

/* Pod 2 makes cgroups of another pod's name below its own: still pod 2's. */
static void test_first_pod_in_a_cgroup_path_counts(void **state)
{
	make_pod_processes("0::/kubepods/pod" UID2 "/c1/pod" UID1 "/c\n");
	assert_search(UID1, NULL);
	assert_search(UID2, "proc/30/ns/net");
}

/* ---- files --------------------------------------------------------------- */

/* @path in the file system of the host's root, of device 8:1. */
static void host_file(const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "host%s", path);
	write_text(full, "");
}

/* The host: its root, and kubelet's directory, where @kubelet says that it is a
 * file system of its own, of device 8:2. */
static void make_host(const char *kubelet)
{
	char text[512];

	make_dirs("host");
	snprintf(text, sizeof(text),
		 "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
		 "21 20 0:5 / /proc rw - proc proc rw\n%s%s%s",
		 kubelet ? "22 20 8:2 / " : "", kubelet ?: "",
		 kubelet ? " rw shared:1 - ext4 /dev/sdb rw\n" : "");
	write_text("proc/1/mountinfo", text);
	assert_return_code(symlink(at("host"), at("proc/1/root")), errno);
}

/* A container of process @pid, without a pod in its cgroups: where its table
 * says that @root of @device is mounted at @point there is the host's @file. */
static void make_container(int pid, const char *device, const char *root,
			   const char *point, const char *file)
{
	char path[512], text[1024], top[32];

	make_process(pid, "ns/pod", "ns/host", "0::/k8s.io/c1\n", 200);
	snprintf(path, sizeof(path), "proc/%d/mountinfo", pid);
	snprintf(text, sizeof(text),
		 "90 80 0:50 / / rw - overlay overlay rw\n"
		 "91 90 %s %s %s rw - ext4 /dev/x rw\n",
		 device, root, point);
	write_text(path, text);
	snprintf(top, sizeof(top), "c%d", pid);
	snprintf(path, sizeof(path), "%s%s", top, point);
	write_text(path, "");
	if (file) { /* a second link stands for a second mount */
		char on_host[512];

		snprintf(on_host, sizeof(on_host), "host%s", file);
		assert_return_code(unlink(at(path)), errno);
		assert_return_code(link(at(on_host), at(path)), errno);
	}
	snprintf(path, sizeof(path), "proc/%d/root", pid);
	assert_return_code(symlink(at(top), at(path)), errno);
}

#define HOSTS "/pods/" UID1 "/etc-hosts"
#define LAST_WORDS "/pods/" UID1 "/containers/app/1a2b3c4d"

static void start_host(const char *kubelet)
{
	make_process(1, "ns/host", "ns/host", "0::/\n", 1);
	make_host(kubelet);
	host_file(KUBELET HOSTS);
	host_file(KUBELET LAST_WORDS);
	host_file(KUBELET "/pods/" UID2 "/etc-hosts");
}

static void test_pod_is_found_by_its_hosts_file(void **state)
{
	start_host(NULL);
	make_container(30, "8:1", KUBELET HOSTS, "/etc/hosts", KUBELET HOSTS);
	assert_search(UID1, "proc/30/ns/net");
	assert_search(UID2, NULL);
}

static void test_pod_is_found_by_its_termination_log(void **state)
{
	start_host(KUBELET);
	make_container(30, "8:2", LAST_WORDS, "/dev/termination-log",
		       KUBELET LAST_WORDS);
	assert_search(UID1, "proc/30/ns/net");
	assert_search(UID2, NULL);
}

/* A blank in the path of --root-dir: the kernel writes it as \040. */
static void test_pod_is_found_by_a_file_path_with_a_blank(void **state)
{
	make_process(1, "ns/host", "ns/host", "0::/\n", 1);
	make_host("/my\\040disk");
	host_file("/my disk" HOSTS);
	make_container(30, "8:2", HOSTS, "/etc/hosts", "/my disk" HOSTS);
	assert_search(UID1, "proc/30/ns/net");
}

/* A table that says what it should, and another file: of a program's own file
 * system, or on the host's, where it was not given the pod's. */
static void test_forged_pod_files_are_not_believed(void **state)
{
	start_host(NULL);
	make_container(30, "8:1", KUBELET HOSTS, "/etc/hosts", NULL);
	make_container(31, "0:99", HOSTS, "/etc/hosts", NULL);
	make_container(32, "0:99", HOSTS, "/etc/hosts", KUBELET HOSTS);
	make_container(33, "8:1", KUBELET "/pods/" UID1 "/volumes/x",
		       "/etc/hosts", KUBELET HOSTS);
	make_container(34, "8:1", KUBELET HOSTS, "/etc/hosts",
		       KUBELET "/pods/" UID2 "/etc-hosts");
	assert_search(UID1, NULL);
}

/* A link in the container leads to what is there in the container. */
static void test_pod_file_behind_a_link_is_not_believed(void **state)
{
	start_host(NULL);
	make_container(30, "8:1", KUBELET HOSTS, "/x/etc-hosts", NULL);
	assert_return_code(unlink(at("c30/x/etc-hosts")), errno);
	assert_return_code(
		symlink(at("host" KUBELET HOSTS), at("c30/x/etc-hosts")),
		errno);
	assert_search(UID1, NULL);
}

/* What cgroups say counts more; and the host's own processes are nobody's. */
static void test_cgroups_count_more_than_pod_files(void **state)
{
	start_host(NULL);
	make_container(30, "8:1", KUBELET HOSTS, "/etc/hosts", KUBELET HOSTS);
	write_text("proc/30/cgroup", "0::/kubepods/pod" UID2 "/c\n");
	assert_search(UID1, NULL);
	write_text("proc/30/cgroup", "0::/k8s.io/c\n");
	assert_search(UID1, "proc/30/ns/net");
	assert_return_code(unlink(at("proc/30/ns/net")), errno);
	assert_return_code(symlink(at("ns/host"), at("proc/30/ns/net")), errno);
	assert_search(UID1, NULL);
}

/* ---- again --------------------------------------------------------------- */

static int again(const struct proc_id *id)
{
	_place_ struct place found = PLACE_NONE;

	return podspace_again(at("proc"), UID1, id, &found);
}

static void test_process_is_found_again_only_if_the_same(void **state)
{
	struct proc_id id = {.pid = 30, .start = 200};

	make_pod_processes("0::/kubepods/pod" UID1 "/c\n");
	assert_int_equal(again(&id), 0);
	assert_int_equal(again(&(struct proc_id){}), -ENOENT);
	assert_int_equal(again(&(struct proc_id){.pid = 99, .start = 1}),
			 -ENOENT);
	/* Its number is another process' by now, or it is another pod's. */
	id.start = 199;
	assert_int_equal(again(&id), -ENOENT);
	id.start = 200;
	write_text("proc/30/cgroup", "0::/kubepods/pod" UID2 "/c\n");
	assert_int_equal(again(&id), -ENOENT);
}

static void test_mark_is_of_one_sandbox_alone(void **state)
{
	_place_ struct place first = PLACE_NONE, second = PLACE_NONE;
	struct place_mark mark;

	make_process(30, "ns/pod", "ns/host", "0::/kubepods/pod" UID1 "/c\n",
		     200);
	assert_int_equal(podspace_search(at("proc"), UID1, &first), 0);
	mark = place_mark(&first);
	assert_true(place_is_marked(&first, &mark));
	/* A sandbox that was made anew, of the same numbers but for its start.
	 */
	remove_tree("proc/30");
	make_process(30, "ns/pod", "ns/host", "0::/kubepods/pod" UID1 "/c\n",
		     900);
	assert_int_equal(podspace_search(at("proc"), UID1, &second), 0);
	assert_true(ns_same(&first.id, &second.id));
	assert_false(place_is_marked(&second, &mark));
	/* By a path: nothing says that it is the same. */
	place_close(&second);
	assert_int_equal(place_open(at("ns/pod"), &second), 0);
	assert_false(place_is_marked(&second, &mark));
	mark = place_mark(&second);
	assert_false(place_is_marked(&second, &mark));
}

/* ---- between the look-up and setns() ------------------------------------- */

static int nothing(const void *arg, struct buf *answer)
{
	return 0;
}

static int enter(const struct place *p, bool known)
{
	struct netns_ref ref = {.path = p->path};

	if (known)
		ref.id = p->id;
	return helper_run(&ref, nothing, NULL, 2000, NULL);
}

/* -EINVAL is setns()'s answer for what is no namespace: it got that far. */
static void test_swapped_namespace_link_is_not_entered(void **state)
{
	_place_ struct place found = PLACE_NONE;

	make_pod_processes("0::/kubepods/pod" UID1 "/c\n");
	assert_int_equal(podspace_search(at("proc"), UID1, &found), 0);
	assert_int_equal(enter(&found, true), -EINVAL);
	assert_return_code(unlink(at("proc/30/ns/net")), errno);
	assert_return_code(symlink(at("ns/inner"), at("proc/30/ns/net")),
			   errno);
	assert_int_equal(enter(&found, true), -ENOENT);
	assert_int_equal(enter(&found, false), -EINVAL); /* what we did once */
	remove_tree("proc/30");
	assert_int_equal(enter(&found, true), -ENOENT);
}

#define proc_test(f) cmocka_unit_test_setup(f, empty_proc)

int main(void)
{
	const struct CMUnitTest tests[] = {
		proc_test(test_process_in_a_pods_directory_is_found),
		proc_test(test_process_that_is_listed_no_more_is_not_taken),
		proc_test(test_pod_is_found_by_the_cgroup_of_a_process),
		proc_test(test_pod_is_found_by_the_names_of_every_runtime),
		proc_test(test_first_pod_in_a_cgroup_path_counts),
		proc_test(test_pod_is_found_by_its_hosts_file),
		proc_test(test_pod_is_found_by_its_termination_log),
		proc_test(test_pod_is_found_by_a_file_path_with_a_blank),
		proc_test(test_forged_pod_files_are_not_believed),
		proc_test(test_pod_file_behind_a_link_is_not_believed),
		proc_test(test_cgroups_count_more_than_pod_files),
		proc_test(test_process_is_found_again_only_if_the_same),
		proc_test(test_mark_is_of_one_sandbox_alone),
		proc_test(test_swapped_namespace_link_is_not_entered),
	};

	return cmocka_run_group_tests(tests, tree_make, tree_remove);
}

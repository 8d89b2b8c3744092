// SPDX-License-Identifier: Apache-2.0
/* user/node/kubepods: names of every driver, and directories that come and go
 * in a tree of the test's own, which inotify watches like any other. */
#include "unit.h"
#include "tree.h"
#include "procs.h"
#include "no_inotify.h"

#include <poll.h>

#include "node/kubepods.h"

/* ---- names --------------------------------------------------------------- */

static void assert_pod(const char *name, const char *uid)
{
	char got[PODNAME_UID_MAX] = "";

	assert_int_equal(podname_parse(name, got), PODNAME_POD);
	assert_string_equal(got, uid);
}

static void assert_container(const char *name, const char *uid)
{
	char got[PODNAME_UID_MAX] = "";

	assert_int_equal(podname_parse(name, got), PODNAME_CONTAINER);
	assert_string_equal(got, uid);
}

static void assert_what(const char *name, enum podname_what what)
{
	char got[PODNAME_UID_MAX] = "untouched";

	assert_int_equal(podname_parse(name, got), what);
	assert_string_equal(got, "untouched");
}

static void test_pod_directory_names_are_read(void **state)
{
	assert_pod("pod" UID1, UID1);
	assert_pod("pod" STATIC_UID, STATIC_UID);
	assert_pod("kubepods-pod" UID1_ ".slice", UID1);
	assert_pod("kubepods-burstable-pod" UID1_ ".slice", UID1);
	assert_pod("kubelet-kubepods-besteffort-pod" UID2_ ".slice", UID2);
	assert_pod("my-pods-kubepods-pod" STATIC_UID ".slice", STATIC_UID);

	assert_what("kubepods", PODNAME_TOP);
	assert_what("kubepods.slice", PODNAME_TOP);
	assert_what("kubelet-kubepods.slice", PODNAME_TOP);
	assert_what("burstable", PODNAME_LEVEL);
	assert_what("besteffort", PODNAME_LEVEL);
	assert_what("kubepods-burstable.slice", PODNAME_LEVEL);
	assert_what("kubelet-kubepods-besteffort.slice", PODNAME_LEVEL);
}

/* What containerd without SystemdCgroup makes of what is meant for systemd. */
static void test_container_names_tell_their_pod(void **state)
{
#define ID "9999999999999999999999999999999999999999999999999999999999999999"
	assert_container("kubepods-burstable-pod" UID1_
			 ".slice:cri-containerd:" ID,
			 UID1);
	assert_container("kubepods-pod" STATIC_UID ".slice:crio:" ID,
			 STATIC_UID);
	assert_container("kubelet-kubepods-besteffort-pod" UID2_
			 ".slice:docker:" ID,
			 UID2);
	assert_true(podname_has("kubepods-pod" UID1_ ".slice:cri-containerd:1",
				UID1));
	assert_true(podname_has("kubepods-pod" UID1_ ".slice", UID1));
	/* It is no pod's own directory, and no other pod's. */
	assert_false(podname_is("kubepods-pod" UID1_ ".slice:cri-containerd:1",
				UID1));
	assert_false(podname_has("kubepods-pod" UID2_ ".slice:cri-containerd:1",
				 UID1));
	assert_what("system.slice:docker:" UID1, PODNAME_OTHER);
	assert_what("kubepods-pod.slice:cri-containerd:" ID, PODNAME_OTHER);
	assert_what("kubepods.slice:cri-containerd:" ID, PODNAME_OTHER);
	assert_what(":kubepods-pod" UID1_ ".slice", PODNAME_OTHER);
	assert_what("x:pod" UID1, PODNAME_OTHER);
}

static void test_names_of_others_are_no_pods(void **state)
{
	static const char *const names[] = {
		"",
		".slice",
		"pod",
		"podman.service",
		"pods.slice",
		"-pod.slice",
		"kubepods-pod.slice",
		"notkubepods.slice",
		"kubepods-burstable",
		"system.slice",
		"pod" UID1 "x",
		"pod0b1c2d3e",
		"kubepods-pod" UID1_,
		"kubepods-pod" UID1_ ".scope",
		"kubepods-pod" UID1 ".slice", /* systemd's would be levels */
		"pod" UID1_,
		"kubepods-pod" UID1_ "-x.slice",
		"cri-containerd-" STATIC_UID STATIC_UID ".scope",
		"pod" UID1 UID2, /* longer than any */
		"pod0B1C2D3E-4F50-6172-8394-A5B6C7D8E9F0",
	};

	for (size_t i = 0; i < array_size(names); i++)
		assert_what(names[i], PODNAME_OTHER);
}

static void test_name_is_a_pods_only_by_its_whole_uid(void **state)
{
	assert_true(podname_is("pod" UID1, UID1));
	assert_true(podname_is("kubepods-pod" UID1_ ".slice", UID1));
	assert_true(podname_is("kubelet-kubepods-besteffort-pod" UID1_ ".slice",
			       UID1));
	assert_true(podname_is("pod" STATIC_UID, STATIC_UID));
	/* of a file that somebody wrote by hand */
	assert_true(podname_is("podweb-0", "web-0"));
	assert_true(podname_is("kubepods-podweb_pod_0.slice", "web-pod-0"));

	assert_false(podname_is("pod" UID2, UID1));
	assert_false(podname_is("kubepods-pod" UID2_ ".slice", UID1));
	assert_false(podname_is("kubepods-pod" UID1 ".slice", UID1));
	assert_false(podname_is("kubepods-pod" UID1_, UID1));
	assert_false(podname_is("pod" UID1_, UID1));
	assert_false(podname_is("pod" UID1 "x", UID1));
	assert_false(podname_is("pod", ""));
	assert_false(podname_is("kubepods-pod.slice", ""));
	assert_false(podname_is("po", "x"));
	assert_false(podname_is("", UID1));
}

/* ---- directories --------------------------------------------------------- */

/* What was told, "uid uid ". */
struct told {
	char text[1024];
};

static void note(const char *uid, void *arg)
{
	struct told *t = arg;
	size_t len = strlen(t->text);

	snprintf(t->text + len, sizeof(t->text) - len, "%s ", uid);
}

/* All that was told since the last time. inotify's queue is filled by the very
 * system call that makes the directory: nothing has to be waited for. */
static const char *told(struct kubepods *k)
{
	static struct told t;
	struct pollfd p = {.fd = kubepods_fd(k), .events = POLLIN};

	t.text[0] = '\0';
	while (poll(&p, 1, 0) > 0)
		assert_int_equal(kubepods_read(k, note, &t), 0);
	return t.text;
}

static struct kubepods *open_tree(void)
{
	struct kubepods *k = NULL;

	assert_int_equal(kubepods_open(at("proc"), at("cg"), &k), 0);
	assert_non_null(k);
	return k;
}

static int start(void **state)
{
	empty_proc(state);
	make_dirs("proc/self");
	make_dirs("cg/system.slice");
	return 0;
}

static void closing(struct kubepods **k)
{
	kubepods_close(*k);
}
#define _kubepods_ _cleanup_(closing)

static void test_pods_are_told_of_by_cgroupfs_names(void **state)
{
	_kubepods_ struct kubepods *k = open_tree();

	assert_false(kubepods_any(k));
	make_dirs("cg/kubepods");
	make_dirs("cg/system.slice/pod" UID1);
	assert_string_equal(told(k), "");
	assert_true(kubepods_any(k));
	make_dirs("cg/kubepods/pod" UID1);
	assert_string_equal(told(k), UID1 " ");
	make_dirs("cg/kubepods/burstable");
	make_dirs("cg/kubepods/burstable/pod" UID2 "/c1");
	make_dirs("cg/kubepods/pod" STATIC_UID);
	assert_string_equal(told(k), UID2 " " STATIC_UID " ");
}

static void test_pods_are_told_of_by_systemd_names(void **state)
{
	_kubepods_ struct kubepods *k = open_tree();
	struct told t = {};

	make_dirs("cg/kubepods.slice/kubepods-besteffort.slice");
	assert_string_equal(told(k), "");
	make_dirs("cg/kubepods.slice/kubepods-besteffort.slice/"
		  "kubepods-besteffort-pod" UID1_ ".slice");
	make_dirs("cg/kubepods.slice/kubepods-pod" UID2_ ".slice");
	assert_string_equal(told(k), UID1 " " UID2 " ");
	kubepods_scan(k, note, &t);
	assert_string_equal(t.text, "");
}

/* Kubelet below other directories, which are not watched: a scan finds it, and
 * from then on its pods are told of as they come. */
static void test_kubelet_below_other_directories_is_scanned_for(void **state)
{
	_kubepods_ struct kubepods *k = open_tree();
	struct told t = {};

#define NESTED                                                \
	"cg/docker/abc/kubelet.slice/kubelet-kubepods.slice/" \
	"kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod"
	make_dirs(NESTED UID1_ ".slice");
	assert_string_equal(told(k), "");
	kubepods_scan(k, note, &t);
	assert_string_equal(t.text, UID1 " ");
	make_dirs(NESTED UID2_ ".slice");
	assert_string_equal(told(k), UID2 " ");
	/* Kubelet makes its top anew. */
	remove_tree("cg/docker/abc/kubelet.slice/kubelet-kubepods.slice");
	assert_string_equal(told(k), "");
	make_dirs(NESTED UID1_ ".slice");
	assert_string_equal(told(k), UID1 " ");
}

static void test_pod_that_was_there_before_is_not_told_of(void **state)
{
	_place_ struct place found = PLACE_NONE;
	_kubepods_ struct kubepods *k = NULL;

	make_dirs("cg/kubepods/besteffort/pod" UID1);
	k = open_tree();
	assert_string_equal(told(k), "");
	assert_int_equal(kubepods_place(k, at("proc"), UID1, &found), -ENOENT);
	remove_tree("cg/kubepods/besteffort/pod" UID1);
	make_dirs("cg/kubepods/besteffort/pod" UID1);
	assert_string_equal(told(k), UID1 " ");
}

/* ---- a pod that is followed ---------------------------------------------- */

static void test_container_is_told_of_only_of_a_followed_pod(void **state)
{
	_kubepods_ struct kubepods *k = open_tree();

	make_dirs("cg/kubepods/pod" UID1);
	make_dirs("cg/kubepods/pod" UID2);
	kubepods_follow(k, UID1);
	kubepods_follow(k, UID1);
	told(k);
	/* v1: a container's directory; nothing of the other pod's */
	make_dirs("cg/kubepods/pod" UID1 "/c1");
	make_dirs("cg/kubepods/pod" UID2 "/c1");
	assert_string_equal(told(k), UID1 " ");
	kubepods_unfollow(k, UID1);
	make_dirs("cg/kubepods/pod" UID1 "/c2");
	assert_string_equal(told(k), "");
}

/* v2: the kernel changes cgroup.events when the first process comes. */
static void test_followed_pod_is_told_of_when_populated(void **state)
{
	_kubepods_ struct kubepods *k = open_tree();

	kubepods_follow(k, UID1); /* before there is anything */
	make_dirs("cg/kubepods");
	told(k);
	write_text("cg/kubepods/pod" UID1 "/cgroup.events", "populated 0\n");
	assert_string_equal(told(k), UID1 " ");
	write_text("cg/kubepods/pod" UID1 "/cgroup.events", "populated 1\n");
	assert_says(told(k), UID1 " ");
	/* and of the directory that comes after it, under the same name */
	remove_tree("cg/kubepods/pod" UID1);
	told(k);
	write_text("cg/kubepods/pod" UID1 "/cgroup.events", "populated 0\n");
	assert_says(told(k), UID1 " ");
	write_text("cg/kubepods/pod" UID1 "/cgroup.events", "populated 1\n");
	assert_says(told(k), UID1 " ");
}

/* ---- a runtime that has containers elsewhere ----------------------------- */

#define CONTAINERD "cg/system.slice/containerd.service"
#define STRAY(uid, id) \
	CONTAINERD "/kubepods-burstable-pod" uid ".slice:cri-containerd:" id

/* Kubelet's directory comes, its containers do not come below it. Once one was
 * found among the processes, the next ones are told of as they come. */
static void test_containers_elsewhere_are_told_of_once_found(void **state)
{
	_place_ struct place found = PLACE_NONE;
	_kubepods_ struct kubepods *k = open_tree();
	struct told t = {};

	make_dirs("cg/kubepods.slice/kubepods-burstable.slice/"
		  "kubepods-burstable-pod" UID1_ ".slice");
	kubepods_scan(k, note, &t);
	told(k);
	kubepods_follow(k, UID1);
	make_dirs(STRAY(UID1_, "1"));
	make_dirs("cg/user.slice/deep/deeper/deepest/below");
	assert_string_equal(told(k), "");
	assert_int_equal(kubepods_place(k, at("proc"), UID1, &found), -ENOENT);

	t.text[0] = '\0';
	kubepods_seek(k, note, &t);
	assert_string_equal(t.text, UID1 " ");
	make_process(1, "ns/host", "ns/host", "", 1);
	make_process(30, "ns/pod", "ns/host", "", 200);
	write_text(STRAY(UID1_, "1") "/cgroup.procs", "30\n");
	assert_int_equal(kubepods_place(k, at("proc"), UID1, &found), 0);
	assert_string_equal(found.path, at("proc/30/ns/net"));
	told(k);

	make_dirs(STRAY(UID2_, "2"));
	assert_string_equal(told(k), UID2 " ");
	make_dirs(STRAY(UID1_, "3"));
	assert_string_equal(told(k), UID1 " ");
	make_dirs(STRAY(UID1_, "3") "/init"); /* of the one that is followed */
	assert_string_equal(told(k), UID1 " ");
	remove_tree(STRAY(UID2_, "2"));
	told(k);
	assert_false(kubepods_known(k, UID2));
}

/* Directly below the mount, which is always watched. */
static void test_container_directly_below_the_mount_is_told_of(void **state)
{
	_kubepods_ struct kubepods *k = open_tree();

	make_dirs("cg/kubepods-pod" UID1_ ".slice:cri-containerd:1");
	make_dirs("cg/pod" UID2);
	make_dirs("cg/kubepods-pod" UID2_ ".slice");
	assert_string_equal(told(k), UID1 " ");
	assert_false(kubepods_any(k));
}

/* ---- v1 ------------------------------------------------------------------ */

static void write_mounts(const char *v1)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 "cgroup2 %s cgroup2 rw 0 0\n"
		 "cgroup %s/cpu cgroup rw,cpu,cpuacct 0 0\n"
		 "cgroup %s/memory cgroup rw,memory 0 0\n",
		 at("cg"), v1, v1);
	write_text("proc/self/mounts", text);
}

static void test_pods_are_told_of_in_one_v1_hierarchy_and_v2(void **state)
{
	_kubepods_ struct kubepods *k = NULL;

	make_dirs("v1/memory");
	make_dirs("v1/cpu");
	write_mounts(at("v1"));
	k = open_tree();
	make_dirs("v1/memory/kubepods/pod" UID1);
	make_dirs("v1/cpu/kubepods/pod" UID2); /* one hierarchy is enough */
	assert_string_equal(told(k), UID1 " ");
	make_dirs("cg/kubepods/pod" UID2);
	assert_string_equal(told(k), UID2 " ");
}

/* ---- many, and none ------------------------------------------------------ */

/* More events than one read takes. */
static void test_no_pod_of_a_thousand_is_missed(void **state)
{
	_kubepods_ struct kubepods *k = open_tree();
	struct told t = {};
	char path[128];
	size_t n = 0;

	make_dirs("cg/kubepods");
	told(k);
	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path),
			 "cg/kubepods/pod%08x-0000-0000-0000-000000000000", i);
		make_dirs(path);
	}
	for (struct pollfd p = {.fd = kubepods_fd(k), .events = POLLIN};
	     poll(&p, 1, 0) > 0;) {
		t.text[0] = '\0';
		assert_int_equal(kubepods_read(k, note, &t), 0);
		n += t.text[0] != '\0';
	}
	assert_true(n > 1);
	t.text[0] = '\0';
	kubepods_scan(k, note, &t); /* none was missed */
	assert_string_equal(t.text, "");
}

static void test_without_cgroups_nothing_is_found(void **state)
{
	_place_ struct place found = PLACE_NONE;
	_kubepods_ struct kubepods *k = NULL;

	assert_int_equal(kubepods_open(at("proc"), NULL, &k), 0);
	assert_false(kubepods_any(k));
	assert_int_equal(kubepods_read(k, note, NULL), 0);
	assert_int_equal(kubepods_place(k, at("proc"), UID1, &found), -ENOENT);
	kubepods_unfollow(k, UID1);
	kubepods_close(NULL);
}

/* No instance is left: scans find what comes and goes, until there is one. The
 * last of the tests: the process stays in its user namespace. */
static void test_without_inotify_scans_find_pods(void **state)
{
	_kubepods_ struct kubepods *k = NULL;
	struct told t = {};

	if (!no_inotify())
		skip();
	make_dirs("cg/kubepods/pod" UID1);
	k = open_tree();
	assert_int_equal(kubepods_fd(k), -1);
	assert_int_equal(kubepods_read(k, note, &t), 0);
	assert_true(kubepods_known(k, UID1));
	kubepods_follow(k, UID1);
	make_dirs("cg/kubepods/burstable/pod" UID2);
	kubepods_scan(k, note, &t);
	assert_string_equal(t.text, UID2 " ");
	remove_tree("cg/kubepods/burstable/pod" UID2);
	kubepods_scan(k, note, &t);
	assert_false(kubepods_known(k, UID2));
	assert_int_equal(kubepods_fd(k), -1);

	assert_true(inotify_limit(1));
	kubepods_scan(k, note, &t);
	assert_string_equal(t.text, UID2 " ");
	assert_true(kubepods_fd(k) >= 0);
	make_dirs("cg/kubepods/burstable/pod" UID2);
	assert_string_equal(told(k), UID2 " ");
	make_dirs("cg/kubepods/pod" UID1 "/c1");
	assert_string_equal(told(k), UID1 " ");
}

#define tree_test(f) cmocka_unit_test_setup(f, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pod_directory_names_are_read),
		cmocka_unit_test(test_container_names_tell_their_pod),
		cmocka_unit_test(test_names_of_others_are_no_pods),
		cmocka_unit_test(test_name_is_a_pods_only_by_its_whole_uid),
		tree_test(test_pods_are_told_of_by_cgroupfs_names),
		tree_test(test_pods_are_told_of_by_systemd_names),
		tree_test(test_kubelet_below_other_directories_is_scanned_for),
		tree_test(test_pod_that_was_there_before_is_not_told_of),
		tree_test(test_container_is_told_of_only_of_a_followed_pod),
		tree_test(test_followed_pod_is_told_of_when_populated),
		tree_test(test_containers_elsewhere_are_told_of_once_found),
		tree_test(test_container_directly_below_the_mount_is_told_of),
		tree_test(test_pods_are_told_of_in_one_v1_hierarchy_and_v2),
		tree_test(test_no_pod_of_a_thousand_is_missed),
		tree_test(test_without_cgroups_nothing_is_found),
		tree_test(test_without_inotify_scans_find_pods),
	};

	return cmocka_run_group_tests(tests, tree_make, tree_remove);
}

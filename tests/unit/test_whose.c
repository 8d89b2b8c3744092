// SPDX-License-Identifier: Apache-2.0
/* user/node/whose: the pod of a process, from its cgroups. */
#include "unit.h"
#include "tree.h"

#include "node/pod_of_pid.h"

#define UID "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"
#define UID_ "0b1c2d3e_4f50_6172_8394_a5b6c7d8e9f0"
#define UID2 "11111111-2222-3333-4444-555555555555"
#define UID2_ "11111111_2222_3333_4444_555555555555"

static void assert_whose(const char *table, const char *want)
{
	char uid[PODNAME_UID_MAX] = "";

	write_text("7/cgroup", table);
	if (!want) {
		assert_int_equal(netns_pod_uid(at("7/ns/net"), uid), -ENOENT);
		return;
	}
	assert_int_equal(netns_pod_uid(at("7/ns/net"), uid), 0);
	assert_string_equal(uid, want);
}

static void test_pod_uid_is_read_from_any_cgroup_path(void **state)
{
	assert_whose("0::/system.slice/containerd.service/kubepods-pod" UID_
		     ".slice:cri-containerd:3f9a\n",
		     UID);
	assert_whose("0::/kubepods/burstable/pod" UID "/3f9a\n", UID);
	assert_whose("0::/kubepods.slice/kubepods-pod" UID_
		     ".slice/cri-3f9a.scope\n",
		     UID);
	/* v1, and the path as a container with a cgroup namespace sees it */
	assert_whose("12:pids:/user.slice\n"
		     "3:cpu,cpuacct:/../../pod" UID "/3f9a\n0::/\n",
		     UID);
}

static void test_process_of_no_pod_has_no_pod_uid(void **state)
{
	char uid[PODNAME_UID_MAX] = "";

	assert_whose("", NULL);
	assert_whose("0::/system.slice/sshd.service\n", NULL);
	assert_int_equal(netns_pod_uid(at("8/ns/net"), uid), -ENOENT);
	assert_int_equal(netns_pod_uid("/run/netns/web", uid), -ENOENT);
	assert_int_equal(netns_pod_uid("/ns/net", uid), -ENOENT);
	assert_int_equal(netns_pod_uid("", uid), -ENOENT);
}

/* A pod may make any name below its own directory. */
static void test_first_pod_in_a_cgroup_path_counts(void **state)
{
	assert_whose("0::/kubepods/pod" UID2 "/c1/pod" UID "\n", UID2);
	assert_whose("0::/system.slice/containerd.service/kubepods-pod" UID2_
		     ".slice:cri-containerd:1/pod" UID "\n",
		     UID2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pod_uid_is_read_from_any_cgroup_path),
		cmocka_unit_test(test_process_of_no_pod_has_no_pod_uid),
		cmocka_unit_test(test_first_pod_in_a_cgroup_path_counts),
	};

	return cmocka_run_group_tests(tests, tree_make, tree_remove);
}

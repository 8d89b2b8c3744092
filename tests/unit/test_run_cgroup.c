// SPDX-License-Identifier: Apache-2.0
/* Cgroups by their names, in a tree of the test's own. */
#include "unit.h"
#include "tree.h"

#include <sys/stat.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "node/run_cgroup.h"

static void test_named_cgroup_is_a_directory(void **state)
{
	char path[CGROUP_PATH_MAX];

	write_text("cg/a/cgroup.procs", "1\n");
	assert_int_equal(cgroup_named(at("cg"), "/a", path), 0);
	assert_string_equal(path, at("cg/a"));
	assert_int_equal(cgroup_named(at("cg"), "/b", path), -ENOENT);
	assert_string_equal(path, at("cg/b"));
	assert_int_equal(cgroup_named(at("cg"), "/a/cgroup.procs", path),
			 -ENOTDIR);
	assert_int_equal(cgroup_named(NULL, "/a", path), -ENOENT);
}

static void test_cgroup_holds_whoever_is_in_it_or_below(void **state)
{
	write_text("cg/a/cgroup.procs", "7\n12\n");
	write_text("cg/a/b/cgroup.procs", "30\n");
	write_text("cg/c/cgroup.procs", "0\n1\n");
	assert_true(cgroup_holds(at("cg/a"), 12));
	assert_true(cgroup_holds(at("cg/a"), 30));
	assert_true(cgroup_holds(at("cg"), 30));
	assert_false(cgroup_holds(at("cg/a/b"), 12));
	assert_false(cgroup_holds(at("cg/c"), 12));
	assert_false(cgroup_holds(at("cg/a"), 2));
}

static int count_runs(const char *path, void *arg)
{
	struct buf *b = arg;

	buf_printf(b, "%s ", path);
	return 0;
}

/* Who the directory belongs to decides: see test_run.py. */
static void test_programs_cgroups_are_found_by_their_names(void **state)
{
	_buf_ struct buf b = {};
	char dir[CGROUP_PATH_MAX];
	const bool root = !geteuid();

	assert_true(run_cgroup_is("/a/smcmesh.run-x-1"));
	assert_false(run_cgroup_is("/smcmesh.run-x-1/a"));
	assert_false(run_cgroup_is("smcmesh.run-x-1"));
	make_dirs("cg/a.slice/smcmesh.run-x-1/smcmesh.run-below");
	make_dirs("cg/smcmesh-syncheck-1");
	assert_int_equal(run_cgroup_each(at("cg"), count_runs, &b), 0);
	assert_string_equal(b.data ?: "",
			    root ? "/a.slice/smcmesh.run-x-1 " : "");
	assert_int_equal(run_cgroup_find(at("cg"), "/a.slice", dir), -EINVAL);
	assert_int_equal(
		run_cgroup_find(at("cg"), "/a/../smcmesh.run-x-1", dir),
		-EINVAL);
	assert_int_equal(run_cgroup_find(at("cg"), "/smcmesh.run-x-9", dir),
			 -ENOENT);
	if (root && chown(at("cg/a.slice/smcmesh.run-x-1"), 1000, 0))
		fail();
	assert_int_equal(
		run_cgroup_find(at("cg"), "/a.slice/smcmesh.run-x-1", dir),
		-EPERM);
	/* a container's root is root here, too */
	make_dirs("cg/kubepods.slice/smcmesh.run-x-1");
	assert_int_equal(run_cgroup_find(at("cg"),
					 "/kubepods.slice/smcmesh.run-x-1",
					 dir),
			 -EPERM);
}

static void test_programs_cgroup_goes_once_it_is_empty(void **state)
{
	const char *dir = at("cg/smcmesh.run-x-1");

	make_dirs("cg/smcmesh.run-x-1/below");
	write_text("cg/smcmesh.run-x-1/cgroup.events", "populated 1\n");
	assert_int_equal(run_cgroup_remove(dir), -EBUSY);
	assert_int_equal(run_cgroup_remove(at("cg/nothing")), 0);
}

static int start(void **state)
{
	return tree_empty();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_named_cgroup_is_a_directory, start),
		cmocka_unit_test_setup(
			test_cgroup_holds_whoever_is_in_it_or_below, start),
		cmocka_unit_test_setup(
			test_programs_cgroups_are_found_by_their_names, start),
		cmocka_unit_test_setup(
			test_programs_cgroup_goes_once_it_is_empty, start),
	};

	return cmocka_run_group_tests_name("node/run_cgroup", tests, NULL,
					   NULL);
}

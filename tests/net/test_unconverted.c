// SPDX-License-Identifier: Apache-2.0
/* user/datapath/unconverted.c: whose row it writes into the pinned map. That
 * such a process' sockets stay TCP: tests/vm/test_syncheck.py. See world.h. */
#include "world.h"

#include <smcmesh/converting.h>
#include "datapath/unconverted.h"

/* Is the row of @pid's first thread one of "nothing is converted"? -ENOENT: it
 * has none. */
static int marked(pid_t pid)
{
	_close_ int map = pin(dir, "smc_converting", PIN_MAP);
	_close_ int pidfd = syscall(SYS_pidfd_open, pid, 0);
	struct smc_converting row;
	int err;

	assert_true(pidfd >= 0);
	err = bpf_map_lookup_elem(map, &pidfd, &row);
	return err ?: row.failed && !row.step && !row.rationed;
}

static void end(pid_t *pid)
{
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
}

static void test_process_that_is_marked_has_a_row_and_no_other(void **state)
{
	_cleanup_(end) pid_t child = fork();
	struct datapath *dp;

	if (!child) {
		pause();
		_exit(0);
	}
	dp = open_idle();
	assert_int_equal(marked(child), -ENOENT);
	assert_int_equal(unconverted_mark(bpffs, child), 0);
	assert_int_equal(marked(child), 1);
	assert_int_equal(marked(getpid()), -ENOENT);
	/* a second time */
	assert_int_equal(unconverted_mark(bpffs, child), 0);
	assert_int_equal(marked(child), 1);
	datapath_close(dp);
	remove_all();
}

static void test_without_pins_there_is_nothing_to_mark(void **state)
{
	assert_int_equal(unconverted_mark(bpffs, getpid()), 0);
	assert_int_equal(access(root, F_OK), -1);
	assert_int_equal(unconverted_mark("/nowhere", getpid()), 0);
}

/* An ABI whose rows have another size, or which has no such map. */
static void test_rows_of_another_size_are_left_alone(void **state)
{
	_close_ int map =
		bpf_map_create(BPF_MAP_TYPE_HASH, "smc_converting", sizeof(int),
			       sizeof(struct smc_converting) + 8, 4, NULL);
	int key = 0;

	assert_true(map >= 0);
	assert_int_equal(mkdir(root, 0700), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(unconverted_mark(bpffs, getpid()), 0);
	assert_int_equal(pin_put(map, dir, "smc_converting"), 0);
	assert_int_equal(unconverted_mark(bpffs, getpid()), 0);
	assert_int_equal(bpf_map_get_next_key(map, NULL, &key), -ENOENT);
}

static void test_process_that_has_ended_is_an_error(void **state)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(unconverted_mark(bpffs, child), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_process_that_is_marked_has_a_row_and_no_other),
		TEST(test_without_pins_there_is_nothing_to_mark),
		TEST(test_rows_of_another_size_are_left_alone),
		TEST(test_process_that_has_ended_is_an_error),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

// SPDX-License-Identifier: Apache-2.0
/* user/node/host, os_release: the host's own files, in a tree of the test's. */
#include "unit.h"
#include "tree.h"

#include <fcntl.h>
#include <zlib.h>
#include "node/os_release.h"

static struct host h;

static int fresh(void **state)
{
	if (tree_empty())
		return -1;
	host_open("/proc", tree_top, &h);
	return 0;
}

static bool collect(char *line, void *to)
{
	buf_printf(to, "[%s]", line);
	return strcmp(line, "stop");
}

static void assert_lines(const char *path, int err, const char *want)
{
	_buf_ struct buf got = {};

	assert_int_equal(host_each_line(&h, path, collect, &got), err);
	assert_string_equal(got.data ?: "", want);
}

/* ---- files ---- */

static void lines_come_without_their_ends_until_told_to_stop(void **state)
{
	write_text("etc/x", "a\n\nb");
	assert_lines("/etc/x", 0, "[a][][b]");
	write_text("etc/x", "a\nstop\nb\n");
	assert_lines("/etc/x", 0, "[a][stop]");
	write_text("etc/x", "");
	assert_lines("/etc/x", 0, "");
	assert_lines("/etc/y", -ENOENT, "");
	assert_true(host_has(&h, "/etc/x"));
	assert_false(host_has(&h, "/etc/y"));
}

static void a_compressed_file_is_read_and_a_broken_one_is_an_error(void **state)
{
	char bytes[256];
	size_t n;
	FILE *f;
	gzFile z;

	make_dirs("proc");
	z = gzopen(at("proc/config.gz"), "w");
	gzputs(z, "CONFIG_SMC=m\nCONFIG_X=y\n");
	gzclose(z);
	assert_lines("/proc/config.gz", 0, "[CONFIG_SMC=m][CONFIG_X=y]");
	/* control: the same, cut short */
	f = fopen(at("proc/config.gz"), "r");
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	f = fopen(at("proc/config.gz"), "w");
	fwrite(bytes, 1, n - 10, f);
	fclose(f);
	{
		_buf_ struct buf got = {};

		assert_int_equal(
			host_each_line(&h, "/proc/config.gz", collect, &got),
			-EIO);
	}
}

static void links_lead_to_where_they_lead_on_the_host(void **state)
{
	char line[16];

	write_text("usr/lib/os-release", "ID=inside\n");
	make_dirs("etc");
	assert_return_code(symlink("/usr/lib/os-release", at("etc/os-release")),
			   0);
	assert_int_equal(
		host_first_line(&h, "/etc/os-release", line, sizeof(line)), 0);
	assert_string_equal(line, "ID=inside");
	assert_return_code(symlink("../../../../../etc/passwd", at("etc/out")),
			   0);
	assert_int_equal(host_first_line(&h, "/etc/out", line, sizeof(line)),
			 -ENOENT);
	assert_string_equal(line, "");
}

static void the_release_is_the_trees_or_the_running_kernels(void **state)
{
	struct host here;

	host_open("/proc", NULL, &here);
	assert_false(here.given);
	assert_string_equal(h.release, here.release);
	write_text("proc/sys/kernel/osrelease", "5.10.134-16.3.al8.x86_64\n");
	host_open("/proc", tree_top, &h);
	assert_true(h.given);
	assert_string_equal(h.release, "5.10.134-16.3.al8.x86_64");
	assert_string_equal(h.machine, here.machine);
}

/* A /proc that shows other hosts' processes without their root: nothing of this
 * container's own files is taken for the host's. */
static void where_the_hosts_root_is_not_seen_there_are_no_files(void **state)
{
	struct host other;

	host_open(at("hostproc"), NULL, &other);
	assert_false(host_has(&other, "/etc"));
	make_dirs("hostproc/1/root/proc");
	write_text("hostproc/1/root/etc/x", "a");
	host_open(at("hostproc"), NULL, &other);
	assert_true(host_has(&other, "/etc/x"));
	/* control: this machine's own */
	host_open("/proc", NULL, &other);
	assert_true(host_has(&other, "/etc"));
}

/* ---- os-release ---- */

static void assert_os(const char *id, const char *version, const char *name)
{
	struct os_release os;

	assert_int_equal(os_release_read(&h, &os), 0);
	assert_string_equal(os.id, id);
	assert_string_equal(os.version, version);
	assert_string_equal(os.name, name);
}

static void os_release_is_read_with_and_without_quotes(void **state)
{
	write_text("etc/os-release",
		   "PRETTY_NAME=\"Alibaba Cloud Linux 3 (Soaring Falcon)\"\n"
		   "ID=\"alinux\"\nID_LIKE=\"rhel\"\nVERSION_ID='3'\n");
	assert_os("alinux", "3", "Alibaba Cloud Linux 3 (Soaring Falcon)");
	write_text("etc/os-release", "ID=arch\nVERSION_ID=\"\n");
	assert_os("arch", "\"", "arch");
}

static void os_release_is_looked_for_in_usr_lib_too(void **state)
{
	struct os_release os;

	assert_int_equal(os_release_read(&h, &os), -ENOENT);
	assert_string_equal(os.id, "");
	write_text("usr/lib/os-release", "ID=debian\nVERSION_ID=13\n");
	assert_os("debian", "13", "debian");
}

#define test(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(lines_come_without_their_ends_until_told_to_stop),
		test(a_compressed_file_is_read_and_a_broken_one_is_an_error),
		test(links_lead_to_where_they_lead_on_the_host),
		test(the_release_is_the_trees_or_the_running_kernels),
		test(where_the_hosts_root_is_not_seen_there_are_no_files),
		test(os_release_is_read_with_and_without_quotes),
		test(os_release_is_looked_for_in_usr_lib_too),
	};

	return cmocka_run_group_tests(tests, tree_make, tree_remove);
}

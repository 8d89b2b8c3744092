// SPDX-License-Identifier: Apache-2.0
/* user/doctor/vendor_checks, node/kernel_log, node/hotfix: Alibaba Cloud's
 * gates, the kernel's log and a livepatch, in a tree of the test's. */
#include "unit.h"
#include "checks.h"
#include "tree.h"

#include "node/hotfix.h"
#include "node/kernel_log.h"

#define WITH_ISSUE "5.10.134-16.3.al8.x86_64"
#define HOTFIX "kernel-hotfix-16664924-5.10.134-16.3"

static struct doctor d;
static char *path;

static void write_system(const char *id, const char *release)
{
	char text[64];

	snprintf(text, sizeof(text), "ID=\"%s\"\n", id);
	write_text("etc/os-release", text);
	write_text("proc/sys/kernel/osrelease", release);
	host_open("/proc", tree_top, &d.host);
	assert_int_equal(os_release_read(&d.host, &d.os), 0);
}

/* The only programs are those that the test writes. */
static int fresh(void **state)
{
	if (tree_empty())
		return -1;
	d = (struct doctor){.proc = "/proc"};
	make_dirs("bin");
	setenv("PATH", at("bin"), 1);
	write_system("alinux", WITH_ISSUE);
	return 0;
}

static int restore(void **state)
{
	return setenv("PATH", path, 1);
}

static void assert_asked(const char *id, enum check_status status,
			 const char *found, const char *fix)
{
	_cleanup_(finding_free) struct finding f = ask_check(&d, id);

	assert_finding(&f, status, found, fix);
}

/* ---- releases ---- */

static void gates_are_in_rpms_order(void **state)
{
	static const struct {
		const char *release;
		enum check_status older, newer;
	} cases[] = {
		{"4.19.91-27.7.al7.x86_64", CHECK_FAIL, CHECK_WARN},
		{"5.10.134-9.al8.x86_64", CHECK_FAIL, CHECK_WARN},
		{"5.10.134-16.2.al8.x86_64", CHECK_FAIL, CHECK_WARN},
		{"5.10.134-16.3.al8.x86_64", CHECK_PASS, CHECK_WARN},
		{"5.10.134-16.10.al8.x86_64", CHECK_PASS, CHECK_WARN},
		{"5.10.134-17.2.al8.x86_64", CHECK_PASS, CHECK_WARN},
		{"5.10.134-17.3.al8.x86_64", CHECK_PASS, CHECK_PASS},
		{"5.10.134-18.al8.x86_64", CHECK_PASS, CHECK_PASS},
		{"6.6.88-4.2.x86_64", CHECK_PASS, CHECK_PASS},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_system("alinux", cases[i].release);
		assert_asked("alinux-16.3", cases[i].older, cases[i].release,
			     NULL);
		assert_asked("alinux-17.3", cases[i].newer, "5.10.134-17.3",
			     cases[i].newer == CHECK_WARN ? "reboot" : NULL);
	}
	/* control: another vendor's numbers say nothing */
	write_system("debian", "5.10.0-9-amd64");
	assert_asked("alinux-16.3", CHECK_SKIP, "not Alibaba", NULL);
	assert_asked("alinux-17.3", CHECK_SKIP, "not Alibaba", NULL);
	assert_asked("alinux-tcp2smc", CHECK_SKIP, "not Alibaba", NULL);
	assert_asked("alinux-hotfix", CHECK_SKIP, "not Alibaba", NULL);
}

static void tcp2smc_is_looked_for_where_smc_is_loaded(void **state)
{
	assert_asked("alinux-tcp2smc", CHECK_UNKNOWN, "not loaded", NULL);
	make_dirs("proc/sys/net/smc");
	assert_asked("alinux-tcp2smc", CHECK_WARN,
		     "/proc/sys/net/smc/tcp2smc is not there",
		     "smc.asm.alibabacloud.com/enabled");
	write_text("proc/sys/net/smc/tcp2smc", "0\n");
	assert_asked("alinux-tcp2smc", CHECK_PASS, "is there", NULL);
}

/* ---- the log ---- */

static void a_held_device_is_told_with_time_and_count(void **state)
{
	write_text("dev/kmsg",
		   "6,1,1000,-;Linux version 5.10\n"
		   " A=b;unregister_netdevice: waiting for eth9\n"
		   "0,7,12000000,-;unregister_netdevice: waiting for eth0 to "
		   "become free. Usage count = 2\n"
		   "6,8,15000000,c;something else\n"
		   "0,9,22100000,-;unregister_netdevice: waiting for eth1 to "
		   "become free. Usage count = 1\n");
	assert_asked("held-device", CHECK_WARN,
		     "log has 2 times \"unregister_netdevice: waiting for \", "
		     "12 s to 22 s after the boot, the last at ",
		     "alinux-hotfix");
	assert_asked("held-device", CHECK_WARN,
		     " for eth1 to become free. Usage count = 1", NULL);
}

static void without_such_a_line_nothing_is_held(void **state)
{
	write_text("dev/kmsg", "6,1,1000,-;Linux version 5.10\n"
			       "6,2,2000,-;eth0: link up\n");
	assert_asked("held-device", CHECK_PASS, NULL, NULL);
	write_text("dev/kmsg", "");
	assert_asked("held-device", CHECK_PASS, NULL, NULL);
}

static void a_log_that_cannot_be_read_is_unknown(void **state)
{
	assert_asked("held-device", CHECK_UNKNOWN,
		     "the kernel's log cannot be read: No such file",
		     "look with dmesg for");
}

static void collect(__u64 usec, const char *text, void *arg)
{
	buf_printf(arg, "[%llu %s]", usec, text);
}

static void records_are_whole_however_long_the_log_is(void **state)
{
	_buf_ struct buf text = {}, got = {}, want = {};

	for (int i = 0; i < 2000; i++) {
		buf_printf(&text, "6,%d,%d,-;message number %d\n KEY=value\n",
			   i, 7 * i, i);
		buf_printf(&want, "[%d message number %d]", 7 * i, i);
	}
	buf_printf(&text, "6,9,9,-;cut"); /* a record has an end */
	write_text("dev/kmsg", text.data);
	assert_int_equal(kernel_log_each(&d.host, collect, &got), 0);
	assert_string_equal(got.data, want.data);
}

static void records_that_are_none_are_left_out(void **state)
{
	_buf_ struct buf got = {};

	write_text("dev/kmsg", "\n;\n6;x\n6,1,,-;y\nno semicolon\n");
	assert_int_equal(kernel_log_each(&d.host, collect, &got), 0);
	assert_string_equal(got.data, "[0 ][0 x][0 y]");
}

struct told {
	unsigned int n, with_time, with_syntax;
};

static void look_at(__u64 usec, const char *text, void *arg)
{
	struct told *t = arg;
	double seconds;

	t->n++;
	t->with_time += usec > 0;
	t->with_syntax += *text == '<' || sscanf(text, "[%lf]", &seconds) == 1;
}

/* This machine's own log; whoever has no right to it is told so. */
static void without_kmsg_the_system_call_is_asked(void **state)
{
	struct host h = d.host;
	struct told told = {};
	int err;

	assert_int_equal(kernel_log_each(&h, look_at, &told), -ENOENT);
	h.given = false;
	err = kernel_log_each(&h, look_at, &told);
	assert_true(err == -EPERM || (!err && told.n > 0));
	assert_int_equal(told.with_syntax, 0);
	assert_true(err || told.with_time > 0);
}

/* ---- the hot fix ---- */

static void write_rpm(const char *body)
{
	char text[512];

	snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", body);
	write_text("bin/rpm", text);
	assert_return_code(chmod(at("bin/rpm"), 0755), 0);
}

static void rpm_is_asked_where_it_is(void **state)
{
	char text[256];

	assert_int_equal(hotfix_installed(&d.host, HOTFIX), -ENOENT);
	snprintf(text, sizeof(text),
		 "echo x; [ \"$*\" = \"--root %s -q " HOTFIX "\" ]", tree_top);
	write_rpm(text);
	assert_int_equal(hotfix_installed(&d.host, HOTFIX), 1);
	assert_int_equal(hotfix_installed(&d.host, "kernel-hotfix-1"), 0);
	write_rpm("exit 2");
	assert_int_equal(hotfix_installed(&d.host, HOTFIX), -EIO);
	write_rpm("kill -9 $$");
	assert_int_equal(hotfix_installed(&d.host, HOTFIX), -EIO);
}

/* What this container's rpm says is not the host's. */
static void another_roots_packages_are_not_known(void **state)
{
	struct host other = d.host;

	write_rpm("exit 0");
	other.given = false;
	assert_int_equal(hotfix_installed(&other, HOTFIX), -EXDEV);
	strcpy(other.root, "/proc/self/root");
	assert_int_equal(hotfix_installed(&other, HOTFIX), 1);
	*other.root = '\0';
	assert_int_equal(hotfix_installed(&other, HOTFIX), 1);
}

static void only_an_enabled_livepatch_is_active(void **state)
{
	assert_int_equal(hotfix_active(&d.host, "16664924"), -ENOENT);
	write_text("sys/kernel/livepatch/kpatch_1/enabled", "1\n");
	assert_int_equal(hotfix_active(&d.host, "16664924"), 0);
	write_text("sys/kernel/livepatch/kpatch_16664924/enabled", "0\n");
	assert_int_equal(hotfix_active(&d.host, "16664924"), 0);
	write_text("sys/kernel/livepatch/kpatch_16664924/enabled", "1\n");
	assert_int_equal(hotfix_active(&d.host, "16664924"), 1);
}

static void the_kernel_with_the_issue_needs_the_hotfix(void **state)
{
	assert_asked("alinux-hotfix", CHECK_UNKNOWN,
		     "rpm -q " HOTFIX ": No such file", NULL);
	write_rpm("exit 1");
	assert_asked("alinux-hotfix", CHECK_WARN, "not installed",
		     "yum install " HOTFIX);
	write_rpm("exit 0");
	assert_asked("alinux-hotfix", CHECK_UNKNOWN, ": installed; ", NULL);
	make_dirs("sys/kernel/livepatch");
	assert_asked("alinux-hotfix", CHECK_WARN, "not enabled",
		     "installed and not active");
	write_text("sys/kernel/livepatch/kpatch_16664924/enabled", "1\n");
	assert_asked("alinux-hotfix", CHECK_PASS, "enabled", NULL);
	/* without rpm the livepatch tells */
	assert_return_code(unlink(at("bin/rpm")), 0);
	assert_asked("alinux-hotfix", CHECK_PASS, NULL, NULL);
	remove_tree("sys/kernel/livepatch/kpatch_16664924");
	assert_asked("alinux-hotfix", CHECK_WARN, NULL, "yum install");
}

static void other_kernels_need_no_hotfix(void **state)
{
	static const char *const others[] = {
		"5.10.134-16.2.al8.x86_64", "5.10.134-16.3.1.al8.x86_64",
		"5.10.134-17.3.al8.x86_64", "6.6.88-4.2.x86_64"};

	for (size_t i = 0; i < 4; i++) {
		write_system("alinux", others[i]);
		assert_asked("alinux-hotfix", CHECK_SKIP, others[i], NULL);
	}
}

#define test(f) cmocka_unit_test_setup_teardown(f, fresh, restore)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(gates_are_in_rpms_order),
		test(tcp2smc_is_looked_for_where_smc_is_loaded),
		test(a_held_device_is_told_with_time_and_count),
		test(without_such_a_line_nothing_is_held),
		test(a_log_that_cannot_be_read_is_unknown),
		test(records_are_whole_however_long_the_log_is),
		test(records_that_are_none_are_left_out),
		test(without_kmsg_the_system_call_is_asked),
		test(rpm_is_asked_where_it_is),
		test(another_roots_packages_are_not_known),
		test(only_an_enabled_livepatch_is_active),
		test(the_kernel_with_the_issue_needs_the_hotfix),
		test(other_kernels_need_no_hotfix),
	};

	path = strdup(getenv("PATH") ?: "");
	return cmocka_run_group_tests(tests, tree_make, tree_remove);
}

// SPDX-License-Identifier: Apache-2.0
/* user/doctor/kernel_checks, node/kernel_smc, node/smc_module: why a kernel
 * cannot do SMC, told apart by files in a tree of the test's. */
#include "unit.h"
#include "checks.h"
#include "tree.h"

#include "doctor/kernel_checks.h"

#define RELEASE "6.12.95+deb13-amd64"
#define MODULES "lib/modules/" RELEASE "/"
#define ALIAS "alias net-pf-2-proto-256-type-1 smc\n"

static struct doctor d;

static void write_release(const char *id, const char *version,
			  const char *release)
{
	char text[256];

	snprintf(text, sizeof(text), "ID=%s\nVERSION_ID=%s\nPRETTY_NAME=X\n",
		 id, version);
	write_text("etc/os-release", text);
	write_text("proc/sys/kernel/osrelease", release);
}

/* A kernel that says that it is one without SMC, until the test writes more. */
static int fresh(void **state)
{
	if (tree_empty())
		return -1;
	d = (struct doctor){.proc = "/proc"};
	for (int f = 0; f < FEATURE_MAX; f++)
		d.features.v[f].state = FEATURE_PRESENT;
	write_release("debian", "13", RELEASE);
	write_text("proc/kallsyms", "0 D init_net\n0 T tcp_sendmsg\n");
	return 0;
}

static void lacks(enum feature f)
{
	d.features.v[f].state = FEATURE_MISSING;
}

static void look(void)
{
	host_open("/proc", tree_top, &d.host);
	strcpy(d.host.machine, "x86_64");
	assert_int_equal(os_release_read(&d.host, &d.os), 0);
	kernel_smc_look(&d.host, &d.smc);
	smc_module_look(&d.host, &d.module);
}

/* Look, and ask the check @id. */
static struct finding ask(const char *id)
{
	look();
	return ask_check(&d, id);
}

static void assert_asked(const char *id, enum check_status status,
			 const char *found, const char *fix)
{
	_cleanup_(finding_free) struct finding f = ask(id);

	assert_finding(&f, status, found, fix);
}

static void assert_build(enum smc_build build, const char *seen)
{
	look();
	assert_int_equal(d.smc.build, build);
	assert_string_equal(d.smc.seen, seen);
}

/* ---- built or not ---- */

static void symbols_tell_whether_smc_is_built(void **state)
{
	assert_build(SMC_BUILD_NO, "/proc/kallsyms has no tcp_have_smc");
	write_text("proc/kallsyms", "0 D init_net\n0 D tcp_have_smc\n");
	assert_build(SMC_BUILD_MODULE, "/proc/kallsyms has tcp_have_smc");
	write_text("proc/kallsyms", "0 D init_net\n0 D tcp_have_smc_x\n");
	assert_build(SMC_BUILD_NO, "/proc/kallsyms has no tcp_have_smc");
	/* a kernel that lists no variables says nothing by their absence */
	write_text("proc/kallsyms", "0 T tcp_sendmsg\n");
	assert_build(SMC_BUILD_UNTOLD,
		     "neither /proc/kallsyms nor a configuration of " RELEASE
		     " tells");
}

static void configuration_tells_what_symbols_do_not(void **state)
{
	write_text("proc/kallsyms", "0 T tcp_sendmsg\n");
	write_text("boot/config-" RELEASE, "CONFIG_NET=y\nCONFIG_SMC=m\n");
	assert_build(SMC_BUILD_MODULE,
		     "/boot/config-" RELEASE " has CONFIG_SMC=m");
	write_text("boot/config-" RELEASE, "CONFIG_NET=y\nCONFIG_SMC=y\n");
	assert_build(SMC_BUILD_IN, "/boot/config-" RELEASE " has CONFIG_SMC=y");
	write_text("boot/config-" RELEASE,
		   "CONFIG_NET=y\n# CONFIG_SMC is not set\n");
	assert_build(SMC_BUILD_NO,
		     "/boot/config-" RELEASE " has no CONFIG_SMC");
	write_text("boot/config-" RELEASE, "CONFIG_NET=y\n# CONFIG_DIBS is not "
					   "set\nCONFIG_SMC_HS_CTRL_BPF=y\n");
	assert_build(SMC_BUILD_NO,
		     "/boot/config-" RELEASE
		     " has no CONFIG_SMC; CONFIG_DIBS, which it needs, is "
		     "not set");
	/* control: no configuration at all, though there is the file */
	write_text("boot/config-" RELEASE, "<html>\n");
	look();
	assert_int_equal(d.smc.build, SMC_BUILD_UNTOLD);
}

/* The file may be that of another build of the same name. */
static void the_running_kernel_wins_over_the_configuration(void **state)
{
	write_text("boot/config-" RELEASE, "CONFIG_SMC=m\n");
	look();
	assert_int_equal(d.smc.build, SMC_BUILD_NO);
	write_text("boot/config-" RELEASE, "CONFIG_NET=y\n");
	write_text("proc/kallsyms", "0 D tcp_have_smc\n");
	look();
	assert_int_equal(d.smc.build, SMC_BUILD_MODULE);
}

static void modules_builtin_tells_what_is_no_module(void **state)
{
	write_text("proc/kallsyms", "0 D init_net\n0 D tcp_have_smc\n");
	write_text(MODULES "modules.builtin", "kernel/net/smc/smc_diag.ko\n");
	look();
	assert_int_equal(d.smc.build, SMC_BUILD_MODULE);
	write_text(MODULES "modules.builtin",
		   "kernel/net/smc/smc_diag.ko\nkernel/net/smc/smc.ko\n");
	assert_build(SMC_BUILD_IN, "/proc/kallsyms has tcp_have_smc; "
				   "modules.builtin has net/smc/smc.ko");
}

/* ---- the kernel, and the way ---- */

static void a_capable_kernel_passes_whatever_the_table_says(void **state)
{
	write_release("debian", "", "7.3.4+deb14-amd64");
	assert_asked("kernel", CHECK_PASS,
		     "Linux 7.3.4+deb14-amd64 (x86_64) on X", NULL);
}

static void a_vendors_kernel_without_smc_is_sent_to_its_vendor(void **state)
{
	write_release("debian", "", "7.3.4+deb14-amd64");
	lacks(FEATURE_IPPROTO_SMC);
	lacks(FEATURE_HS_CTRL);
	assert_asked("kernel", CHECK_FAIL,
		     "SMC is not built (/proc/kallsyms has no tcp_have_smc); "
		     "missing: ipproto_smc; the table of kernels has "
		     "Debian forky, sid, 13 with backports (the distribution's "
		     "package, 2026-11): no SMC: CONFIG_DIBS defaults to n",
		     "reportbug");
	assert_asked("kernel", CHECK_FAIL, NULL,
		     ".\nCONFIG_DIBS=m\nCONFIG_DIBS_LO=y\nCONFIG_SMC=m\n"
		     "CONFIG_SMC_DIAG=m");
}

static void a_kernel_that_is_not_the_vendors_has_the_general_way(void **state)
{
	lacks(FEATURE_IPPROTO_SMC);
	lacks(FEATURE_HS_CTRL);
	/* Debian's 6.12 has SMC, this one has not */
	assert_asked("kernel", CHECK_FAIL, "SMC is not built",
		     "Use Linux >= 6.19");
	write_release("debian", "13", "7.3.4-own");
	assert_asked("kernel", CHECK_FAIL, "SMC is not built",
		     "Ask whoever makes this kernel to build it with the lines "
		     "below.\nCONFIG_DIBS=m");
	/* control: it has */
	write_release("debian", "13", RELEASE);
	write_text("proc/kallsyms", "0 D tcp_have_smc\n");
	assert_asked("kernel", CHECK_FAIL, "SMC is built as a module",
		     "no newer kernel of Debian's will do");
}

static void of_a_kernel_that_nobody_looked_at_nothing_is_said(void **state)
{
	write_release("ubuntu", "26.04", "7.0.0-10-generic");
	lacks(FEATURE_HS_CTRL);
	/* control: the other selector does */
	assert_asked("kernel", CHECK_PASS, NULL, NULL);
	lacks(FEATURE_TCX);
	assert_asked("kernel", CHECK_FAIL,
		     "of Ubuntu, since 6.18 (26.04) the table of kernels knows "
		     "nothing",
		     "Ask whoever makes this kernel");
}

/* On none of them does any advice name a release that it has. */
static void nobody_is_told_to_use_what_runs(void **state)
{
	static const char *const releases[] = {"5.10.134-17.3.al8.x86_64",
					       "6.1.0-42-amd64",
					       RELEASE,
					       "6.18.44-fc-v769",
					       "6.19.1-own",
					       "7.3.4+deb14-amd64"};

	for (size_t i = 0; i < array_size(releases); i++) {
		bool old = releases[i][0] != '7' &&
			   strncmp(releases[i], "6.19", 4) != 0;

		for (int built = 0; built < 2; built++) {
			_cleanup_(finding_free) struct finding f = {};

			fresh(NULL);
			write_release("debian", "", releases[i]);
			if (built)
				write_text("proc/kallsyms",
					   "0 D tcp_have_smc\n");
			lacks(FEATURE_HS_CTRL);
			lacks(FEATURE_SOCKPROTO);
			f = ask("kernel");
			assert_int_equal(f.status, CHECK_FAIL);
			assert_true(f.fix.len > 0);
			if (!old)
				assert_null(strstr(f.fix.data, ">="));
			assert_null(strstr(f.fix.data, ">= 6.6"));
		}
	}
}

static void a_new_kernel_with_smc_is_told_what_else_it_lacks(void **state)
{
	write_release("x", "", "7.1.0-own");
	write_text("proc/kallsyms", "0 D tcp_have_smc\n");
	lacks(FEATURE_SOCKPROTO);
	assert_asked("kernel", CHECK_FAIL, "missing: sockproto",
		     "sockproto: use a kernel built with CONFIG_MPTCP");
}

static void infiniband_is_asked_for_where_it_is_off(void **state)
{
	lacks(FEATURE_IPPROTO_SMC);
	write_text("boot/config-" RELEASE,
		   "CONFIG_INFINIBAND=m\n# CONFIG_DIBS is not set\n");
	assert_asked("kernel", CHECK_FAIL, NULL, "below; ask");
	assert_asked("kernel", CHECK_FAIL, NULL, "one.\nCONFIG_DIBS=m");
	write_text("boot/config-" RELEASE,
		   "CONFIG_NET=y\n# CONFIG_INFINIBAND is not set\n");
	assert_asked("kernel", CHECK_FAIL,
		     "CONFIG_INFINIBAND, which it needs, is not set",
		     "one.\nCONFIG_INFINIBAND=m\nCONFIG_DIBS=m");
}

static void what_cannot_be_tried_is_unknown(void **state)
{
	d.features.v[FEATURE_SOCKPROTO].state = FEATURE_UNKNOWN;
	assert_asked("kernel", CHECK_UNKNOWN, "could not be tried: sockproto",
		     "lockdown");
	lacks(FEATURE_CAPABILITIES);
	assert_asked("kernel", CHECK_UNKNOWN, NULL, "Run it as root.");
}

/* ---- the module ---- */

static void write_module(const char *file, const char *alias)
{
	char text[256];

	write_text("proc/kallsyms", "0 D init_net\n0 D tcp_have_smc\n");
	snprintf(text, sizeof(text), "kernel/net/a.ko.xz: x\n%s: y\n", file);
	write_text(MODULES "modules.dep", text);
	write_text(MODULES "modules.alias", alias);
	lacks(FEATURE_IPPROTO_SMC);
	lacks(FEATURE_HS_CTRL);
}

static void a_module_that_is_not_loaded_is_told(void **state)
{
	write_module("kernel/net/smc/smc.ko.xz", ALIAS);
	assert_asked("smc-module", CHECK_FAIL,
		     "/lib/modules/" RELEASE
		     "/kernel/net/smc/smc.ko.xz is not loaded",
		     "modprobe smc; and for the next boot");
	assert_asked("kernel", CHECK_FAIL, NULL, "See the check smc-module.");
	make_dirs("sys/module/smc");
	assert_asked("smc-module", CHECK_PASS, "/sys/module/smc is there",
		     NULL);
	assert_asked("kernel", CHECK_FAIL, NULL, "no newer kernel");
}

/* Before 6.11 nothing asks for it, and loading it would not help. */
static void a_module_without_ipproto_smc_is_not_missed(void **state)
{
	write_module("kernel/net/smc/smc.ko", "alias net-pf-43 smc\n");
	assert_asked("smc-module", CHECK_SKIP, "has no IPPROTO_SMC", NULL);
	write_module("kernel/net/smc/smc.ko",
		     "alias net-pf-2-proto-263-type-1 smc\n");
	assert_asked("smc-module", CHECK_FAIL, "is not loaded", NULL);
}

static void a_module_whose_package_is_missing_is_told(void **state)
{
	write_module("kernel/net/smc/smc_diag.ko", "");
	assert_asked("smc-module", CHECK_FAIL, "modules.dep has no smc.ko",
		     "Install the package");
	remove_tree("lib");
	assert_asked("smc-module", CHECK_UNKNOWN, "cannot be read", NULL);
	write_text("proc/kallsyms", "0 D init_net\n");
	assert_asked("smc-module", CHECK_SKIP, "SMC is not built", NULL);
	write_text("proc/kallsyms", "0 T tcp_sendmsg\n");
	assert_asked("smc-module", CHECK_UNKNOWN, "cannot be read", NULL);
	d.features.v[FEATURE_IPPROTO_SMC].state = FEATURE_PRESENT;
	assert_asked("smc-module", CHECK_PASS, "can be made", NULL);
	lacks(FEATURE_IPPROTO_SMC);
	write_text("boot/config-" RELEASE, "CONFIG_SMC=y\n");
	write_text("proc/kallsyms", "0 D tcp_have_smc\n");
	assert_asked("smc-module", CHECK_PASS, "SMC is built in", NULL);
}

static void modules_that_may_not_be_loaded_any_more_are_told(void **state)
{
	write_module("kernel/net/smc/smc.ko", ALIAS);
	write_text("proc/sys/kernel/modules_disabled", "0\n");
	assert_asked("smc-module", CHECK_FAIL, "is not loaded",
		     "modprobe smc; and");
	write_text("proc/sys/kernel/modules_disabled", "1\n");
	assert_asked("smc-module", CHECK_FAIL, "modules_disabled is 1",
		     "and reboot");
}

static void what_keeps_the_module_out_is_named_with_its_line(void **state)
{
	static const struct {
		const char *file, *line;
		bool blocks;
	} cases[] = {
		{"etc/modprobe.d/a.conf", "blacklist smc", true},
		{"lib/modprobe.d/b.conf", "install smc /bin/false", true},
		{"run/modprobe.d/b.conf", "  install dibs\t/bin/true", true},
		{"usr/lib/modprobe.d/b.conf", "alias net-pf-43 off", true},
		{"etc/modprobe.d/a.conf", "alias net-pf-2-proto-256* off",
		 true},
		{"proc/cmdline", "quiet module_blacklist=a,smc,b ro", true},
		{"proc/cmdline", "modprobe.blacklist=smc", true},
		{"etc/modprobe.d/a.conf", "# blacklist smc", false},
		{"etc/modprobe.d/a.conf", "blacklist smc_diag", false},
		{"etc/modprobe.d/a.conf", "blacklist", false},
		{"etc/modprobe.d/a", "blacklist smc", false},
		{"etc/modprobe.d/a.conf", "options smc x=1", false},
		{"etc/modprobe.d/a.conf", "alias net-pf-43 smc", false},
		{"etc/modprobe.d/a.conf",
		 "install smc /sbin/modprobe -i smc && logger smc", false},
		{"proc/cmdline", "module_blacklist=smc_diag ro smc", false},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		char found[160];

		fresh(NULL);
		write_module("kernel/net/smc/smc.ko", ALIAS);
		write_text(cases[i].file, cases[i].line);
		if (!cases[i].blocks) {
			assert_asked("smc-blacklisted", CHECK_PASS, NULL, NULL);
			continue;
		}
		snprintf(found, sizeof(found), "/%s: ", cases[i].file);
		assert_asked("smc-blacklisted", CHECK_FAIL, found,
			     "Remove that line");
		assert_asked("smc-module", CHECK_FAIL, NULL,
			     "See the check smc-blacklisted");
		/* control: once it is loaded that does not matter */
		make_dirs("sys/module/smc");
		assert_asked("smc-blacklisted", CHECK_PASS, "it is loaded",
			     NULL);
	}
}

static void a_file_is_replaced_by_its_name_in_a_directory_before(void **state)
{
	write_module("kernel/net/smc/smc.ko", ALIAS);
	write_text("usr/lib/modprobe.d/a.conf", "blacklist smc\n");
	assert_asked("smc-blacklisted", CHECK_FAIL, NULL, NULL);
	write_text("etc/modprobe.d/a.conf", "\n");
	assert_asked("smc-blacklisted", CHECK_PASS, NULL, NULL);
}

static void without_a_module_nothing_blocks_or_replaces_it(void **state)
{
	write_text("etc/modprobe.d/a.conf", "blacklist smc\n");
	assert_asked("smc-blacklisted", CHECK_SKIP, "no module smc", NULL);
	assert_asked("smc-vendor", CHECK_SKIP, "no module smc", NULL);
}

static void another_vendors_module_is_told(void **state)
{
	write_module("kernel/net/smc/smc.ko", ALIAS);
	assert_asked("smc-vendor", CHECK_PASS, "/kernel/net/smc/smc.ko", NULL);
	make_dirs("sys/module/smc");
	write_text("sys/module/smc/taint", "\n");
	assert_asked("smc-vendor", CHECK_PASS, NULL, NULL);
	write_text("sys/module/smc/taint", "OE\n");
	assert_asked("smc-vendor", CHECK_WARN, "/sys/module/smc/taint is OE",
		     "net/smc");
	write_module("extra/mlnx-ofa_kernel/net/smc/smc.ko", ALIAS);
	assert_asked("smc-vendor", CHECK_WARN,
		     "/lib/modules/" RELEASE
		     "/extra/mlnx-ofa_kernel/net/smc/smc.ko",
		     NULL);
}

static void a_refused_socket_names_the_lsms(void **state)
{
	assert_asked("smc-refused", CHECK_PASS, "present", NULL);
	lacks(FEATURE_IPPROTO_SMC);
	assert_asked("smc-refused", CHECK_SKIP, "missing", NULL);
	d.features.v[FEATURE_IPPROTO_SMC].state = FEATURE_UNKNOWN;
	assert_asked("smc-refused", CHECK_FAIL, "unknown", "audit log");
	write_text("sys/kernel/security/lsm", "capability,selinux,bpf");
	assert_asked("smc-refused", CHECK_FAIL,
		     "/sys/kernel/security/lsm: capability,selinux,bpf", NULL);
}

#define test(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(symbols_tell_whether_smc_is_built),
		test(configuration_tells_what_symbols_do_not),
		test(the_running_kernel_wins_over_the_configuration),
		test(modules_builtin_tells_what_is_no_module),
		test(a_capable_kernel_passes_whatever_the_table_says),
		test(a_vendors_kernel_without_smc_is_sent_to_its_vendor),
		test(a_kernel_that_is_not_the_vendors_has_the_general_way),
		test(of_a_kernel_that_nobody_looked_at_nothing_is_said),
		test(nobody_is_told_to_use_what_runs),
		test(a_new_kernel_with_smc_is_told_what_else_it_lacks),
		test(infiniband_is_asked_for_where_it_is_off),
		test(what_cannot_be_tried_is_unknown),
		test(a_module_that_is_not_loaded_is_told),
		test(a_module_without_ipproto_smc_is_not_missed),
		test(a_module_whose_package_is_missing_is_told),
		test(modules_that_may_not_be_loaded_any_more_are_told),
		test(what_keeps_the_module_out_is_named_with_its_line),
		test(a_file_is_replaced_by_its_name_in_a_directory_before),
		test(without_a_module_nothing_blocks_or_replaces_it),
		test(another_vendors_module_is_told),
		test(a_refused_socket_names_the_lsms),
	};

	return cmocka_run_group_tests(tests, tree_make, tree_remove);
}

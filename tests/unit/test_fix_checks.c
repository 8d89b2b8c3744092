// SPDX-License-Identifier: Apache-2.0
/* user/doctor/fix_checks: which CVEs of net/smc a Debian kernel lacks the fix
 * of. */
#include "unit.h"
#include "checks.h"
#include "tree.h"

#include "base/cleanup.h"
#include "doctor/checks.h"

static const struct {
	const char *series, *cve, *version;
} rows[] = {
#define FIX(series, cve, version, subject) {series, cve, version},
#include "doctor/smc_fixes.def"
#undef FIX
};

static struct doctor d;

static int fresh(void **state)
{
	if (tree_empty())
		return -1;
	d = (struct doctor){.smc.build = SMC_BUILD_MODULE};
	host_open("/proc", tree_top, &d.host);
	return 0;
}

/* As uname -v of a kernel of Debian's package of that version. */
static void runs(const char *version)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "#1 SMP PREEMPT_DYNAMIC Debian %s (2026-11-26)\n", version);
	write_text("proc/sys/kernel/version", text);
}

static struct finding ask(void)
{
	return ask_check(&d, "smc-fixes");
}

static void assert_asked(enum check_status status, const char *found)
{
	_cleanup_(finding_free) struct finding f = ask();

	assert_finding(&f, status, found, NULL);
}

static bool lacks(const char *cve)
{
	_cleanup_(finding_free) struct finding f = ask();

	return strstr(f.found.data, cve);
}

static void each_fix_counts_from_its_version_on(void **state)
{
	assert_true(array_size(rows) > 30);
	for (size_t i = 0; i < array_size(rows); i++) {
		char before[64];

		runs(rows[i].version);
		assert_false(lacks(rows[i].cve));
		/* just before it, as an older build of the same */
		snprintf(before, sizeof(before), "%s.0-1", rows[i].series);
		runs(before);
		assert_true(lacks(rows[i].cve));
	}
}

static void a_backport_has_what_its_original_has(void **state)
{
	char version[64];

	for (size_t i = 0; i < array_size(rows); i++) {
		snprintf(version, sizeof(version), "%s~bpo12+1",
			 rows[i].version);
		runs(version);
		assert_false(lacks(rows[i].cve));
	}
}

static void what_lacks_is_named_and_what_to_update_to(void **state)
{
	_cleanup_(finding_free) struct finding f = {};

	runs("6.1.189-1");
	f = ask();
	assert_int_equal(f.status, CHECK_WARN);
	assert_says(f.found.data, "linux 6.1.189-1 lacks ");
	assert_says(f.found.data, "CVE-2024-49568");	     /* 6.1.190-1 */
	assert_null(strstr(f.found.data, "CVE-2026-74493")); /* 6.1.187-1 */
	assert_string_equal(f.fix.data,
			    "Update Debian's package linux to 6.1.192-1 or "
			    "later, and reboot.");
	runs("6.1.192-3");
	assert_asked(CHECK_PASS, "linux 6.1.192-3 has all 19 that are known");
}

/* What the table does not say is not guessed. */
static void of_other_kernels_nothing_is_known(void **state)
{
	assert_asked(CHECK_UNKNOWN, "names no version of Debian's");
	write_text("proc/sys/kernel/version",
		   "#1 SMP PREEMPT_DYNAMIC PMX 6.1.12-4 (2024-11-22T10:15Z)\n");
	assert_asked(CHECK_UNKNOWN, "names no version of Debian's");
	write_text("proc/sys/kernel/version",
		   "#29-Ubuntu SMP PREEMPT_DYNAMIC Mon Nov 30 2026\n");
	assert_asked(CHECK_UNKNOWN, "names no version of Debian's");
	runs("7.3.4-1");
	assert_asked(CHECK_UNKNOWN, "does not have the series");
	runs("6.11.2-1"); /* 6.1 is no series of it */
	assert_asked(CHECK_UNKNOWN, "does not have the series");
	runs("");
	assert_asked(CHECK_UNKNOWN, "names no version of Debian's");
	d.smc.build = SMC_BUILD_NO;
	assert_asked(CHECK_SKIP, "SMC is not built");
}

#define test(f) cmocka_unit_test_setup(f, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(each_fix_counts_from_its_version_on),
		test(a_backport_has_what_its_original_has),
		test(what_lacks_is_named_and_what_to_update_to),
		test(of_other_kernels_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, tree_make, tree_remove);
}

// SPDX-License-Identifier: Apache-2.0
#include "doctor/fix_checks.h"

#include <stdio.h>
#include <string.h>
#include "base/rpm_order.h"

#define VERSION_MAX 64

static const struct fix {
	const char *series, *cve, *version;
} fixes[] = {
#define FIX(series, cve, version, subject) {series, cve, version},
#include "doctor/smc_fixes.def"
#undef FIX
};

/* "#1 SMP PREEMPT_DYNAMIC Debian 6.12.95-1~bpo12+1 (2026-07-05)", as uname -v
 * says it; a backport has the fixes of what it is a backport of. */
static bool debian_version(const struct doctor *d, char out[VERSION_MAX])
{
	char line[256], *at;

	if (host_first_line(&d->host, "/proc/sys/kernel/version", line,
			    sizeof(line)))
		return false;
	at = strstr(line, " Debian ");
	if (!at)
		return false;
	at += strlen(" Debian ");
	at[strcspn(at, " ~")] = '\0';
	snprintf(out, VERSION_MAX, "%s", at);
	return *out;
}

static bool is_of_series(const struct fix *fix, const char *version)
{
	size_t len = strlen(fix->series);

	return !strncmp(version, fix->series, len) && version[len] == '.';
}

struct lacks {
	size_t known, n;
	const char *version; /* the first that has them all */
};

/* @names: gets the CVEs that are not fixed in @version. */
static struct lacks compare(const char *version, struct buf *names)
{
	struct lacks l = {.version = ""};

	for (size_t i = 0; i < array_size(fixes); i++) {
		if (!is_of_series(&fixes[i], version))
			continue;
		l.known++;
		if (rpm_order(version, fixes[i].version) >= 0)
			continue;
		buf_printf(names, "%s%s", l.n++ ? ", " : "", fixes[i].cve);
		if (rpm_order(l.version, fixes[i].version) < 0)
			l.version = fixes[i].version;
	}
	return l;
}

static enum check_status not_known(const char *why, struct finding *f)
{
	buf_printf(&f->found, "%s", why);
	buf_printf(
		&f->means,
		"Whether this kernel has the fixes of net/smc that have a CVE is not known here.");
	buf_printf(&f->fix, "Look at what its vendor says of them.");
	return CHECK_UNKNOWN;
}

enum check_status ask_fixes(const struct doctor_check *c,
			    const struct doctor *d, struct finding *f)
{
	_buf_ struct buf names = {};
	char version[VERSION_MAX];
	struct lacks l;

	if (d->smc.build == SMC_BUILD_NO) {
		buf_printf(&f->found, "SMC is not built");
		return CHECK_SKIP;
	}
	if (!debian_version(d, version))
		return not_known("/proc/sys/kernel/version names no version of "
				 "Debian's",
				 f);
	l = compare(version, &names);
	if (!l.known)
		return not_known("the table of fixes does not have the series "
				 "of this kernel",
				 f);
	if (!l.n) {
		buf_printf(&f->found, "linux %s has all %zu that are known",
			   version, l.known);
		return CHECK_PASS;
	}
	buf_printf(&f->found, "linux %s lacks %zu of %zu: %s", version, l.n,
		   l.known, names.data ?: "");
	buf_printf(&f->fix,
		   "Update Debian's package linux to %s or later, and reboot.",
		   l.version);
	return check_wrong(c, true);
}

// SPDX-License-Identifier: Apache-2.0
#include "doctor/kernel_checks.h"

#include <string.h>
#include <sys/socket.h>
#include "base/cleanup.h"
#include "base/ipproto.h"
#include "base/rpm_order.h"
#include "doctor/kernels.h"

#define HS_CTRL_SINCE "6.19"
#define LINES_BELOW "lines below"

/* ---- the kernel ---- */

static void say_system(const struct doctor *d, struct buf *out)
{
	buf_printf(out, "Linux %s (%s)%s%s", d->host.release, d->host.machine,
		   *d->os.name ? " on " : "", d->os.name);
}

/* Those that a converter or a selector needs and that are in @state. */
static void list_features(const struct doctor *d, enum feature_state state,
			  const char *join, struct buf *out)
{
	for (int f = 0; f < FEATURE_MAX; f++) {
		if (!features_decides(&d->features, f) ||
		    d->features.v[f].state != state)
			continue;
		buf_printf(out, "%s%s", join, feature_text(f)->label);
		join = ", ";
	}
}

static void say_row(const struct kernel_row *row, struct buf *out)
{
	if (row && row->has != KERNEL_UNKNOWN)
		buf_printf(out,
			   "; the table of kernels has %s (%s%s%s): %s%s%s",
			   row->name, row->evidence, *row->date ? ", " : "",
			   row->date, kernel_has_sentence(row->has),
			   *row->note ? ", " : "", row->note);
	else if (row)
		buf_printf(out, "; of %s the table of kernels knows nothing",
			   row->name);
}

/* Somebody's own kernel may be called as the vendor's. */
static bool is_contradicted(const struct kernel_row *row,
			    const struct kernel_smc *smc)
{
	bool without = row->has == KERNEL_NO_SMC || row->has == KERNEL_NO_DIBS;

	return row->has != KERNEL_UNKNOWN && smc->build != SMC_BUILD_UNTOLD &&
	       without != (smc->build == SMC_BUILD_NO);
}

static const struct kernel_row *find_row(const struct doctor *d)
{
	const struct kernel_row *row = kernel_row_find(&d->host, &d->os);

	return row && !is_contradicted(row, &d->smc) ? row : NULL;
}

/* What the features that lack say: of a new kernel that has SMC. */
static void say_hows(const struct doctor *d, struct buf *out)
{
	char how[FEATURE_HOW_MAX];
	const char *join = "";

	for (int f = 0; f < FEATURE_MAX; f++) {
		if (!features_decides(&d->features, f) ||
		    feature_present(&d->features, f))
			continue;
		buf_printf(out, "%s%s: %s", join, feature_text(f)->label,
			   feature_how(f, d->host.release, how));
		join = "; ";
	}
	buf_printf(out, ".");
}

/* The module would answer to IPPROTO_SMC if it were loaded. */
static bool waits_for_module(const struct doctor *d)
{
	return d->smc.build == SMC_BUILD_MODULE && !d->module.loaded &&
	       d->module.for_ipproto;
}

static void say_way(const struct doctor *d, const struct kernel_row *row,
		    struct buf *out)
{
	bool old = rpm_order(d->host.release, HS_CTRL_SINCE) < 0;

	if (waits_for_module(d))
		buf_printf(out, "See the check smc-module.");
	else if (row && *row->way)
		buf_printf(out, "%s", row->way);
	else if (old)
		buf_printf(
			out,
			"Use Linux >= " HS_CTRL_SINCE
			", which has smc_hs_ctrl, built with the " LINES_BELOW
			"; ask whoever makes this kernel for one.");
	else if (d->smc.build == SMC_BUILD_NO)
		buf_printf(
			out,
			"Ask whoever makes this kernel to build it with the " LINES_BELOW
			".");
	else
		say_hows(d, out);
	if (out->data && strstr(out->data, LINES_BELOW))
		buf_printf(out, "\n%s%s",
			   d->smc.without_infiniband ? "CONFIG_INFINIBAND=m\n"
						     : "",
			   KERNEL_LINES);
}

static void say_build(const struct doctor *d, struct buf *out)
{
	static const char *const words[] = {
		[SMC_BUILD_UNTOLD] = "whether SMC is built is not known",
		[SMC_BUILD_NO] = "SMC is not built",
		[SMC_BUILD_IN] = "SMC is built in",
		[SMC_BUILD_MODULE] = "SMC is built as a module"};

	buf_printf(out, ": %s (%s)", words[d->smc.build], d->smc.seen);
}

static enum check_status not_known(const struct doctor *d, struct finding *f)
{
	list_features(d, FEATURE_UNKNOWN, ": could not be tried: ", &f->found);
	buf_printf(
		&f->means,
		"Whether connections of this node can be SMC is not known: until then they stay TCP.");
	buf_printf(&f->fix, "%s",
		   feature_present(&d->features, FEATURE_CAPABILITIES)
			   ? "See what forbids the try: lockdown, or an LSM."
			   : "Run it as root.");
	return CHECK_UNKNOWN;
}

enum check_status ask_kernel(const struct doctor_check *c,
			     const struct doctor *d, struct finding *f)
{
	enum feature_state capable = features_capable(&d->features);
	const struct kernel_row *row = find_row(d);

	say_system(d, &f->found);
	if (capable == FEATURE_PRESENT)
		return CHECK_PASS;
	if (capable == FEATURE_UNKNOWN)
		return not_known(d, f);
	say_build(d, &f->found);
	list_features(d, FEATURE_MISSING, "; missing: ", &f->found);
	say_row(row, &f->found);
	say_way(d, row, &f->fix);
	return check_wrong(c, true);
}

/* ---- its module ---- */

static void say_file(const struct doctor *d, struct buf *out)
{
	buf_printf(out, "/lib/modules/%s/%s", d->host.release, d->module.file);
}

/* Why the module, whose file is there, is not loaded. */
static enum check_status not_loaded(const struct doctor_check *c,
				    const struct doctor *d, struct finding *f)
{
	const struct smc_module *m = &d->module;

	say_file(d, &f->found);
	if (!m->for_ipproto) {
		buf_printf(
			&f->found,
			" has no IPPROTO_SMC: modules.alias has no alias for it");
		return CHECK_SKIP;
	}
	buf_printf(&f->found, " is not loaded%s",
		   m->locked ? ", and kernel.modules_disabled is 1" : "");
	if (*m->blocked)
		buf_printf(
			&f->fix,
			"See the check smc-blacklisted; then: modprobe smc.");
	else if (m->locked)
		buf_printf(
			&f->fix,
			"Name smc in a file of /etc/modules-load.d, so that it is loaded before kernel.modules_disabled is set, and reboot.");
	return check_wrong(c, true);
}

enum check_status ask_smc_module(const struct doctor_check *c,
				 const struct doctor *d, struct finding *f)
{
	const struct smc_module *m = &d->module;

	if (m->loaded || d->smc.build == SMC_BUILD_IN) {
		buf_printf(&f->found, m->loaded ? "/sys/module/smc is there"
						: "SMC is built in");
		return CHECK_PASS;
	}
	/* Of what is built in there may be no file and no directory. */
	if (feature_present(&d->features, FEATURE_IPPROTO_SMC)) {
		buf_printf(&f->found, "SMC sockets can be made");
		return CHECK_PASS;
	}
	if (*m->file)
		return not_loaded(c, d, f);
	if (d->smc.build == SMC_BUILD_NO) {
		buf_printf(&f->found, "SMC is not built");
		return CHECK_SKIP;
	}
	if (d->smc.build == SMC_BUILD_UNTOLD || !m->has_list) {
		buf_printf(&f->found, "/lib/modules/%s/modules.dep %s",
			   d->host.release,
			   m->has_list ? "has no smc.ko" : "cannot be read");
		return CHECK_UNKNOWN;
	}
	buf_printf(
		&f->found,
		"SMC is built as a module, and /lib/modules/%s/modules.dep has no smc.ko",
		d->host.release);
	buf_printf(
		&f->fix,
		"Install the package that has the rest of this kernel's modules, of this very version.");
	return check_wrong(c, true);
}

enum check_status ask_smc_blocked(const struct doctor_check *c,
				  const struct doctor *d, struct finding *f)
{
	const struct smc_module *m = &d->module;

	if (!m->loaded && !*m->file) {
		buf_printf(&f->found, "there is no module smc");
		return CHECK_SKIP;
	}
	buf_printf(&f->found, "%s%s", m->blocked,
		   *m->blocked && m->loaded ? " (but it is loaded)" : "");
	return check_wrong(c, *m->blocked && !m->loaded);
}

enum check_status ask_smc_vendor(const struct doctor_check *c,
				 const struct doctor *d, struct finding *f)
{
	const struct smc_module *m = &d->module;

	if (!m->loaded && !*m->file) {
		buf_printf(&f->found, "there is no module smc");
		return CHECK_SKIP;
	}
	if (*m->foreign)
		buf_printf(&f->found, "%s", m->foreign);
	else if (*m->file)
		say_file(d, &f->found);
	return check_wrong(c, *m->foreign);
}

enum check_status ask_smc_refused(const struct doctor_check *c,
				  const struct doctor *d, struct finding *f)
{
	const struct feature_result *is = &d->features.v[FEATURE_IPPROTO_SMC];
	const char *path = "/sys/kernel/security/lsm";
	char lsm[256];

	buf_printf(&f->found, "an SMC socket: %s%s%s",
		   feature_state_word(is->state), *is->detail ? ": " : "",
		   is->detail);
	if (is->state == FEATURE_MISSING)
		return CHECK_SKIP;
	if (is->state == FEATURE_UNKNOWN &&
	    !host_first_line(&d->host, path, lsm, sizeof(lsm)))
		buf_printf(&f->found, "; %s: %s", path, lsm);
	return check_wrong(c, is->state == FEATURE_UNKNOWN);
}

/* ---- the protocol's number ---- */

enum check_status ask_ipproto_number(const struct doctor_check *c,
				     const struct doctor *d, struct finding *f)
{
	const struct feature_result *is = &d->features.v[FEATURE_IPPROTO_SMC];
	bool other = d->module.other_number;

	if (is->state == FEATURE_PRESENT) {
		other = *is->detail;
		buf_printf(&f->found, "an SMC socket has protocol %d",
			   other ? IPPROTO_SMC_VENDOR : IPPROTO_SMC);
	} else if (other) {
		buf_printf(
			&f->found,
			"/lib/modules/%s/modules.alias has protocol %d, and not %d",
			d->host.release, IPPROTO_SMC_VENDOR, IPPROTO_SMC);
	} else {
		return check_skip(f, "this kernel has no SMC sockets to try");
	}
	return check_wrong(c, other);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What may be wrong with a node: one row, one check. */
#pragma once

#include <errno.h>
#include <string.h>
#include "base/buf.h"
#include "doctor/doctor.h"

/* What a check says of this node. */
enum check_status {
	CHECK_SKIP = 0, /* it does not apply here */
	CHECK_PASS,
	CHECK_WARN,    /* accelerated, but not as well or as safely */
	CHECK_FAIL,    /* something is not accelerated */
	CHECK_UNKNOWN, /* it could not be told */
	CHECK_STATUS_MAX
};

struct finding {
	enum check_status status;
	/* What was seen, with where: a file, a number, a version; a phrase
	 * without a full stop, not empty but for a pass. */
	struct buf found;
	/* Whole sentences; the row's own unless the probe knows better. Fix may
	 * end in a colon and lines to copy. */
	struct buf means, fix;
};

struct doctor_check {
	const char *id; /* "ueid"; scripts know it, so it never changes */
	enum check_status severity; /* what its status is if it is wrong */
	/* The check is skipped unless all of them are present, ended by
	 * FEATURE_MAX; NULL: it never is. */
	const enum feature *needs;
	/*
	 * Changes nothing, answers at once.
	 * @f: gets what was found, and means and fix if they are not the row's.
	 * Return: CHECK_PASS, CHECK_SKIP, CHECK_UNKNOWN or, if it is wrong, the
	 * row's severity: check_wrong().
	 */
	enum check_status (*probe)(const struct doctor_check *c,
				   const struct doctor *d, struct finding *f);
	const char *means; /* its consequence for the traffic, if it is wrong */
	const char *fix;   /* what to do, a sentence; NULL: nothing helps */
};

/* In the order of the output; a row without an id ends them. */
extern const struct doctor_check doctor_checks[];

/* check_wrong - For probes: CHECK_PASS, or the row's severity. */
static inline enum check_status check_wrong(const struct doctor_check *c,
					    bool wrong)
{
	return wrong ? c->severity : CHECK_PASS;
}

/*
 * check_untold - For probes: it could not be told, for @err, a negative errno.
 * @what: what was looked at; begins what is found.
 */
static inline enum check_status check_untold(struct finding *f,
					     const char *what, int err)
{
	buf_printf(&f->found, "%s%s: %s", f->found.len ? "; " : "", what,
		   strerror(-err));
	if (err == -EPERM || err == -EACCES)
		buf_printf(&f->fix, "Run it as root.");
	return CHECK_UNKNOWN;
}

/* check_skip - For probes: it does not apply, because of @why. */
static inline enum check_status check_skip(struct finding *f, const char *why)
{
	buf_printf(&f->found, "%s", why);
	return CHECK_SKIP;
}

/* check_join - For probes that find several things: what stands between two. */
static inline const char *check_join(const struct finding *f)
{
	return f->found.len ? "; " : "";
}

/* doctor_ask - Ask one. @out: zeroed, to be freed with finding_free(). */
void doctor_ask(const struct doctor_check *c, const struct doctor *d,
		struct finding *out);
void finding_free(struct finding *f);

/* check_status_word - "pass", "warn", "fail", "skip", "unknown". */
const char *check_status_word(enum check_status status);

/* check_meaning - What it means for the traffic if the check @id, or the
 * feature of that name, is wrong. NULL: there is none. */
const char *check_meaning(const char *id);

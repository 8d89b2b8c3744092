/* SPDX-License-Identifier: Apache-2.0 */
/* What may be wrong with a node: one row, one check. */
#pragma once

#include "base/buf.h"
#include "doctor/doctor.h"

struct doctor_check {
	const char *name; /* "no-ueid" */
	/* Asked only where all of them are present, ended by FEATURE_MAX;
	 * NULL: always. */
	const enum feature *needs;
	/*
	 * Is it wrong? NULL: always, where @needs are there. Changes nothing,
	 * answers at once.
	 * @what: what was found, for the {} of the sentence.
	 */
	bool (*probe)(const struct doctor *d, struct buf *what);
	/* What is wrong, and what comes of it; {} stands for what was found. */
	const char *sentence;
	const char *repair; /* what to do, a sentence; NULL: nothing helps */
};

/* In the order in which they are said; a row without a name ends them. */
extern const struct doctor_check doctor_checks[];

/*
 * doctor_ask - Is this wrong here?
 * @out: the sentence and the repair are appended where it is.
 */
bool doctor_ask(const struct doctor_check *c, const struct doctor *d,
		struct buf *out);

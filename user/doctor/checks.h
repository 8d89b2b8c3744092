/* SPDX-License-Identifier: Apache-2.0 */
/* What may be wrong with a node: one row, one check. */
#pragma once

#include "base/buf.h"
#include "doctor/doctor.h"

struct doctor_check {
	const char *name; /* "no-ueid" */
	/* The check runs only if all of them are present, ended by FEATURE_MAX;
	 * NULL: always. */
	const enum feature *needs;
	/*
	 * Is it wrong? NULL: always, if @needs are present. Changes nothing,
	 * answers at once.
	 * @what: gets what it found, for the {} of the sentence.
	 */
	bool (*probe)(const struct doctor *d, struct buf *what);
	/* What is wrong, and its consequence; {} stands for what the probe
	 * found. */
	const char *sentence;
	const char *repair; /* what to do, a sentence; NULL: nothing helps */
};

/* In the order of the output; a row without a name ends them. */
extern const struct doctor_check doctor_checks[];

/*
 * doctor_ask - Is this wrong here?
 * @out: gets the sentence and the repair if it is.
 */
bool doctor_ask(const struct doctor_check *c, const struct doctor *d,
		struct buf *out);

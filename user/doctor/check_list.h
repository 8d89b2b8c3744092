/* SPDX-License-Identifier: Apache-2.0 */
/* What all checks say of a node, those of doctor_checks[] and the features. */
#pragma once

#include <yyjson.h>
#include "doctor/doctor.h"
#include "mesh/smcnode_status.h"

struct check_list {
	/* [{"id", "status", "found", "means", "fix"}], means and fix "" where
	 * nothing is wrong or nothing helps */
	yyjson_mut_val *checks;
	/* [one text] of each check of doctor_checks[] that warns or fails */
	yyjson_mut_val *warnings;
	bool failed; /* one of all has the status "fail" */
};

/* check_list_make - Ask them all. Its values are NULL without memory. */
struct check_list check_list_make(yyjson_mut_doc *doc, const struct doctor *d);

/* check_list_wrong - Add the ids of those that fail or warn: of the checks of
 * doctor_checks[] first, they say more than what one feature lacks. @out:
 * zeroed. */
void check_list_wrong(const struct doctor *d, struct mesh_wrong *out);

/* SPDX-License-Identifier: Apache-2.0 */
/* Of what this program was built. Only main.c knows it and sets it, so that a
 * commit costs one file and one link; in the programs of the tests it is
 * "unknown". */
#pragma once

struct revision {
	const char *commit;	  /* with "-dirty": files differed from it */
	const char *date;	  /* of the commit, RFC 3339, UTC */
	const char *architecture; /* as uname -m says it */
};

/* revision_set - For main(): @r and its texts live as long as the program. */
void revision_set(const struct revision *r);

/* revision - What was set; "unknown" three times before. */
const struct revision *revision(void);

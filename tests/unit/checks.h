/* SPDX-License-Identifier: Apache-2.0 */
/* Asks checks of `smcmesh doctor`, and looks at what they found. Include it
 * after unit.h. */
#pragma once

#include "doctor/checks.h"

/* check - The row @id of the table; there must be one. */
static inline const struct doctor_check *check(const char *id)
{
	const struct doctor_check *c = doctor_checks;

	while (c->id && strcmp(c->id, id))
		c++;
	if (!c->id)
		fail_msg("no check %s", id);
	return c;
}

/* ask_check - What the check @id finds. Free it with finding_free(). */
static inline struct finding ask_check(const struct doctor *d, const char *id)
{
	struct finding f = {};

	doctor_ask(check(id), d, &f);
	return f;
}

/* assert_finding - @found, @fix: what these parts say; NULL: whatever it is. */
static inline void assert_finding(const struct finding *f,
				  enum check_status status, const char *found,
				  const char *fix)
{
	assert_string_equal(check_status_word(f->status),
			    check_status_word(status));
	if (found)
		assert_says(f->found.data, found);
	if (fix)
		assert_says(f->fix.data, fix);
}

// SPDX-License-Identifier: Apache-2.0
#include "base/rpm_order.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* What is left of a version: rpm's rules are for ASCII alone. */
struct part {
	const char *p, *end;
};

static char at(const struct part *v)
{
	return v->p < v->end ? *v->p : '\0';
}

static bool in_run(char c, bool digits)
{
	return digits ? isdigit((unsigned char)c) : isalpha((unsigned char)c);
}

static void skip_separators(struct part *v)
{
	while (v->p < v->end && !isalnum((unsigned char)*v->p) &&
	       *v->p != '~' && *v->p != '^')
		v->p++;
}

static struct part take_run(struct part *v, bool digits)
{
	struct part run = {v->p, v->p};

	while (v->p < v->end && in_run(*v->p, digits))
		v->p++;
	run.end = v->p;
	return run;
}

static int compare_text(const struct part *a, const struct part *b)
{
	size_t na = a->end - a->p, nb = b->end - b->p;
	int diff = memcmp(a->p, b->p, na < nb ? na : nb);

	return diff ?: (na > nb) - (na < nb);
}

static int compare_numbers(struct part *a, struct part *b)
{
	size_t na, nb;

	while (at(a) == '0')
		a->p++;
	while (at(b) == '0')
		b->p++;
	na = a->end - a->p;
	nb = b->end - b->p;
	return na != nb ? (na > nb) - (na < nb) : compare_text(a, b);
}

/* The marks at which @a and @b stand. Return: is the matter decided (@out), or
 * to be taken up behind them? */
static bool compare_marks(struct part *a, struct part *b, int *out)
{
	char ca = at(a), cb = at(b);

	if (ca == cb) {
		a->p++;
		b->p++;
		return false;
	}
	if (ca == '~' || cb == '~')
		*out = cb == '~' ? 1 : -1;
	else if (ca == '^')
		*out = cb ? -1 : 1;
	else
		*out = ca ? 1 : -1;
	return true;
}

static bool is_mark(char c)
{
	return c == '~' || c == '^';
}

static int compare_runs(struct part *a, struct part *b)
{
	bool digits = isdigit((unsigned char)at(a));
	struct part ra = take_run(a, digits), rb = take_run(b, digits);

	if (rb.p == rb.end) /* the other has a run of the other kind */
		return digits ? 1 : -1;
	return digits ? compare_numbers(&ra, &rb) : compare_text(&ra, &rb);
}

static int compare_part(struct part a, struct part b)
{
	int diff;

	for (;;) {
		skip_separators(&a);
		skip_separators(&b);
		if (is_mark(at(&a)) || is_mark(at(&b))) {
			if (compare_marks(&a, &b, &diff))
				return diff;
			continue;
		}
		if (!at(&a) || !at(&b))
			return !!at(&a) - !!at(&b);
		diff = compare_runs(&a, &b);
		if (diff)
			return diff;
	}
}

static struct part version_of(const char *text)
{
	return (struct part){text, text + strcspn(text, "-")};
}

/* p: NULL: there is none. */
static struct part release_of(const char *text)
{
	const char *dash = strchr(text, '-');

	return (struct part){dash ? dash + 1 : NULL,
			     dash ? dash + strlen(dash) : NULL};
}

int rpm_order(const char *a, const char *b)
{
	struct part ra = release_of(a), rb = release_of(b);
	int diff = compare_part(version_of(a), version_of(b));

	return diff || !ra.p || !rb.p ? diff : compare_part(ra, rb);
}

// SPDX-License-Identifier: Apache-2.0
/* When there are `most` of them they become a heap, with the oldest, which goes
 * next, first. */
#include "mesh/newest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static int newest_first(const void *a, const void *b)
{
	const struct mesh_record *x = a, *y = b;
	int order = (x->flow.opened_ns < y->flow.opened_ns) -
		    (x->flow.opened_ns > y->flow.opened_ns);

	return order ? order : memcmp(&x->key, &y->key, sizeof(x->key));
}

/* Put @row into the heap below @at, a free place. */
static void sift(struct mesh_newest *s, size_t at, struct mesh_record row)
{
	size_t child;

	while ((child = 2 * at + 1) < s->n) {
		if (child + 1 < s->n &&
		    newest_first(&s->v[child + 1], &s->v[child]) > 0)
			child++;
		if (newest_first(&s->v[child], &row) <= 0)
			break;
		s->v[at] = s->v[child];
		at = child;
	}
	s->v[at] = row;
}

int mesh_newest_add(struct mesh_newest *s, const struct smc_handshake *key,
		    const struct smc_flow *flow)
{
	const struct mesh_record row = {.key = *key, .flow = *flow};
	struct mesh_record *last;

	s->total++;
	if (s->n == s->most) {
		if (s->n && newest_first(&row, &s->v[0]) < 0)
			sift(s, 0, row);
		return 0;
	}
	last = array_push(s->v, s->n);
	if (!last)
		return -ENOMEM;
	*last = row;
	if (s->n == s->most)
		for (size_t i = s->n / 2; i--;)
			sift(s, i, s->v[i]);
	return 0;
}

void mesh_newest_sort(struct mesh_newest *s)
{
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), newest_first);
}

void mesh_newest_free(struct mesh_newest *s)
{
	free(s->v);
	*s = (struct mesh_newest){};
}

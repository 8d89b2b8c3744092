// SPDX-License-Identifier: Apache-2.0
/*
 * The annotations that hold for a pod: its own, and where it has none those of
 * its Namespace. Each annotation counts by itself: a pod that says which ports
 * are excluded still takes `enabled` from its Namespace.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mesh/draft.h"

static int space_cmp(const void *a, const void *b)
{
	const struct mesh_namespace *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

int spaces_make(const struct mesh_world *w, struct spaces *out)
{
	out->n = w->n_namespaces;
	out->v = calloc(out->n + 1, sizeof(*out->v));
	if (!out->v)
		return -ENOMEM;
	for (size_t i = 0; i < out->n; i++)
		out->v[i] = &w->namespaces[i];
	qsort(out->v, out->n, sizeof(*out->v), space_cmp);
	return 0;
}

void spaces_free(struct spaces *s)
{
	free(s->v);
}

static const struct mesh_namespace *find(const struct spaces *s, char *name)
{
	const struct mesh_namespace key = {.name = name}, *pkey = &key, **found;

	found = bsearch(&pkey, s->v, s->n, sizeof(*s->v), space_cmp);
	return found ? *found : NULL;
}

/* Take ports from the Namespace. A value that was not understood matters only
 * where something would be accelerated in spite of it. */
static void take_ports(struct mesh_says *says, const struct mesh_default *d,
		       const struct mesh_ranges **ports)
{
	if (!d->said)
		return;
	*ports = &d->ports;
	if (!says->problem && says->enabled == MESH_ON)
		says->problem = d->problem;
}

struct mesh_says spaces_says(const struct spaces *s, const struct mesh_pod *pod)
{
	const struct mesh_namespace *space = find(s, pod->ns);
	struct mesh_says says = {
		.enabled = pod->enabled,
		.problem = pod->problem,
		.exclude_in = &pod->exclude_in,
		.exclude_out = &pod->exclude_out,
	};

	if (!space)
		return says;
	if (pod->enabled == MESH_UNSET && space->enabled.said) {
		says.enabled = space->enabled.enabled;
		if (!says.problem)
			says.problem = space->enabled.problem;
	}
	if (!pod->says_in)
		take_ports(&says, &space->in, &says.exclude_in);
	if (!pod->says_out)
		take_ports(&says, &space->out, &says.exclude_out);
	return says;
}

// SPDX-License-Identifier: Apache-2.0
/* What a source of any kind holds: its last good world, and its problem. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/once.h"
#include "objects/decode.h"
#include "source/source_impl.h"

void source_close(struct source *s)
{
	if (!s || s->closed)
		return;
	s->closed = true;
	s->ops->close(s);
}

const struct mesh_world *source_world(const struct source *s)
{
	return s->world;
}

const char *source_problem(const struct source *s)
{
	return s->problem;
}

const char *source_notes(const struct source *s)
{
	return s->notes ? s->notes : "";
}

static void call(struct source *s, void (*event)(void *arg))
{
	if (!s->closed)
		event(s->events.arg);
}

void source_set_problem(struct source *s, const char *problem)
{
	if (once_text(&s->problem, problem))
		call(s, s->events.trouble);
}

void source_changed(struct source *s)
{
	call(s, s->events.changed);
}

static void set_world(struct source *s, struct mesh_world *world,
		      struct buf *notes)
{
	_free_ char *problem = take_ptr(s->problem);
	struct mesh_world *old = s->world;

	s->world = world;
	free(s->notes);
	s->notes = buf_take(notes);
	call(s, s->events.changed);
	if (problem)
		call(s, s->events.trouble);
	/* Only now: the handler may compare with the old one that it still
	 * holds. */
	if (old)
		mesh_world_free(old);
	free(old);
}

static int place_pods(struct mesh_world *w, const char *node)
{
	for (size_t i = 0; i < w->n_pods; i++) {
		char **of = &w->pods[i].node, *copy;

		if (*of && **of)
			continue;
		copy = strdup(node);
		if (!copy)
			return -ENOMEM;
		free(*of);
		*of = copy;
	}
	return 0;
}

void source_decode(struct source *s, const char *where, const char *node,
		   const char *json, size_t len)
{
	_buf_ struct buf notes = {};
	_buf_ struct buf error = {};
	_buf_ struct buf problem = {};
	_free_ struct mesh_world *world = calloc(1, sizeof(*world));
	int err = -ENOMEM;

	if (world)
		err = kube_decode_list(json, len, world, &notes, &error);
	if (!err && node) {
		err = place_pods(world, node);
		if (err)
			mesh_world_free(world);
	}
	if (!err) {
		set_world(s, take_ptr(world), &notes);
		return;
	}
	buf_printf(&problem, "%s: %s", where,
		   error.data ? error.data : strerror(-err));
	source_set_problem(s, problem.data ? problem.data : where);
}

void source_clear(struct source *s)
{
	if (s->world)
		mesh_world_free(s->world);
	free(s->world);
	free(s->problem);
	free(s->notes);
}

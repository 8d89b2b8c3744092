// SPDX-License-Identifier: Apache-2.0
/* The kinds of source, and what they have in common. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "objects/decode.h"
#include "source/source_impl.h"

static const struct {
	const char *prefix;
	bool more; /* something must follow it, else nothing may */
	int (*open)(uv_loop_t *loop, const char *rest,
		    const struct kube_options *kube,
		    const struct source_events *events, struct source **out);
} kinds[] = {
	{"file:", true, source_file_open},
	{"kube", false, source_kube_open},
};

/* Return: the kind of @spec, or -1; *@rest: what follows its prefix. */
static int kind_of(const char *spec, const char **rest)
{
	for (size_t i = 0; i < array_size(kinds); i++) {
		size_t len = strlen(kinds[i].prefix);

		if (!strncmp(spec, kinds[i].prefix, len) &&
		    !spec[len] == !kinds[i].more) {
			*rest = spec + len;
			return i;
		}
	}
	return -1;
}

int source_check(const char *spec)
{
	const char *rest;

	if (kind_of(spec, &rest) >= 0)
		return 0;
	return log_err(-EINVAL, "source \"%s\": expected file:PATH or kube",
		       spec);
}

int source_open(uv_loop_t *loop, const char *spec,
		const struct kube_options *kube,
		const struct source_events *events, struct source **out)
{
	const char *rest;
	int kind = kind_of(spec, &rest);

	return kind < 0 ? source_check(spec)
			: kinds[kind].open(loop, rest, kube, events, out);
}

void source_close(struct source *s)
{
	if (!s || s->closed)
		return;
	s->closed = true;
	s->ops->close(s);
}

void source_reread(struct source *s)
{
	s->ops->reread(s);
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

bool source_shows_nodes(const struct source *s)
{
	return s->world && (!s->ops->shows_nodes || s->ops->shows_nodes(s));
}

uint64_t source_age_ms(const struct source *s)
{
	return s->ops->age_ms ? s->ops->age_ms(s) : 0;
}

void source_remember(struct source *s, bool enabled)
{
	if (s->ops->remember)
		s->ops->remember(s, enabled);
}

void source_alone(struct source *s)
{
	if (s->ops->alone)
		s->ops->alone(s);
}

struct kube_client *source_client(const struct source *s)
{
	return s->ops->client ? s->ops->client(s) : NULL;
}

static void call(struct source *s, void (*event)(void *arg))
{
	if (!s->closed)
		event(s->events.arg);
}

void source_set_problem(struct source *s, const char *problem)
{
	char *copy;

	if (s->problem && !strcmp(problem, s->problem))
		return;
	copy = strdup(problem);
	if (!copy) {
		log_err(-ENOMEM, "source: %s", problem);
		return;
	}
	free(s->problem);
	s->problem = copy;
	call(s, s->events.trouble);
}

void source_clear_problem(struct source *s)
{
	if (!s->problem)
		return;
	free(take_ptr(s->problem));
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
	/* Only now: the handler may compare with what it still holds. */
	if (old)
		mesh_world_free(old);
	free(old);
}

void source_decode(struct source *s, const char *where, const char *json,
		   size_t len)
{
	_cleanup_(buf_free) struct buf notes = {0};
	_cleanup_(buf_free) struct buf error = {0};
	_cleanup_(buf_free) struct buf problem = {0};
	_free_ struct mesh_world *world = calloc(1, sizeof(*world));
	int err = -ENOMEM;

	if (world)
		err = kube_decode_list(json, len, world, &notes, &error);
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

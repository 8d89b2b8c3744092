// SPDX-License-Identifier: Apache-2.0
/* The kinds of source, and what they have in common. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "objects/decode.h"
#include "source/source_impl.h"

static const struct {
	const char *prefix;
	bool more; /* text must follow it, else none may */
	int (*open)(uv_loop_t *loop, const char *rest,
		    const struct kube_options *kube,
		    const struct source_events *events, struct source **out);
} sources[] = {
	{"file:", true, source_file_open},
	{"kube", false, source_kube_open},
};

/* Return: the kind of @spec, or -1; *@rest: the text after its prefix. */
static int kind_of(const char *spec, const char **rest)
{
	for (size_t i = 0; i < array_size(sources); i++) {
		size_t len = strlen(sources[i].prefix);

		if (!strncmp(spec, sources[i].prefix, len) &&
		    !spec[len] == !sources[i].more) {
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
	return log_refuse("--source %s: expected file:PATH or kube", spec);
}

int source_open(uv_loop_t *loop, const char *spec,
		const struct kube_options *kube,
		const struct source_events *events, struct source **out)
{
	const char *rest;
	int kind = kind_of(spec, &rest);

	return kind < 0 ? source_check(spec)
			: sources[kind].open(loop, rest, kube, events, out);
}

void source_reread(struct source *s)
{
	s->ops->reread(s);
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

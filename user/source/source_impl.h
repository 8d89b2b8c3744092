/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The base of every kind of source: only source*.c here include this. A kind
 * embeds struct source as its first member; the table in source.c opens it.
 */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "source/source.h"

struct source_ops {
	/* close - Stop at once; free later, when the loop has closed the
	 * handles. */
	void (*close)(struct source *s);
	/* reread - As source_reread(). */
	void (*reread)(struct source *s);
	/* shows_nodes - As source_shows_nodes(), once there is a world; NULL:
	 * always. */
	bool (*shows_nodes)(const struct source *s);
	/* age_ms - As source_age_ms(); NULL: always 0. */
	uint64_t (*age_ms)(const struct source *s);
	/* remember - As source_remember(); NULL: it needs no memory. */
	void (*remember)(struct source *s, bool enabled);
	/* alone - As source_alone(); NULL: it makes no difference. */
	void (*alone)(struct source *s);
	/* client - As source_client(); NULL: it has none. */
	struct kube_client *(*client)(const struct source *s);
};

struct source {
	const struct source_ops *ops;
	struct source_events events;
	struct mesh_world *world; /* the last good one, or NULL */
	char *problem;
	char *notes;
	bool closed; /* calls no event any more */
};

/* source_file_open - "file:", followed by @path. It uses the node of @opt, for
 * pods that name none. */
must_check int source_file_open(uv_loop_t *loop, const char *path,
				const struct kube_options *opt,
				const struct source_events *events,
				struct source **out);

/* source_kube_open - "kube", followed by @rest, which is empty. */
must_check int source_kube_open(uv_loop_t *loop, const char *rest,
				const struct kube_options *opt,
				const struct source_events *events,
				struct source **out);

/*
 * source_decode - Decode a List in JSON: a good one becomes the source's world
 * and ends the problem; a bad one is the problem. Calls the events.
 * @where: the name of the text in a problem: a path.
 * @node: the node of pods that name none, for no scheduler has seen them. NULL:
 * none.
 */
void source_decode(struct source *s, const char *where, const char *node,
		   const char *json, size_t len);

/* source_set_problem - Copy the sentence; NULL: all is well. Calls `trouble` if
 * it is another one than before. The next good world ends it. */
void source_set_problem(struct source *s, const char *problem);

/* source_changed - Call `changed`. */
void source_changed(struct source *s);

/* source_clear - Free what struct source itself holds. */
void source_clear(struct source *s);

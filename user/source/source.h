/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the world comes from: `--source file:PATH` or `--source kube`.
 * A source keeps the last good world and says when there is a newer one.
 */
#pragma once

#include <uv.h>
#include "mesh/model.h"

struct source;
struct kube_client;
struct kube_options;

struct source_events {
	/* A new good world is there: source_world(). Called from the loop. */
	void (*changed)(void *arg);
	/* The state of the source changed: source_problem(). */
	void (*trouble)(void *arg);
	void *arg;
};

/* source_check - Can source_open() take @spec, as far as its text tells?
 * Return: 0; -EINVAL, with a log line that says what is expected. */
int source_check(const char *spec);

/*
 * source_open - Start watching.
 * @spec: "file:PATH" or "kube". Anything else: -EINVAL, with a log line that
 *        says what is expected.
 * @kube: for "kube" alone (kube/client.h), `node` must be set; else NULL.
 *
 * The file may be missing, the API server away: that is trouble, not an error.
 * A configuration that is wrong is an error, logged.
 * Return: 0 or a negative errno. Free with source_close() (asynchronous: the
 * memory goes when the loop has closed the handles).
 */
int source_open(uv_loop_t *loop, const char *spec,
		const struct kube_options *kube,
		const struct source_events *events, struct source **out);
void source_close(struct source *s);

/* source_reread - Look again now, whether or not something seems to have
 * changed: `changed` or `trouble` follow from the loop as always. */
void source_reread(struct source *s);

/* source_world - The last good world, NULL before the first. Stays valid and
 * unchanged until the next `changed`. */
const struct mesh_world *source_world(const struct source *s);

/* source_problem - NULL, or the sentence about what is wrong now (missing
 * file, broken JSON with line and column, what the API server refuses): the
 * last good world stays. */
const char *source_problem(const struct source *s);

/* source_notes - Lines about objects left out of the last good world, or "". */
const char *source_notes(const struct source *s);

/* source_shows_nodes - Are all SmcNodes there are in source_world()? Not where
 * they are not watched, for no pod of this node is annotated, nor before they
 * were listed. */
bool source_shows_nodes(const struct source *s);

/*
 * source_age_ms - How long ago it was last known to be true what
 * source_world() says of addresses that may be offered SMC: the oldest of the
 * watches of SmcNodes, Services and EndpointSlices. A file that can be read or
 * not is as good as it was: 0.
 */
uint64_t source_age_ms(const struct source *s);

/*
 * source_remember - Whether the mesh was on when there was an agent last. Where
 * the server that has the ASMMeshConfig cannot be asked, that holds until it
 * can be. To be called before the loop runs.
 */
void source_remember(struct source *s, bool enabled);

/*
 * source_alone - No connection can become SMC here: what other nodes and
 * Services say is of no use, and need not be asked for. To be called before the
 * loop runs.
 */
void source_alone(struct source *s);

/* source_client - The API server's client of the source "kube", which others
 * may share until source_close(); NULL where the source has none. */
struct kube_client *source_client(const struct source *s);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the world comes from: `--source file:PATH` or `--source kube`.
 * A source keeps the last good world and reports a newer one.
 */
#pragma once

#include <uv.h>
#include "mesh/model.h"

struct source;
struct kube_client;
struct kube_options;

struct source_events {
	/* There is a new good world: source_world(). Called from the loop. */
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
 * If the file is missing or the API server away that is trouble, not an error.
 * A wrong configuration is an error, logged.
 * Return: 0 or a negative errno. Free with source_close() (asynchronous: the
 * memory goes when the loop has closed the handles).
 */
int source_open(uv_loop_t *loop, const char *spec,
		const struct kube_options *kube,
		const struct source_events *events, struct source **out);
void source_close(struct source *s);

/* source_reread - Look again now, whether or not anything has changed:
 * `changed` or `trouble` follow from the loop as always. */
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

/* source_shows_nodes - Does source_world() have all SmcNodes? Not if the source
 * does not watch them, because no pod of this node is annotated, nor before it
 * has listed them. */
bool source_shows_nodes(const struct source *s);

/*
 * source_age_ms - For how long the source has not been able to confirm what
 * source_world() says of addresses that may be offered SMC: the oldest of the
 * watches of SmcNodes, Services and EndpointSlices. A file is always current,
 * readable or not: 0.
 */
uint64_t source_age_ms(const struct source *s);

/*
 * source_remember - Whether the mesh was on for the last agent. That holds
 * while the server with the ASMMeshConfig does not answer. To be called before
 * the loop runs.
 */
void source_remember(struct source *s, bool enabled);

/*
 * source_alone - No connection can become SMC here: the source need not ask for
 * what other nodes and Services say. To be called before the loop runs.
 */
void source_alone(struct source *s);

/* source_client - The API server's client of the source "kube", for others to
 * share until source_close(); NULL if the source has none. */
struct kube_client *source_client(const struct source *s);

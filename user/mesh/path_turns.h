/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which RDMA paths are probed, and when (node/probe.h does it). The kernel's
 * rows (struct smc_path) say what is proven or bad; this file decides which to
 * probe next. Times are CLOCK_MONOTONIC, in nanoseconds.
 *
 * | a path                                             | is probed           |
 * |----------------------------------------------------|---------------------|
 * | that a flow was refused for since the last probe   | at once             |
 * | used in the last minute                            | every second        |
 * | new, and one that programs are likely to need: of  | every second in its |
 * |   the own namespaces, or behind a Service there    |   first minute      |
 * | with a link, or used or refused in the last ten    | every 10 seconds    |
 * |   minutes                                          |                     |
 * | all others                                         | one by one          |
 * | bad, before its time is over                       | never               |
 *
 * A node makes 200 probes a second (after a pause as many at once), 20 of them
 * for "all others": if all its pods share one device, in a cluster of 5,000
 * nodes, each of those has its turn every 250 s, and each node rejects 20 in a
 * second. If a path is not proven any more when a program needs it, one flow is
 * refused, and the path then probed at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <smcmesh/abi.h>
#include "base/cleanup.h"

/* Pairs that the agent keeps; it learns of another when a flow is refused for
 * it. */
#define MESH_PATHS_MAX 16384

#define MESH_PATHS_RATE 200
#define MESH_PATHS_REST_RATE 20

enum mesh_path_state {
	MESH_PATH_UNPROVEN,
	MESH_PATH_PROVEN,
	MESH_PATH_BAD,
	MESH_PATH_STATES
};

/* mesh_path_word - "unproven", "proven" or "bad". */
const char *mesh_path_word(enum mesh_path_state state);

/* mesh_path_state - What @row means to the verdict. */
enum mesh_path_state mesh_path_state(const struct smc_path *row, __u64 now);

/* A pair that the mesh has. */
struct mesh_path_want {
	struct smc_path_key key;
	bool near; /* programs are likely to need it */
};

struct mesh_path {
	struct smc_path_key key;
	bool near;
	__u64 since_ns;	     /* when it became near, or was first seen */
	__u64 asked_ns;	     /* when its last probe was due; 0: never */
	struct smc_path row; /* as the kernel has it; all 0: it has none */
};

struct mesh_paths {
	struct mesh_path *v; /* by key, ascending */
	size_t n;
	__u64 full_ns, rest_full_ns; /* see take_from() */
};

/* mesh_paths_free - Safe on a zeroed struct. */
void mesh_paths_free(struct mesh_paths *paths);

/* mesh_path_cmp - Order of keys, for qsort() and bsearch(). */
int mesh_path_cmp(const void *a, const void *b);

/*
 * mesh_paths_set - Replace the pairs: new ones begin, missing ones go.
 * @wants: ascending by key, each once. Beyond MESH_PATHS_MAX the near ones are
 *         kept, and the first of the others.
 * Return: 0, or -ENOMEM with nothing changed.
 */
must_check int mesh_paths_set(struct mesh_paths *paths,
			      const struct mesh_path_want *wants, size_t n,
			      __u64 now);

/* mesh_paths_find - Return: the pair, or NULL. */
struct mesh_path *mesh_paths_find(struct mesh_paths *paths,
				  const struct smc_path_key *key);

/*
 * mesh_paths_due - The paths to probe now, the most important first; they count
 * as probed from now on. To be called once a second: a path that is due within
 * a quarter of that is due.
 * @out: places in paths->v, good until mesh_paths_set(). @room: of them.
 * Return: their number.
 */
size_t mesh_paths_due(struct mesh_paths *paths, __u64 now, size_t *out,
		      size_t room);

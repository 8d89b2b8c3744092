/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which RDMA paths are probed, and when (node/probe.h does it). What is proven
 * or bad stands in the kernel's rows (struct smc_path); here is decided what
 * there should be known of next. Times are CLOCK_MONOTONIC, in nanoseconds.
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
 * A node makes 200 probes a second (after a pause as many at once), and 20 of
 * them for "all others":
 * those of a node that shares one device with all its pods, in a cluster of
 * 5,000 nodes, have each their turn every 250 s, and each node has to reject 20
 * in a second. What is not proven any more when a program needs it is refused
 * once, and then probed at once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <smcmesh/abi.h>
#include "base/cleanup.h"

/* Pairs that are kept in mind; the rest is as if it did not exist, until a flow
 * is refused for it. */
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

/* mesh_path_state - What the verdict takes @row for. */
enum mesh_path_state mesh_path_state(const struct smc_path *row, __u64 now);

/* A pair that there is. */
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
 * mesh_paths_set - From now on these are the pairs: new ones begin, the others
 * go.
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
 * mesh_paths_due - What to probe now, the most important first; it counts as
 * asked from now on. Asked for once a second: what is due within a quarter of
 * that is due.
 * @out: places in paths->v, good until mesh_paths_set(). @room: of them.
 * Return: their number.
 */
size_t mesh_paths_due(struct mesh_paths *paths, __u64 now, size_t *out,
		      size_t room);

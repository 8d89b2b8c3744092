/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has RDMA paths proven before programs need them. The plan tells which paths
 * there are (mesh/pairs.h), their rows in the kernel when each is probed
 * (mesh/path_turns.h). Short-lived helpers probe them (node/probe.h), a few at
 * a time, while the loop goes on.
 */
#pragma once

#include <uv.h>
#include "mesh/pairs.h"
#include "node/probe.h"

struct agent;

/* Helpers at a time: a dead peer keeps one busy for half a second. */
#define PATHS_HELPERS 4

/* Probes that are under way, by one helper. */
struct paths_batch {
	struct agent *agent;
	uv_poll_t poll;
	struct helper helper;
	bool running; /* the helper */
	bool busy;    /* or its handle is not closed yet */
	struct probe probes[PROBE_MAX];
	struct smc_path_key keys[PROBE_MAX];
	size_t n;
};

struct paths {
	uv_timer_t timer;
	bool open;
	struct mesh_paths all;
	struct mesh_pairs pairs;
	/* Paths that are due, and that no helper probes yet. */
	struct smc_path_key *due;
	size_t n_due;
	struct paths_batch batches[PATHS_HELPERS];
	int err;			    /* of the last helper, as logged */
	__u64 answered, unanswered, failed; /* probes, since the start */
};

/* paths_open - Begin to probe; where nothing can be proven RDMA is not used.
 * Return: 0 or a negative errno, logged. */
must_check int paths_open(struct agent *a);

/* paths_planned - After each plan: probe the pairs of ports that it makes. */
void paths_planned(struct agent *a);

/* paths_count - How many of these pairs are in each state. */
void paths_count(const struct agent *a, size_t counts[MESH_PATH_STATES]);

/* paths_problem - Why none can be probed, or "". */
const char *paths_problem(const struct agent *a);

/* paths_proven - Is the path of @key, or the way to a Service, proven now? */
bool paths_proven(struct agent *a, const struct smc_path_key *key);

/* paths_close - End the helpers, before the loop's handles are closed.
 * paths_free - Free the rest. */
void paths_close(struct agent *a);
void paths_free(struct agent *a);

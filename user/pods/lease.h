/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lease: until when a client of this node may offer SMC without a further
 * sign of life of its agent. An endpoint's address may be given to somebody
 * else, and a dead agent does not hear of it.
 */
#pragma once

#include "mesh/model.h"

struct agent;

struct lease {
	bool old; /* the knowledge is old, and the log says so */
};

/* The agent does not move the lease while its knowledge is older than this. */
#define LEASE_KNOWLEDGE_MS 120000

/*
 * lease_until - When the lease should end.
 * @have: when it ends as it is, or SMC_NO_END; @now; CLOCK_MONOTONIC, ns.
 * @lease_s: mesh_config.lease_s. @age_ms: source_age_ms().
 * Return: that, or SMC_NO_END; @have where the knowledge is too old, or a
 * change not worth a system call.
 */
__u64 lease_until(__u64 have, __u64 now, __u32 lease_s, __u64 age_ms);

/* lease_move - Move the lease, after a reconcile has written all that the agent
 * knows into the maps. */
void lease_move(struct agent *a, const struct mesh_config *config);

/* lease_left - Seconds; 0: past, INFINITY: no end, negative: there are no
 * maps. */
double lease_left(const struct agent *a);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which SMC sockets are wrongly counted as under way. BPF counts exactly while
 * its programs are attached; a socket that ends while one is not (somebody
 * removed the pins) stays counted. The agent believes these functions only when
 * they say the same twice.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <smcmesh/abi.h>

/* A younger one may be made or end while the agent looks. */
#define MESH_PENDING_OLD_NS 2000000000ULL

/* A row of smc_pending, and what socket diagnosis says of it. */
struct mesh_pending {
	__u64 cookie;
	__u32 netns; /* low half of its namespace's cookie */
	enum mesh_pending_told {
		MESH_PENDING_UNTOLD = 0, /* that namespace was not asked */
		MESH_PENDING_UNDER_WAY,
		MESH_PENDING_OVER,
	} told;
};

/* mesh_pending_is_old - Is it old enough to judge? @now: CLOCK_MONOTONIC. */
bool mesh_pending_is_old(const struct smc_pending *v, __u64 now);

/*
 * mesh_pending_over - Find those of @v that have ended.
 * @cookies: room for @n; gets them in ascending order.
 * Return: their number.
 */
size_t mesh_pending_over(const struct mesh_pending *v, size_t n,
			 __u64 *cookies);

/*
 * mesh_pending_twice - Keep those of @now that were in @before, too; both in
 * ascending order.
 * @out: room for @n_now. Return: their number.
 */
size_t mesh_pending_twice(const __u64 *before, size_t n_before,
			  const __u64 *now, size_t n_now, __u64 *out);

/*
 * mesh_pending_drift - By how much is the count in smc_usage too low?
 * @before, @after: the count before and after @rows were counted: if they
 * differ, sockets came and went, and nothing is known.
 * Return: what to add to it, if the next call says the same; 0: nothing.
 */
__s32 mesh_pending_drift(__u32 before, __u32 rows, __u32 after);

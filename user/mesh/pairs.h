/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between which RDMA ports there are paths: from this node's armed pods to
 * endpoints that can only be reached over RDMA; and what is behind a Service's
 * address, which has its own row among the paths.
 */
#pragma once

#include "mesh/path_turns.h"
#include "mesh/plan.h"

/* An address of an armed pod of this node that can be reached over RDMA. */
struct mesh_port {
	struct smc_addr addr; /* IPv4 */
	const char *ns;
	__u32 transports; /* of the pod */
};

/*
 * A Service's address seen from one of the ports above: the paths to its
 * backends. There is no way without such a path.
 */
struct mesh_way {
	struct smc_path_key key; /* peer: the Service's address */
	size_t first, n;	 /* in mesh_pairs.behind */
	struct smc_path row;	 /* as the kernel has it */
};

struct mesh_pairs {
	struct mesh_path_want *v; /* for mesh_paths_set() */
	size_t n;
	struct mesh_way *ways; /* by key */
	size_t n_ways;
	struct smc_path_key *behind;
	size_t n_behind;
};

/*
 * mesh_pairs_of - Pairs and ways of @plan.
 * @ports:  in any order; an address may be there for several pods.
 * @wished: in any order: keys of rows for which flows were refused.
 *
 * A pair is near if both ends are in one namespace. Of the others the wished
 * ones come first, up to MESH_PATHS_MAX in all. Ways lead to the Services of a
 * port's own namespace, and to wished ones.
 * Return: 0 or -ENOMEM. Free with mesh_pairs_free().
 */
must_check int mesh_pairs_of(const struct mesh_world *w,
			     const struct mesh_plan *plan,
			     const struct mesh_port *ports, size_t n_ports,
			     const struct smc_path_key *wished, size_t n_wished,
			     struct mesh_pairs *out);
void mesh_pairs_free(struct mesh_pairs *pairs);

/* mesh_way_find - Return: the way of that key, or NULL. */
struct mesh_way *mesh_way_find(struct mesh_pairs *pairs,
			       const struct smc_path_key *key);

/* mesh_ways_need - Copy each way's times of use to the paths behind it, which
 * it needs. */
void mesh_ways_need(const struct mesh_pairs *pairs, struct mesh_paths *paths);

/*
 * mesh_way_told - Judge a way by the rows of the paths behind it.
 * @job: gets the result: proven while all of them are, else not.
 * Return: does it differ from the way's own row?
 */
bool mesh_way_told(const struct mesh_pairs *pairs, struct mesh_paths *paths,
		   const struct mesh_way *way, __u64 now,
		   struct smc_path_job *job);

/* mesh_path_key - The pair of two IPv4 addresses. */
struct smc_path_key mesh_path_key(const struct smc_addr *own,
				  const struct smc_addr *peer);

/* mesh_path_addr - One end of a key as an address. */
struct smc_addr mesh_path_addr(const __u8 end[4]);

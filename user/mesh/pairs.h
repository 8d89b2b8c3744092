/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between which RDMA ports there are paths: of this node's armed pods with the
 * endpoints that can only be reached over RDMA; and what is behind a Service's
 * address, which has a row of its own among the paths.
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
 * A Service's address and one of the ports above: what is behind it. The paths
 * are those with its backends; one without any is none.
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
 * @wished: in any order: keys of rows that flows have asked for.
 *
 * A pair is near where both ends are of one namespace. Of the others those that
 * are wished come first, and no more are listed than there may be
 * (MESH_PATHS_MAX). Ways are listed to the Services of a port's own namespace,
 * and those that are wished.
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

/* mesh_ways_need - Who needs a way needs the paths behind it: their rows get
 * the times of its. */
void mesh_ways_need(const struct mesh_pairs *pairs, struct mesh_paths *paths);

/*
 * mesh_way_told - What holds for a way, by the rows of the paths behind it.
 * @job: gets it: proven while all of them are, else not.
 * Return: is that news to the way's own row?
 */
bool mesh_way_told(const struct mesh_pairs *pairs, struct mesh_paths *paths,
		   const struct mesh_way *way, __u64 now,
		   struct smc_path_job *job);

/* mesh_path_key - The pair of two IPv4 addresses. */
struct smc_path_key mesh_path_key(const struct smc_addr *own,
				  const struct smc_addr *peer);

/* mesh_path_addr - One end of a key as an address. */
struct smc_addr mesh_path_addr(const __u8 end[4]);

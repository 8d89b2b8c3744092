/* SPDX-License-Identifier: Apache-2.0 */
/* What decides over SMC-R inside of one network namespace: its RDMA ports, its
 * PNET table, its routes to peers. Reads only. */
#pragma once

#include "mesh/pnet.h"
#include "node/helper.h"
#include "node/rdma.h"

#define SMCR_ROWS 16 /* of each kind; further ones are left out */

/* Where a packet to a peer would leave. */
struct smcr_route {
	struct smc_addr peer; /* IPv4 */
	int err;	      /* 0, or the kernel's: -ENETUNREACH, ... */
	char netdev[16];
};

struct smcr_space {
	struct rdma_device ports[SMCR_ROWS];
	struct mesh_pnet_entry pnets[SMCR_ROWS];
	struct smcr_route routes[SMCR_ROWS];
	/* Its usable IPv4 addresses that lie in no subnet of the netdev of a
	 * usable port. */
	struct smc_addr strays[SMCR_ROWS];
	unsigned int n_ports, n_pnets, n_routes, n_strays;
	int pnet_err; /* 0, or why the PNET table could not be read */
};

/* smcr_pnet_list - The caller's namespace's table. @out has SMCR_ROWS places.
 * Return: rows written, -ENOENT: the kernel has no SMC, or another errno. */
must_check int smcr_pnet_list(struct mesh_pnet_entry *out);

/*
 * smcr_space_look - Look into @ref, or the caller's own namespace where it is
 * NULL.
 * @peers: IPv4 addresses to look up routes to; at most SMCR_ROWS count.
 * Return: 0, or a negative errno: of helper_run(), or the RDMA ports could not
 * be listed.
 */
must_check int smcr_space_look(const struct netns_ref *ref,
			       const struct smc_addr *peers, size_t n_peers,
			       struct smcr_space *out);

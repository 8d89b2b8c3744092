/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Late flows: connections that are TCP only because they were opened before
 * both ends were endpoints. They stay TCP for their life; new ones would be
 * SMC.
 */
#pragma once

#include "mesh/plan.h"

/* A TCP connection of a pod of this node. */
struct mesh_flow {
	struct smc_addr remote;
	__u16 local_port, remote_port;
	/* Our record of it. NULL: it was opened before the pod was armed, or
	 * its record was lost. */
	const struct smc_flow *record;
};

/* Since when this holds, CLOCK_MONOTONIC; 0: from before the agent looked. */
struct mesh_since {
	__u64 pod_armed_ns; /* the pod of this end */
	__u64 remote_ns;    /* its remote address is an endpoint */
	bool path_proven;   /* the RDMA path there is, now */
};

/*
 * mesh_would_accelerate - What the verdict would say to a new connection like
 * this one, as far as the plan tells: not whether the peer is in quarantine.
 * @p: the pod of this end; @role: enum smc_role, 0: not known, then either.
 */
bool mesh_would_accelerate(const struct mesh_plan *plan,
			   const struct plan_pod *p, const struct mesh_flow *f,
			   unsigned int role);

/*
 * mesh_flow_late - Is it a late flow?
 *
 * Its record decides, if there is one: a flow that was offered SMC, excluded,
 * or accepted by a late listener is not late. A client that did not offer may
 * never do so (its own exclusions, io_uring): then the times decide.
 */
bool mesh_flow_late(const struct mesh_plan *plan, const struct plan_pod *p,
		    const struct mesh_flow *f, const struct mesh_since *since);

/* mesh_excludes_in - Do the exclusions, of the mesh or of @p itself, keep SMC
 * from connections to its port @port? */
bool mesh_excludes_in(const struct mesh_plan *plan, const struct plan_pod *p,
		      __u16 port);

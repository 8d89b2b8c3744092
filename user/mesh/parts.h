/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of mesh_plan() share; nobody else includes this. */
#pragma once

#include "base/cleanup.h"
#include "mesh/plan.h"

/* A plan in the making. */
struct draft {
	const struct mesh_world *world;
	const struct mesh_host *host;
	struct mesh_plan plan;
	struct own_pod *own; /* beside plan.pods */
};

struct own_pod {
	const struct mesh_seen *seen; /* NULL: nothing was seen of it */
	bool lost; /* an address of it went to someone else, or to nobody */
};

/* draft_warn - Add a sentence; past MESH_WARNINGS_MAX only that there are
 * more. Return: 0 or -ENOMEM. */
#define MESH_WARNINGS_MAX 64
must_check int draft_warn(struct draft *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* draft_endpoints - Settle who owns which address: fills plan.endpoints and the
 * pods' `published`, marks own_pod.lost. Return: 0 or -ENOMEM. */
must_check int draft_endpoints(struct draft *d);

/* draft_exclusions - Fill plan.cidrs and plan.ports. Return: 0 or -ENOMEM. */
must_check int draft_exclusions(struct draft *d);

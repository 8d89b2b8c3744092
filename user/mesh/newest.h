/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the newest of records that come in any order. */
#pragma once

#include "base/cleanup.h"
#include "mesh/record_fate.h"

struct mesh_newest {
	size_t most;	       /* to keep; set by the caller, the rest is 0 */
	size_t total;	       /* came */
	struct mesh_record *v; /* those kept, n */
	size_t n;
};

/* mesh_newest_add - One more. Return: 0 or -ENOMEM. */
must_check int mesh_newest_add(struct mesh_newest *s,
			       const struct smc_handshake *key,
			       const struct smc_flow *flow);

/* mesh_newest_sort - Put those kept in order, the newest (opened_ns) first, of
 * equally old ones by their keys. None may be added after it. */
void mesh_newest_sort(struct mesh_newest *s);

/* mesh_newest_free - Safe on a zeroed struct; for cleanup. */
void mesh_newest_free(struct mesh_newest *s);

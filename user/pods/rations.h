/* SPDX-License-Identifier: Apache-2.0 */
/* What pods hold of the kernel's SMC: their own limits, and counts that went
 * wrong. */
#pragma once

#include "base/cleanup.h"
#include "mesh/stale_pending.h"
#include "mesh/plan.h"

/* From one resync to the next: what was seen once, and must be seen again. */
struct rations {
	bool due;
	__u64 *over; /* cookies, in ascending order */
	size_t n_over;
	__s32 drift[SMC_PODS]; /* by slot */
	__u64 repairs;
};

struct agent;

/* rations_limit - Set the own limits of this node's pods. Return: 0 or the
 * first negative errno, logged. */
must_check int rations_limit(struct agent *a, const struct mesh_plan *plan);

/* rations_sweep - Look for SMC sockets that are counted as under way and are
 * not, and for counts that are not the number of those; mend what the last
 * sweep found, too. Errors are logged. */
void rations_sweep(struct agent *a);

void rations_free(struct rations *r);

/* SPDX-License-Identifier: Apache-2.0 */
/* What is measured of flows that have ended: how long connect() took, and the
 * bytes of those that were TCP. Their records say it; BPF counts neither. */
#pragma once

#include <smcmesh/abi.h>

struct agent;
struct agent_counts;

/* ended_begin - Those that ended before this agent began do not count. */
void ended_begin(struct agent *a);

/* ended_read - Count those that have ended since the last time. At each resync:
 * the kernel keeps the last SMC_FLOW_CLOSED_ENTRIES. */
void ended_read(struct agent *a);

/* ended_count - Count one. */
void ended_count(struct agent_counts *counts, const struct smc_flow *flow);

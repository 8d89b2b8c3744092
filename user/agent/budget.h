/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of SMC's buffers. The datapath counts what open connections of
 * ours have; the kernel also counts what link groups keep for the next ones,
 * and what other programs' SMC sockets have. That may be as much again as the
 * limit of the open ones, for much of it is used again; what is above leaves
 * them less.
 */
#pragma once

#include <smcmesh/abi.h>
#include "mesh/model.h"

struct agent;

/* budget_look - Ask the kernel; an answer that does not come leaves the last
 * one. At each resync. */
void budget_look(struct agent *a);

/* budget_limits - The limits of smc_config: those of @config on this node, less
 * what the last look found beside our open connections. */
struct smc_limits budget_limits(const struct agent *a,
				const struct mesh_config *config);

/* budget_beside - How many bytes of SMC's buffers belong to others. @held: all
 * that the kernel has allocated. @ours: those of our open connections. */
__u64 budget_beside(__u64 held, __s64 ours);

/* budget_left - How many bytes of @limit our connections may have, where others
 * have @beside. */
__u64 budget_left(__u64 limit, __u64 beside);

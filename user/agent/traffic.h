/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes over SMC by pod: the kernel counts them by network namespace. */
#pragma once

#include <stdbool.h>
#include "node/smc.h"

struct agent;
struct pod_bytes;

/* traffic_read - Ask the kernel, unless it was asked a moment ago. At each
 * resync. */
void traffic_read(struct agent *a);

/*
 * traffic_add - Add what came since the last time. The kernel's numbers begin
 * anew with a namespace: @cookie is its.
 * @skip: what is there the first time was counted before this agent began.
 */
void traffic_add(struct pod_bytes *at, __u64 cookie,
		 const struct smc_stats *stats, bool skip);

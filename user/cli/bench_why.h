/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>
#include "cli/bench_plan.h"
#include "node/peer_flows.h"

/*
 * bench_why - Why are connections of an accelerated run TCP? What the agent
 * explains of its pod, while it runs; else what the kernel's code means.
 * @pid: the generator's process.
 * @r: why and remedy are written, if there is something to say.
 */
void bench_why(const struct bench_plan *plan, const struct peer_flows *found,
	       pid_t pid, struct bench_result *r);

/* bench_why_plain - As above from a line of `smcmesh run` in @said, what the
 * generator's process printed. */
void bench_why_plain(const char *said, struct bench_result *r);

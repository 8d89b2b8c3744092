/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/addr.h"
#include "node/peer_flows.h"

#define BENCH_TEXT_MAX 512

/* Why connections are TCP, and what to do; "": nobody can tell. */
struct bench_why {
	char sentence[BENCH_TEXT_MAX], remedy[BENCH_TEXT_MAX];
};

/*
 * bench_why - Why are connections TCP that were to be SMC? What the kernel's
 * code means, else what the agent of @run explains of its pod.
 * @pod: NAMESPACE/POD; NULL: of none.
 * @out: written if there is something to say.
 */
void bench_why(const char *run, const char *pod, const struct smc_addr_port *to,
	       const struct peer_flows *found, struct bench_why *out);

/* bench_why_plain - As above from a line of `smcmesh run` in @said, what the
 * generator's process printed. */
void bench_why_plain(const char *said, struct bench_why *out);

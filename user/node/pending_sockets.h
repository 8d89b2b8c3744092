/* SPDX-License-Identifier: Apache-2.0 */
/* What socket diagnosis says of SMC sockets that are counted as under way. */
#pragma once

#include "base/cleanup.h"
#include "mesh/stale_pending.h"

/*
 * pending_ask - Look for these sockets in the namespaces they were made in, and
 * set v[].told. One helper goes through all namespaces that netns_each() finds;
 * of those that it does not find, or that give no answer, nothing is told.
 * @proc: NULL: /proc.
 * Return: 0, or a negative errno: nothing was told.
 */
must_check int pending_ask(const char *proc, struct mesh_pending *v, size_t n);

/* pending_tell - Set v[].told of those of namespace @netns, of which @smc are
 * all SMC sockets (the pure part). */
struct diag_smc;
void pending_tell(struct mesh_pending *v, size_t n, __u32 netns,
		  const struct diag_smc *smc, size_t n_smc);

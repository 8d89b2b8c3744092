/* SPDX-License-Identifier: Apache-2.0 */
/* Asks socket diagnosis for SMC sockets that are counted as under way. */
#pragma once

#include "base/cleanup.h"
#include "mesh/stale_pending.h"

/*
 * pending_ask - Look for these sockets in the namespaces where they were made,
 * and set v[].told. One helper goes through all namespaces that netns_each()
 * finds; sockets of others, or of those that do not answer, stay untold.
 * @proc: NULL: /proc.
 * Return: 0, or a negative errno: all stay untold.
 */
must_check int pending_ask(const char *proc, struct mesh_pending *v, size_t n);

/* pending_tell - Set v[].told for the sockets of namespace @netns, all of whose
 * SMC sockets are @smc (the pure part). */
struct diag_smc;
void pending_tell(struct mesh_pending *v, size_t n, __u32 netns,
		  const struct diag_smc *smc, size_t n_smc);

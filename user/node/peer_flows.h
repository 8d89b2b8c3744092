/* SPDX-License-Identifier: Apache-2.0 */
/* What the connections to one address are, by the kernel's socket diagnosis. */
#pragma once

#include "base/addr.h"
#include "node/diag.h"
#include "node/place.h"

struct peer_flows {
	unsigned int smcr, smcd, tcp;
	unsigned int
		pending;   /* of whose handshake the kernel has no word yet */
	__u32 code;	   /* of one that has fallen back, the kernel's; or 0 */
	char software[64]; /* the RDMA device of SMC-R, where it is one made of
			      software; else "" */
};

/*
 * peer_flows_join - Count established connections.
 * @tcp: TCP sockets that are connected to there; those of SMC sockets, too.
 * @smc: any SMC sockets of the same namespace; of those with the same ports the
 * last one counts.
 */
void peer_flows_join(const struct diag_tcp *tcp, size_t n_tcp,
		     const struct diag_smc *smc, size_t n_smc,
		     struct peer_flows *out);

/*
 * peer_flows_count - Those to @to, from the network namespace @at, or the
 * caller's own (NULL).
 * @anywhere: to its port at any address, as those to a Service are, whoever
 * rewrites their addresses.
 * Return: 0; -EPERM: not allowed; or another negative errno. A kernel without
 * diagnosis of SMC sockets has none: all are TCP.
 */
must_check int peer_flows_count(const struct place *at,
				const struct smc_addr_port *to, bool anywhere,
				struct peer_flows *out);

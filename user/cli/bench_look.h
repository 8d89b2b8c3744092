/* SPDX-License-Identifier: Apache-2.0 */
/* `smcmesh bench look`: what connections of a pod are, and how busy the node
 * is, a line of JSON each second. The bench of a cluster has it run in the
 * agents' containers, and reads it. */
#pragma once

#include "cli/bench_machine.h"
#include "cli/bench_why.h"

/* What one look found. */
struct bench_sight {
	struct peer_flows found;
	struct bench_why why; /* ...some are TCP */
	double busy;	      /* seconds, as cpu_time_busy(); NAN: not known */
	struct bench_machine machine; /* kernel "": it was not said */
};

/*
 * bench_look - Look and print until standard input ends or nobody reads.
 * @pod: NAMESPACE/POD whose connections count; NULL: none do.
 * @to:  they go to its port at any address; its address is for the reason.
 * Return: an exit status.
 */
int bench_look(const char *run, const char *proc, const char *pod,
	       const struct smc_addr_port *to);

/* bench_look_read - From such a line. Return: 0, or -EINVAL: it is none. */
must_check int bench_look_read(const char *line, size_t len,
			       struct bench_sight *out);

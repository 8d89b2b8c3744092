/* SPDX-License-Identifier: Apache-2.0 */
/* Which flows somebody wants to see. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <smcmesh/abi.h>
#include <smcmesh/reasons.h>
#include "base/addr.h"
#include "mesh/ranges.h"

#define FLOW_FILTER_CODES 16

/* All that is set must hold; a zeroed one lets every flow through. */
struct mesh_flow_filter {
	char ns[64];   /* of the flow's pod; "": any */
	char pod[254]; /* its name */
	/* The end that was connected to: a client's peer, a server's own. */
	bool to_set;
	struct cidr to;
	__u16 to_port;		/* of that end; 0: any */
	struct mesh_range port; /* of either end; last 0: any */
	__u32 outcomes;		/* 1 << enum smc_outcome; 0: any */
	/* Why it is not SMC; neither of the two: any. Reasons are those of the
	 * verdict, 1 << enum smc_reason; codes are the kernel's. */
	__u32 reasons;
	__u32 codes[FLOW_FILTER_CODES];
	size_t n_codes;
	__u64 since_ns; /* opened then or later, CLOCK_MONOTONIC; 0: any */
};

/*
 * mesh_flow_to_parse - "10.0.0.0/8", "10.0.0.1:80", "fd00::/64",
 * "[fd00::1]:80": an address or a prefix, with a port or without.
 * @port: 0 where there is none.
 * Return: 0, or -EINVAL with both untouched.
 */
must_check int mesh_flow_to_parse(const char *text, struct cidr *to,
				  __u16 *port);

/* mesh_flow_wanted - Does all hold but the pod's names, which the record has
 * not? */
bool mesh_flow_wanted(const struct mesh_flow_filter *f,
		      const struct smc_flow *flow);

/* mesh_flow_of_pod - Do they? @ns, @pod: NULL: the pod has gone, nobody knows
 * its names. */
bool mesh_flow_of_pod(const struct mesh_flow_filter *f, const char *ns,
		      const char *pod);

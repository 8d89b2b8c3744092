/* SPDX-License-Identifier: Apache-2.0 */
/* What there is of SMC in each network namespace of this machine. */
#pragma once

#include "doctor/doctor.h"
#include "node/netns.h"

struct doctor_namespace {
	const char *path;
	const struct netns_facts *facts;
	bool armed;	 /* a pod's, and the kernel refused it nothing */
	bool foreign;	 /* it has a selector that is not ours */
	int smc_sockets; /* or a negative errno: not known */
};

/* doctor_each_namespace - Look at each, changing nothing. Return: could all
 * that were found be looked at? */
typedef void (*doctor_namespace_fn)(const struct doctor_namespace *ns,
				    void *arg);
bool doctor_each_namespace(const struct doctor *d, doctor_namespace_fn fn,
			   void *arg);

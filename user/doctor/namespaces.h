/* SPDX-License-Identifier: Apache-2.0 */
/* The SMC state of each network namespace of this machine. */
#pragma once

#include "doctor/doctor.h"
#include "node/netns.h"

struct doctor_namespace {
	const char *path;
	const struct netns_facts *facts;
	bool armed;	 /* a pod's, and the kernel refused it no socket */
	bool foreign;	 /* it has a selector that is not ours */
	int smc_sockets; /* or a negative errno: not known */
};

/* doctor_each_namespace - Look at each, changing nothing. Return: did every
 * look succeed? */
typedef void (*doctor_namespace_fn)(const struct doctor_namespace *ns,
				    void *arg);
bool doctor_each_namespace(const struct doctor *d, doctor_namespace_fn fn,
			   void *arg);

// SPDX-License-Identifier: Apache-2.0
/*
 * A node is ready when the first sync is done and it has reached all that it
 * can. A pod that cannot be armed for a reason of its own (also that its
 * exclusions have no room) does not make the node unready; the pod has the
 * reason. A node that cannot do SMC is ready.
 */
#include "serve/ready.h"

#include <string.h>
#include "cluster/cluster.h"
#include "pods/lease.h"

void agent_knowledge(const struct agent *a, struct buf *out)
{
	uint64_t age = source_age_ms(a->source);

	buf_printf(out, "knowledge of endpoints: %llu s old",
		   (unsigned long long)age / 1000);
	if (age > LEASE_KNOWLEDGE_MS)
		buf_printf(
			out,
			", too old: when the lease ends, clients here offer no SMC until there is news");
}

bool agent_ready(const struct agent *a, struct buf *why)
{
	const char *problem = source_problem(a->source);

	if (!source_world(a->source)) {
		/* The problem says what it is about. */
		if (problem)
			buf_printf(why, "not ready: nothing was read yet: %s",
				   problem);
		else
			buf_printf(why,
				   "not ready: nothing was read from %s yet",
				   a->opt->source);
		return false;
	}
	if (!cluster_may_arm(a->cluster)) {
		problem = cluster_problem(a->cluster);
		buf_printf(
			why,
			"not ready: it is not known yet what an agent before a boot published%s%s",
			problem ? ": " : "", problem ?: "");
		return false;
	}
	if (a->last.err) {
		buf_printf(why, "not ready: the last reconcile failed: %s",
			   strerror(-a->last.err));
		return false;
	}
	if (!a->last.synced) {
		buf_printf(why, "not ready: the first sync is not done");
		return false;
	}
	if (!cluster_published(a->cluster, true)) {
		problem = cluster_problem(a->cluster);
		buf_printf(why, "not ready: nothing is published yet%s%s",
			   problem ? ": " : "", problem ?: "");
		return false;
	}
	if (a->last.off) {
		buf_printf(
			why,
			"not ready: %u exclusions found their map full, and some of them hold for the whole node: nothing is offered or answered with SMC here",
			a->last.missing);
		return false;
	}
	if (a->last.full > a->last.missing) {
		buf_printf(
			why,
			"not ready: %u rows found their map full and were left out; that traffic stays TCP",
			a->last.full - a->last.missing);
		return false;
	}
	if (!agent_capable(a))
		buf_printf(
			why,
			"ready: this kernel cannot make connections SMC (smcmesh doctor says what is missing); traffic stays TCP");
	else
		buf_printf(why, "ready: the desired state is reached");
	return true;
}

// SPDX-License-Identifier: Apache-2.0
#include "pods/known.h"

__u64 agent_repairs(const struct agent *a)
{
	return a->counts.repairs + a->rations.repairs;
}

bool agent_capable(const struct agent *a)
{
	return a->host.mesh.converter && a->host.mesh.selector;
}

const struct pod_bytes *pod_bytes_of(const struct agent_counts *counts,
				     __u32 pod_id)
{
	const struct pod_bytes *at = &counts->bytes[smc_slot(pod_id)];

	return pod_id && at->pod_id == pod_id ? at : NULL;
}

/* Numbers only grow. */
struct pod_bytes *pod_bytes_take(struct agent_counts *counts, __u32 pod_id)
{
	struct pod_bytes *at = &counts->bytes[smc_slot(pod_id)];

	if (pod_id < at->pod_id)
		return NULL;
	if (pod_id > at->pod_id)
		*at = (struct pod_bytes){.pod_id = pod_id};
	return at;
}

// SPDX-License-Identifier: Apache-2.0
#include "agent/budget.h"

#include "pods/known.h"
#include "base/log.h"
#include "node/smc.h"

/* The agent does not read the two at one moment. */
__u64 budget_beside(__u64 held, __s64 ours)
{
	if (ours < 0)
		ours = 0;
	return held > (__u64)ours ? held - ours : 0;
}

__u64 budget_left(__u64 limit, __u64 beside)
{
	if (beside <= limit)
		return limit;
	return beside - limit < limit ? 2 * limit - beside : 0;
}

void budget_look(struct agent *a)
{
	struct smc_usage node;
	__u64 held;
	int err;

	if (!agent_capable(a))
		return;
	err = smc_allocated(&held)
		      ?: datapath_usage(a->dp, SMC_SLOT_NODE, &node);
	if (err && err != a->host.budget_err)
		log_warn(
			err,
			"ask SMC for the memory of its buffers: the limit counts open connections only");
	a->host.budget_err = err;
	if (!err)
		a->host.buffers_beside = budget_beside(held, node.bytes);
}

struct smc_limits budget_limits(const struct agent *a,
				const struct mesh_config *config)
{
	struct smc_limits limits = mesh_limits(config, a->host.mesh.memory);

	limits.bytes_node =
		budget_left(limits.bytes_node, a->host.buffers_beside);
	return limits;
}

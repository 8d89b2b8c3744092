// SPDX-License-Identifier: Apache-2.0
/* How much of the kernel's SMC a pod and this node may hold at once. */
#include "mesh/plan.h"

struct smc_limits mesh_limits(const struct mesh_config *config, __u64 memory)
{
	const struct mesh_limits *l = &config->limits;

	return (struct smc_limits){
		.pending_pod = l->pending_pod,
		.pending_node = l->pending_node,
		.connections_pod = l->connections_pod,
		.buffers_node = MESH_BUFFERS_NODE,
		.bytes_node = memory / 100 * l->memory_percent,
	};
}

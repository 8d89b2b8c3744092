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

// SPDX-License-Identifier: Apache-2.0
#include "datapath/uses.h"

#include <bpf/bpf.h>

static __u32 use_of_pod(const struct smc_pod *pod)
{
	return pod->flags & SMC_POD_SIDECAR ? SMC_USE_SIDECARS : 0;
}

/* Set the bit @use of *@uses if the map has any row. */
static int add_use(const struct datapath *dp, enum map_id id, __u32 use,
		   __u32 *uses)
{
	unsigned char key[64];
	int err = bpf_map_get_next_key(dp->map_fd[id], NULL, key);

	_Static_assert(sizeof(key) >= sizeof(struct smc_cidr_key) &&
			       sizeof(key) >= sizeof(struct smc_port_key),
		       "a key of each map fits");
	if (!err)
		*uses |= use;
	return err == -ENOENT ? 0 : err;
}

static int add_pod(__u64 key, const struct smc_pod *pod, void *arg)
{
	*(__u32 *)arg |= use_of_pod(pod);
	return 0;
}

int uses_of_maps(struct datapath *dp, __u32 *out)
{
	__u32 uses = 0;
	int err;

	err = add_use(dp, MAP_PORT, SMC_USE_PORTS, &uses);
	err = err ?: add_use(dp, MAP_CIDR, SMC_USE_CIDRS, &uses);
	err = err ?: datapath_each_netns(dp, add_pod, &uses);
	err = err ?: datapath_each_cgroup(dp, add_pod, &uses);
	if (!err)
		*out = uses;
	return err;
}

__u32 uses_of_plan(const struct mesh_plan *plan)
{
	__u32 uses = (plan->n_ports ? SMC_USE_PORTS : 0) |
		     (plan->n_cidrs ? SMC_USE_CIDRS : 0);

	for (size_t i = 0; i < plan->n_pods; i++)
		uses |= use_of_pod(&plan->pods[i].value);
	return uses;
}

// SPDX-License-Identifier: Apache-2.0
/* Reads what the agent before us left in the maps: which numbers its pods have,
 * and how many endpoints there are. */
#include "agent/reconcile.h"
#include "base/log.h"

static int adopt_netns(__u64 cookie, const struct smc_pod *v, void *arg)
{
	struct agent *a = arg;

	return pods_adopt(&a->pods, cookie, false, v->pod_id,
			  v->flags & SMC_POD_REFUSED);
}

static int adopt_cgroup(__u64 id, const struct smc_pod *v, void *arg)
{
	struct agent *a = arg;

	return pods_adopt(&a->pods, id, true, v->pod_id,
			  v->flags & SMC_POD_REFUSED);
}

static int avoid_counter(const struct smc_counter_key *key, __u64 value,
			 void *arg)
{
	struct agent *a = arg;

	pods_avoid_slot(&a->pods, key->slot);
	return 0;
}

static int avoid_flow(const struct smc_handshake *key, const struct smc_flow *v,
		      void *arg)
{
	struct agent *a = arg;

	pods_avoid(&a->pods, v->pod_id);
	return 0;
}

static int count_endpoint(const struct smc_addr *key,
			  const struct smc_endpoint *v, void *arg)
{
	struct agent *a = arg;

	a->last.n_endpoints++;
	return 0;
}

int agent_adopt(struct agent *a)
{
	int err;

	err = datapath_each_netns(a->dp, adopt_netns, a) ?:
	      datapath_each_cgroup(a->dp, adopt_cgroup, a) ?:
	      datapath_each_counter(a->dp, avoid_counter, a) ?:
	      datapath_each_flow(a->dp, false, avoid_flow, a) ?:
	      datapath_each_endpoint(a->dp, count_endpoint, a);
	if (err)
		return log_err(err, "read the maps of the agent before");
	if (a->pods.n_adopted)
		log_info("adopted armed pods, number=%zu", a->pods.n_adopted);
	return 0;
}

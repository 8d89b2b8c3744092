// SPDX-License-Identifier: Apache-2.0
#include "cluster/take_back.h"

/* How long a pod stays armed for its addresses to be taken back. */
#define HOLD_MS 2000

/* A pod may stay armed for a moment where a person took its annotation away or
 * switched the mesh off. It may not where something is wrong with the pod: of
 * an annotation that it does not understand the agent excludes nothing. */
static bool may_wait(enum smc_reason reason)
{
	return reason == SMC_REASON_NOT_ANNOTATED ||
	       reason == SMC_REASON_MESH_OFF;
}

static bool begin(struct pod *p, enum smc_reason reason, __u64 acked, __u64 now)
{
	/* A hostNetwork pod's cgroup is denied at once: peers offer SMC to a
	 * node's address only at the ports that its SmcNode lists. A pod that
	 * excluded ports is not held either: its exclusions end with it. */
	if (p->host_network || pod_is(p, POD_EXCLUDES) || !pod_armed(p) ||
	    !p->facts.cookie || !p->published.n || !may_wait(reason) || !acked)
		return false;
	p->told.hold_number = 0;
	p->told.hold_until = now + HOLD_MS;
	return true;
}

static bool goes_on(const struct pod *p, enum smc_reason reason, __u64 acked,
		    __u64 now)
{
	if (!pod_armed(p) || !may_wait(reason) || now >= p->told.hold_until)
		return false;
	return !p->told.hold_number || acked < p->told.hold_number;
}

bool hold_armed(struct pods *pods, struct mesh_plan *plan, __u64 acked,
		__u64 now)
{
	bool any = false;

	for (size_t i = 0; i < plan->n_pods; i++) {
		struct plan_pod *row = &plan->pods[i];
		struct pod *p = pods_find(pods, row->pod->uid);

		if (!p)
			continue;
		if (row->armed ||
		    !(p->told.hold_until ? goes_on(p, row->reason, acked, now)
					 : begin(p, row->reason, acked, now))) {
			p->told.hold_until = 0;
			continue;
		}
		row->armed = true;
		row->pod_id = p->id;
		row->netns_cookie = p->facts.cookie;
		row->value = p->kernel;
		any = true;
	}
	return any;
}

void hold_made(struct pods *pods, __u64 number)
{
	for (size_t i = 0; i < pods->n; i++)
		if (pods->v[i]->told.hold_until &&
		    !pods->v[i]->told.hold_number)
			pods->v[i]->told.hold_number = number;
}

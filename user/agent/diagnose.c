// SPDX-License-Identifier: Apache-2.0
#include "agent/diagnose.h"

#include <errno.h>
#include <string.h>
#include "base/array.h"
#include "base/log.h"
#include "mesh/late.h"

/* It takes a process for each pod, and meanwhile nobody else is served: on a
 * node without a free CPU that is seconds. So it gets no more than this part of
 * the time, and waits longer where it took longer. */
#define SHARE 10
#define SECOND 1000000000ULL

/* No connection of it was looked for before the pod was armed, so what has no
 * record is from then; but a late listener's stay late however often they are
 * opened. */
static bool of_late_listener(const struct pod *p, const struct plain_flow *f)
{
	for (unsigned int i = 0; i < p->n_late; i++)
		if (p->late[i].port == f->local_port)
			return true;
	return false;
}

static int keep_late(struct agent *a, struct pod *p,
		     const struct mesh_plan *plan, const struct plan_pod *row,
		     const struct plain_flow *f)
{
	const struct mesh_since since = {p->armed_ns,
					 agent_endpoint_since(a, &f->remote)};
	struct smc_flow record;
	bool recorded = !datapath_flow(a->dp, f->cookie, &record);
	const struct mesh_flow flow = {
		.remote = f->remote,
		.local_port = f->local_port,
		.remote_port = f->remote_port,
		.record = recorded ? &record : NULL,
	};
	struct pod_late_flow *slot;

	if ((!recorded && of_late_listener(p, f)) ||
	    !mesh_flow_late(plan, row, &flow, &since))
		return 0;
	slot = array_push(p->late_flows, p->n_late_flows);
	if (!slot)
		return -ENOMEM;
	*slot = (struct pod_late_flow){*f, recorded};
	return 0;
}

static void diagnose_pod(struct agent *a, struct pod *p,
			 const struct mesh_plan *plan,
			 const struct plan_pod *row, const struct pod_how *how)
{
	_cleanup_(plain_free) struct plain found = {};
	__u64 start = uv_hrtime(), end;
	int err = pod_diagnose(p, how, plan, row, &found);

	end = uv_hrtime();
	a->diagnose_after = end + (SHARE - 1) * (end - start);
	p->urgent = false;
	if (err) {
		log_debug("socket diagnosis in pod %s/%s: %s", p->ns, p->name,
			  strerror(-err));
		return;
	}
	free(take_ptr(p->late_flows));
	p->n_late_flows = 0;
	for (size_t i = 0; i < found.n_flows && !err; i++)
		err = keep_late(a, p, plan, row, &found.flows[i]);
}

bool diagnose(struct agent *a, const struct mesh_plan *plan,
	      const struct pod_how *how)
{
	bool left = false;
	__u64 now;

	for (size_t i = 0; i < plan->n_pods; i++) {
		const struct plan_pod *row = &plan->pods[i];
		struct pod *p = pods_find(&a->pods, row->pod->uid);

		if (!p)
			continue;
		if (!p->armed || !p->where || p->hold_until) {
			pod_forget_late(p);
			p->urgent = false;
			continue;
		}
		if (!p->undiagnosed)
			continue;
		now = uv_hrtime();
		if (now < a->diagnose_after && !p->urgent) {
			/* a longer wait is left to the resync */
			left |= a->diagnose_after - now < SECOND;
			continue;
		}
		diagnose_pod(a, p, plan, row, how);
	}
	return left;
}

int diagnose_end(const struct agent *a, const struct pod *p)
{
	const struct netns_ref ref = {p->where, a->opt->proc};
	_free_ struct plain_flow *v = calloc(p->n_late_flows + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_late_flows; i++)
		v[i] = p->late_flows[i].flow;
	return plain_end(&ref, v, p->n_late_flows);
}

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
#define PAUSE_MS 10
#define MS 1000000ULL /* of uv_hrtime() */

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

static int keep_late(struct agent *a, struct pod *p, const struct plan_pod *row,
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
	    !mesh_flow_late(&a->plan, row, &flow, &since))
		return 0;
	slot = array_push(p->late_flows, p->n_late_flows);
	if (!slot)
		return -ENOMEM;
	*slot = (struct pod_late_flow){*f, recorded};
	return 0;
}

static int keep_flows(struct agent *a, struct pod *p,
		      const struct plan_pod *row, const struct plain *found)
{
	int err = 0;

	free(take_ptr(p->late_flows));
	p->n_late_flows = 0;
	for (size_t i = 0; i < found->n_flows && !err; i++)
		err = keep_late(a, p, row, &found->flows[i]);
	return err;
}

static int diagnose_pod(struct agent *a, struct pod *p,
			const struct plan_pod *row)
{
	_cleanup_(plain_free) struct plain found = {};
	const struct pod_how how = agent_how(a);
	unsigned int listeners = p->n_late;
	int err = pod_diagnose(p, &how, &a->plan, row, &found);

	p->diagnosed_at = uv_hrtime();
	if (err)
		log_debug("socket diagnosis in pod %s/%s: %s", p->ns, p->name,
			  strerror(-err));
	err = err ?: keep_flows(a, p, row, &found);
	/* The API server is told of them, or they are gone. */
	if (p->n_late != listeners)
		agent_dirty(a);
	return err;
}

/* ---- one after the other ------------------------------------------------- */

static bool can_be_diagnosed(const struct pod *p)
{
	return p->armed && p->where && !p->hold_until;
}

/* The one that has waited for the longest time: after all others nobody has two
 * turns, however long one takes. NULL: none is due. */
static struct pod *whose_turn(const struct agent *a,
			      const struct plan_pod **row)
{
	struct pod *first = NULL;

	for (size_t i = 0; i < a->plan.n_pods; i++) {
		struct pod *p = pods_find(&a->pods, a->plan.pods[i].pod->uid);

		if (!p || !p->undiagnosed || !can_be_diagnosed(p) ||
		    (first && first->diagnosed_at <= p->diagnosed_at))
			continue;
		first = p;
		*row = &a->plan.pods[i];
	}
	return first;
}

static void diagnose_event(uv_timer_t *timer)
{
	struct agent *a = timer->data;
	const struct plan_pod *row;
	struct pod *p = whose_turn(a, &row);
	__u64 start = uv_hrtime();

	if (!p)
		return; /* the next reconcile goes on */
	/* Pods that start have the processor first. */
	if (!a->starts_left)
		(void)diagnose_pod(a, p, row);
	uv_update_time(&a->loop);
	uv_timer_start(timer, diagnose_event,
		       PAUSE_MS + (SHARE - 1) * (uv_hrtime() - start) / MS, 0);
}

void diagnose(struct agent *a)
{
	for (size_t i = 0; i < a->pods.n; i++)
		if (!can_be_diagnosed(a->pods.v[i]))
			pod_forget_late(a->pods.v[i]);
	if (!uv_is_active((uv_handle_t *)&a->diagnose))
		uv_timer_start(&a->diagnose, diagnose_event, 0, 0);
}

int diagnose_now(struct agent *a, struct pod *p)
{
	for (size_t i = 0; i < a->plan.n_pods; i++)
		if (!strcmp(a->plan.pods[i].pod->uid, p->uid))
			return diagnose_pod(a, p, &a->plan.pods[i]);
	return -EAGAIN;
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

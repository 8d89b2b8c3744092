// SPDX-License-Identifier: Apache-2.0
#include "pods/rations.h"

#include <errno.h>
#include <string.h>
#include "pods/known.h"
#include "base/array.h"
#include "base/log.h"
#include "node/pending_sockets.h"

int rations_limit(struct agent *a, const struct mesh_plan *plan)
{
	int first = 0;

	for (size_t i = 0; i < plan->n_pods; i++) {
		const struct plan_pod *p = &plan->pods[i];
		int err = p->pod_id ? datapath_limit_pod(a->dp, p->pod_id,
							 p->pending_max,
							 p->connections_max)
				    : 0;

		if (err)
			log_warn(err, "set the limits of pod %s/%s", p->pod->ns,
				 p->pod->name);
		first = first ?: err;
	}
	return first;
}

/* ---- sockets that are over ----------------------------------------------- */

struct counted {
	struct mesh_pending *old;
	size_t n_old;
	__u32 rows[SMC_PODS]; /* by slot */
	__u64 now;
};

static int count(__u64 cookie, const struct smc_pending *v, void *arg)
{
	struct counted *c = arg;
	struct mesh_pending *row;

	c->rows[v->slot % SMC_PODS]++;
	if (v->slot != SMC_SLOT_NODE)
		c->rows[SMC_SLOT_NODE]++;
	if (!mesh_pending_is_old(v, c->now))
		return 0;
	row = array_push(c->old, c->n_old);
	if (!row)
		return -ENOMEM;
	*row = (struct mesh_pending){cookie, v->netns, MESH_PENDING_UNTOLD};
	return 0;
}

static void drop(struct agent *a, const __u64 *cookies, size_t n)
{
	unsigned int dropped = 0;

	for (size_t i = 0; i < n; i++) {
		int err = datapath_pending_drop(a->dp, cookies[i]);

		dropped += !err;
		if (err && err != -ENOENT)
			log_debug("drop a row of smc_pending: %s",
				  strerror(-err));
	}
	if (dropped)
		log_info("SMC sockets were counted as under way and are not, "
			 "n=%u",
			 dropped);
	a->rations.repairs += dropped;
}

/* The agent drops a row only after two sweeps in a row found it. */
static int drop_over(struct agent *a, const struct counted *c)
{
	_free_ __u64 *now = calloc(c->n_old + 1, sizeof(*now));
	_free_ __u64 *twice = calloc(c->n_old + 1, sizeof(*twice));
	struct rations *r = &a->rations;
	size_t n;

	if (!now || !twice)
		return -ENOMEM;
	n = mesh_pending_over(c->old, c->n_old, now);
	drop(a, twice, mesh_pending_twice(r->over, r->n_over, now, n, twice));
	free(r->over);
	r->over = take_ptr(now);
	r->n_over = n;
	return 0;
}

/* ---- counts -------------------------------------------------------------- */

static void mend(struct agent *a, const __u32 *before, const struct counted *c,
		 const __u32 *after)
{
	struct rations *r = &a->rations;

	for (__u32 slot = 0; slot < SMC_PODS; slot++) {
		__s32 drift = mesh_pending_drift(before[slot], c->rows[slot],
						 after[slot]);
		bool twice = drift && drift == r->drift[slot];
		int err = 0;

		r->drift[slot] = twice ? 0 : drift;
		if (!twice)
			continue;
		err = datapath_pending_mend(a->dp, slot, drift);
		if (err) {
			log_debug("mend smc_usage: %s", strerror(-err));
			continue;
		}
		log_info("the count of SMC sockets under way was wrong, "
			 "slot=%u by=%d",
			 slot, -drift);
		r->repairs++;
	}
}

/* ---- together ------------------------------------------------------------ */

static int sweep(struct agent *a, struct counted *c)
{
	_free_ __u32 *before = calloc(SMC_PODS, sizeof(*before));
	_free_ __u32 *after = calloc(SMC_PODS, sizeof(*after));
	int err;

	if (!before || !after)
		return -ENOMEM;
	err = datapath_pending_counts(a->dp, before) ?:
	      datapath_each_pending(a->dp, count, c) ?:
	      datapath_pending_counts(a->dp, after);
	if (err)
		return err;
	mend(a, before, c, after);
	err = c->n_old ? pending_ask(a->opt->proc, c->old, c->n_old) : 0;
	return err ?: drop_over(a, c);
}

void rations_sweep(struct agent *a)
{
	struct counted c = {.now = uv_hrtime()};
	int err = sweep(a, &c);

	/* Two sweeps in a row must find a socket, and this one could not
	 * look. */
	if (err) {
		a->rations.n_over = 0;
		log_debug("look for SMC sockets that are counted wrongly: %s",
			  strerror(-err));
	}
	free(c.old);
}

void rations_free(struct rations *r)
{
	free(take_ptr(r->over));
	r->n_over = 0;
}

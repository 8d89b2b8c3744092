// SPDX-License-Identifier: Apache-2.0
/*
 * One comparison of what should be with what is.
 *
 *   world -> mesh_want() -> hooks -> UEID, settings -> a look into each wanted
 * namespace that is due -> mesh_plan() -> datapath_apply() -> read back -> what
 *         the API server is told; socket diagnosis begins
 *
 * A look puts the selector of this generation into the namespace and verifies
 * it; only what was verified gets its cookie from the plan. So once no look is
 * left over every armed namespace has the new selector, and the older ones may
 * go. Without a good world nothing at all is applied: an agent that starts
 * while its source is broken leaves the maps as its predecessor did.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "agent/budget.h"
#include "agent/gone.h"
#include "agent/handover.h"
#include "agent/host_seen.h"
#include "agent/reconcile.h"
#include "agent/runs.h"
#include "serve/ready.h"
#include "cluster/cluster.h"
#include "pods/lateness.h"
#include "pods/lease.h"
#include "pods/looks.h"
#include "pods/read_back.h"
#include "base/array.h"
#include "base/log.h"
#include "node/cgroup.h"

/* ---- plan -------------------------------------------------------------- */

struct seen {
	const struct agent *agent;
	struct mesh_seen *v;
	size_t n;
};

/* Note that smc_cgroup has an entry for this cgroup: in the row of its pod, or,
 * where the agent knows no such pod, in a new row. */
static int see_cgroup(__u64 id, const struct smc_pod *v, void *arg)
{
	struct seen *seen = arg;
	const char *root = datapath_cgroup(seen->agent->dp);
	struct mesh_seen *row;

	for (size_t i = 0; i < seen->n; i++) {
		if (seen->v[i].cgroup_id != id)
			continue;
		seen->v[i].was_armed = true;
		return 0;
	}
	if (root && !cgroup_alive(root, id))
		return 0;
	row = array_push(seen->v, seen->n);
	if (!row)
		return -ENOMEM;
	row->pod_id = v->pod_id;
	row->cgroup_id = id;
	row->was_armed = true;
	return 0;
}

static int plan_make(struct agent *a, const struct mesh_world *w,
		     struct mesh_plan *plan)
{
	struct seen seen = {.agent = a};
	struct mesh_seen *row;
	int err = 0;

	for (size_t i = 0; !err && i < a->pods.n; i++) {
		if (!a->pods.v[i]->mark || !a->pods.v[i]->wanted)
			continue;
		row = array_push(seen.v, seen.n);
		if (row)
			*row = pod_seen(a->pods.v[i]);
		else
			err = -ENOMEM;
	}
	err = err ?: datapath_each_cgroup(a->dp, see_cgroup, &seen);
	host_look(a);
	err = err ?: mesh_plan(w, &a->host.mesh, seen.v, seen.n, plan);
	if (!err)
		a->last.transports = plan->transports;
	free(seen.v);
	return err;
}

static void warnings_free(struct agent *a)
{
	for (size_t i = 0; i < a->last.n_warnings; i++)
		free(a->last.warnings[i]);
	free(take_ptr(a->last.warnings));
	a->last.n_warnings = 0;
}

static bool warned(const struct agent *a, const char *text)
{
	for (size_t i = 0; i < a->last.n_warnings; i++)
		if (!strcmp(a->last.warnings[i], text))
			return true;
	return false;
}

/* Takes the sentences over from the plan, and logs the new ones. */
static void warnings_take(struct agent *a, struct mesh_plan *plan)
{
	for (size_t i = 0; i < plan->n_warnings; i++)
		if (!warned(a, plan->warnings[i]))
			log_warn(0, "%s", plan->warnings[i]);
	warnings_free(a);
	a->last.warnings = take_ptr(plan->warnings);
	a->last.n_warnings = plan->n_warnings;
	plan->n_warnings = 0;
}

static int plan_keep(struct agent *a, struct mesh_plan *plan)
{
	int err;

	for (size_t i = 0; i < plan->n_pods; i++) {
		struct pod *p = pods_find(&a->pods, plan->pods[i].pod->uid);

		err = p ? pod_decided(p, &plan->pods[i]) : 0;
		if (err)
			return err;
	}
	warnings_take(a, plan);
	return names_keep(a, plan);
}

/* ---- apply ------------------------------------------------------------- */

/* A pod whose exclusions find no room is not armed, so the next plan must not
 * count it as an endpoint; and once they have room that plan arms it. */
static void note_room(struct agent *a, const struct datapath_changes *did)
{
	if (pods_note_room(&a->pods, did->no_room))
		turn_due(&a->turn);
}

/* Return: 0 or -ENOMEM. */
static int warn_off(struct mesh_plan *plan, unsigned int missing)
{
	char **slot = array_push(plan->warnings, plan->n_warnings);

	if (!slot)
		return -ENOMEM;
	if (asprintf(
		    slot,
		    "of the exclusions and Services' addresses that hold for the whole node some found no room, rows=%u: nothing is offered or answered with SMC here until all fit",
		    missing) >= 0)
		return 0;
	plan->n_warnings--;
	return -ENOMEM;
}

static int apply(struct agent *a, const struct mesh_world *w,
		 struct mesh_plan *plan)
{
	const struct smc_config config = {
		.abi_version = SMC_ABI_VERSION,
		.enabled = plan->enabled,
		.transports = plan->transports,
		.node_id = mesh_node_id(a->host.mesh.node),
		.limits = budget_limits(a, &w->config),
	};
	struct datapath_changes did = {};
	int err;

	/* first, for a lower limit takes rights away */
	err = rations_limit(a, plan);
	if (err)
		return err;
	err = datapath_apply(a->dp, plan, &config, &did);
	/* The counter has those that the last reconcile left out. */
	if (did.full > a->last.full)
		a->counts.map_full += did.full - a->last.full;
	a->last.full = did.full;
	a->last.missing = did.missing;
	if (!err)
		a->last.n_endpoints = did.endpoints;
	a->last.off = did.off;
	note_room(a, &did);
	/* The lease is moved only when the maps say all that the agent knows.
	 */
	if (!err)
		lease_move(a, &w->config);
	if (!err && did.off)
		err = warn_off(plan, did.missing);
	if (did.added || did.changed || did.removed || did.full)
		log_debug(
			"maps written, added=%u changed=%u removed=%u full=%u",
			did.added, did.changed, did.removed, did.full);
	return err;
}

/* ---- together ---------------------------------------------------------- */

static void pod_gone(const struct pod *p, void *arg)
{
	struct agent *a = arg;
	size_t kept = 0;
	int err;

	log_info("pod %s/%s left the source", p->ns, p->name);
	starts_unfollow(a->looks.starts, p->cgroup_uid);
	for (size_t i = 0; i < a->counts.n_fallbacks; i++)
		if (!p->id || a->counts.fallbacks[i].pod_id != p->id)
			a->counts.fallbacks[kept++] = a->counts.fallbacks[i];
	a->counts.n_fallbacks = kept;
	gone_add(a, p);
	err = p->id ? datapath_forget_pod(a->dp, p->id) : 0;
	if (err)
		log_warn(err, "remove the counters of pod %s/%s", p->ns,
			 p->name);
}

void reconcile_unplan(struct agent *a)
{
	mesh_plan_free(&a->last.plan);
}

/* The datapath has armed all pods that it can: what follows may take its time,
 * for no pod's first connection waits for it. */
static void afterwards(struct agent *a, struct mesh_plan *plan)
{
	_buf_ struct buf why = {};

	cluster_planned(a, plan, agent_ready(a, &why));
	reconcile_unplan(a);
	a->last.plan = *plan;
	memset(plan, 0, sizeof(*plan));
	paths_planned(a);
	diagnose(a);
}

/*
 * The hooks come with the first pod that is wanted, long before its first
 * process, and before a look would arm it. Where they cannot be attached
 * nothing is converted here.
 */
static int want(struct agent *a, const struct mesh_world *w,
		struct mesh_wants *wants)
{
	bool any = false;
	int err;

	host_hooks(a, a->host.can_convert);
	err = mesh_want(w, &a->host.mesh, wants);
	if (err)
		return err;
	for (size_t i = 0; i < wants->n; i++)
		any |= wants->v[i].arm;
	hooks_apply(a, w->config.recorder, any);
	host_hooks(a, datapath_has_converter(a->dp));
	if (a->host.mesh.converter || !any)
		return 0;
	mesh_wants_free(wants);
	return mesh_want(w, &a->host.mesh, wants);
}

static int reconcile_world(struct agent *a, const struct mesh_world *w)
{
	_cleanup_(mesh_wants_free) struct mesh_wants wants = {};
	_cleanup_(mesh_plan_free) struct mesh_plan plan = {};
	_cleanup_(read_back_free) struct read_back was = {};
	int err;

	a->last.mesh_enabled = mesh_enabled(&w->config);
	err = want(a, w, &wants);
	if (err)
		return err;
	/* BPF may have marked a pod as refused since the last reconcile. */
	err = read_back_begin(a, &was);
	if (err)
		return err;
	/* Before the looks: a look finds no transport without a UEID. */
	host_add_ueid(a, &w->config);
	host_settings(a, &w->config);
	err = looks_all(a, &wants) ?: plan_make(a, w, &plan);
	if (err)
		return err;
	if (cluster_hold(a, &plan))
		looks_put_off(a);
	err = apply(a, w, &plan) ?: plan_keep(a, &plan);
	read_back_end(a, &was);
	pods_sweep(&a->pods, pod_gone, a);
	gone_sweep(a);
	a->last.n_conflicts = plan.n_conflicts;
	afterwards(a, &plan);
	return err;
}

static void news_applied(struct agent *a)
{
	if (a->counts.news_ns)
		histogram_add(&a->counts.event_to_map, HISTOGRAM_EVENT,
			      (uv_hrtime() - a->counts.news_ns) / 1e9);
	a->counts.news_ns = 0;
}

void reconcile(struct agent *a)
{
	const struct mesh_world *w;
	__u64 start = uv_hrtime();
	double took;

	if (runs_stale(a))
		reconcile_unplan(a);
	w = runs_world(a);
	if (!w || !cluster_may_arm(a->cluster))
		return;
	a->last.err = reconcile_world(a, w);
	took = (uv_hrtime() - start) / 1e9;
	a->counts.reconcile_seconds += took;
	if (a->last.err) {
		a->counts.reconciles_failed++;
		if (a->last.err == -EAGAIN) /* looks_all() has said it */
			looks_retry(a);
		else
			log_err(a->last.err,
				"reconcile: traffic stays as it was, the next one tries again");
		return;
	}
	log_debug("reconciled, pods=%zu seconds=%.6f", a->pods.n, took);
	a->counts.reconciles_ok++;
	news_applied(a);
	if (!a->last.synced)
		gone_begin(a);
	a->last.synced = true;
	if (a->looks.starts_left) {
		turn_due(&a->turn);
	} else if (a->looks.left) {
		turn_again(&a->turn);
	} else {
		handover(a);
		host_sweep_settings(a);
	}
	looks_retry(a);
}

void reconcile_forget(struct agent *a)
{
	names_forget(a);
	reconcile_unplan(a);
	host_forget(a);
	warnings_free(a);
	pods_free(&a->pods);
	rations_free(&a->rations);
	gone_free(a);
	free(take_ptr(a->counts.fallbacks));
	a->counts.n_fallbacks = 0;
}

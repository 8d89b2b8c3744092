// SPDX-License-Identifier: Apache-2.0
#include "pods/lateness.h"

#include <errno.h>
#include <string.h>
#include "pods/flow_ends.h"
#include "pods/looks.h"
#include "base/array.h"
#include "base/log.h"
#include "mesh/late.h"
#include "telemetry/flows.h"

/* A diagnosis takes a helper process for each pod, and the agent serves nobody
 * meanwhile: on a node without a free CPU that is seconds. So diagnosis gets
 * this part of the time at most: the longer one took, the later is the next. */
#define SHARE 10
#define PAUSE_MS 10
#define MS 1000000ULL /* of uv_hrtime() */

/* ---- connections --------------------------------------------------------- */

struct late_job {
	struct agent *agent;
	struct pod *pod;
	const struct plan_pod *row;
	struct mesh_records open, all; /* of its namespace */
	bool has_all;		       /* they were asked for */
	int lost; /* may some be missing? -1: not asked yet */
	int err;
};

static bool some_lost(struct late_job *job)
{
	if (job->lost < 0)
		job->lost = datapath_flows_evicted(job->agent->dp);
	return job->lost;
}

static bool of_late_listener(const struct pod *p, const struct plain_flow *f)
{
	for (unsigned int i = 0; i < p->n_late; i++)
		if (p->late[i].port == f->local_port)
			return true;
	return false;
}

static bool path_is_proven(struct agent *a, const struct smc_flow *f)
{
	struct smc_path_key key;

	memcpy(key.own, f->local_ip + 12, sizeof(key.own));
	memcpy(key.peer, f->remote_ip + 12, sizeof(key.peer));
	return paths_proven(a, &key);
}

/* BPF records connections from the moment in which the pod was armed. So a
 * connection without a record is from before, unless BPF had no room for its
 * record (some_lost()). One that a late listener accepted is left out: it would
 * be TCP again however often it was opened anew. */
static bool is_late(struct late_job *job, const struct plain_flow *f,
		    const struct mesh_record *record)
{
	const struct mesh_since since = {
		job->pod->armed_ns,
		agent_endpoint_since(job->agent, &f->remote),
		record && path_is_proven(job->agent, &record->flow)};
	const struct mesh_flow flow = {
		.remote = f->remote,
		.local_port = f->local_port,
		.remote_port = f->remote_port,
		.record = record ? &record->flow : NULL,
	};

	if (!record && of_late_listener(job->pod, f))
		return false;
	return mesh_flow_late(&job->agent->last.plan, job->row, &flow,
			      &since) &&
	       (record || !some_lost(job));
}

/* The agent reads the records after the sockets. So the record of a socket that
 * it found is among the open ones, or among the closed ones if the connection
 * has ended since. The closed ones are many, and it reads them only where that
 * makes a difference. */
static const struct mesh_record *record_of(struct late_job *job,
					   const struct plain_flow *f)
{
	const struct mesh_socket socket = plain_socket(f);
	const struct mesh_record *open = mesh_record_of(&job->open, &socket);

	if (open || !is_late(job, f, NULL))
		return open;
	if (!job->has_all)
		job->err = records_of(job->agent, job->pod->facts.cookie,
				      RECORDS_ALL, &job->all);
	job->has_all = true;
	return job->err ? NULL : mesh_record_of(&job->all, &socket);
}

static int keep_late(struct late_job *job, const struct plain_flow *f)
{
	const struct mesh_record *record = record_of(job, f);
	struct pod *p = job->pod;
	struct pod_late_flow *slot;

	if (job->err || !is_late(job, f, record))
		return job->err;
	slot = array_push(p->late_flows, p->n_late_flows);
	if (!slot)
		return -ENOMEM;
	*slot = (struct pod_late_flow){
		.flow = *f,
		.key = record ? record->key
			      : flow_socket_key(p->facts.cookie, f->cookie),
		.recorded = record,
	};
	return 0;
}

static int keep_flows(struct agent *a, struct pod *p,
		      const struct plan_pod *row, const struct plain *found)
{
	struct late_job job = {.agent = a, .pod = p, .row = row, .lost = -1};
	int err = found->n_flows ? records_of(a, p->facts.cookie, RECORDS_OPEN,
					      &job.open)
				 : 0;

	free(take_ptr(p->late_flows));
	p->n_late_flows = 0;
	for (size_t i = 0; i < found->n_flows && !err; i++)
		err = keep_late(&job, &found->flows[i]);
	mesh_records_free(&job.open);
	mesh_records_free(&job.all);
	return err;
}

/* ---- one pod ------------------------------------------------------------- */

/* Another namespace may be at this path by now: the cookie tells. */
static struct netns_ref ref_of(const struct agent *a, const struct pod *p)
{
	return (struct netns_ref){.path = p->where,
				  .cookie = p->facts.cookie,
				  .proc = a->opt->proc};
}

/* Find all plain TCP in its namespace, and settle its records by that. */
static int ask(struct agent *a, struct pod *p, struct plain *found)
{
	_cleanup_(mesh_records_free) struct mesh_records asked = {};
	const struct netns_ref ref = ref_of(a, p);
	__u64 now = uv_hrtime();
	int err;

	if (!ref.cookie)
		return -ENOENT;
	err = records_of(a, p->facts.cookie, RECORDS_UNTOLD, &asked)
		      ?: plain_find(&ref, &asked, found);
	if (err)
		return err;
	records_settle(a, &asked, found, now);
	return 0;
}

/* @row: of the plan; NULL: it is not armed, only its records are of interest.
 */
static int diagnose_pod(struct agent *a, struct pod *p,
			const struct plan_pod *row)
{
	_cleanup_(plain_free) struct plain found = {};
	const struct pod_how how = agent_how(a);
	unsigned int listeners = p->n_late;
	int err;

	p->ask = 0;
	err = ask(a, p, &found);
	if (err)
		log_debug("socket diagnosis in pod %s/%s: %s", p->ns, p->name,
			  strerror(-err));
	/* No look finds out that the namespace of an unwanted pod is gone. */
	if (!p->wanted && !pod_armed(p) && (err == -ENOENT || err == -EINVAL))
		p->facts.cookie = 0;
	if (row && !err)
		err = pod_diagnose(p, &how, &a->last.plan, row, &found)
			      ?: keep_flows(a, p, row, &found);
	p->diagnosed_at = uv_hrtime();
	/* A reconcile tells the API server of late listeners, or that they are
	 * gone. */
	if (p->n_late != listeners)
		turn_due(&a->turn);
	return err;
}

/* ---- one after the other ------------------------------------------------- */

static bool can_be_diagnosed(const struct pod *p)
{
	return pod_armed(p) && p->where && !p->told.hold_until;
}

static bool is_due(const struct pod *p)
{
	if (can_be_diagnosed(p))
		return p->ask;
	return p->ask & POD_ASK_ENDS && p->where;
}

/* The pod that was diagnosed longest ago, so that no pod has two turns before
 * another has one. NULL: none is due. */
static struct pod *whose_turn(const struct agent *a)
{
	struct pod *first = NULL;

	for (size_t i = 0; i < a->pods.n; i++) {
		struct pod *p = a->pods.v[i];

		if (is_due(p) &&
		    (!first || first->diagnosed_at > p->diagnosed_at))
			first = p;
	}
	return first;
}

/* NULL: it has left the source. */
static const struct plan_pod *row_of(const struct agent *a, const struct pod *p)
{
	for (size_t i = 0; i < a->last.plan.n_pods; i++)
		if (!strcmp(a->last.plan.pods[i].pod->uid, p->uid))
			return &a->last.plan.pods[i];
	return NULL;
}

/* Return: was there something to do? */
static bool one_turn(struct agent *a)
{
	struct pod *p;

	/* The agent knows which namespaces are gone once it has looked at all.
	 */
	if (a->late.unswept && a->last.synced && !a->looks.left) {
		a->late.unswept = false;
		records_sweep(a);
		return true;
	}
	if (a->rations.due && a->last.synced) {
		a->rations.due = false;
		rations_sweep(a);
		return true;
	}
	p = a->last.plan.n_pods ? whose_turn(a) : NULL;
	if (!p)
		return false;
	(void)diagnose_pod(a, p, can_be_diagnosed(p) ? row_of(a, p) : NULL);
	return true;
}

static void diagnose_event(uv_timer_t *timer)
{
	struct agent *a = timer->data;
	__u64 start = uv_hrtime();

	/* Looks at pods that start come before diagnosis. */
	if (!a->looks.starts_left && !one_turn(a))
		return; /* the next reconcile goes on */
	uv_update_time(&a->loop);
	uv_timer_start(timer, diagnose_event,
		       PAUSE_MS + (SHARE - 1) * (uv_hrtime() - start) / MS, 0);
}

void diagnose_open(struct agent *a)
{
	uv_timer_init(&a->loop, &a->late.timer);
	a->late.timer.data = a;
}

void diagnose_resync(struct agent *a)
{
	a->late.unswept = true;
	a->rations.due = datapath_rations(a->dp);
}

void diagnose(struct agent *a)
{
	for (size_t i = 0; i < a->pods.n; i++)
		if (!can_be_diagnosed(a->pods.v[i]))
			pod_forget_late(a->pods.v[i]);
	if (!uv_is_active((uv_handle_t *)&a->late.timer))
		uv_timer_start(&a->late.timer, diagnose_event, 0, 0);
}

int diagnose_now(struct agent *a, struct pod *p)
{
	const struct plan_pod *row = row_of(a, p);

	return row ? diagnose_pod(a, p, row) : -EAGAIN;
}

int diagnose_end(const struct agent *a, const struct pod *p)
{
	const struct netns_ref ref = ref_of(a, p);
	_free_ struct plain_flow *v = calloc(p->n_late_flows + 1, sizeof(*v));

	if (!ref.cookie || !v)
		return v ? -ENOENT : -ENOMEM;
	for (size_t i = 0; i < p->n_late_flows; i++)
		v[i] = p->late_flows[i].flow;
	return plain_end(&ref, v, p->n_late_flows);
}

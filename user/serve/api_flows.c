// SPDX-License-Identifier: Apache-2.0
/* Flows on the control socket: what is asked, and the list. */
#include "serve/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/array.h"
#include "base/clock.h"
#include "mesh/newest.h"
#include "telemetry/flows.h"

/* ---- which of them are late: asked of every record ----------------------- */

static int late_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct smc_handshake));
}

int api_late_make(const struct pods *pods, struct api_late *out)
{
	struct api_late late = {};

	for (size_t i = 0; i < pods->n; i++)
		late.n += pods->v[i]->n_late_flows;
	late.v = calloc(late.n + 1, sizeof(*late.v));
	if (!late.v)
		return -ENOMEM;
	late.n = 0;
	for (size_t i = 0; i < pods->n; i++) {
		const struct pod *p = pods->v[i];

		for (size_t k = 0; k < p->n_late_flows; k++)
			late.v[late.n++] = p->late_flows[k].key;
	}
	qsort(late.v, late.n, sizeof(*late.v), late_cmp);
	*out = late;
	return 0;
}

bool api_late_has(const struct api_late *late, const struct smc_handshake *key)
{
	return late->n &&
	       bsearch(key, late->v, late->n, sizeof(*key), late_cmp);
}

void api_late_free(struct api_late *late)
{
	free(late->v);
}

/* ---- /v1/flows: the list ------------------------------------------------- */

/* The records of one moment. */
struct flow_list {
	struct agent *agent;
	struct flow_query query;
	const struct pod *by_slot[SMC_PODS]; /* if its names are asked for */
	struct api_late late;
	struct mesh_newest flows; /* its total: those that are wanted */
	size_t total;		  /* of all */
	size_t n_recorded; /* with a record; the rest are late flows without */
	struct flow_losses lost;
	__u64 wall_offset;
};

static void flow_list_free(void *arg)
{
	struct flow_list *l = arg;

	api_late_free(&l->late);
	mesh_newest_free(&l->flows);
	free(l);
}

static bool names_asked(const struct mesh_flow_filter *f)
{
	return *f->ns || *f->pod;
}

/* No two pods have numbers of one slot. */
static void find_pods(struct flow_list *l)
{
	const struct pods *pods = &l->agent->pods;

	if (!names_asked(&l->query.filter))
		return;
	for (size_t i = 0; i < pods->n; i++)
		if (pods->v[i]->id)
			l->by_slot[smc_slot(pods->v[i]->id)] = pods->v[i];
}

static bool is_wanted(const struct flow_list *l, const struct smc_flow *v)
{
	const struct mesh_flow_filter *f = &l->query.filter;
	const struct pod *p = l->by_slot[smc_slot(v->pod_id)];

	if (!mesh_flow_wanted(f, v))
		return false;
	if (p && p->id == v->pod_id)
		return mesh_flow_of_pod(f, p->ns, p->name);
	return mesh_flow_of_pod(f, NULL, NULL);
}

static int keep_flow(const struct smc_handshake *key, const struct smc_flow *v,
		     void *arg)
{
	struct flow_list *l = arg;

	l->total++;
	return is_wanted(l, v) ? mesh_newest_add(&l->flows, key, v) : 0;
}

static struct smc_flow unrecorded(const struct pod *p,
				  const struct plain_flow *f)
{
	struct smc_flow flow = {.local_port = f->local_port,
				.remote_port = f->remote_port,
				.pod_id = p->id,
				.outcome = SMC_OUTCOME_TCP,
				.reason = SMC_REASON_NOT_CONVERTED,
				.flags = SMC_FLOW_DIAGNOSED,
				.netns_cookie = p->facts.cookie,
				.cookie = f->cookie};

	memcpy(flow.local_ip, f->local.ip, sizeof(f->local.ip));
	memcpy(flow.remote_ip, f->remote.ip, sizeof(f->remote.ip));
	return flow;
}

/* Flows from before the pod was armed, of which BPF saw nothing: after all
 * others, for nobody knows how old they are. */
static int keep_unrecorded(struct flow_list *l, const struct pod *p)
{
	struct mesh_newest *flows = &l->flows;

	for (size_t i = 0; i < p->n_late_flows; i++) {
		const struct pod_late_flow *late = &p->late_flows[i];
		const struct smc_flow flow = unrecorded(p, &late->flow);
		struct mesh_record *row;

		if (late->recorded)
			continue;
		l->total++;
		if (!is_wanted(l, &flow))
			continue;
		flows->total++;
		if (flows->n >= flows->most)
			continue;
		row = array_push(flows->v, flows->n);
		if (!row)
			return -ENOMEM;
		*row = (struct mesh_record){late->key, flow};
	}
	return 0;
}

static int flow_list_fill(struct flow_list *l, struct agent *a)
{
	int err = api_late_make(&a->pods, &l->late)
			  ?: api_losses(a, &l->lost)
			  ?: datapath_each_flow(a->dp, false, keep_flow, l);

	mesh_newest_sort(&l->flows);
	l->n_recorded = l->flows.n;
	for (size_t i = 0; !err && i < a->pods.n; i++)
		err = keep_unrecorded(l, a->pods.v[i]);
	return err;
}

static yyjson_mut_val *list_flow_json(yyjson_mut_doc *doc, size_t i, void *arg)
{
	const struct flow_list *l = arg;
	const struct mesh_record *row = &l->flows.v[i];
	struct flow_pod pod = api_pod(l->agent, row->flow.pod_id);
	yyjson_mut_val *o =
		flow_json(doc, &row->key, &row->flow, &pod, l->wall_offset);
	bool late = i >= l->n_recorded || api_late_has(&l->late, &row->key);

	return o && api_add_peer(l->agent, doc, o, &row->flow) &&
			       yyjson_mut_obj_add_bool(doc, o, "late", late)
		       ? o
		       : NULL;
}

static void reply_list(struct http_reply *reply, struct agent *a,
		       const struct flow_query *q)
{
	struct flow_list *l = calloc(1, sizeof(*l));
	struct api_list list = {.free = flow_list_free, .arg = l};
	int err;

	if (!l) {
		api_reply_failed(reply, -ENOMEM);
		return;
	}
	l->agent = a;
	l->query = *q;
	l->flows.most = q->last;
	l->wall_offset = flow_wall_offset();
	find_pods(l);
	err = flow_list_fill(l, a);
	buf_printf(&list.begin,
		   "{\"total\":%zu,\"matched\":%zu,\"shown\":%zu,"
		   "\"lost\":{\"events\":%llu,\"flows\":%llu},",
		   l->total, l->flows.total, l->flows.n, l->lost.events,
		   l->lost.flows);
	list.array[0] = (struct api_array){"flows", l->flows.n, list_flow_json};
	api_reply_list(reply, &list, err);
}

/* ---- what is asked ------------------------------------------------------- */

struct asked {
	struct flow_query query;
	struct http_reply *reply;
};

static void say_parameters(struct buf *out)
{
	for (const struct flow_parameter *p = flow_parameters; p->name; p++)
		buf_printf(out, " %s", p->name);
}

/* The first that is wrong is refused. */
static bool take_parameter(const char *key, const char *value, void *arg)
{
	struct asked *asked = arg;
	struct buf *body = &asked->reply->body;
	const char *expected = NULL;
	int err = flow_query_take(&asked->query, key, value, &expected);

	if (!err)
		return true;
	asked->reply->status = 400;
	if (err == -ENOENT) {
		buf_printf(body, "%.40s: no such parameter; there is", key);
		say_parameters(body);
		buf_add(body, "\n", 1);
	} else {
		buf_printf(body, "%s=%.80s: expected %s\n", key, value,
			   expected);
	}
	return false;
}

void api_get_flows(struct MHD_Connection *request, struct http_reply *reply,
		   void *arg)
{
	struct asked asked = {.reply = reply};
	struct agent *a = arg;
	const char *wrong;

	flow_query_init(&asked.query);
	http_query_each(request, take_parameter, &asked);
	if (reply->status != 200)
		return;
	wrong = flow_query_check(&asked.query);
	if (wrong) {
		api_refuse(reply, 400, "follow", wrong);
	} else if (asked.query.follow) {
		api_follow(a, reply, &asked.query.filter);
	} else {
		flow_query_begin(&asked.query, clock_now());
		reply_list(reply, a, &asked.query);
	}
}

// SPDX-License-Identifier: Apache-2.0
/* Flows on the control socket: the list, the stream, the end of late ones. */
#include "serve/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/array.h"
#include "base/log.h"
#include "mesh/newest.h"
#include "pods/lateness.h"
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
	const struct agent *agent;
	struct api_late late;
	struct mesh_newest flows;
	size_t n_recorded; /* with a record; the rest are late flows without */
	__u64 wall_offset;
};

static void flow_list_free(void *arg)
{
	struct flow_list *l = arg;

	api_late_free(&l->late);
	mesh_newest_free(&l->flows);
	free(l);
}

static int keep_flow(const struct smc_handshake *key, const struct smc_flow *v,
		     void *arg)
{
	return mesh_newest_add(arg, key, v);
}

/* Flows from before the pod was armed, of which BPF saw nothing: after all
 * others, for nobody knows how old they are. */
static int keep_unrecorded(struct mesh_newest *flows, const struct pod *p)
{
	for (size_t i = 0; i < p->n_late_flows; i++) {
		const struct plain_flow *f = &p->late_flows[i].flow;
		struct mesh_record *row;

		if (p->late_flows[i].recorded)
			continue;
		flows->total++;
		if (flows->n >= flows->most)
			continue;
		row = array_push(flows->v, flows->n);
		if (!row)
			return -ENOMEM;
		row->key = p->late_flows[i].key;
		row->flow =
			(struct smc_flow){.local_port = f->local_port,
					  .remote_port = f->remote_port,
					  .pod_id = p->id,
					  .outcome = SMC_OUTCOME_TCP,
					  .reason = SMC_REASON_NOT_CONVERTED,
					  .flags = SMC_FLOW_DIAGNOSED,
					  .netns_cookie = p->facts.cookie,
					  .cookie = f->cookie};
		memcpy(row->flow.local_ip, f->local.ip, sizeof(f->local.ip));
		memcpy(row->flow.remote_ip, f->remote.ip, sizeof(f->remote.ip));
	}
	return 0;
}

static int flow_list_fill(struct flow_list *l, struct agent *a)
{
	int err = api_late_make(&a->pods, &l->late)
			  ?: datapath_each_flow(a->dp, false, keep_flow,
						&l->flows);

	mesh_newest_sort(&l->flows);
	l->n_recorded = l->flows.n;
	for (size_t i = 0; !err && i < a->pods.n; i++)
		err = keep_unrecorded(&l->flows, a->pods.v[i]);
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

	return o && yyjson_mut_obj_add_bool(doc, o, "late", late) ? o : NULL;
}

static void reply_list(struct http_reply *reply, struct agent *a, size_t most)
{
	struct flow_list *l = calloc(1, sizeof(*l));
	struct api_list list = {.free = flow_list_free, .arg = l};
	int err;

	if (!l) {
		api_reply_failed(reply, -ENOMEM);
		return;
	}
	*l = (struct flow_list){.agent = a,
				.flows.most = most,
				.wall_offset = flow_wall_offset()};
	err = flow_list_fill(l, a);
	buf_printf(&list.begin, "{\"total\":%zu,\"shown\":%zu,", l->flows.total,
		   l->flows.n);
	list.array[0] = (struct api_array){"flows", l->flows.n, list_flow_json};
	api_reply_list(reply, &list, err);
}

/* Have the datapath send every flow, or no more. */
static void follow_flows(struct agent *a, bool followed)
{
	int err;

	if (a->stream.followed == followed)
		return;
	err = datapath_follow(a->dp, followed);
	if (err)
		log_warn(err, "have the datapath tell %s of each flow",
			 followed ? "all" : "no more than it must");
	else
		a->stream.followed = followed;
}

void api_get_flows(struct MHD_Connection *request, struct http_reply *reply,
		   void *arg)
{
	const char *follow = http_query(request, "follow");
	const char *limit = http_query(request, "limit");
	size_t most = FLOWS_TOLD;
	struct agent *a = arg;

	if (limit && flow_limit_parse(limit, &most)) {
		reply->status = 400;
		buf_printf(&reply->body, "limit=%.40s: expected %s\n", limit,
			   FLOW_LIMIT_EXPECTED);
	} else if (follow && strcmp(follow, "0")) {
		follow_flows(a, true);
		reply->feed = a->stream.feed;
		reply->type = "application/x-ndjson";
	} else {
		reply_list(reply, a, most);
	}
}

/* ---- the stream ---------------------------------------------------------- */

void api_event(struct agent *a, const struct smc_event *e)
{
	struct flow_pod pod = api_pod(a, e->flow.pod_id);
	_doc_ yyjson_mut_doc *doc = NULL;
	_free_ char *text = NULL;
	size_t len;

	if (!http_feed_readers(a->stream.feed))
		return;
	doc = yyjson_mut_doc_new(NULL);
	text = yyjson_mut_val_write(
		flow_event_json(doc, e, &pod, flow_wall_offset()),
		YYJSON_WRITE_NEWLINE_AT_END, &len);
	if (text)
		a->stream.dropped +=
			http_feed_publish(a->stream.feed, text, len);
	else
		a->stream.dropped += http_feed_readers(a->stream.feed);
}

int api_stream_open(struct agent *a)
{
	a->stream.feed = http_feed_new();
	return a->stream.feed ? 0 : -ENOMEM;
}

void api_stream_free(struct agent *a)
{
	http_feed_free(a->stream.feed);
}

void api_stream_reset(struct agent *a)
{
	a->stream.followed = true;
	follow_flows(a, false);
}

void api_stream_resync(struct agent *a)
{
	http_feed_sweep(a->stream.feed);
	follow_flows(a, http_feed_readers(a->stream.feed));
}

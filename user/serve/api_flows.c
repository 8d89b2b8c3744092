// SPDX-License-Identifier: Apache-2.0
/* Flows on the control socket: the list, the stream, the end of late ones. */
#include "serve/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "pods/lateness.h"
#include "base/log.h"
#include "mesh/record_fate.h"
#include "telemetry/flows.h"

/* ---- /v1/flows --------------------------------------------------------- */

static int collect_flow(const struct smc_handshake *key,
			const struct smc_flow *v, void *arg)
{
	return mesh_records_add(arg, key, v);
}

static int newest_first(const void *a, const void *b)
{
	const struct mesh_record *x = a, *y = b;

	return (x->flow.opened_ns < y->flow.opened_ns) -
	       (x->flow.opened_ns > y->flow.opened_ns);
}

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

/* ---- the list ------------------------------------------------------------ */

static int add_flow(const struct agent *a, yyjson_mut_doc *doc,
		    yyjson_mut_val *arr, const struct mesh_record *row,
		    bool late)
{
	struct flow_pod pod = api_pod(a, row->flow.pod_id);
	yyjson_mut_val *o =
		flow_json(doc, &row->key, &row->flow, &pod, flow_wall_offset());

	return o && yyjson_mut_obj_add_bool(doc, o, "late", late) &&
			       yyjson_mut_arr_append(arr, o)
		       ? 0
		       : -ENOMEM;
}

/* Those from before the pod was armed, which BPF has seen nothing of. */
static int add_unrecorded(const struct agent *a, yyjson_mut_doc *doc,
			  yyjson_mut_val *arr, const struct pod *p,
			  size_t *room)
{
	int err = 0;

	for (size_t i = 0; !err && *room && i < p->n_late_flows; i++) {
		const struct plain_flow *f = &p->late_flows[i].flow;
		struct mesh_record row = {
			.key = p->late_flows[i].key,
			.flow = {.local_port = f->local_port,
				 .remote_port = f->remote_port,
				 .pod_id = p->id,
				 .outcome = SMC_OUTCOME_TCP,
				 .reason = SMC_REASON_NOT_CONVERTED,
				 .flags = SMC_FLOW_DIAGNOSED,
				 .netns_cookie = p->facts.cookie,
				 .cookie = f->cookie}};

		if (p->late_flows[i].recorded)
			continue;
		memcpy(row.flow.local_ip, f->local.ip, sizeof(f->local.ip));
		memcpy(row.flow.remote_ip, f->remote.ip, sizeof(f->remote.ip));
		err = add_flow(a, doc, arr, &row, true);
		--*room;
	}
	return err;
}

static int add_flows(const struct agent *a, yyjson_mut_doc *doc,
		     yyjson_mut_val *arr, size_t limit)
{
	_cleanup_(api_late_free) struct api_late late = {};
	struct mesh_records rows = {};
	int err = api_late_make(&a->pods, &late)
			  ?: datapath_each_flow(a->dp, false, collect_flow,
						&rows);

	if (rows.n)
		qsort(rows.v, rows.n, sizeof(*rows.v), newest_first);
	for (size_t i = 0; !err && i < rows.n && limit; i++, limit--)
		err = add_flow(a, doc, arr, &rows.v[i],
			       api_late_has(&late, &rows.v[i].key));
	for (size_t i = 0; !err && i < a->pods.n; i++)
		err = add_unrecorded(a, doc, arr, a->pods.v[i], &limit);
	mesh_records_free(&rows);
	return err;
}

/* Does somebody read the stream? */
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
	struct agent *a = arg;
	yyjson_mut_val *root;
	_doc_ yyjson_mut_doc *doc = NULL;
	yyjson_mut_val *arr;
	int err;

	if (follow && strcmp(follow, "0")) {
		follow_flows(a, true);
		reply->feed = a->stream.feed;
		reply->type = "application/x-ndjson";
		return;
	}
	doc = api_doc_new(&root);
	arr = yyjson_mut_arr(doc);
	err = add_flows(a, doc, arr,
			limit ? strtoul(limit, NULL, 10) : SIZE_MAX);
	yyjson_mut_obj_add_val(doc, root, "flows", arr);
	api_reply_doc(reply, doc, err);
}

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

/* ---- the stream ---------------------------------------------------------- */

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

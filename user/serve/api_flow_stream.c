// SPDX-License-Identifier: Apache-2.0
/* The stream of flows: a line of JSON for each event, and for what was lost. */
#include "serve/api.h"

#include <errno.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"

/* ---- losses -------------------------------------------------------------- */

static int add_lost(const struct smc_counter_key *key, __u64 value, void *arg)
{
	struct flow_losses *sum = arg;

	if (key->counter == SMC_COUNTER_EVENTS_LOST)
		sum->events += value;
	if (key->counter == SMC_COUNTER_FLOWS_LOST)
		sum->flows += value;
	return 0;
}

int api_losses(const struct agent *a, struct flow_losses *out)
{
	*out = (struct flow_losses){};
	return datapath_each_counter(a->dp, add_lost, out);
}

/* A line of the stream that is of no flow: what its readers did not get. */
static char *lost_line(const struct flow_losses *lost, __u64 missed,
		       size_t *len)
{
	_doc_ yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	yyjson_mut_val *o = yyjson_mut_obj(doc);
	_buf_ struct buf why = {};

	if (lost->events)
		buf_printf(&why, "%llu events: the ring buffer was full",
			   lost->events);
	if (lost->flows)
		buf_printf(&why, "%s%llu flows: there was no room for records",
			   why.len ? "; " : "", lost->flows);
	if (missed)
		buf_printf(&why, "%llu events: they were read too slowly",
			   missed);
	json_add_time(doc, o, "time", clock_now() + flow_wall_offset());
	yyjson_mut_obj_add_str(doc, o, "event", "lost");
	yyjson_mut_obj_add_uint(doc, o, "events", lost->events + missed);
	yyjson_mut_obj_add_uint(doc, o, "flows", lost->flows);
	yyjson_mut_obj_add_strcpy(doc, o, "sentence", why.data ?: "");
	return yyjson_mut_val_write(o, YYJSON_WRITE_NEWLINE_AT_END, len);
}

static void say_missed(__u64 n, struct buf *out)
{
	const struct flow_losses none = {};
	_free_ char *text = NULL;
	size_t len;

	text = lost_line(&none, n, &len);
	if (text)
		buf_add(out, text, len);
}

/* Those of a pod that is forgotten are counted no more. */
static __u64 since(__u64 now, __u64 before)
{
	return now > before ? now - before : 0;
}

static void tell_losses(struct agent *a)
{
	struct flow_losses now, lost;
	_free_ char *text = NULL;
	size_t len;

	if (!a->stream.followed || api_losses(a, &now))
		return;
	lost = (struct flow_losses){since(now.events, a->stream.told.events),
				    since(now.flows, a->stream.told.flows)};
	a->stream.told = now;
	if (!lost.events && !lost.flows)
		return;
	text = lost_line(&lost, 0, &len);
	if (text)
		http_feed_publish(a->stream.feed, NULL, text, len);
}

/* ---- its readers --------------------------------------------------------- */

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
	if (!err && followed && api_losses(a, &a->stream.told))
		a->stream.told = (struct flow_losses){};
}

/* What a reader's filter judges. */
struct told {
	const struct smc_flow *flow;
	struct flow_pod pod;
};

static bool is_wanted(const void *item, void *arg)
{
	const struct told *t = item;

	return mesh_flow_wanted(arg, t->flow) &&
	       mesh_flow_of_pod(arg, t->pod.ns, t->pod.name);
}

void api_follow(struct agent *a, struct http_reply *reply,
		const struct mesh_flow_filter *filter)
{
	struct mesh_flow_filter *own = malloc(sizeof(*own));

	if (!own) {
		api_reply_failed(reply, -ENOMEM);
		return;
	}
	*own = *filter;
	follow_flows(a, true);
	reply->feed = a->stream.feed;
	reply->reader = (struct http_reader){is_wanted, free, own};
	reply->type = "application/x-ndjson";
}

/* ---- events -------------------------------------------------------------- */

static char *event_line(const struct agent *a, const struct smc_event *e,
			const struct flow_pod *pod, size_t *len)
{
	_doc_ yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	yyjson_mut_val *o = flow_event_json(doc, e, pod, flow_wall_offset());

	if (!o || !api_add_peer(a, doc, o, &e->flow))
		return NULL;
	return yyjson_mut_val_write(o, YYJSON_WRITE_NEWLINE_AT_END, len);
}

void api_event(struct agent *a, const struct smc_event *e)
{
	const struct told told = {&e->flow, api_pod(a, e->flow.pod_id)};
	_free_ char *text = NULL;
	size_t len;

	if (!http_feed_readers(a->stream.feed))
		return;
	text = event_line(a, e, &told.pod, &len);
	if (text)
		a->stream.dropped +=
			http_feed_publish(a->stream.feed, &told, text, len);
	else
		a->stream.dropped += http_feed_readers(a->stream.feed);
}

int api_stream_open(struct agent *a)
{
	a->stream.feed = http_feed_new();
	if (!a->stream.feed)
		return -ENOMEM;
	http_feed_tell_missed(a->stream.feed, say_missed);
	return 0;
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
	tell_losses(a);
}

// SPDX-License-Identifier: Apache-2.0
/* Peers in quarantine on the control socket: the list, and its end. */
#include "serve/api.h"

#include <string.h>
#include "base/log.h"
#include "telemetry/quarantine_text.h"

struct listing {
	const struct agent *agent;
	yyjson_mut_doc *doc;
	yyjson_mut_val *arr;
	__u64 now, wall_offset;
};

/* BPF keeps an ended row for the next sentence; it quarantines nothing. */
static int add_row(const struct smc_quarantine_key *key,
		   const struct smc_quarantine *v, void *arg)
{
	struct listing *l = arg;
	const struct quarantine_row row = {
		.key = key,
		.value = v,
		.pod = api_pod(l->agent, key->pod_id),
		.seen = {api_pod(l->agent, v->pods[0]),
			 api_pod(l->agent, v->pods[1])},
	};
	yyjson_mut_val *o;

	if (v->until_ns <= l->now)
		return 0;
	o = quarantine_json(l->doc, &row, l->now, l->wall_offset);
	return o && yyjson_mut_arr_append(l->arr, o) ? 0 : -ENOMEM;
}

void api_get_quarantine(struct MHD_Connection *request,
			struct http_reply *reply, void *arg)
{
	struct agent *a = arg;
	yyjson_mut_val *root;
	_doc_ yyjson_mut_doc *doc = api_doc_new(&root);
	/* the rows' clock is CLOCK_MONOTONIC, as libuv's is */
	struct listing l = {a, doc, yyjson_mut_arr(doc), uv_hrtime(),
			    flow_wall_offset()};
	int err = datapath_each_quarantine(a->dp, add_row, &l);

	yyjson_mut_obj_add_val(doc, root, "quarantine", l.arr);
	api_reply_doc(reply, doc, err);
}

void api_post_quarantine_clear(struct MHD_Connection *request,
			       struct http_reply *reply, void *arg)
{
	const char *name = http_query(request, "peer");
	bool all = name && !strcmp(name, "all");
	struct agent *a = arg;
	struct smc_addr_port peer;
	yyjson_mut_val *root;
	_doc_ yyjson_mut_doc *doc = NULL;
	int n;

	if (!all && (!name || addr_port_parse(name, &peer))) {
		api_refuse(reply, 400, name,
			   "expected ADDRESS:PORT, [ADDRESS]:PORT or all");
		return;
	}
	n = datapath_quarantine_clear(a->dp, all ? NULL : &peer);
	if (n > 0)
		log_info("quarantine of %s cleared, rows=%d", name, n);
	doc = api_doc_new(&root);
	yyjson_mut_obj_add_strcpy(doc, root, "peer", name);
	yyjson_mut_obj_add_int(doc, root, "cleared", n);
	api_reply_doc(reply, doc, n < 0 ? n : 0);
}

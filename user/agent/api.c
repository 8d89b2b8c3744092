// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket: JSON under /v1. Fields are only ever added. Whatever is
 * called a state here was read from the kernel's maps for this very answer.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>
#include "agent/state.h"
#include "base/array.h"
#include "base/log.h"
#include "node/smc.h"
#include "telemetry/flows.h"
#include "telemetry/reason.h"

#define JSON_TYPE "application/json"

static void doc_free(yyjson_mut_doc **doc)
{
	yyjson_mut_doc_free(*doc);
}
#define _doc_ _cleanup_(doc_free)

/* The document as the reply; a document that could not be built is a 500. */
static void reply_doc(struct http_reply *reply, yyjson_mut_doc *doc, int err)
{
	char *text = NULL;
	size_t len;

	if (!err)
		text = yyjson_mut_write(doc, 0, &len);
	if (!text) {
		err = err ?: -ENOMEM;
		log_err(err, "answer on the control socket");
		reply->status = 500;
		buf_printf(&reply->body, "the answer could not be made: %s\n",
			   strerror(-err));
		return;
	}
	reply->type = JSON_TYPE;
	buf_add(&reply->body, text, len);
	buf_add(&reply->body, "\n", 1);
	free(text);
}

static yyjson_mut_doc *doc_new(yyjson_mut_val **root)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);

	*root = yyjson_mut_obj(doc);
	yyjson_mut_doc_set_root(doc, *root);
	return doc;
}

static yyjson_mut_val *addrs_json(yyjson_mut_doc *doc,
				  const struct mesh_addrs *addrs)
{
	yyjson_mut_val *arr = yyjson_mut_arr(doc);
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < addrs->n; i++)
		yyjson_mut_arr_add_strcpy(doc, arr,
					  addr_format(&addrs->v[i], text));
	return arr;
}

/* ---- /v1/status -------------------------------------------------------- */

/* @lines: each an element. */
static yyjson_mut_val *lines_json(yyjson_mut_doc *doc, const char *lines)
{
	yyjson_mut_val *arr = yyjson_mut_arr(doc);

	while (*lines) {
		size_t len = strcspn(lines, "\n");

		if (len)
			yyjson_mut_arr_add_strncpy(doc, arr, lines, len);
		lines += len + (lines[len] == '\n');
	}
	return arr;
}

static void status_agent(const struct agent *a, yyjson_mut_doc *doc,
			 yyjson_mut_val *o)
{
	_buf_ struct buf why = {};
	bool ready = agent_ready(a, &why);

	yyjson_mut_obj_add_str(doc, o, "version", SMCMESH_VERSION);
	yyjson_mut_obj_add_int(doc, o, "pid", getpid());
	yyjson_mut_obj_add_strcpy(doc, o, "node", a->opt->node);
	yyjson_mut_obj_add_strcpy(doc, o, "listen", a->listening);
	json_add_time(doc, o, "started", (__u64)(a->start_time * 1e9));
	yyjson_mut_obj_add_real(doc, o, "uptime_seconds",
				(uv_hrtime() - a->start_hrtime) / 1e9);
	yyjson_mut_obj_add_bool(doc, o, "ready", ready);
	yyjson_mut_obj_add_strcpy(doc, o, "ready_sentence", why.data ?: "");
	yyjson_mut_obj_add_int(doc, o, "capability", agent_capable(a));
}

static void status_kernel(const struct agent *a, yyjson_mut_doc *doc,
			  yyjson_mut_val *o)
{
	const struct features *features = datapath_features(a->dp);
	yyjson_mut_val *f = yyjson_mut_obj(doc), *ids = yyjson_mut_arr(doc);
	struct smc_ueids ueids = {};

	yyjson_mut_obj_add_strcpy(doc, o, "kernel", a->kernel);
	yyjson_mut_obj_add_strcpy(doc, o, "converter",
				  datapath_converter(a->dp));
	yyjson_mut_obj_add_strcpy(doc, o, "selector", datapath_selector(a->dp));
	yyjson_mut_obj_add_strcpy(doc, o, "hs_ctrl",
				  datapath_ctrl_name(a->dp) ?: "");
	yyjson_mut_obj_add_val(doc, o, "transports",
			       json_transports(doc, a->host.transports));
	if (agent_capable(a) && !smc_ueid_list(&ueids))
		for (unsigned int i = 0; i < ueids.n; i++)
			yyjson_mut_arr_add_strcpy(doc, ids, ueids.v[i]);
	yyjson_mut_obj_add_val(doc, o, "ueids", ids);
	for (unsigned int i = 0; i < FEATURE_MAX; i++)
		yyjson_mut_obj_add_bool(doc, f, feature_text(i)->label,
					feature_present(features, i));
	yyjson_mut_obj_add_val(doc, o, "features", f);
}

static void status_work(const struct agent *a, yyjson_mut_doc *doc,
			yyjson_mut_val *o)
{
	const char *problem = source_problem(a->source);
	yyjson_mut_val *src = yyjson_mut_obj(doc), *pods = yyjson_mut_obj(doc);
	yyjson_mut_val *warn = yyjson_mut_arr(doc);
	size_t armed = 0, wanted = 0;

	yyjson_mut_obj_add_bool(doc, o, "mesh_enabled", a->mesh_enabled);
	yyjson_mut_obj_add_strcpy(doc, src, "from", a->opt->source);
	yyjson_mut_obj_add_bool(doc, src, "ok", !problem);
	yyjson_mut_obj_add_strcpy(doc, src, "problem", problem ?: "");
	yyjson_mut_obj_add_val(doc, src, "notes",
			       lines_json(doc, source_notes(a->source)));
	yyjson_mut_obj_add_val(doc, o, "source", src);
	for (size_t i = 0; i < a->pods.n; i++) {
		armed += a->pods.v[i]->armed;
		wanted += a->pods.v[i]->wanted;
	}
	yyjson_mut_obj_add_uint(doc, pods, "here", a->pods.n);
	yyjson_mut_obj_add_uint(doc, pods, "wanted", wanted);
	yyjson_mut_obj_add_uint(doc, pods, "armed", armed);
	yyjson_mut_obj_add_val(doc, o, "pods", pods);
	yyjson_mut_obj_add_uint(doc, o, "reconciles", a->counts.reconciles_ok);
	yyjson_mut_obj_add_uint(doc, o, "repairs", a->counts.repairs);
	for (size_t i = 0; i < a->n_warnings; i++)
		yyjson_mut_arr_add_strcpy(doc, warn, a->warnings[i]);
	yyjson_mut_obj_add_val(doc, o, "warnings", warn);
}

static int count_endpoint(const struct smc_addr *key,
			  const struct smc_endpoint *v, void *arg)
{
	(*(unsigned int *)arg)++;
	return 0;
}

static void get_status(struct MHD_Connection *request, struct http_reply *reply,
		       void *arg)
{
	struct agent *a = arg;
	unsigned int endpoints = 0;
	yyjson_mut_val *root;
	_doc_ yyjson_mut_doc *doc = doc_new(&root);
	int err;

	reconcile_read_back(a);
	err = datapath_each_endpoint(a->dp, count_endpoint, &endpoints);
	status_agent(a, doc, root);
	status_kernel(a, doc, root);
	status_work(a, doc, root);
	yyjson_mut_obj_add_uint(doc, root, "endpoints", endpoints);
	reply_doc(reply, doc, err);
}

/* ---- /v1/pods ---------------------------------------------------------- */

static yyjson_mut_val *late_json(yyjson_mut_doc *doc, const struct pod *p)
{
	yyjson_mut_val *arr = yyjson_mut_arr(doc);
	char addr[ADDR_STRLEN], text[ADDR_STRLEN + 16];

	for (unsigned int i = 0; i < p->n_late; i++) {
		const struct netns_listener *l = &p->late[i];

		snprintf(text, sizeof(text),
			 addr_is_v4(&l->addr) ? "%s:%u" : "[%s]:%u",
			 addr_format(&l->addr, addr), l->port);
		yyjson_mut_arr_add_strcpy(doc, arr, text);
	}
	return arr;
}

/* One sentence: why not armed, and what was seen that says so. */
static void add_sentence(yyjson_mut_doc *doc, yyjson_mut_val *o,
			 const struct pod *p)
{
	const char *detail = p->facts.detail;
	char text[512];

	if (p->armed)
		snprintf(text, sizeof(text), "new sockets become SMC sockets");
	else if (p->problem && p->reason == SMC_REASON_BAD_ANNOTATION)
		snprintf(text, sizeof(text), "%s", p->problem);
	else
		snprintf(text, sizeof(text), "%s%s%s%s",
			 reason_sentence(p->reason), *detail ? " (" : "",
			 detail, *detail ? ")" : "");
	yyjson_mut_obj_add_strcpy(doc, o, "sentence", text);
}

static yyjson_mut_val *pod_json(yyjson_mut_doc *doc, const struct pod *p)
{
	yyjson_mut_val *o = yyjson_mut_obj(doc);
	bool sidecar = p->kernel.flags & SMC_POD_SIDECAR;

	yyjson_mut_obj_add_strcpy(doc, o, "namespace", p->ns);
	yyjson_mut_obj_add_strcpy(doc, o, "name", p->name);
	yyjson_mut_obj_add_strcpy(doc, o, "uid", p->uid);
	yyjson_mut_obj_add_uint(doc, o, "pod_id", p->id);
	yyjson_mut_obj_add_bool(doc, o, "wanted", p->wanted);
	yyjson_mut_obj_add_bool(doc, o, "armed", p->armed);
	yyjson_mut_obj_add_str(
		doc, o, "reason",
		reason_label(p->armed ? SMC_REASON_NONE : p->reason));
	add_sentence(doc, o, p);
	yyjson_mut_obj_add_val(doc, o, "transports",
			       json_transports(doc, p->kernel.transports));
	yyjson_mut_obj_add_val(doc, o, "addresses", addrs_json(doc, &p->addrs));
	yyjson_mut_obj_add_val(doc, o, "published",
			       addrs_json(doc, &p->published));
	yyjson_mut_obj_add_strcpy(doc, o, "netns", p->netns_path ?: "");
	yyjson_mut_obj_add_uint(doc, o, "netns_cookie", p->facts.cookie);
	yyjson_mut_obj_add_uint(doc, o, "netns_inode", p->facts.inode);
	yyjson_mut_obj_add_bool(doc, o, "sidecar", sidecar);
	if (sidecar)
		yyjson_mut_obj_add_uint(doc, o, "convert_uid", p->kernel.uid);
	yyjson_mut_obj_add_val(doc, o, "late_listeners", late_json(doc, p));
	return o;
}

static void get_pods(struct MHD_Connection *request, struct http_reply *reply,
		     void *arg)
{
	struct agent *a = arg;
	yyjson_mut_val *root;
	_doc_ yyjson_mut_doc *doc = doc_new(&root);
	yyjson_mut_val *arr = yyjson_mut_arr(doc);

	reconcile_read_back(a);
	for (size_t i = 0; i < a->pods.n; i++)
		yyjson_mut_arr_append(arr, pod_json(doc, a->pods.v[i]));
	yyjson_mut_obj_add_val(doc, root, "pods", arr);
	reply_doc(reply, doc, 0);
}

/* ---- /v1/endpoints ----------------------------------------------------- */

struct rows {
	const struct agent *agent;
	yyjson_mut_doc *doc;
	yyjson_mut_val *arr;
	__u64 wall_offset;
};

static int name_cmp(const void *addr, const void *name)
{
	return addr_cmp(addr, &((const struct endpoint_name *)name)->addr);
}

static const struct endpoint_name *name_find(const struct agent *a,
					     const struct smc_addr *addr)
{
	static const struct endpoint_name nobody = {
		.node = "", .ns = "", .pod = "", .uid = ""};
	const struct endpoint_name *found = NULL;

	if (a->n_names)
		found = bsearch(addr, a->names, a->n_names, sizeof(*a->names),
				name_cmp);
	return found ?: &nobody;
}

static int add_endpoint(const struct smc_addr *key,
			const struct smc_endpoint *v, void *arg)
{
	struct rows *rows = arg;
	yyjson_mut_doc *doc = rows->doc;
	yyjson_mut_val *o = yyjson_mut_obj(doc);
	const struct endpoint_name *name = name_find(rows->agent, key);
	char text[ADDR_STRLEN];

	yyjson_mut_obj_add_strcpy(doc, o, "address", addr_format(key, text));
	yyjson_mut_obj_add_val(doc, o, "transports",
			       json_transports(doc, v->transports));
	yyjson_mut_obj_add_strcpy(doc, o, "node", name->node);
	yyjson_mut_obj_add_strcpy(doc, o, "namespace", name->ns);
	yyjson_mut_obj_add_strcpy(doc, o, "pod", name->pod);
	yyjson_mut_obj_add_strcpy(doc, o, "uid", name->uid);
	yyjson_mut_obj_add_uint(doc, o, "node_id", v->node_id);
	yyjson_mut_obj_add_bool(doc, o, "answer_only",
				v->flags & SMC_ENDPOINT_ANSWER_ONLY);
	return yyjson_mut_arr_append(rows->arr, o) ? 0 : -ENOMEM;
}

static void get_endpoints(struct MHD_Connection *request,
			  struct http_reply *reply, void *arg)
{
	struct agent *a = arg;
	yyjson_mut_val *root;
	_doc_ yyjson_mut_doc *doc = doc_new(&root);
	struct rows rows = {a, doc, yyjson_mut_arr(doc), 0};
	int err = datapath_each_endpoint(a->dp, add_endpoint, &rows);

	yyjson_mut_obj_add_val(doc, root, "endpoints", rows.arr);
	reply_doc(reply, doc, err);
}

/* ---- /v1/flows --------------------------------------------------------- */

static struct flow_pod flow_pod_of(const struct agent *a, __u32 id)
{
	const struct pod *p = pods_by_id(&a->pods, id);

	return p ? (struct flow_pod){p->ns, p->name} : (struct flow_pod){};
}

struct flow_row {
	__u64 cookie;
	struct smc_flow flow;
};

struct flow_rows {
	struct flow_row *v;
	size_t n;
};

static int collect_flow(__u64 cookie, const struct smc_flow *v, void *arg)
{
	struct flow_rows *rows = arg;
	struct flow_row *row = array_push(rows->v, rows->n);

	if (!row)
		return -ENOMEM;
	*row = (struct flow_row){cookie, *v};
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	const struct flow_row *x = a, *y = b;

	return (x->flow.opened_ns < y->flow.opened_ns) -
	       (x->flow.opened_ns > y->flow.opened_ns);
}

static int add_flows(const struct agent *a, yyjson_mut_doc *doc,
		     yyjson_mut_val *arr, size_t limit)
{
	__u64 offset = flow_wall_offset();
	struct flow_rows rows = {};
	int err = datapath_each_flow(a->dp, collect_flow, &rows);

	if (rows.n)
		qsort(rows.v, rows.n, sizeof(*rows.v), newest_first);
	for (size_t i = 0; !err && i < rows.n && i < limit; i++) {
		const struct smc_flow *f = &rows.v[i].flow;
		struct flow_pod pod = flow_pod_of(a, f->pod_id);

		if (!yyjson_mut_arr_append(arr, flow_json(doc, rows.v[i].cookie,
							  f, &pod, offset)))
			err = -ENOMEM;
	}
	free(rows.v);
	return err;
}

static void get_flows(struct MHD_Connection *request, struct http_reply *reply,
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
		reply->feed = a->flows;
		reply->type = "application/x-ndjson";
		return;
	}
	doc = doc_new(&root);
	arr = yyjson_mut_arr(doc);
	err = add_flows(a, doc, arr,
			limit ? strtoul(limit, NULL, 10) : SIZE_MAX);
	yyjson_mut_obj_add_val(doc, root, "flows", arr);
	reply_doc(reply, doc, err);
}

void api_event(struct agent *a, const struct smc_event *e)
{
	struct flow_pod pod = flow_pod_of(a, e->flow.pod_id);
	_doc_ yyjson_mut_doc *doc = NULL;
	_free_ char *text = NULL;
	size_t len;

	if (!http_feed_readers(a->flows))
		return;
	doc = yyjson_mut_doc_new(NULL);
	text = yyjson_mut_val_write(
		flow_event_json(doc, e, &pod, flow_wall_offset()),
		YYJSON_WRITE_NEWLINE_AT_END, &len);
	if (text)
		a->counts.stream_dropped +=
			http_feed_publish(a->flows, text, len);
	else
		a->counts.stream_dropped += http_feed_readers(a->flows);
}

const struct http_route api_routes[] = {
	{"/v1/status", get_status},
	{"/v1/pods", get_pods},
	{"/v1/endpoints", get_endpoints},
	{"/v1/flows", get_flows},
	{},
};

// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket: JSON under /v1. Fields are only ever added. Every state
 * comes from the kernel's maps, read for this answer alone: no answer changes
 * what the agent knows. Numbers of rows are those of the last reconcile.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "serve/api.h"
#include "cluster/cluster.h"
#include "serve/ready.h"
#include "doctor/method_list.h"
#include "pods/armed_rows.h"
#include "pods/lease.h"
#include "pods/sentence.h"
#include "base/log.h"
#include "node/smc.h"
#include "telemetry/flows.h"
#include "telemetry/labels.h"

void api_doc_free(yyjson_mut_doc **doc)
{
	yyjson_mut_doc_free(*doc);
}

void api_reply_failed(struct http_reply *reply, int err)
{
	log_err(err, "answer on the control socket");
	reply->status = 500;
	buf_printf(&reply->body, "the answer could not be made: %s\n",
		   strerror(-err));
}

void api_reply_doc(struct http_reply *reply, yyjson_mut_doc *doc, int err)
{
	char *text = NULL;
	size_t len;

	if (!err)
		text = yyjson_mut_write(doc, 0, &len);
	if (!text) {
		api_reply_failed(reply, err ?: -ENOMEM);
		return;
	}
	reply->type = API_JSON;
	buf_add(&reply->body, text, len);
	buf_add(&reply->body, "\n", 1);
	free(text);
}

void api_refuse(struct http_reply *reply, unsigned int status, const char *what,
		const char *why)
{
	reply->status = status;
	buf_printf(&reply->body, "%s: %s\n", what ?: "", why);
}

struct flow_pod api_pod(const struct agent *a, __u32 id)
{
	const struct pod *p = pods_by_id(&a->pods, id);

	return p ? (struct flow_pod){p->ns, p->name} : (struct flow_pod){};
}

yyjson_mut_doc *api_doc_new(yyjson_mut_val **root)
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

/* @lines: each becomes an element. */
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
	yyjson_mut_obj_add_strcpy(doc, o, "listen", a->self.listening);
	json_add_time(doc, o, "started", (__u64)(a->self.start_time * 1e9));
	yyjson_mut_obj_add_real(doc, o, "uptime_seconds",
				(uv_hrtime() - a->self.start_hrtime) / 1e9);
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

	yyjson_mut_obj_add_strcpy(doc, o, "kernel", a->self.kernel);
	yyjson_mut_obj_add_strcpy(doc, o, "converter",
				  datapath_converter(a->dp));
	yyjson_mut_obj_add_strcpy(doc, o, "selector", datapath_selector(a->dp));
	yyjson_mut_obj_add_strcpy(doc, o, "recorder", datapath_recorder(a->dp));
	yyjson_mut_obj_add_val(doc, o, "methods",
			       method_list_json(doc, features));
	yyjson_mut_obj_add_strcpy(doc, o, "hs_ctrl",
				  datapath_ctrl_name(a->dp) ?: "");
	yyjson_mut_obj_add_val(doc, o, "transports",
			       json_transports(doc, a->last.transports));
	if (agent_capable(a) && !smc_ueid_list(&ueids))
		for (unsigned int i = 0; i < ueids.n; i++)
			yyjson_mut_arr_add_strcpy(doc, ids, ueids.v[i]);
	yyjson_mut_obj_add_val(doc, o, "ueids", ids);
	for (unsigned int i = 0; i < FEATURE_MAX; i++)
		yyjson_mut_obj_add_bool(doc, f, feature_text(i)->label,
					feature_present(features, i));
	yyjson_mut_obj_add_val(doc, o, "features", f);
}

/* What the API server knows of this node. */
static yyjson_mut_val *publish_json(const struct agent *a, yyjson_mut_doc *doc)
{
	yyjson_mut_val *o = yyjson_mut_obj(doc);
	long long age = cluster_age_ms(a->cluster);

	yyjson_mut_obj_add_bool(doc, o, "ok", age >= 0);
	yyjson_mut_obj_add_strcpy(doc, o, "problem",
				  cluster_problem(a->cluster) ?: "");
	if (age >= 0)
		yyjson_mut_obj_add_real(doc, o, "age_seconds", age / 1e3);
	return o;
}

/* Is a pod that is not armed for that reason annotated, and there? */
static bool is_asked_for(__u32 reason)
{
	return reason != SMC_REASON_NOT_ANNOTATED &&
	       reason != SMC_REASON_POD_ENDED;
}

/* To whoever asks a pod is wanted if it is annotated, whatever keeps it from
 * being armed. */
static bool is_wanted(const struct pod *p, const struct pod_state *is)
{
	return is->armed ? p->wanted : is_asked_for(is->reason);
}

/* Why the pods of one reason are not armed. */
static void add_why(yyjson_mut_doc *doc, yyjson_mut_val *arr, __u32 reason,
		    size_t n)
{
	yyjson_mut_val *o;

	if (!n || reason == SMC_REASON_NONE || !is_asked_for(reason))
		return;
	o = yyjson_mut_arr_add_obj(doc, arr);
	yyjson_mut_obj_add_str(doc, o, "reason", reason_label(reason));
	yyjson_mut_obj_add_uint(doc, o, "pods", n);
	yyjson_mut_obj_add_str(doc, o, "sentence", reason_sentence(reason));
	yyjson_mut_obj_add_str(doc, o, "remedy", reason_remedy(reason));
}

static yyjson_mut_val *pods_sum_json(const struct agent *a,
				     const struct armed_rows *rows,
				     yyjson_mut_doc *doc)
{
	yyjson_mut_val *o = yyjson_mut_obj(doc), *why = yyjson_mut_arr(doc);
	size_t wanted = 0, by[SMC_REASON_MAX] = {};

	for (size_t i = 0; i < a->pods.n; i++) {
		const struct pod_state is =
			armed_rows_state(rows, a->pods.v[i], a->last.full);

		by[is.armed ? SMC_REASON_NONE : is.reason]++;
		wanted += is_wanted(a->pods.v[i], &is);
	}
	for (__u32 r = 0; r < SMC_REASON_MAX; r++)
		add_why(doc, why, r, by[r]);
	yyjson_mut_obj_add_uint(doc, o, "here", a->pods.n);
	yyjson_mut_obj_add_uint(doc, o, "wanted", wanted);
	yyjson_mut_obj_add_uint(doc, o, "armed", by[SMC_REASON_NONE]);
	yyjson_mut_obj_add_val(doc, o, "not_armed", why);
	return o;
}

static void status_work(const struct agent *a, const struct armed_rows *rows,
			yyjson_mut_doc *doc, yyjson_mut_val *o)
{
	const char *problem = source_problem(a->source);
	yyjson_mut_val *src = yyjson_mut_obj(doc);
	yyjson_mut_val *warn = yyjson_mut_arr(doc);

	yyjson_mut_obj_add_bool(doc, o, "mesh_enabled", a->last.mesh_enabled);
	yyjson_mut_obj_add_strcpy(doc, src, "from", a->opt->source);
	yyjson_mut_obj_add_bool(doc, src, "ok", !problem);
	yyjson_mut_obj_add_strcpy(doc, src, "problem", problem ?: "");
	yyjson_mut_obj_add_real(doc, src, "age_seconds",
				source_age_ms(a->source) / 1e3);
	yyjson_mut_obj_add_val(doc, src, "notes",
			       lines_json(doc, source_notes(a->source)));
	yyjson_mut_obj_add_val(doc, o, "source", src);
	if (a->cluster)
		yyjson_mut_obj_add_val(doc, o, "publish", publish_json(a, doc));
	yyjson_mut_obj_add_val(doc, o, "pods", pods_sum_json(a, rows, doc));
	yyjson_mut_obj_add_uint(doc, o, "reconciles", a->counts.reconciles_ok);
	yyjson_mut_obj_add_uint(doc, o, "repairs", agent_repairs(a));
	for (size_t i = 0; i < a->last.n_warnings; i++)
		yyjson_mut_arr_add_strcpy(doc, warn, a->last.warnings[i]);
	yyjson_mut_obj_add_val(doc, o, "warnings", warn);
}

void api_add_left(yyjson_mut_doc *doc, yyjson_mut_val *o, const char *key,
		  double left)
{
	if (left < 0 || isinf(left))
		yyjson_mut_obj_add_null(doc, o, key);
	else
		yyjson_mut_obj_add_real(doc, o, key, left);
}

static void status_lease(const struct agent *a, yyjson_mut_doc *doc,
			 yyjson_mut_val *root)
{
	yyjson_mut_val *o = yyjson_mut_obj(doc);
	double left = lease_left(a);

	yyjson_mut_obj_add_bool(doc, o, "held", left > 0);
	api_add_left(doc, o, "left_seconds", left);
	yyjson_mut_obj_add_real(doc, o, "knowledge_age_seconds",
				source_age_ms(a->source) / 1e3);
	yyjson_mut_obj_add_val(doc, root, "lease", o);
}

void api_get_status(struct MHD_Connection *request, struct http_reply *reply,
		    void *arg)
{
	_cleanup_(armed_rows_free) struct armed_rows rows = {};
	struct agent *a = arg;
	yyjson_mut_val *root;
	_doc_ yyjson_mut_doc *doc = api_doc_new(&root);
	int err = armed_rows_read(a->dp, &rows);

	status_agent(a, doc, root);
	status_kernel(a, doc, root);
	status_work(a, &rows, doc, root);
	status_lease(a, doc, root);
	yyjson_mut_obj_add_uint(doc, root, "endpoints", a->last.n_endpoints);
	api_add_paths_sum(a, doc, root);
	api_add_fabric(a, doc, root);
	err = err ?: api_add_held_node(a, doc, root);
	api_reply_doc(reply, doc, err);
}

/* ---- /v1/pods ---------------------------------------------------------- */

static yyjson_mut_val *late_json(yyjson_mut_doc *doc, const struct pod *p)
{
	yyjson_mut_val *arr = yyjson_mut_arr(doc);
	char text[ADDR_PORT_STRLEN];

	for (unsigned int i = 0; i < p->n_late; i++) {
		const struct smc_addr_port at =
			addr_port(&p->late[i].addr, p->late[i].port);

		yyjson_mut_arr_add_strcpy(doc, arr,
					  addr_port_format(&at, text));
	}
	return arr;
}

void api_add_sentence(yyjson_mut_doc *doc, yyjson_mut_val *o,
		      const struct pod *p, const struct pod_state *is)
{
	_buf_ struct buf text = {};

	pod_sentence(p, is->reason, &text);
	yyjson_mut_obj_add_strcpy(doc, o, "sentence", text.data ?: "");
}

/* The owners whose sockets are converted, with the host's IDs; null: all. */
static yyjson_mut_val *owners_json(yyjson_mut_doc *doc,
				   const struct smc_pod *pod)
{
	yyjson_mut_val *arr = yyjson_mut_arr(doc);

	for (__u32 i = 0; i < pod->n_owners; i++) {
		yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, arr);
		const struct smc_owner *w = &pod->owners[i];

		yyjson_mut_obj_add_val(doc, o, "uid",
				       w->uid == SMC_ID_ANY
					       ? yyjson_mut_null(doc)
					       : yyjson_mut_uint(doc, w->uid));
		yyjson_mut_obj_add_val(doc, o, "gid",
				       w->gid == SMC_ID_ANY
					       ? yyjson_mut_null(doc)
					       : yyjson_mut_uint(doc, w->gid));
	}
	return arr;
}

/* SMC's settings of its namespace, as the last look read them back; null: the
 * kernel has no such sysctl. */
static yyjson_mut_val *settings_json(yyjson_mut_doc *doc,
				     const struct settings_facts *f)
{
	yyjson_mut_val *o = yyjson_mut_obj(doc);
	yyjson_mut_val *sysctls = yyjson_mut_obj_add_obj(doc, o, "sysctls");
	yyjson_mut_val *pnet = yyjson_mut_obj_add_arr(doc, o, "pnet");

	for (unsigned int i = 0; i < MESH_SYSCTLS; i++)
		yyjson_mut_obj_add_val(
			doc, sysctls, mesh_sysctls[i].name,
			f->sysctl[i] == MESH_SYSCTL_NONE
				? yyjson_mut_null(doc)
				: yyjson_mut_sint(doc, f->sysctl[i]));
	for (unsigned int i = 0; i < f->pnet.n; i++) {
		const struct mesh_pnet_need *need = &f->pnet.v[i];
		yyjson_mut_val *e = yyjson_mut_arr_add_obj(doc, pnet);

		yyjson_mut_obj_add_strcpy(doc, e, "interface", need->nic);
		yyjson_mut_obj_add_strcpy(doc, e, "device", need->device);
		yyjson_mut_obj_add_uint(doc, e, "port", need->port);
		yyjson_mut_obj_add_strcpy(doc, e, "id", need->id);
	}
	yyjson_mut_obj_add_strcpy(doc, o, "problem", f->problem);
	return o;
}

static yyjson_mut_val *pod_json(yyjson_mut_doc *doc, const struct pod *p,
				const struct pod_state *is)
{
	yyjson_mut_val *o = yyjson_mut_obj(doc);
	bool sidecar = is->kernel.flags & SMC_POD_SIDECAR;

	yyjson_mut_obj_add_strcpy(doc, o, "namespace", p->ns);
	yyjson_mut_obj_add_strcpy(doc, o, "name", p->name);
	yyjson_mut_obj_add_strcpy(doc, o, "uid", p->uid);
	yyjson_mut_obj_add_strcpy(doc, o, "cgroup_uid", p->cgroup_uid);
	yyjson_mut_obj_add_bool(doc, o, "host_network", p->host_network);
	yyjson_mut_obj_add_uint(doc, o, "pod_id", p->id);
	yyjson_mut_obj_add_bool(doc, o, "wanted", is_wanted(p, is));
	yyjson_mut_obj_add_bool(doc, o, "armed", is->armed);
	yyjson_mut_obj_add_str(doc, o, "reason", reason_label(is->reason));
	api_add_sentence(doc, o, p, is);
	yyjson_mut_obj_add_str(doc, o, "remedy",
			       is->armed ? "" : reason_remedy(is->reason));
	yyjson_mut_obj_add_val(doc, o, "transports",
			       json_transports(doc, is->kernel.transports));
	yyjson_mut_obj_add_val(doc, o, "addresses", addrs_json(doc, &p->addrs));
	yyjson_mut_obj_add_val(doc, o, "published",
			       addrs_json(doc, &p->published));
	yyjson_mut_obj_add_strcpy(doc, o, "netns", p->netns_path ?: "");
	yyjson_mut_obj_add_uint(doc, o, "netns_cookie", p->facts.cookie);
	yyjson_mut_obj_add_uint(doc, o, "netns_inode", p->facts.inode);
	if (p->facts.verified)
		yyjson_mut_obj_add_val(doc, o, "settings",
				       settings_json(doc, &p->facts.settings));
	yyjson_mut_obj_add_bool(doc, o, "sidecar", sidecar);
	if (sidecar)
		yyjson_mut_obj_add_val(doc, o, "owners",
				       owners_json(doc, &is->kernel));
	yyjson_mut_obj_add_val(doc, o, "late_listeners", late_json(doc, p));
	yyjson_mut_obj_add_uint(doc, o, "late_flows", p->n_late_flows);
	return o;
}

/* Pods that the source has of other nodes: a file is the same for all. */
static size_t count_elsewhere(const struct agent *a)
{
	const struct mesh_world *w = source_world(a->source);
	size_t n = 0;

	for (size_t i = 0; w && i < w->n_pods; i++)
		n += *w->pods[i].node &&
		     strcmp(w->pods[i].node, a->opt->node) != 0;
	return n;
}

void api_get_pods(struct MHD_Connection *request, struct http_reply *reply,
		  void *arg)
{
	struct agent *a = arg;
	yyjson_mut_val *root;
	_doc_ yyjson_mut_doc *doc = api_doc_new(&root);
	yyjson_mut_val *arr = yyjson_mut_arr(doc);
	_cleanup_(armed_rows_free) struct armed_rows rows = {};
	struct smc_limits limits;
	int err = api_limits(a, &limits) ?: armed_rows_read(a->dp, &rows);

	for (size_t i = 0; i < a->pods.n && !err; i++) {
		const struct pod *p = a->pods.v[i];
		const struct pod_state is =
			armed_rows_state(&rows, p, a->last.full);
		yyjson_mut_val *o = pod_json(doc, p, &is);

		yyjson_mut_arr_append(arr, o);
		err = api_add_held_pod(a, &limits, p, doc, o);
	}
	yyjson_mut_obj_add_val(doc, root, "pods", arr);
	yyjson_mut_obj_add_strcpy(doc, root, "node", a->opt->node);
	yyjson_mut_obj_add_uint(doc, root, "elsewhere", count_elsewhere(a));
	api_reply_doc(reply, doc, err);
}

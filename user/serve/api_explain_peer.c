// SPDX-License-Identifier: Apache-2.0
/*
 * The peer's half of /v1/explain: what the verdict's own program says to such a
 * connection now, and the rows by which it does. If the peer is a pod of this
 * node, its answer, too.
 */
#include "serve/api_explain.h"

#include <errno.h>
#include <string.h>
#include "mesh/backends.h"
#include "mesh/newest.h"
#include "telemetry/fallback.h"
#include "telemetry/labels.h"
#include "telemetry/quarantine_text.h"

struct asking {
	const struct explained *x;
	const struct explain_peer *peer;
	struct smc_addr addr; /* the peer's */
	struct smc_addr own;  /* the pod's, of the same family */
	struct smc_verdict_job job;
	struct datapath_peer rows;
	yyjson_mut_doc *doc;
	yyjson_mut_val *o; /* "peer" */
	struct explain_end *end;
};

/* ---- the question -------------------------------------------------------- */

/* The address that the pod's end of such a connection has: the first of the
 * family; without one it is unspecified. */
static struct smc_addr own_addr(const struct pod *p, const struct smc_addr *to)
{
	const struct mesh_addrs *from =
		p->addrs.n ? &p->addrs : &p->facts.addrs;
	struct smc_addr none = {};

	for (size_t i = 0; i < from->n; i++)
		if (addr_is_v4(&from->v[i]) == addr_is_v4(to))
			return from->v[i];
	if (addr_is_v4(to))
		memset(none.ip + 10, 0xff, 2);
	return none;
}

static struct smc_verdict_job job_of(const struct pod *p, __u32 role,
				     struct smc_addr_port remote,
				     struct smc_addr_port local)
{
	return (struct smc_verdict_job){
		.pod = p->host_network ? p->cgroup_id : p->facts.cookie,
		.in_cgroup = p->host_network,
		.role = role,
		.remote = remote,
		.local = local,
	};
}

/* A port that nobody knows is 0: the verdict asks for a client's own by no
 * row. */
static struct smc_verdict_job job_asked(const struct asking *q)
{
	bool server = q->peer->role == SMC_ROLE_SERVER;
	__u16 port = q->peer->at.port;

	return job_of(q->x->pod, q->peer->role,
		      addr_port(&q->addr, server ? 0 : port),
		      addr_port(&q->own, server ? port : 0));
}

/* Run it, and add the answer to @o. Return: enum smc_reason, or a negative
 * errno: it could not be told. */
static int ask(const struct asking *q, struct smc_verdict_job *job,
	       yyjson_mut_val *o)
{
	struct datapath_verdict v = {};
	int err = datapath_ask_verdict(q->x->agent->dp, job, &v);
	bool yes = !err && v.reason == SMC_REASON_NONE;

	yyjson_mut_obj_add_str(q->doc, o, "role", role_label(job->role));
	yyjson_mut_obj_add_str(q->doc, o, "verdict",
			       err ? "unknown" : verdict_label(yes));
	yyjson_mut_obj_add_str(q->doc, o, "reason",
			       err ? "unknown" : reason_label(v.reason));
	yyjson_mut_obj_add_strcpy(q->doc, o, "sentence",
				  err ? strerror(-err)
				      : reason_sentence(v.reason));
	yyjson_mut_obj_add_val(q->doc, o, "transports",
			       json_transports(q->doc, v.transports));
	return err ?: (int)v.reason;
}

/* ---- what the verdict is made of ----------------------------------------- */

static yyjson_mut_val *endpoint_json(const struct asking *q)
{
	const struct endpoint_name *name =
		agent_endpoint(q->x->agent, &q->addr);
	const struct smc_endpoint *e = &q->rows.endpoint;
	yyjson_mut_doc *doc = q->doc;
	yyjson_mut_val *o;

	if (!q->rows.has_endpoint)
		return yyjson_mut_null(doc);
	o = yyjson_mut_obj(doc);
	yyjson_mut_obj_add_val(doc, o, "transports",
			       json_transports(doc, e->transports));
	yyjson_mut_obj_add_bool(doc, o, "answer_only",
				e->flags & SMC_ENDPOINT_ANSWER_ONLY);
	yyjson_mut_obj_add_strcpy(doc, o, "node", name ? name->node : "");
	yyjson_mut_obj_add_strcpy(doc, o, "namespace", name ? name->ns : "");
	yyjson_mut_obj_add_strcpy(doc, o, "pod", name ? name->pod : "");
	return o;
}

static void add_block(const struct asking *q, yyjson_mut_val *arr, bool is,
		      const struct smc_port *block, const char *whose)
{
	_buf_ struct buf text = {};

	if (!is)
		return;
	buf_printf(&text, "port %u", block->first);
	if (block->last != block->first)
		buf_printf(&text, "-%u", block->last);
	buf_printf(&text, ", %s", whose);
	yyjson_mut_arr_add_strcpy(q->doc, arr, text.data ?: "");
}

static yyjson_mut_val *exclusions_json(const struct asking *q)
{
	yyjson_mut_val *arr = yyjson_mut_arr(q->doc);

	add_block(q, arr, q->rows.mesh_excludes, &q->rows.mesh_ports,
		  "by the SmcMesh");
	add_block(q, arr, q->rows.pod_excludes, &q->rows.pod_ports,
		  "by the pod's or its Namespace's annotation");
	if (q->rows.cidr_excludes)
		yyjson_mut_arr_add_str(q->doc, arr, "a CIDR of the SmcMesh");
	return arr;
}

/* Rows that have ended hold nothing against the peer. */
static yyjson_mut_val *quarantine_list(const struct asking *q)
{
	const struct agent *a = q->x->agent;
	yyjson_mut_val *arr = yyjson_mut_arr(q->doc);
	__u64 now = uv_hrtime();

	for (int i = 0; i < 2; i++) {
		const struct smc_quarantine *v = &q->rows.quarantine[i];
		const struct quarantine_row row = {
			.key = &q->rows.against[i],
			.value = v,
			.pod = api_pod(a, q->rows.against[i].pod_id),
			.seen = {api_pod(a, v->pods[0]),
				 api_pod(a, v->pods[1])},
		};

		if (q->rows.has_quarantine[i] && v->until_ns > now)
			yyjson_mut_arr_append(
				arr, quarantine_json(q->doc, &row, now,
						     flow_wall_offset()));
	}
	return arr;
}

static yyjson_mut_val *path_json(const struct asking *q)
{
	struct api_path path = {.row = q->rows.path, .now = uv_hrtime()};

	if (!q->rows.has_path)
		return yyjson_mut_null(q->doc);
	memcpy(path.key.own, q->job.local.ip + 12, sizeof(path.key.own));
	memcpy(path.key.peer, q->job.remote.ip + 12, sizeof(path.key.peer));
	return api_path_json(q->x->agent, q->doc, &path);
}

/* ---- Services ------------------------------------------------------------ */

/* Return: may it be offered SMC by its own address? */
static bool backend_rows(const struct asking *q, const struct smc_addr_port *at,
			 struct datapath_peer *out)
{
	struct smc_verdict_job job = q->job;

	job.remote = *at;
	datapath_peer_rows(q->x->agent->dp, q->x->pod->id, &job, out);
	if (out->has_service)
		return out->service.transports;
	return out->has_endpoint &&
	       !(out->endpoint.flags & SMC_ENDPOINT_ANSWER_ONLY);
}

static yyjson_mut_val *backend_json(const struct asking *q,
				    const struct smc_addr_port *at)
{
	yyjson_mut_val *o = yyjson_mut_obj(q->doc);
	const struct endpoint_name *name;
	char text[ADDR_PORT_STRLEN];
	struct datapath_peer rows;
	struct smc_addr addr;
	bool is = backend_rows(q, at, &rows);

	memcpy(addr.ip, at->ip, sizeof(addr.ip));
	name = agent_endpoint(q->x->agent, &addr);
	yyjson_mut_obj_add_strcpy(q->doc, o, "address",
				  addr_port_format(at, text));
	yyjson_mut_obj_add_bool(q->doc, o, "endpoint", is);
	yyjson_mut_obj_add_val(
		q->doc, o, "transports",
		json_transports(q->doc, rows.has_service
						? rows.service.transports
						: rows.endpoint.transports));
	yyjson_mut_obj_add_strcpy(q->doc, o, "namespace", name ? name->ns : "");
	yyjson_mut_obj_add_strcpy(q->doc, o, "pod", name ? name->pod : "");
	return o;
}

static void add_row(const struct asking *q, yyjson_mut_val *o)
{
	const struct service_name *name =
		agent_service(q->x->agent, &q->job.remote);
	const char *why = name ? mesh_service_why_label(name->why) : "";
	static const struct smc_addr nobody;
	char text[ADDR_STRLEN];
	bool blamed = name && addr_cmp(&name->stranger, &nobody);

	yyjson_mut_obj_add_bool(q->doc, o, "row", q->rows.has_service);
	yyjson_mut_obj_add_val(
		q->doc, o, "transports",
		json_transports(q->doc, q->rows.service.transports));
	yyjson_mut_obj_add_strcpy(q->doc, o, "why", why);
	yyjson_mut_obj_add_strcpy(q->doc, o, "sentence",
				  mesh_service_why_sentence(why));
	yyjson_mut_obj_add_strcpy(q->doc, o, "stranger",
				  blamed ? addr_format(&name->stranger, text)
					 : "");
	yyjson_mut_obj_add_strcpy(q->doc, o, "pod", name ? name->pod : "");
}

/* What keeps SMC from a Service's address, where that is not one of its
 * backends. */
static const char *service_remedy(const struct asking *q,
				  const struct backends *b)
{
	const struct service_name *name =
		agent_service(q->x->agent, &q->job.remote);
	const char *remedy = name ? mesh_service_why_remedy(name->why) : "";

	return *remedy || q->rows.has_service ? remedy
					      : backends_remedy(b->found);
}

static int add_service(struct asking *q, const char **remedy)
{
	const struct mesh_world *w = source_world(q->x->agent->source);
	_cleanup_(backends_free) struct backends b = {};
	yyjson_mut_val *o, *arr;
	int err = w ? backends_of(w, &q->job.remote, &b) : 0;

	*remedy = "";
	if (err)
		return err;
	if (!b.service && !q->rows.has_service) {
		yyjson_mut_obj_add_null(q->doc, q->o, "service");
		return 0;
	}
	o = yyjson_mut_obj(q->doc);
	arr = yyjson_mut_arr(q->doc);
	add_row(q, o);
	yyjson_mut_obj_add_strcpy(q->doc, o, "namespace",
				  b.service ? b.service->ns : "");
	yyjson_mut_obj_add_strcpy(q->doc, o, "service",
				  b.service ? b.service->name : "");
	for (size_t i = 0; i < b.n; i++)
		yyjson_mut_arr_append(arr, backend_json(q, &b.v[i]));
	yyjson_mut_obj_add_val(q->doc, o, "backends", arr);
	yyjson_mut_obj_add_val(q->doc, q->o, "service", o);
	*remedy = service_remedy(q, &b);
	return 0;
}

/* ---- the newest connection ----------------------------------------------- */

struct newest {
	const struct asking *q;
	struct mesh_newest flows;
};

static int keep_flow(const struct smc_handshake *key, const struct smc_flow *v,
		     void *arg)
{
	struct newest *n = arg;
	const struct asking *q = n->q;
	bool server = q->peer->role == SMC_ROLE_SERVER;
	__u16 port = server ? v->local_port : v->remote_port;

	if (v->pod_id != q->x->pod->id || v->role != q->peer->role ||
	    port != q->peer->at.port ||
	    memcmp(v->remote_ip, q->addr.ip, sizeof(v->remote_ip)) != 0)
		return 0;
	return mesh_newest_add(&n->flows, key, v);
}

/* A connection that was offered SMC and fell back says what the verdict cannot:
 * what the kernel met. */
static void end_flow(const struct smc_flow *f, struct explain_end *end)
{
	char label[FALLBACK_LABEL_MAX];

	if (f->outcome != SMC_OUTCOME_FALLBACK &&
	    f->outcome != SMC_OUTCOME_FAILED)
		return;
	end->remedy = fallback_remedy(f->kernel_code);
	buf_free(&end->said);
	buf_printf(
		&end->said,
		"it is offered SMC; the newest such connection did not become SMC: %s (%s)",
		fallback_sentence(f->kernel_code),
		fallback_label(f->kernel_code, label));
	end->sentence = end->said.data ?: end->sentence;
}

static int add_newest(struct asking *q)
{
	struct newest n = {.q = q, .flows.most = 1};
	const struct mesh_record *row = NULL;
	const struct pod *p = q->x->pod;
	const struct flow_pod pod = {p->ns, p->name};
	int err = datapath_each_flow(q->x->agent->dp, false, keep_flow, &n);

	if (!err && n.flows.n)
		row = n.flows.v;
	yyjson_mut_obj_add_val(q->doc, q->o, "newest_flow",
			       row ? flow_json(q->doc, &row->key, &row->flow,
					       &pod, flow_wall_offset())
				   : yyjson_mut_null(q->doc));
	if (row && q->end->accelerated == 1)
		end_flow(&row->flow, q->end);
	mesh_newest_free(&n.flows);
	return err;
}

/* ---- a peer of this node ------------------------------------------------- */

static int state_of(const struct agent *a, const struct pod *p,
		    struct pod_state *out)
{
	_cleanup_(armed_rows_free) struct armed_rows rows = {};
	int err = armed_rows_read(a->dp, &rows);

	if (!err)
		*out = armed_rows_state(&rows, p, a->last.full);
	return err;
}

/*
 * The other half, where it is of this node: what the peer's pod would answer,
 * or offer. It decides only if this half says yes; but that the peer is no
 * endpoint its own reason explains.
 */
static int add_other_half(struct asking *q, int verdict)
{
	const struct pod *p = api_pod_at(q->x->agent, &q->addr);
	bool server = q->peer->role == SMC_ROLE_SERVER;
	struct smc_verdict_job job;
	struct pod_state is = {};
	_buf_ struct buf name = {};
	yyjson_mut_val *o;
	int err, got;

	if (!p || p == q->x->pod) {
		yyjson_mut_obj_add_null(q->doc, q->o, "here");
		return 0;
	}
	err = state_of(q->x->agent, p, &is);
	if (err)
		return err;
	o = yyjson_mut_obj(q->doc);
	buf_printf(&name, "%s/%s", p->ns, p->name);
	yyjson_mut_obj_add_strcpy(q->doc, o, "pod", name.data ?: "");
	yyjson_mut_obj_add_bool(q->doc, o, "armed", is.armed);
	job = job_of(p, server ? SMC_ROLE_CLIENT : SMC_ROLE_SERVER,
		     q->job.local, q->job.remote);
	got = ask(q, &job, o);
	yyjson_mut_obj_add_val(q->doc, q->o, "here", o);
	if (!is.armed &&
	    (verdict == SMC_REASON_NONE || verdict == SMC_REASON_NOT_ENDPOINT))
		explain_end_pod(q->end, p, &is);
	else if (got > 0 && verdict == SMC_REASON_NONE)
		explain_end_reason(q->end, got);
	return 0;
}

/* ---- all of it ----------------------------------------------------------- */

static void add_rows(struct asking *q)
{
	yyjson_mut_obj_add_val(q->doc, q->o, "endpoint", endpoint_json(q));
	yyjson_mut_obj_add_val(q->doc, q->o, "exclusions", exclusions_json(q));
	yyjson_mut_obj_add_val(q->doc, q->o, "quarantine", quarantine_list(q));
	yyjson_mut_obj_add_val(q->doc, q->o, "path", path_json(q));
}

/* The pod's own steps decide before the verdict. @got: of ask(). */
static void end_verdict(struct asking *q, int got, const char *remedy)
{
	if (q->x->at.failed != EXPLAIN_STEP_MAX)
		return;
	if (got < 0) {
		q->end->accelerated = -1;
		q->end->reason = "unknown";
		q->end->sentence = "the kernel could not be asked the verdict";
		q->end->remedy =
			"see in the agent's log why it could not load the program verdict_ask";
		return;
	}
	if (got == SMC_REASON_NONE)
		return; /* the pod's own end: there may be something late */
	explain_end_reason(q->end, got);
	if (*remedy &&
	    (got == SMC_REASON_MIXED_SERVICE || got == SMC_REASON_NOT_ENDPOINT))
		q->end->remedy = remedy;
}

int explain_add_peer(const struct explained *x, const struct explain_peer *peer,
		     yyjson_mut_doc *doc, yyjson_mut_val *root,
		     struct explain_end *end)
{
	struct asking q = {.x = x, .peer = peer, .doc = doc, .end = end};
	char text[ADDR_PORT_STRLEN], own[ADDR_STRLEN];
	const char *remedy;
	int got, err;

	q.o = yyjson_mut_obj(doc);
	memcpy(q.addr.ip, peer->at.ip, sizeof(q.addr.ip));
	q.own = own_addr(x->pod, &q.addr);
	q.job = job_asked(&q);
	datapath_peer_rows(x->agent->dp, x->pod->id, &q.job, &q.rows);
	yyjson_mut_obj_add_strcpy(doc, q.o, "address",
				  addr_port_format(&peer->at, text));
	yyjson_mut_obj_add_strcpy(doc, q.o, "own", addr_format(&q.own, own));
	got = ask(&q, &q.job, q.o);
	add_rows(&q);
	err = add_service(&q, &remedy);
	end_verdict(&q, got, remedy);
	if (!err && x->at.failed == EXPLAIN_STEP_MAX)
		err = add_other_half(&q, got);
	err = err ?: add_newest(&q);
	yyjson_mut_obj_add_val(doc, root, "peer", q.o);
	return err;
}

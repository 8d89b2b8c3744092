// SPDX-License-Identifier: Apache-2.0
/*
 * /v1/explain: how far a pod of this node has come, and why no further. The
 * maps, the switch, the lease and the pod's namespace are read for this answer;
 * no answer changes one of them, or what the agent knows.
 */
#include "serve/api_explain.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include "cluster/cluster.h"
#include "pods/looks.h"
#include "serve/ready.h"
#include "telemetry/labels.h"

/* ---- read back ----------------------------------------------------------- */

static void read_look(struct explained *x)
{
	const struct pod_how how = agent_how(x->agent);
	__u32 usable = x->agent->last.transports;

	x->look_err =
		x->pod->wanted ? pod_look_now(x->pod, &how, &x->now) : -EAGAIN;
	if (x->look_err)
		return;
	if (!x->now.verified)
		x->facts.look = x->now.reason;
	else if (!(x->now.transports & usable))
		x->facts.look = SMC_REASON_NO_TRANSPORT;
}

static __u32 lower_of(__u32 mesh, __u32 own)
{
	return own && own < mesh ? own : mesh;
}

static __u32 pending_max(const struct explained *x)
{
	return lower_of(x->config.limits.pending_pod, x->held.pending_max);
}

static __u32 connections_max(const struct explained *x)
{
	return lower_of(x->config.limits.connections_pod,
			x->held.connections_max);
}

static enum smc_reason ration_of(const struct explained *x)
{
	if (!x->pod->id || !(x->config.uses & SMC_USE_PENDING))
		return SMC_REASON_NONE;
	if (x->held.pending >= pending_max(x) ||
	    x->node.pending >= x->config.limits.pending_node)
		return SMC_REASON_RATIONED;
	return x->held.connections >= connections_max(x) ? SMC_REASON_BUDGET
							 : SMC_REASON_NONE;
}

static int read_maps(struct explained *x)
{
	_cleanup_(armed_rows_free) struct armed_rows rows = {};
	const struct agent *a = x->agent;
	int err = datapath_config(a->dp, &x->config);

	x->has_config = !err;
	x->lease_left = lease_left(a);
	if (err == -ENOENT) /* nothing is possible here */
		err = 0;
	err = err ?: armed_rows_read(a->dp, &rows);
	if (!err && x->pod->id)
		err = datapath_usage(a->dp, smc_slot(x->pod->id), &x->held)
			      ?: datapath_usage(a->dp, SMC_SLOT_NODE, &x->node);
	if (!err)
		x->is = armed_rows_state(&rows, x->pod, a->last.full);
	return err;
}

static bool is_unpublished(const struct explained *x)
{
	const struct cluster *c = x->agent->cluster;

	return c && (!x->pod->published.n || !cluster_published(c, false));
}

static int read_back(struct explained *x)
{
	const struct reconciled *last = &x->agent->last;
	int err;

	if (!x->pod) {
		x->at = explain_pod(&x->facts);
		return 0;
	}
	err = read_maps(x);
	if (err)
		return err;
	read_look(x);
	x->facts.known = true;
	x->facts.reason = x->is.reason;
	x->facts.mesh_on =
		x->has_config ? x->config.enabled : last->mesh_enabled;
	x->facts.no_room = last->off;
	x->facts.lease = x->lease_left != 0;
	x->facts.unpublished = is_unpublished(x);
	x->facts.ration = ration_of(x);
	x->at = explain_pod(&x->facts);
	return 0;
}

/* ---- what was found at each step ----------------------------------------- */

static void find_known(const struct explained *x, struct buf *out)
{
	const struct agent *a = x->agent;

	if (x->pod) {
		buf_printf(out, "uid %s, of %s", x->pod->uid, a->opt->source);
		return;
	}
	for (size_t i = 0; i < a->owners.n_names; i++) {
		const struct endpoint_name *n = &a->owners.names[i];
		size_t len = strlen(n->ns);

		if (len && !strncmp(x->asked, n->ns, len) &&
		    x->asked[len] == '/' &&
		    !strcmp(x->asked + len + 1, n->pod)) {
			buf_printf(out, "it is a pod of the node %s", n->node);
			return;
		}
	}
	buf_printf(out, "%s has %zu pod%s of this node (%s), none of that name",
		   a->opt->source, a->pods.n, a->pods.n == 1 ? "" : "s",
		   a->opt->node);
}

static void find_running(const struct explained *x, struct buf *out)
{
	bool ended = x->is.reason == SMC_REASON_POD_ENDED;

	buf_printf(out, "%s",
		   ended ? "it has ended"
		   : pod_is(x->pod, POD_RUNNING)
			   ? "its phase is Running"
			   : "it has not ended, and does not run yet");
}

static void find_annotated(const struct explained *x, struct buf *out)
{
	bool not = x->is.reason == SMC_REASON_NOT_ANNOTATED;

	buf_printf(out, "%s",
		   x->pod->problem
			   ?: not? "neither it nor its Namespace says true"
				 : "it, or its Namespace, says true");
}

static void find_mesh(const struct explained *x, struct buf *out)
{
	buf_printf(out, "the mesh's switch is %s, the kernel's (smc_config) %s",
		   x->agent->last.mesh_enabled ? "on" : "off",
		   !x->has_config      ? "not there"
		   : x->config.enabled ? "on"
				       : "off");
}

static void find_capable(const struct explained *x, struct buf *out)
{
	buf_printf(out, "converter %s, selector %s",
		   datapath_converter(x->agent->dp),
		   datapath_selector(x->agent->dp));
}

static void find_space_found(const struct explained *x, struct buf *out)
{
	const struct pod *p = x->pod;

	if (x->at.failed == EXPLAIN_SPACE && *p->facts.detail)
		buf_printf(out, "%s", p->facts.detail);
	else if (p->host_network)
		buf_printf(out, "the host's, cgroup %llu",
			   (unsigned long long)p->cgroup_id);
	else
		buf_printf(out, "%s, cookie %llu",
			   p->where ?: p->netns_path ?: "no process of it",
			   (unsigned long long)p->facts.cookie);
	if (x->look_err == -ENOENT)
		buf_printf(out, "; it is not there now");
}

/* Which selector the namespace has. */
static void say_selector(const struct netns_facts *f, struct buf *out)
{
	if (netns_has_filters(f->ctrl))
		buf_printf(out, "its devices have %s filters",
			   f->ctrl_is_ours ? "our" : "others before our");
	else
		buf_printf(out, "net.smc.hs_ctrl is %s%s",
			   *f->ctrl ? f->ctrl : "empty",
			   f->ctrl_is_ours ? ", ours"
			   : *f->ctrl	   ? ", not ours"
					   : "");
}

static void find_look(const struct explained *x, struct buf *out)
{
	const struct netns_facts *f = x->look_err ? &x->pod->facts : &x->now;
	/* the rules are looked at by the agent's own looks alone */
	const char *detail = x->facts.look ? f->detail : x->pod->facts.detail;

	say_selector(f, out);
	if (f->verified)
		buf_printf(out, "; a trial SMC socket was made");
	if (x->at.failed == EXPLAIN_LOOK && *detail && strcmp(detail, f->ctrl))
		buf_printf(out, "; %s", detail);
	if (x->look_err)
		buf_printf(out, " (as last seen; now: %s)",
			   strerror(-x->look_err));
}

static void find_transport(const struct explained *x, struct buf *out)
{
	const struct netns_facts *f = x->look_err ? &x->pod->facts : &x->now;
	char text[TRANSPORTS_STRLEN], node[TRANSPORTS_STRLEN];

	buf_printf(out, "in the namespace %s, of the node's %s",
		   transports_format(f->transports, text),
		   transports_format(x->agent->last.transports, node));
}

static void add_addrs(struct buf *out, const struct mesh_addrs *addrs)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < addrs->n; i++)
		buf_printf(out, "%s%s", i ? "," : "",
			   addr_format(&addrs->v[i], text));
	if (!addrs->n)
		buf_printf(out, "none");
}

static void find_address(const struct explained *x, struct buf *out)
{
	const struct netns_facts *f = x->look_err ? &x->pod->facts : &x->now;

	buf_printf(out, "the source says ");
	add_addrs(out, &x->pod->addrs);
	buf_printf(out, ", the namespace has ");
	add_addrs(out, &f->addrs);
}

static void find_row(const struct explained *x, struct buf *out)
{
	const char *map = x->pod->host_network ? "smc_cgroup" : "smc_netns";
	char text[TRANSPORTS_STRLEN];

	if (x->is.refused)
		buf_printf(out, "%s has it as refused", map);
	else if (x->is.kernel.pod_id)
		buf_printf(out, "%s has pod %u: %s%s", map, x->pod->id,
			   transports_format(x->is.kernel.transports, text),
			   x->is.kernel.flags & SMC_POD_SIDECAR
				   ? ", the proxy's sockets alone"
				   : "");
	else
		buf_printf(out, "%s has no row of it", map);
}

static void find_lease(const struct explained *x, struct buf *out)
{
	if (isinf(x->lease_left))
		buf_printf(out, "without an end");
	else if (x->lease_left < 0)
		buf_printf(out, "there are no maps");
	else
		buf_printf(out, "%.0f seconds left", x->lease_left);
}

static void find_published(const struct explained *x, struct buf *out)
{
	const char *problem = cluster_problem(x->agent->cluster);

	if (!x->agent->cluster) {
		buf_printf(out, "a file as the source: there is nothing to "
				"publish to");
		return;
	}
	add_addrs(out, &x->pod->published);
	if (problem)
		buf_printf(out, "; %s", problem);
}

static void find_rations(const struct explained *x, struct buf *out)
{
	buf_printf(out,
		   "%u of %u handshakes under way (the node's: %u of %u), "
		   "%u of %u connections",
		   x->held.pending, pending_max(x), x->node.pending,
		   x->config.limits.pending_node, x->held.connections,
		   connections_max(x));
}

static void (*const find[EXPLAIN_STEP_MAX])(const struct explained *,
					    struct buf *) = {
	[EXPLAIN_KNOWN] = find_known,
	[EXPLAIN_RUNNING] = find_running,
	[EXPLAIN_ANNOTATED] = find_annotated,
	[EXPLAIN_MESH] = find_mesh,
	[EXPLAIN_CAPABLE] = find_capable,
	[EXPLAIN_SPACE] = find_space_found,
	[EXPLAIN_LOOK] = find_look,
	[EXPLAIN_TRANSPORT] = find_transport,
	[EXPLAIN_ADDRESS] = find_address,
	[EXPLAIN_ROW] = find_row,
	[EXPLAIN_LEASE] = find_lease,
	[EXPLAIN_PUBLISHED] = find_published,
	[EXPLAIN_RATION] = find_rations,
};

/* ---- the answer ---------------------------------------------------------- */

/* "ok": null and "found": "" of the steps behind the one that failed. */
static yyjson_mut_val *steps_json(yyjson_mut_doc *doc,
				  const struct explained *x)
{
	yyjson_mut_val *arr = yyjson_mut_arr(doc);

	for (enum explain_step s = 0; s < EXPLAIN_STEP_MAX; s++) {
		yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, arr);
		_buf_ struct buf found = {};

		if (s <= x->at.failed)
			find[s](x, &found);
		yyjson_mut_obj_add_str(doc, o, "step", explain_step_label(s));
		yyjson_mut_obj_add_val(
			doc, o, "ok",
			s > x->at.failed
				? yyjson_mut_null(doc)
				: yyjson_mut_bool(doc, s < x->at.failed));
		yyjson_mut_obj_add_strcpy(doc, o, "found", found.data ?: "");
	}
	return arr;
}

/* What is late does not keep an armed pod from acceleration, and yet there is
 * something to do. */
static void end_late(const struct pod *p, struct explain_end *end)
{
	struct buf *remedy = &end->todo;
	char text[ADDR_PORT_STRLEN];

	if (p->n_late) {
		const struct smc_addr_port at =
			addr_port(&p->late[0].addr, p->late[0].port);

		buf_printf(
			remedy,
			"restart the pod: what listens at %s%s was opened before it was armed, and stays plain TCP",
			addr_port_format(&at, text),
			p->n_late > 1 ? " (and others)" : "");
	} else if (p->n_late_flows) {
		buf_printf(
			remedy,
			"smcmesh reopen %s/%s ends the %zu connections that were opened too early; what its program opens then is accelerated",
			p->ns, p->name, p->n_late_flows);
	}
	if (remedy->data && !remedy->err)
		end->remedy = remedy->data;
}

static void end_pod(const struct explained *x, struct explain_end *end)
{
	explain_end_reason(end, x->at.reason);
	if (x->at.failed == EXPLAIN_STEP_MAX) {
		end_late(x->pod, end);
		return;
	}
	end->accelerated = 0;
	if (x->at.reason && x->at.reason == x->is.reason)
		explain_end_pod(end, x->pod, &x->is);
	if (x->at.reason)
		return;
	end->reason = explain_step_label(x->at.failed);
	end->sentence = explain_step_sentence(x->at.failed);
	end->remedy = explain_step_remedy(x->at.failed);
}

/* @peer: NULL: the pod alone. */
static void reply_explained(struct http_reply *reply, struct explained *x,
			    const struct explain_peer *peer)
{
	struct explain_end end = {};
	yyjson_mut_val *root;
	_doc_ yyjson_mut_doc *doc = api_doc_new(&root);
	int err = read_back(x);

	if (!err) {
		yyjson_mut_obj_add_strcpy(doc, root, "pod", x->asked);
		yyjson_mut_obj_add_bool(doc, root, "known", x->pod);
		yyjson_mut_obj_add_val(doc, root, "steps", steps_json(doc, x));
		end_pod(x, &end);
	}
	if (!err && peer && x->pod)
		err = explain_add_peer(x, peer, doc, root, &end);
	if (!err)
		explain_add_end(doc, root, &end);
	api_reply_doc(reply, doc, err);
	netns_facts_free(&x->now);
	explain_end_free(&end);
}

void api_get_explain(struct MHD_Connection *request, struct http_reply *reply,
		     void *arg)
{
	const char *peer = http_query(request, "peer");
	struct explain_peer other = {.role = http_query(request, "server")
						     ? SMC_ROLE_SERVER
						     : SMC_ROLE_CLIENT};
	struct agent *a = arg;
	struct explained x = {.agent = a, .asked = http_query(request, "pod")};
	_buf_ struct buf why = {};

	if (!x.asked || !strchr(x.asked, '/')) {
		api_refuse(reply, 400, x.asked, "expected NAMESPACE/POD");
		return;
	}
	if (peer && addr_port_parse(peer, &other.at)) {
		api_refuse(reply, 400, peer,
			   "expected ADDRESS:PORT or [ADDRESS]:PORT");
		return;
	}
	if (!a->last.synced) {
		agent_ready(a, &why);
		api_refuse(reply, 503, "the agent cannot tell yet",
			   why.data ?: "");
		return;
	}
	x.pod = pods_by_full_name(&a->pods, x.asked);
	reply_explained(reply, &x, peer ? &other : NULL);
}

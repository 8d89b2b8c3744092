// SPDX-License-Identifier: Apache-2.0
/* /v1/reopen: late flows of a pod are ended, after a reconcile. */
#include <errno.h>
#include <string.h>

#include "agent/reconcile.h"
#include "agent/routes.h"
#include "base/log.h"
#include "pods/lateness.h"
#include "pods/waiting.h"
#include "serve/api.h"

static void reply_ended(struct http_reply *reply, const struct pod *p,
			int ended)
{
	yyjson_mut_val *root;
	_doc_ yyjson_mut_doc *doc = api_doc_new(&root);
	_buf_ struct buf name = {};

	buf_printf(&name, "%s/%s", p->ns, p->name);
	yyjson_mut_obj_add_strcpy(doc, root, "pod", name.data ?: "");
	yyjson_mut_obj_add_uint(doc, root, "late", p->n_late_flows);
	yyjson_mut_obj_add_int(doc, root, "ended", ended);
	api_reply_doc(reply, doc, 0);
}

void post_reopen(struct MHD_Connection *request, struct http_reply *reply,
		 void *arg)
{
	const char *name = http_query(request, "pod");
	struct agent *a = arg;
	struct pod *p = pods_by_full_name(&a->pods, name);
	int ended = 0;

	if (!p) {
		api_refuse(reply, 404, name, "no such pod on this node");
		return;
	}
	/* Judge by the world as it is now: the other end may have become an
	 * endpoint just before. The reconcile may also drop the pod, so look it
	 * up again. */
	reconcile(a);
	p = pods_by_full_name(&a->pods, name);
	if (!p || !pod_armed(p)) {
		api_refuse(
			reply, 409, name,
			"the pod is not armed, new connections would be TCP too");
		return;
	}
	ended = diagnose_now(a, p);
	if (!ended && p->n_late_flows)
		ended = diagnose_end(a, p);
	if (ended < 0) {
		api_refuse(
			reply, 500, "cannot end the late flows",
			ended == -EOPNOTSUPP
				? "this kernel cannot destroy sockets (CONFIG_INET_DIAG_DESTROY)"
				: strerror(-ended));
		return;
	}
	log_info("pod %s/%s: late flows ended, late=%zu ended=%d", p->ns,
		 p->name, p->n_late_flows, ended);
	reply_ended(reply, p, ended);
	pod_stale(p);
	turn_due(&a->turn);
}

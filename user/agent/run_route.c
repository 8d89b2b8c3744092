// SPDX-License-Identifier: Apache-2.0
/* /v1/run?cgroup=PATH: `smcmesh run` asks to be armed, in a reconcile at once.
 */
#include <errno.h>
#include <string.h>

#include "agent/reconcile.h"
#include "agent/routes.h"
#include "agent/runs.h"
#include "serve/api.h"
#include "telemetry/labels.h"

/* The armed pod in whose cgroup the one at @path lies: its row holds there. */
static const struct pod *armed_around(const struct agent *a, const char *path)
{
	for (size_t i = 0; i < a->pods.n; i++) {
		const struct pod *p = a->pods.v[i];
		size_t len = p->cgroup_path ? strlen(p->cgroup_path) : 0;

		if (len && pod_armed(p) &&
		    !strncmp(path, p->cgroup_path, len) && path[len] == '/')
			return p;
	}
	return NULL;
}

/* Did the last look at @p see all that there is? */
static bool is_settled(const struct pod *p)
{
	return !p->wanted || (!p->stale && !p->err);
}

/* Why no program can be armed here, or NONE. */
static enum smc_reason node_cannot(const struct agent *a)
{
	if (!a->host.can_convert)
		return SMC_REASON_NO_CONVERTER;
	if (!a->host.mesh.selector)
		return SMC_REASON_NO_SELECTOR;
	return datapath_cgroup(a->dp) ? SMC_REASON_NONE : SMC_REASON_NO_CGROUP2;
}

/* "settled": to ask again changes nothing. */
static void reply_cannot(struct http_reply *reply, enum smc_reason reason)
{
	yyjson_mut_val *root;
	_doc_ yyjson_mut_doc *doc = api_doc_new(&root);

	yyjson_mut_obj_add_bool(doc, root, "armed", false);
	yyjson_mut_obj_add_bool(doc, root, "inside", false);
	yyjson_mut_obj_add_bool(doc, root, "settled", reason);
	yyjson_mut_obj_add_str(doc, root, "reason",
			       reason ? reason_label(reason) : "");
	yyjson_mut_obj_add_str(doc, root, "sentence",
			       reason ? reason_sentence(reason)
				      : "the agent has read nothing yet");
	api_reply_doc(reply, doc, 0);
}

/* @inside: @p is not this program's, but holds for it. */
static void reply_pod(struct agent *a, struct http_reply *reply,
		      const struct pod *p, bool inside)
{
	yyjson_mut_val *root;
	_doc_ yyjson_mut_doc *doc = api_doc_new(&root);
	_cleanup_(armed_rows_free) struct armed_rows rows = {};
	int err = armed_rows_read(a->dp, &rows);
	struct pod_state is = armed_rows_state(&rows, p, a->last.full);

	yyjson_mut_obj_add_bool(doc, root, "armed", is.armed);
	yyjson_mut_obj_add_bool(doc, root, "inside", inside);
	yyjson_mut_obj_add_bool(doc, root, "settled", is_settled(p));
	yyjson_mut_obj_add_str(doc, root, "reason", reason_label(is.reason));
	api_add_sentence(doc, root, p, &is);
	api_reply_doc(reply, doc, err);
}

static void refuse(struct http_reply *reply, const char *path, int err)
{
	if (err == -EINVAL)
		api_refuse(reply, 400, path, "no cgroup of smcmesh run");
	else if (err == -EPERM)
		api_refuse(reply, 400, path,
			   "not made by root, or in a pod of Kubernetes");
	else
		api_refuse(reply, 500, path, strerror(-err));
}

void post_run(struct MHD_Connection *request, struct http_reply *reply,
	      void *arg)
{
	const char *path = http_query(request, "cgroup") ?: "";
	struct agent *a = arg;
	const struct pod *p = armed_around(a, path);
	enum smc_reason cannot = node_cannot(a);
	int err;

	if (p) {
		reply_pod(a, reply, p, true);
		return;
	}
	err = runs_take(a, path);
	if (err && (!cannot || err == -EINVAL || err == -EPERM)) {
		refuse(reply, path, err);
		return;
	}
	if (!cannot)
		reconcile(a);
	p = runs_pod(a, path);
	if (p)
		reply_pod(a, reply, p, false);
	else
		reply_cannot(reply, cannot);
}

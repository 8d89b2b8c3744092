// SPDX-License-Identifier: Apache-2.0
/*
 * The agent reads its Node, and patches it where it has the taint. The patch
 * tests what it removes: where somebody else changed the taints meanwhile the
 * server refuses it, and the agent reads the Node again.
 */
#include "cluster/untaint.h"

#include "cluster/errand.h"
#include "base/log.h"
#include "objects/encode.h"

#define TAINT "smcmesh.io/agent-not-ready"
#define AGAIN_MS 1000

struct untaint {
	const char *node;
	struct errand *errand;
	bool begun;
	bool patch; /* it is the PATCH that was asked */
};

static void ask(struct untaint *u, const char *body, unsigned int delay)
{
	_buf_ struct buf path = {};
	struct kube_request req = {.method = body ? "PATCH" : "GET",
				   .body = body,
				   .content_type =
					   body ? KUBE_JSON_PATCH : NULL};

	buf_printf(&path, "/api/v1/nodes/");
	kube_escape(&path, u->node);
	req.path = path.data;
	u->patch = body;
	if (path.err || errand_go(u->errand, &req, delay))
		u->begun = false; /* the next untaint_begin() tries again */
}

static bool patched(struct untaint *u, int status)
{
	/* The taints changed meanwhile: look again. */
	if (status == 409 || status == 422)
		ask(u, NULL, AGAIN_MS);
	else if (status < 300)
		log_info("took the taint " TAINT " off this node");
	else
		return false;
	return true;
}

static bool answered(int status, const char *body, size_t len, void *arg)
{
	struct untaint *u = arg;
	_buf_ struct buf patch = {};
	int got;

	if (u->patch)
		return patched(u, status);
	if (status != 200)
		return false;
	got = kube_encode_untaint(body, len, TAINT, &patch);
	if (got < 0)
		return false;
	if (got)
		ask(u, patch.data, 0);
	return true;
}

void untaint_begin(struct untaint *u)
{
	if (u->begun)
		return;
	u->begun = true;
	ask(u, NULL, 0);
}

struct untaint *untaint_new(uv_loop_t *loop, struct kube_client *client,
			    const char *node)
{
	struct untaint *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->node = node;
	u->errand = errand_new(loop, client, answered, u);
	if (u->errand)
		return u;
	free(u);
	return NULL;
}

void untaint_close(struct untaint *u)
{
	if (!u)
		return;
	errand_close(u->errand);
	free(u);
}

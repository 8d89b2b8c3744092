// SPDX-License-Identifier: Apache-2.0
#include "cluster/event_queue.h"

#include <errno.h>
#include <string.h>
#include "cluster/errand.h"
#include "base/array.h"
#include "base/log.h"
#include "base/once.h"

#define WAITING_MAX 64

struct waiting {
	char *path, *body;
};

struct report {
	struct kube_client *client;
	struct errand *errand;
	struct waiting *v; /* the first is under way */
	size_t n;
	bool dropped, refused; /* said, until it is over */
};

static void waiting_free(struct waiting *w)
{
	free(w->path);
	free(w->body);
}

static void first_done(struct report *r)
{
	waiting_free(&r->v[0]);
	r->n--;
	memmove(r->v, r->v + 1, r->n * sizeof(*r->v));
	r->dropped &= r->n > 0;
}

static void go(struct report *r)
{
	while (r->n && !errand_busy(r->errand)) {
		struct kube_request req = {.method = "POST",
					   .path = r->v[0].path,
					   .body = r->v[0].body};

		if (errand_go(r->errand, &req, 0))
			first_done(r); /* the log and the metrics have it */
	}
}

/* The server refuses an Event while it deletes the pod's namespace, and where
 * RBAC does not allow us Events. */
static void refused(struct report *r, int status, const char *body, size_t len)
{
	_buf_ struct buf text = {};

	if (!once_bool(&r->refused, true))
		return;
	kube_say(&text, r->client, "POST", r->v[0].path, 0, status, body, len);
	log_warn(0, "%s; further refused Events are not named",
		 text.data ?: "an Event was refused");
}

static bool answered(int status, const char *body, size_t len, void *arg)
{
	struct report *r = arg;

	if (status == 429 || status >= 500)
		return false;
	/* Conflict: an earlier agent has made the same Event. */
	if (status >= 300 && status != 409)
		refused(r, status, body, len);
	r->refused &= status >= 300;
	first_done(r);
	go(r);
	return true;
}

void report_pod(struct report *r, const struct kube_event *e)
{
	_buf_ struct buf path = {}, body = {};
	struct waiting *w;

	if (r->n == WAITING_MAX) {
		if (once_bool(&r->dropped, true))
			log_warn(
				0,
				"more than %d Events wait for the API server: further ones are dropped",
				WAITING_MAX);
		return;
	}
	buf_printf(&path, "/api/v1/namespaces/");
	kube_escape(&path, e->ns);
	buf_printf(&path, "/events");
	if (path.err || kube_encode_event(e, &body))
		return;
	w = array_push(r->v, r->n);
	if (!w)
		return;
	*w = (struct waiting){buf_take(&path), buf_take(&body)};
	go(r);
}

struct report *report_new(uv_loop_t *loop, struct kube_client *client)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->client = client;
	r->errand = errand_new(loop, client, answered, r);
	if (r->errand)
		return r;
	free(r);
	return NULL;
}

void report_close(struct report *r)
{
	if (!r)
		return;
	errand_close(r->errand);
	for (size_t i = 0; i < r->n; i++)
		waiting_free(&r->v[i]);
	free(r->v);
	free(r);
}

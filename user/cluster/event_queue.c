// SPDX-License-Identifier: Apache-2.0
#include "cluster/event_queue.h"

#include <errno.h>
#include <string.h>
#include "cluster/errand.h"
#include "base/array.h"
#include "base/log.h"
#include "base/once.h"

#define WAITING_MAX 64
#define WAITING_NORMAL 32 /* warnings find a place after these, too */

struct waiting {
	char *uid, *path, *body;
	enum report_topic topic;
	bool warning;
};

struct report {
	uv_loop_t *loop;
	struct kube_client *client;
	struct errand *errand;
	unsigned int between_ms;
	__u64 next_at;	   /* uv_now(): none before */
	struct waiting *v; /* while the errand is busy the first is under way */
	size_t n;
	bool refused; /* said, until it is over */
};

static void waiting_free(struct waiting *w)
{
	free(w->uid);
	free(w->path);
	free(w->body);
}

static void remove_at(struct report *r, size_t i)
{
	waiting_free(&r->v[i]);
	r->n--;
	memmove(r->v + i, r->v + i + 1, (r->n - i) * sizeof(*r->v));
}

/* ---- sending ------------------------------------------------------------- */

/* The next one's turn has come: it stands first from now on. */
static void choose(struct report *r)
{
	struct waiting next;
	size_t i = 0;

	while (i < r->n && !r->v[i].warning)
		i++;
	if (i == r->n)
		return;
	next = r->v[i];
	memmove(r->v + 1, r->v, i * sizeof(*r->v));
	r->v[0] = next;
}

static void go(struct report *r)
{
	struct kube_request req = {.method = "POST"};
	__u64 now;

	if (!r->n || errand_busy(r->errand))
		return;
	choose(r);
	req.path = r->v[0].path;
	req.body = r->v[0].body;
	uv_update_time(r->loop);
	now = uv_now(r->loop);
	/* Without memory it waits for the next Event. */
	(void)!errand_go(r->errand, &req,
			 r->next_at > now ? r->next_at - now : 0);
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
	remove_at(r, 0);
	uv_update_time(r->loop);
	r->next_at = uv_now(r->loop) + r->between_ms;
	go(r);
	return true;
}

/* ---- waiting ------------------------------------------------------------- */

/* What waits of this pod and topic; what is under way does not. */
static struct waiting *find(struct report *r, enum report_topic topic,
			    const char *uid)
{
	for (size_t i = errand_busy(r->errand); i < r->n; i++)
		if (r->v[i].topic == topic && !strcmp(r->v[i].uid, uid))
			return &r->v[i];
	return NULL;
}

static struct waiting *place_for(struct report *r, const struct waiting *w)
{
	struct waiting *old = find(r, w->topic, w->uid);

	if (old) {
		waiting_free(old);
		return old;
	}
	if (r->n >= (w->warning ? WAITING_MAX : WAITING_NORMAL))
		return NULL;
	return array_push(r->v, r->n);
}

static int fill(struct waiting *w, const struct kube_event *e)
{
	_buf_ struct buf path = {}, body = {};
	int err;

	buf_printf(&path, "/api/v1/namespaces/");
	kube_escape(&path, e->ns);
	buf_printf(&path, "/events");
	err = path.err ?: kube_encode_event(e, &body);
	if (err)
		return err;
	w->uid = strdup(e->uid);
	if (!w->uid)
		return -ENOMEM;
	w->path = buf_take(&path);
	w->body = buf_take(&body);
	return 0;
}

bool report_pod(struct report *r, enum report_topic topic,
		const struct kube_event *e)
{
	struct waiting w = {.topic = topic, .warning = e->warning}, *place;

	if (fill(&w, e))
		return false;
	place = place_for(r, &w);
	if (!place) {
		waiting_free(&w);
		return false;
	}
	*place = w;
	go(r);
	return true;
}

void report_drop(struct report *r, enum report_topic topic, const char *uid)
{
	struct waiting *w = find(r, topic, uid);

	if (w)
		remove_at(r, w - r->v);
}

struct report *report_new(uv_loop_t *loop, struct kube_client *client,
			  unsigned int between_ms)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->loop = loop;
	r->client = client;
	r->between_ms = between_ms;
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

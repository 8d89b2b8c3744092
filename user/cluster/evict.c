// SPDX-License-Identifier: Apache-2.0
/*
 * The agent asks once, notes the server's answer on the pod, and judges anew at
 * the next reconcile. The server's refusal for a passing reason (a disruption
 * budget, 429) and the one for ever (two budgets for one pod, 500) look alike,
 * so neither holds up another pod.
 */
#include "cluster/evict.h"

#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "base/once.h"
#include "objects/encode.h"

/* The server may be evicting a pod whose answer was lost. So the agent asks for
 * that pod before all others, but only until so many answers in a row were
 * lost. */
#define LOST_MAX 3

struct evict {
	uv_loop_t *loop;
	struct kube_client *client;
	struct pods *pods;
	struct kube_call *call; /* under way */
	char *path, *uid;	/* of it, of its pod */
};

/* ---- answers ------------------------------------------------------------- */

static void say(const struct evict *e, struct pod *p, int err, int status,
		const char *body, size_t len)
{
	_buf_ struct buf text = {};

	kube_say(&text, e->client, "POST", e->path, err, status, body, len);
	if (text.data && once_text(&p->told.evict.said, text.data))
		log_warn(0, "%s; it is tried again while the pod is late",
			 text.data);
}

static void postpone(const struct evict *e, struct pod *p)
{
	p->told.evict.after = uv_now(e->loop) +
			      kube_again_ms(e->client, &p->told.evict.failures);
}

static void answer(int err, int status, const char *body, size_t len, void *arg)
{
	struct evict *e = arg;
	_free_ char *uid = take_ptr(e->uid);
	struct pod *p = pods_find(e->pods, uid);

	e->call = NULL;
	if (!p)
		return;
	p->told.evict.lost = err ? p->told.evict.lost + 1 : 0;
	if (!err && status < 300) {
		p->told.flags |= POD_GOING;
		log_info(
			"evicting pod %s/%s: its listeners are older than this agent",
			p->ns, p->name);
		return;
	}
	postpone(e, p);
	/* 404: it is gone; 409: another pod has its name. */
	if (status != 404 && status != 409)
		say(e, p, err, status, body, len);
}

/* ---- asking -------------------------------------------------------------- */

static int ask(struct evict *e, const struct pod *p)
{
	_buf_ struct buf path = {}, body = {};
	struct kube_request req = {.method = "POST", .done = answer, .arg = e};
	int err;

	buf_printf(&path, "/api/v1/namespaces/");
	kube_escape(&path, p->ns);
	buf_printf(&path, "/pods/");
	kube_escape(&path, p->name);
	buf_printf(&path, "/eviction");
	err = path.err ?: kube_encode_eviction(p->ns, p->name, p->uid, &body);
	if (err)
		return err;
	free(e->path);
	free(e->uid);
	e->path = buf_take(&path);
	e->uid = strdup(p->uid);
	if (!e->uid)
		return -ENOMEM;
	req.path = e->path;
	req.body = body.data;
	return kube_request(e->client, &req, &e->call);
}

/* ---- choosing ------------------------------------------------------------ */

/* Only pods whose controller makes another one in their place. */
static bool to_evict(const struct pod *p)
{
	return pod_armed(p) && p->n_late && pod_is(p, POD_BEFORE) &&
	       pod_is(p, POD_REPLACED);
}

/* The agent forgets the failures of a pod that is not late any more: if the pod
 * becomes late again, they are counted from the beginning. */
static void forget_others(struct evict *e)
{
	for (size_t i = 0; i < e->pods->n; i++) {
		struct pod *p = e->pods->v[i];

		if (to_evict(p))
			continue;
		p->told.evict.failures = p->told.evict.lost = 0;
		free(take_ptr(p->told.evict.said));
	}
}

static bool may_be_going(const struct pod *p)
{
	return p->told.evict.lost && p->told.evict.lost < LOST_MAX;
}

static bool is_before(const struct pod *a, const struct pod *b)
{
	if (may_be_going(a) != may_be_going(b))
		return may_be_going(a);
	return a->told.evict.after < b->told.evict.after;
}

/* The pod to ask for next; NULL: the server is evicting one, or no pod is late.
 */
static struct pod *first(const struct evict *e)
{
	struct pod *best = NULL;

	for (size_t i = 0; i < e->pods->n; i++) {
		struct pod *p = e->pods->v[i];

		if (p->told.flags & POD_GOING)
			return NULL;
		if (to_evict(p) && (!best || is_before(p, best)))
			best = p;
	}
	return best;
}

void evict_next(struct evict *e)
{
	struct pod *p;
	int err;

	if (e->call)
		return;
	forget_others(e);
	p = first(e);
	if (!p || uv_now(e->loop) < p->told.evict.after)
		return;
	err = ask(e, p);
	if (!err)
		return;
	log_warn(err, "evict pod %s/%s", p->ns, p->name);
	postpone(e, p);
}

/* ---- open, close --------------------------------------------------------- */

struct evict *evict_new(uv_loop_t *loop, struct kube_client *client,
			struct pods *pods)
{
	struct evict *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->loop = loop;
	e->client = client;
	e->pods = pods;
	return e;
}

void evict_close(struct evict *e)
{
	if (!e)
		return;
	kube_cancel(take_ptr(e->call));
	free(e->path);
	free(e->uid);
	free(e);
}

// SPDX-License-Identifier: Apache-2.0
#include "cluster/errand.h"

#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "base/once.h"

struct errand {
	struct kube_client *client;
	errand_fn answered;
	void *arg;
	uv_timer_t timer;
	struct kube_call *call;
	struct kube_request req; /* its strings are ours */
	bool busy;
	unsigned int failures; /* in a row */
	char *said;
};

static void timer_event(uv_timer_t *timer);

static void ask_in(struct errand *e, unsigned int ms)
{
	uv_update_time(e->timer.loop);
	uv_timer_start(&e->timer, timer_event, ms, 0);
}

static void request_free(struct kube_request *r)
{
	free((char *)r->path);
	free((char *)r->body);
	memset(r, 0, sizeof(*r));
}

/* Logs each trouble once, until a request succeeds. */
static void failed(struct errand *e, int err, int status, const char *body,
		   size_t len)
{
	_buf_ struct buf text = {};

	kube_say(&text, e->client, e->req.method, e->req.path, err, status,
		 body, len);
	if (text.data && once_text(&e->said, text.data))
		log_warn(0, "%s; it is tried again", text.data);
	ask_in(e, kube_again_ms(e->client, &e->failures));
}

static void answer(int err, int status, const char *body, size_t len, void *arg)
{
	struct errand *e = arg;
	struct kube_request was = e->req;

	e->call = NULL;
	if (!err) {
		/* The callback may start the next request on this errand. */
		e->busy = false;
		memset(&e->req, 0, sizeof(e->req));
		if (e->answered(status, body, len, e->arg)) {
			request_free(&was);
			e->failures = 0;
			free(take_ptr(e->said));
			return;
		}
		request_free(&e->req);
		e->req = was;
		e->busy = true;
	}
	failed(e, err, status, body, len);
}

static void timer_event(uv_timer_t *timer)
{
	struct errand *e = timer->data;
	int err = kube_request(e->client, &e->req, &e->call);

	if (!err)
		return;
	log_warn(err, "%s %s", e->req.method, e->req.path);
	ask_in(e, kube_again_ms(e->client, &e->failures));
}

struct errand *errand_new(uv_loop_t *loop, struct kube_client *client,
			  errand_fn answered, void *arg)
{
	struct errand *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->client = client;
	e->answered = answered;
	e->arg = arg;
	uv_timer_init(loop, &e->timer);
	e->timer.data = e;
	return e;
}

int errand_go(struct errand *e, const struct kube_request *req,
	      unsigned int delay_ms)
{
	struct kube_request copy = {
		.method = req->method,
		.path = strdup(req->path),
		.content_type = req->content_type,
		.body = req->body ? strdup(req->body) : NULL,
		.done = answer,
		.arg = e,
	};

	if (!copy.path || (req->body && !copy.body)) {
		request_free(&copy);
		return -ENOMEM;
	}
	e->req = copy;
	e->busy = true;
	ask_in(e, delay_ms);
	return 0;
}

bool errand_busy(const struct errand *e)
{
	return e->busy;
}

static void timer_closed(uv_handle_t *handle)
{
	struct errand *e = handle->data;

	request_free(&e->req);
	free(e->said);
	free(e);
}

void errand_close(struct errand *e)
{
	if (!e)
		return;
	kube_cancel(take_ptr(e->call));
	uv_close((uv_handle_t *)&e->timer, timer_closed);
}

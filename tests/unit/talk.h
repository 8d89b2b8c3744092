/* SPDX-License-Identifier: Apache-2.0 */
/* A loop, the fake API server on it, and a client of that. */
#pragma once

#include "fake_api.h"

#include "kube/client.h"

#define QUIET_MS 50

struct talk {
	uv_loop_t loop;
	struct fake api;
	struct kube_client *client;
};

static inline void talk_open(struct talk *t)
{
	const struct kube_options opt = {.server = t->api.url};

	uv_loop_init(&t->loop);
	fake_open(&t->api, &t->loop);
	assert_int_equal(kube_client_open(&t->loop, &opt, &t->client), 0);
}

/* talk_close - After those who use the client. */
static inline void talk_close(struct talk *t)
{
	kube_client_close(t->client);
	fake_close(&t->api);
	uv_run(&t->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&t->loop), 0);
}

/* talk_answer - The next request, which must be @request. */
static inline void talk_answer(struct talk *t, const char *request, int status,
			       const char *body)
{
	fake_reply(fake_wait(&t->api, request), status, body);
}

/* talk_is_quiet - Nobody asks anything, as far as a moment can show. */
static inline bool talk_is_quiet(struct talk *t)
{
	t->api.gave_up = false;
	t->api.give_up_at = 0; /* the first time that the guard looks */
	uv_timer_start(&t->api.guard, fake_guard, QUIET_MS, 0);
	while (!t->api.gave_up)
		uv_run(&t->loop, UV_RUN_ONCE);
	return !fake_find(&t->api, "/api");
}

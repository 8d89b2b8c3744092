/* SPDX-License-Identifier: Apache-2.0 */
/* A client and its calls; only client.c and call.c include this. */
#pragma once

#include <curl/curl.h>
#include <sys/queue.h>
#include "kube/config.h"
#include "kube/stream.h"
#include "loop/handles.h"

struct kube_call {
	struct kube_client *client;
	LIST_ENTRY(kube_call) all;
	TAILQ_ENTRY(kube_call) ready;
	bool is_ready; /* is in client->ready */
	CURL *easy;
	bool added; /* to the multi handle */
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
	struct buf in; /* received, not delivered yet */
	bool begun;    /* a 2xx answer to a stream */
	bool too_much;
	bool over; /* nothing more will come, because: */
	int err, status;
	bool unreached; /* no connection came about */
	void (*data)(struct buf *in, void *arg);
	void (*done)(int err, int status, const char *body, size_t len,
		     void *arg);
	void *arg;
};

struct kube_client {
	uv_loop_t *loop;
	struct kube_config config;
	char *base, *host; /* of URLs; Host header, or NULL */
	struct curl_slist *connect_to;
	CURLM *multi;
	uv_timer_t timer;   /* curl's */
	uv_timer_t deliver; /* for failures before curl began */
	struct handles handles;
	LIST_HEAD(, kube_call) calls;
	LIST_HEAD(, sock) socks;
	TAILQ_HEAD(, kube_call) ready;
	struct kube_watches watches;
	struct kube_call *current; /* whose callback runs; NULL: it is gone */
	/* Of the call whose `done` runs: */
	unsigned int retry_after;
	bool unreached;
	bool fresh; /* the connection may be dead: make a new one */
	bool closed;
};

/* ---- call.c: curl's options for a call ----------------------------------- */

/*
 * call_prepare - Make call->easy ready to start, except for its callbacks.
 * Return: 0, -ENOMEM, or a negative errno with a sentence in call->error: the
 * token or the client certificate cannot be read.
 */
must_check int call_prepare(struct kube_call *call,
			    const struct kube_request *req);

/* client_server_name - Set up curl for a server whose certificate has another
 * name than the host of its address. Return: 0 or -ENOMEM. */
must_check int client_server_name(struct kube_client *c);

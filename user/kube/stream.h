/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are read as they come; only user/kube includes this. */
#pragma once

#include <sys/queue.h>
#include "kube/client.h"

/* The watches of a client: watch_back.c. */
struct kube_watches {
	LIST_HEAD(, kube_watch) list;
	uint64_t anew; /* loop time when all were listed anew; 0: never */
};

/*
 * kube_stream - As kube_request(), but what a 2xx answer brings is handed over
 * piece by piece.
 * @data: called from the loop: with nothing when the answer begins, then with
 *        what came. It takes what it can use from the front of @in with
 *        buf_drop(); the rest comes again, with more behind it. It may cancel.
 *
 * `done` then gets the body of other answers only.
 */
must_check int kube_stream(struct kube_client *c,
			   const struct kube_request *req,
			   void (*data)(struct buf *in, void *arg),
			   struct kube_call **call);

/* kube_client_suspect - An answer does not come: the connection may be dead
 * without the kernel knowing. The next request makes a new one. */
void kube_client_suspect(struct kube_client *c);

/* kube_client_loop - The loop it was opened on. */
uv_loop_t *kube_client_loop(const struct kube_client *c);

struct kube_watches *kube_client_watches(struct kube_client *c);

/* kube_dice - A number from 0 to @most, so that not all nodes do alike. */
unsigned int kube_dice(unsigned int most);

/* The most that is read of one answer. Parsed it takes three times as much for
 * a moment, which must fit into the memory that deploy/ gives the agent. */
#define KUBE_BODY_MAX (40UL << 20)

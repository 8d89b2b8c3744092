/* SPDX-License-Identifier: Apache-2.0 */
/* Requests whose answers are read piece by piece; only user/kube includes
 * this. */
#pragma once

#include <sys/queue.h>
#include "kube/client.h"

/* The watches of a client: watch_back.c. */
struct kube_watches {
	LIST_HEAD(, kube_watch) list;
	uint64_t anew; /* loop time of the last list of all anew; 0: never */
};

/*
 * kube_stream - As kube_request(), but hands over a 2xx answer piece by piece.
 * @data: called from the loop: with nothing when the answer begins, then with
 *        what came. It takes what it can use from the front of @in with
 *        buf_drop(); the rest comes again, with more after it. It may cancel.
 *
 * `done` then gets the body of other answers only.
 */
must_check int kube_stream(struct kube_client *c,
			   const struct kube_request *req,
			   void (*data)(struct buf *in, void *arg),
			   struct kube_call **call);

/* kube_client_suspect - An answer is overdue: the connection may be dead
 * without the kernel knowing. The next request makes a new one. */
void kube_client_suspect(struct kube_client *c);

/* kube_client_loop - The loop it was opened on. */
uv_loop_t *kube_client_loop(const struct kube_client *c);

struct kube_watches *kube_client_watches(struct kube_client *c);

/* kube_dice - A random number from 0 to @most, so that the nodes differ. */
unsigned int kube_dice(unsigned int most);

/* The most to read of one answer. Parsing takes three times as much for a
 * moment, which must fit into the memory that deploy/ gives the agent. */
#define KUBE_BODY_MAX (40UL << 20)

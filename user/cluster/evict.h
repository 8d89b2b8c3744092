/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Late pods that are evicted, so that somebody makes them anew: one at a time,
 * i.e. none before the last one is gone. Only pods that were there before this
 * agent, as after a boot: one that is late although the agent was there would
 * be so again and again.
 */
#pragma once

#include <uv.h>
#include "pods/pods.h"
#include "kube/client.h"

struct evict;

/* evict_new - @client and @pods must outlive it. Return: NULL without
 * memory. */
struct evict *evict_new(uv_loop_t *loop, struct kube_client *client,
			struct pods *pods);

/*
 * evict_next - After each reconcile: who is late now? One of those is asked
 * for, if nobody is going.
 *
 * A pod that the server refuses is asked for again later and later, if it is
 * still late then; the others have their turn meanwhile. So it wants to be
 * called from time to time even if nothing happens.
 */
void evict_next(struct evict *e);

/* evict_close - Before the client and the pods are closed; NULL is fine. */
void evict_close(struct evict *e);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evicts late pods, so that their controllers make them anew: one at a time,
 * i.e. none before the last one is gone. Only pods that were there before this
 * agent, as after a boot: a pod that became late under this agent would become
 * late again and again.
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
 * evict_next - After each reconcile: ask the server to evict one of the pods
 * that are late now, unless it is evicting one already.
 *
 * Where the server refuses, the agent asks for that pod again later and later
 * while the pod is late, and for the others meanwhile. So this must be called
 * from time to time even if nothing happens.
 */
void evict_next(struct evict *e);

/* evict_close - Before the client and the pods are closed; NULL is fine. */
void evict_close(struct evict *e);

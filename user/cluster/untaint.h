/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start-up taint, smcmesh.io/agent-not-ready: it keeps pods away from a
 * node whose agent is not ready, and this agent takes it off, once.
 */
#pragma once

#include <uv.h>
#include "kube/client.h"

struct untaint;

/* untaint_new - @client and @node, this one, must outlive it. Return: NULL
 * without memory. */
struct untaint *untaint_new(uv_loop_t *loop, struct kube_client *client,
			    const char *node);

/* untaint_begin - The agent is ready: the taint goes, however long that takes.
 * The first call counts, the others do nothing. */
void untaint_begin(struct untaint *u);

/* untaint_close - Before the client is closed; NULL is fine. */
void untaint_close(struct untaint *u);

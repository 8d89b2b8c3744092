/* SPDX-License-Identifier: Apache-2.0 */
/* Events on pods of this node. */
#pragma once

#include <uv.h>
#include "kube/client.h"
#include "objects/encode.h"

struct report;

/* report_new - @client must outlive it. Return: NULL without memory. */
struct report *report_new(uv_loop_t *loop, struct kube_client *client);

/*
 * report_pod - Say @e, one after the other, again where the server does not
 * answer. Too many that wait are dropped, and some are refused by the server:
 * both are logged, once until all that waited were said, or one was accepted.
 */
void report_pod(struct report *r, const struct kube_event *e);

/* report_close - Before the client is closed; NULL is fine. */
void report_close(struct report *r);

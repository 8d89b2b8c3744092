/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events on pods of this node, one after the other and at most one a second:
 * warnings first. Few wait at a time, so a caller whose Event finds no place
 * comes again with it.
 */
#pragma once

#include <uv.h>
#include "kube/client.h"
#include "objects/encode.h"

#define REPORT_BETWEEN_MS 1000

struct report;

/* What an Event is about: of a pod and a topic only the newest waits. */
enum report_topic {
	REPORT_ARMING,
	REPORT_LATE,
	REPORT_CONFLICT,
	REPORT_SHARED,
};

/* report_new - @client must outlive it. @between_ms: from an answer of the
 * server to the next Event. Return: NULL without memory. */
struct report *report_new(uv_loop_t *loop, struct kube_client *client,
			  unsigned int between_ms);

/*
 * report_pod - Say @e, copied, in place of what waits of the same pod and
 * topic. It is said again where the server does not answer; what the server
 * refuses is logged, once until one was accepted.
 * Return: does it wait now? If not there are too many, or no memory.
 */
must_check bool report_pod(struct report *r, enum report_topic topic,
			   const struct kube_event *e);

/* report_drop - Do not say any more what waits of the pod @uid and @topic. */
void report_drop(struct report *r, enum report_topic topic, const char *uid);

/* report_close - Before the client is closed; NULL is fine. */
void report_close(struct report *r);

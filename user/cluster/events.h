/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events that tell a pod's owner that it is armed, or why it is not and what to
 * do; of late listeners, of an address that another pod claims too, and of
 * containers that share the proxy's user. The agent makes each once, until its
 * trouble is over.
 */
#pragma once

#include "pods/pods.h"
#include "cluster/event_queue.h"

/*
 * tell_pods - @pods as they were read back, @plan that was applied. @node: this
 * one. @now: uv_now(), not 0.
 *
 * A pod that should be armed and is not is told of once for each reason, but
 * not before it has had ten seconds; that it is armed once afterwards. To be
 * called from time to time even if nothing happens.
 */
void tell_pods(struct report *r, struct pods *pods,
	       const struct mesh_plan *plan, const char *node, __u64 now);

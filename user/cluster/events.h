/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events that tell a pod's owner of late listeners, of an address that another
 * pod claims too, and of containers that share the proxy's user. The agent
 * makes each once, until its trouble is over.
 */
#pragma once

#include "pods/pods.h"
#include "cluster/event_queue.h"

/* tell_pods - @pods as they were read back, @plan that was applied. @node: this
 * one. */
void tell_pods(struct report *r, struct pods *pods,
	       const struct mesh_plan *plan, const char *node);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the owner of a pod is told by an Event on it: listeners that are late,
 * and an address that another pod claims too. Each once, until it is over.
 */
#pragma once

#include "pods/pods.h"
#include "cluster/event_queue.h"

/* tell_pods - @pods as they were read back, @plan that was applied. @node: this
 * one. */
void tell_pods(struct report *r, struct pods *pods,
	       const struct mesh_plan *plan, const char *node);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking away runs in the opposite order: a pod whose addresses the server
 * still lists stays armed until they were taken back there, or for so long a
 * time that something is wrong.
 */
#pragma once

#include "pods/pods.h"

/*
 * hold_armed - Put those that are still needed back into @plan, before it is
 * applied.
 * @acked: publish_acked(). @now: uv_now().
 * Return: is any held?
 */
bool hold_armed(struct pods *pods, struct mesh_plan *plan, __u64 acked,
		__u64 now);

/* hold_made - The status of @number lists none of those that are held. */
void hold_made(struct pods *pods, __u64 number);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod is armed before its addresses are published, and they are taken back
 * before it is disarmed: while the server still lists them the pod stays armed,
 * but for a short time only, for the server may not answer at all.
 */
#pragma once

#include "pods/pods.h"

/*
 * hold_armed - Put the rows of pods that must stay armed back into @plan,
 * before it is applied. @acked: publish_acked(). @now: uv_now(). Return: is any
 * pod held?
 */
bool hold_armed(struct pods *pods, struct mesh_plan *plan, __u64 acked,
		__u64 now);

/* hold_made - The status of @number is made; it lists no pod that is held. */
void hold_made(struct pods *pods, __u64 number);

/* SPDX-License-Identifier: Apache-2.0 */
/* When the agent looks into its pods, and at how many of them at once. */
#pragma once

#include "pods/known.h"

/* looks_all - Take over which pods are wanted, and look into those that are
 * due. Return: 0; -EAGAIN, logged: no plan is to be made of what is known now;
 * or -ENOMEM. */
must_check int looks_all(struct agent *a, const struct mesh_wants *wants);

/* looks_retry - Look again at the pods that wait for something and whose own
 * time it is (pods_retry()), now and from now on. A reconcile follows only
 * where such a look has seen something else than the one before it. */
void looks_retry(struct agent *a);

/* agent_how - How this agent looks into pods. */
struct pod_how agent_how(const struct agent *a);

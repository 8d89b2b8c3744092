/* SPDX-License-Identifier: Apache-2.0 */
/* When the agent looks into its pods, and at how many of them at once. */
#pragma once

#include "pods/known.h"

/* looks_all - Take over which pods are wanted, and look into those that are
 * due. Return: 0; -EAGAIN, logged: the agent must not plan by what it knows
 * now; or -ENOMEM. */
must_check int looks_all(struct agent *a, const struct mesh_wants *wants);

/* looks_retry - Look again at the pods that wait for something and whose own
 * time it is (pods_retry()), now and from now on. A reconcile follows only
 * where such a look has seen something else than the one before it. */
void looks_retry(struct agent *a);

/*
 * looks_open - Watch for namespaces of wanted pods. @changed: something
 * happened to a path; @started: to the cgroup of a pod. Both get @a, from the
 * loop. looks_watch() comes first, looks_open() when the datapath is there.
 * Return: 0 or a negative errno, logged where it is not -ENOMEM.
 */
must_check int looks_watch(struct agent *a, watch_fn changed);
must_check int looks_open(struct agent *a, starts_fn started);
void looks_close(struct agent *a);

/* looks_put_off - Pods are held (cluster/take_back.c), so that something is
 * left over of this reconcile. */
void looks_put_off(struct agent *a);

/* agent_how - How this agent looks into pods. */
struct pod_how agent_how(const struct agent *a);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of `smcmesh run`: each is a pod of this machine that no source
 * knows. What registers it is its cgroup (node/run_cgroup.h), so an agent that
 * starts finds those of before it, and nothing has to be kept.
 */
#pragma once

#include "pods/known.h"

/* The namespace of their names. No Kubernetes namespace can be called so. */
#define RUNS_NS "smcmesh.run"

/* runs_find - Take in all that there are: before the first reconcile. A failure
 * is logged. */
void runs_find(struct agent *a);

/* runs_resync - Remove the cgroups that are empty, and those programs. */
void runs_resync(struct agent *a);

/* runs_take - Take in the program whose cgroup is at @path, below the mount.
 * Return: 0, also for one that is known; -EINVAL, -EPERM: it is no cgroup of
 * `smcmesh run`; or another negative errno. */
must_check int runs_take(struct agent *a, const char *path);

/* runs_pod - Its pod, NULL before the next reconcile. */
const struct pod *runs_pod(const struct agent *a, const char *path);

/* runs_stale - Is runs_world() another one than the last time? Then no plan may
 * point into that any more. */
bool runs_stale(const struct agent *a);

/* runs_world - The source's world with them; NULL before the source has one.
 * Valid until it is called again when runs_stale(). */
const struct mesh_world *runs_world(struct agent *a);

/* runs_drop_world - The source's world is another one. */
void runs_drop_world(struct agent *a);

void runs_free(struct agent *a);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod's network namespace, through its processes: that of the oldest process
 * of the pod that is not in the host's own.
 *
 * The oldest, because it is the sandbox's or the first container's: one that
 * unshared a namespace of its own is younger than its parent. Not the host's
 * (that of PROC/1), because a process that the runtime is starting is in the
 * pod's cgroup before it is in its namespace.
 *
 * Whose a process is, is asked of its directory in /proc, opened once, or while
 * that is open, and through the same one its namespace is opened: both are of
 * one process, whatever becomes of its number.
 */
#pragma once

#include "base/cleanup.h"
#include "node/place.h"

/*
 * podspace_in - Among the processes in @dir, a pod's cgroup, and below.
 * Return: 0 with the namespace in @out; -ENOENT: no such process (yet).
 */
must_check int podspace_in(const char *proc, const char *dir,
			   struct place *out);

/*
 * podspace_search - Among all processes: those whose cgroups name the pod (in
 * any hierarchy, at any depth), and of those whose cgroups name none the ones
 * that have a file which kubelet made for this pod's containers (kubefiles.h).
 * For rare use: it reads a file or two of each process.
 * Return: as above, or another negative errno.
 */
must_check int podspace_search(const char *proc, const char *uid,
			       struct place *out);

/*
 * podspace_again - The namespace of the process that was found before, if it
 * has lived on and is still the pod's.
 * Return: as above.
 */
must_check int podspace_again(const char *proc, const char *uid,
			      const struct proc_id *process, struct place *out);

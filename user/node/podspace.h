/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds a pod's network namespace by its processes: that of the oldest one that
 * is not in the host's.
 *
 * The oldest, because it is the sandbox's or the first container's: a process
 * that unshared a namespace is younger than its parent. Not the host's (that of
 * PROC/1), because a process that the runtime is starting is in the pod's
 * cgroup before it is in its namespace.
 *
 * The pod of a process is read through its directory in /proc, opened once, or
 * while that is open, and its namespace is opened through the same one: so both
 * are of one process, even if its number is given again.
 */
#pragma once

#include "base/cleanup.h"
#include "node/place.h"

/*
 * podspace_in - Search the processes in @dir, a pod's cgroup, and below.
 * Return: 0 with the namespace in @out; -ENOENT: no such process (yet).
 */
must_check int podspace_in(const char *proc, const char *dir,
			   struct place *out);

/*
 * podspace_search - Search all processes: those whose cgroups name the pod (in
 * any hierarchy, at any depth), and those whose cgroups name none, but which
 * have a file that kubelet made for this pod's containers (kubefiles.h). For
 * rare use: reads a file or two of each process.
 * Return: as above, or another negative errno.
 */
must_check int podspace_search(const char *proc, const char *uid,
			       struct place *out);

/*
 * podspace_again - The namespace of the process found before, if it still lives
 * and is the pod's.
 * Return: as above.
 */
must_check int podspace_again(const char *proc, const char *uid,
			      const struct proc_id *process, struct place *out);

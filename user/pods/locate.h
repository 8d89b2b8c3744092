/* SPDX-License-Identifier: Apache-2.0 */
/* Where a pod is: its network namespace, and the cgroup of a hostNetwork pod.
 */
#pragma once

#include "pods/pod.h"
#include "node/place.h"

/*
 * find_space - The pod's network namespace: the host's, that of the path which
 * the source gives, else that of its processes. These are in kubelet's cgroups;
 * where none is there for seconds although the API says that the pod runs, or
 * where kubelet has no cgroups, all processes are searched.
 * @out: held, to be closed by the caller; untouched after an error.
 * Return: 0; -ENOENT: there is none (yet); or another negative errno.
 */
must_check int find_space(struct pod *p, const struct pod_how *how,
			  struct place *out);

/* find_cgroup - The cgroup v2 directory of a hostNetwork pod, to @path; its id,
 * 0 where there is none (yet), or the pod's processes are not in it, to @p. */
void find_cgroup(struct pod *p, const struct pod_how *how,
		 char path[CGROUP_PATH_MAX]);

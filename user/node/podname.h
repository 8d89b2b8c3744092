/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of the cgroups that kubelet makes for pods. It has two drivers, and
 * the hierarchies may be v2, v1 or both (a hybrid host, where it uses the v1
 * ones):
 *
 *   cgroupfs   kubepods/pod<uid>
 *              kubepods/burstable/pod<uid>
 *   systemd    kubepods.slice/kubepods-pod<uid>.slice
 *              kubepods.slice/kubepods-burstable.slice/
 *                      kubepods-burstable-pod<uid>.slice
 *
 * with "_" for "-" in systemd's <uid>; below other directories, or with a
 * prefix, where kubelet has a --cgroup-root or runs in a container itself. A
 * static pod's <uid> is not its UID in the API but the hash of its file, the
 * annotation kubernetes.io/config.hash.
 *
 * A runtime that is not configured for the systemd driver takes
 * "SLICE:PREFIX:ID", which kubelet means for systemd, for a path (containerd
 * without SystemdCgroup): a container's cgroup is then
 *
 *   kubepods-burstable-pod<uid>.slice:cri-containerd:<id>
 *
 * at the top or in the runtime's own cgroup, and kubelet's directory of the pod
 * has no process.
 */
#pragma once

#include <stdbool.h>

#define PODNAME_UID_MAX 64 /* 36 characters, 32 of a static pod; the NUL */

enum podname_what {
	PODNAME_OTHER, /* nothing of kubelet's */
	PODNAME_TOP,   /* holds all pods */
	PODNAME_LEVEL, /* of a quality of service; cgroupfs: below TOP only */
	PODNAME_POD,
	PODNAME_CONTAINER, /* of a pod, outside of the pod's directory */
};

/*
 * podname_parse - What is a directory of this name?
 * @uid: of PODNAME_POD and PODNAME_CONTAINER the pod's <uid>, with dashes as in
 * the API; else untouched.
 */
enum podname_what podname_parse(const char *name, char uid[PODNAME_UID_MAX]);

/*
 * podname_is - Is it the directory of pod @uid? The UID need not look like a
 * <uid>: people who write a file as the source choose any names.
 */
bool podname_is(const char *name, const char *uid);

/* podname_has - Is it that, or the directory of a container of the pod? */
bool podname_has(const char *name, const char *uid);

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
 */
#pragma once

#include <stdbool.h>

#define PODNAME_UID_MAX 64 /* 36 characters, 32 of a static pod; the NUL */

enum podname_what {
	PODNAME_OTHER, /* nothing of kubelet's */
	PODNAME_TOP,   /* holds all pods */
	PODNAME_LEVEL, /* of a quality of service; cgroupfs: below TOP only */
	PODNAME_POD,
};

/*
 * podname_parse - What is a directory of this name?
 * @uid: of PODNAME_POD its <uid>, with dashes as in the API; else untouched.
 */
enum podname_what podname_parse(const char *name, char uid[PODNAME_UID_MAX]);

/*
 * podname_is - Is it the directory of pod @uid? That one need not look
 * like a <uid>: whoever writes a file as the source gives what names they like.
 */
bool podname_is(const char *name, const char *uid);

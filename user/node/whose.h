/* SPDX-License-Identifier: Apache-2.0 */
/* Whose is a network namespace? For people, who think in pods. */
#pragma once

#include "node/kubepods.h"

/*
 * netns_pod_uid - The pod whose process @path names.
 * @path: PROC/PID/ns/net.
 * @uid: the <uid> of its cgroup, see kubepods.h.
 * Return: 0; -ENOENT: the process is in no pod's cgroup, has gone, or @path is
 * not of that form.
 */
must_check int netns_pod_uid(const char *path, char uid[KUBEPODS_UID_MAX]);

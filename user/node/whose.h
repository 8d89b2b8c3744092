/* SPDX-License-Identifier: Apache-2.0 */
/* Whose is a network namespace? For people, who think in pods. */
#pragma once

#include "base/cleanup.h"
#include "node/podname.h"

/*
 * netns_pod_uid - The pod whose process @path names.
 * @path: PROC/PID/ns/net.
 * @uid: the <uid> of its cgroup, see podname.h.
 * Return: 0; -ENOENT: the process is in no pod's cgroup, has gone, or @path is
 * not of that form.
 */
must_check int netns_pod_uid(const char *path, char uid[PODNAME_UID_MAX]);

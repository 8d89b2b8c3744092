/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the pod of a process, and so of its network namespace, by the process'
 * cgroups, where kubelet gave pods directories of their own (podname.h).
 *
 * The first part of a path that is a pod's decides: directories that a pod
 * makes below its own may have any name, and are the pod's.
 */
#pragma once

#include <stdbool.h>
#include "base/cleanup.h"
#include "node/podname.h"

enum whose {
	WHOSE_NOBODY, /* the names do not say, or cannot be read */
	WHOSE_POD,    /* the given one */
	WHOSE_OTHER,  /* another pod's */
};

/*
 * whose_process - Is the process pod @uid's?
 * @dir: the process' directory, proc_open().
 * @uid: podname_is(); need not look like a <uid>.
 */
enum whose whose_process(int dir, const char *uid);

/*
 * netns_pod_uid - The pod of the process that @path names, to show to people.
 * @path: PROC/PID/ns/net.
 * @uid: the <uid> of its cgroup, see podname.h.
 * Return: 0; -ENOENT: the process is in no pod's cgroup, has gone, or @path is
 * not of that form.
 */
must_check int netns_pod_uid(const char *path, char uid[PODNAME_UID_MAX]);

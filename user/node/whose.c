// SPDX-License-Identifier: Apache-2.0
#include "node/whose.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include "node/cgroup.h"
#include "node/proc.h"

static bool part_has_uid(const char *part, void *uid)
{
	return podname_parse(part, uid) == PODNAME_POD;
}

int netns_pod_uid(const char *path, char uid[PODNAME_UID_MAX])
{
	char table[PATH_MAX];

	if (!proc_file_beside(path, "cgroup", table) ||
	    !cgroup_any_part(table, part_has_uid, uid))
		return -ENOENT;
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "node/whose.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* A line of PROC/PID/cgroup: "0::/kubepods/burstable/pod<uid>/<container>". */
static bool line_has_pod(char *line, char uid[KUBEPODS_UID_MAX])
{
	char *save = NULL;

	for (char *part = strtok_r(line, "/\n", &save); part;
	     part = strtok_r(NULL, "/\n", &save))
		if (kubepods_parse(part, uid) == KUBEPODS_POD)
			return true;
	return false;
}

int netns_pod_uid(const char *path, char uid[KUBEPODS_UID_MAX])
{
	static const char end[] = "/ns/net";
	size_t len = strlen(path);
	char table[PATH_MAX], line[CGROUP_PATH_MAX];
	_fclose_ FILE *f = NULL;

	if (len <= strlen(end) || strcmp(path + len - strlen(end), end))
		return -ENOENT;
	snprintf(table, sizeof(table), "%.*s/cgroup", (int)(len - strlen(end)),
		 path);
	f = fopen(table, "re");
	while (f && fgets(line, sizeof(line), f))
		if (line_has_pod(line, uid))
			return 0;
	return -ENOENT;
}

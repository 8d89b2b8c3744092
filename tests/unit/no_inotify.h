/* SPDX-License-Identifier: Apache-2.0 */
/* A user namespace of the test's own, for good, in which the limit of inotify's
 * instances is the test's to set: nobody else misses one. Include it after
 * unit.h. */
#pragma once

#include <sched.h>

static inline bool inotify_limit(int limit)
{
	FILE *f = fopen("/proc/sys/user/max_inotify_instances", "w");
	bool ok = f && fprintf(f, "%d", limit) > 0;

	return f && !fclose(f) && ok;
}

/* no_inotify - Return: false where that cannot be done. */
static inline bool no_inotify(void)
{
	return !unshare(CLONE_NEWUSER) && inotify_limit(0);
}

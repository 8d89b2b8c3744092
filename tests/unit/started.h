/* SPDX-License-Identifier: Apache-2.0 */
/* When a process started, by its number. */
#pragma once

#include "node/proc.h"

/* Ticks since boot, or a negative errno. */
static inline long long started(const char *proc, pid_t pid)
{
	_close_ int dir = proc_open(proc, pid);

	return dir < 0 ? dir : proc_start_of(dir);
}

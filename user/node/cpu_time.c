// SPDX-License-Identifier: Apache-2.0
#include "node/cpu_time.h"

#include <limits.h>

int cpu_time_busy(const char *proc, double *seconds)
{
	/* in proc(5)'s order; what a guest has is in user */
	unsigned long long user, nice, system, idle, wait, irq, softirq;
	char path[PATH_MAX];
	_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "%s/stat", proc);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	if (fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice,
		   &system, &idle, &wait, &irq, &softirq) != 7)
		return -EINVAL;
	*seconds = (double)(user + nice + system + irq + softirq) /
		   sysconf(_SC_CLK_TCK);
	return 0;
}

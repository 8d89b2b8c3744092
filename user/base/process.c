// SPDX-License-Identifier: Apache-2.0
#include "base/process.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "base/cleanup.h"

static double seconds(const struct timeval *t)
{
	return t->tv_sec + t->tv_usec / 1e6;
}

double process_cpu_seconds(void)
{
	struct rusage used = {};

	getrusage(RUSAGE_SELF, &used);
	return seconds(&used.ru_utime) + seconds(&used.ru_stime);
}

__u64 process_open_fds(void)
{
	_closedir_ DIR *d = opendir("/proc/self/fd");
	const struct dirent *e;
	__u64 n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	return n ? n - 1 : 0; /* without the directory's own */
}

__u64 process_max_fds(void)
{
	struct rlimit most = {};

	getrlimit(RLIMIT_NOFILE, &most);
	return most.rlim_cur;
}

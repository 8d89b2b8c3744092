// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LARGE (1 << 20) /* bytes */
#define GROWTH_MIN ((size_t)4 << 20)
#define PAUSE_NS (60 * 1000000000ULL)

__u64 memory_total(void)
{
	struct sysinfo info;

	return sysinfo(&info) ? 0 : (__u64)info.totalram * info.mem_unit;
}

size_t memory_resident(void)
{
	_fclose_ FILE *f = fopen("/proc/self/statm", "re");
	size_t size, pages;

	if (!f || fscanf(f, "%zu %zu", &size, &pages) != 2)
		return 0;
	return pages * sysconf(_SC_PAGESIZE);
}

void memory_lend(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE);
}

bool memory_give_back(struct memory_kept *kept, __u64 now_ns)
{
	if (!kept->due || (memory_resident() < kept->resident + GROWTH_MIN &&
			   now_ns < kept->at_ns + PAUSE_NS))
		return false;
	malloc_trim(0);
	*kept = (struct memory_kept){.resident = memory_resident(),
				     .at_ns = now_ns};
	return true;
}

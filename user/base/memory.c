// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"

#include <sys/sysinfo.h>

__u64 memory_total(void)
{
	struct sysinfo info;

	return sysinfo(&info) ? 0 : (__u64)info.totalram * info.mem_unit;
}

// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <time.h>

__u64 clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * CLOCK_SECOND + now.tv_nsec;
}

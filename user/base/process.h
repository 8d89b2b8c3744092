/* SPDX-License-Identifier: Apache-2.0 */
/* What this process uses. */
#pragma once

#include <linux/types.h>

/* process_cpu_seconds - The processor time it had, of kernel and program; its
 * children's is not in it. */
double process_cpu_seconds(void);

/* process_open_fds - How many descriptors it has open; 0: not known. */
__u64 process_open_fds(void);

/* process_max_fds - How many it may have open. */
__u64 process_max_fds(void);

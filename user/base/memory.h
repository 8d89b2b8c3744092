/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <linux/types.h>

/* memory_total - The memory of this machine, in bytes; 0: not known. */
__u64 memory_total(void);

/* SPDX-License-Identifier: Apache-2.0 */
/* The clock that the kernel's BPF programs have (bpf_ktime_get_ns()). */
#pragma once

#include <linux/types.h>

#define CLOCK_SECOND 1000000000ULL /* ns */
#define CLOCK_MS (CLOCK_SECOND / 1000)

/* clock_now - CLOCK_MONOTONIC, ns. */
__u64 clock_now(void);

/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel's struct tcp_info says. A file of its own, because the C
 * library's older struct of that name cannot be included beside it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/*
 * tcpinfo_bytes - How much payload a connection has carried.
 * @info, @len: as a kernel wrote it, which may know fewer fields than we do.
 * Return: false: not this kernel.
 */
bool tcpinfo_bytes(const void *info, size_t len, __u64 *rx, __u64 *tx);

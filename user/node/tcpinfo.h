/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the kernel's struct tcp_info. In its own file, because the C library
 * has an older struct of that name. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/*
 * tcpinfo_bytes - How much payload a connection has carried.
 * @info, @len: as the kernel wrote it, which may have fewer fields than ours.
 * Return: false: this kernel does not tell.
 */
bool tcpinfo_bytes(const void *info, size_t len, __u64 *rx, __u64 *tx);

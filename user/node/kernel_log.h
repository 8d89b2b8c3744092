/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's log, as far back as its buffer goes. */
#pragma once

#include <linux/types.h>
#include "node/host.h"

/*
 * kernel_log_each - Call @fn for each message, the oldest first.
 * @usec: when it was, since the boot; 0 where the kernel notes no times
 * Reads /dev/kmsg, or where that is not to be had syslog(2), which needs
 * CAP_SYSLOG (or kernel.dmesg_restrict is 0).
 * Return: 0, or a negative errno.
 */
typedef void (*kernel_log_fn)(__u64 usec, const char *text, void *arg);
must_check int kernel_log_each(const struct host *h, kernel_log_fn fn,
			       void *arg);

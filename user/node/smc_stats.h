/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SMC's statistics of pods' namespaces, all read by one helper process: bytes
 * of SMC connections are known to the kernel for a whole namespace, and to
 * nobody for one connection.
 */
#pragma once

#include <stddef.h>
#include "base/cleanup.h"
#include "node/helper.h"
#include "node/smc.h"

struct smc_stats_of {
	struct netns_ref netns; /* the caller's, untouched */
	/* 0: stats and read_ns are good; -ENOENT: there is another namespace by
	 * now, or the kernel has no SMC; or another errno. */
	int err;
	__u64 read_ns; /* CLOCK_MONOTONIC */
	struct smc_stats stats;
};

/*
 * smc_stats_each - Read them of each of the @n namespaces at @v, which may be
 * many, in at most HELPER_TIMEOUT_MS (with what helper.h excuses).
 * Return: 0: each has its own v[i].err; or a negative errno of the helper, and
 * every v[i].err is that.
 */
must_check int smc_stats_each(struct smc_stats_of *v, size_t n);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's SMC over generic netlink: UEIDs (one table per host), its
 * loopback device, the memory of its buffers, what went over it. Wire format:
 * include/uapi/linux/smc.h of the kernel.
 *
 * Every call fails with -ENOENT where the kernel has no SMC. Asking may make
 * the kernel load the smc module, as opening a socket does.
 */
#pragma once

#include <stdbool.h>
#include <linux/types.h>
#include "base/cleanup.h"
#include "node/rdma.h"

#define SMC_UEID_LEN 32

struct smc_ueids {
	char v[8][SMC_UEID_LEN + 1]; /* blanks at the end cut off */
	unsigned int n;
};

/* smc_ueid_list - Return: 0 or negative errno. */
must_check int smc_ueid_list(struct smc_ueids *out);

/* smc_ueid_has - Is @ueid among them? */
bool smc_ueid_has(const struct smc_ueids *list, const char *ueid);

/* smc_ueid_add - Return: 1 added, 0 was there, -ERANGE: the kernel's table of
 * four is full, -EINVAL, or another errno. */
must_check int smc_ueid_add(const char *ueid);

/* smc_ueid_remove - Return: 1 removed, 0 was not there, or errno. */
must_check int smc_ueid_remove(const char *ueid);

/* smc_loopback_present - Has SMC-D a loopback device? 1, 0 or errno. */
must_check int smc_loopback_present(void);

/*
 * smc_allocated - The memory of all SMC buffers of this machine, in use or kept
 * by link groups for their next connections, in bytes; 0 before Linux 6.8,
 * which does not tell.
 * Return: 0 or errno.
 */
must_check int smc_allocated(__u64 *bytes);

/* What went over one transport, as programs sent and received it: bytes, and
 * calls that sent or received some. */
struct smc_traffic {
	__u64 rx_bytes, tx_bytes;
	__u64 rx_calls, tx_calls;
	/* Bytes of the buffers that connections have now; 0 before Linux 6.12,
	 * which does not tell. */
	__u64 rx_buffers, tx_buffers;
};

/* Of one network namespace since it is there: the kernel never sets it back. */
struct smc_stats {
	struct smc_traffic smcr, smcd;
};

/* smc_stats_read - Of the caller's own namespace. smc_stats.h reads those of
 * others. Return: 0 or errno. */
must_check int smc_stats_read(struct smc_stats *out);

struct nlmsghdr;

/* smc_stats_parse - What a message of the kernel's says (the pure part of
 * that); a part that is missing is 0. */
void smc_stats_parse(const struct nlmsghdr *h, struct smc_stats *out);

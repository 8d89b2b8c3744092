/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's SMC over generic netlink: UEIDs (one table per host), devices,
 * statistics. Wire format: include/uapi/linux/smc.h of the kernel; attribute
 * numbers in smc_nl.h.
 */
#pragma once

#include <stdbool.h>
#include <linux/types.h>

#define SMC_UEID_LEN 32

struct smc_ueids {
	char v[8][SMC_UEID_LEN + 1]; /* blanks at the end cut off */
	unsigned int n;
};

/* smc_ueid_list - Return: 0 or negative errno (-ENOENT: no SMC here). */
int smc_ueid_list(struct smc_ueids *out);

/* smc_ueid_valid - 1 to 32 of A-Z 0-9 . -, the first alphanumeric. */
bool smc_ueid_valid(const char *ueid);

/* smc_ueid_add - Return: 1 added, 0 was there, -ERANGE: the kernel's table of
 * four is full, -EINVAL, or another errno. */
int smc_ueid_add(const char *ueid);

/* smc_ueid_remove - Return: 1 removed, 0 was not there, or errno. */
int smc_ueid_remove(const char *ueid);

/* smc_loopback_present - Has SMC-D a loopback device? 1, 0 or errno. */
int smc_loopback_present(void);

/* An RDMA device as seen in the caller's network namespace. */
struct rdma_device {
	char name[64], netdev[16];
	unsigned int port;
	bool active;
};

/* rdma_list - Over RDMA netlink, which honours namespaces (the device dump of
 * SMC's own netlink does not). Return: count or errno (-ENOENT: no RDMA). */
int rdma_list(struct rdma_device *out, unsigned int room);

/* smc_fallback_stats: struct and call for /metrics: kernel counters of the
 * caller's namespace, u16 per code there (they wrap). */
struct smc_fallback {
	__u32 code;
	__u16 count;
	bool server;
};
int smc_fallbacks(struct smc_fallback *out, unsigned int room);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's SMC over generic netlink: UEIDs (one table per host), devices,
 * statistics. Wire format: include/uapi/linux/smc.h of the kernel.
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

struct smc_sys_info {
	__u8 version, release; /* of SMC: 2, 1 is "SMC v2.1" */
	bool smcd_v2;	       /* an SMC-D device that can SMC-Dv2 exists */
	bool smcr_v2;	       /* the code can SMC-Rv2 */
};

/* smc_sys_info - What the kernel's SMC says of itself. Return: 0 or errno. */
must_check int smc_sys_info(struct smc_sys_info *out);

/* smc_loopback_present - Has SMC-D a loopback device? 1, 0 or errno. */
must_check int smc_loopback_present(void);

/*
 * smc_allocated - The memory of all SMC buffers of this machine, in use or kept
 * by link groups for their next connections, in bytes. A kernel before 6.8 does
 * not tell: 0.
 * Return: 0 or errno.
 */
must_check int smc_allocated(__u64 *bytes);

/* A row of the kernel's fall-back counters: u16 there (they wrap), at most 36
 * codes for each side. */
struct smc_fallback {
	__u32 code; /* SMC_CLC_DECL_* of the kernel's net/smc/smc_clc.h */
	__u16 count;
	bool server;
};

/*
 * smc_fallbacks - The counters of the caller's network namespace.
 * @room: places in @out; rows beyond are left out. 72 are always enough.
 * Return: rows written, or negative errno.
 */
must_check int smc_fallbacks(struct smc_fallback *out, unsigned int room);

/* SPDX-License-Identifier: Apache-2.0 */
/* The table of kernels (kernels.def): what the distributions' kernels have, and
 * the shortest way from one to a capable one. Advice, never a decision. */
#pragma once

#include "base/buf.h"
#include "node/os_release.h"

/* The four lines that a kernel since 6.18 needs, to be filed as a request; one
 * on each line. */
#define KERNEL_LINES                                      \
	"CONFIG_DIBS=m\nCONFIG_DIBS_LO=y\nCONFIG_SMC=m\n" \
	"CONFIG_SMC_DIAG=m"

enum kernel_has {
	KERNEL_UNKNOWN = 0,
	KERNEL_WORKS,	       /* all that is needed */
	KERNEL_BEFORE_HS_CTRL, /* SMC and IPPROTO_SMC, no smc_hs_ctrl */
	KERNEL_BEFORE_IPPROTO, /* SMC, and no IPPROTO_SMC */
	KERNEL_NO_SMC,
	KERNEL_NO_DIBS, /* no SMC, because CONFIG_DIBS defaults to n */
	KERNEL_VENDOR,	/* SMC, with ways of the vendor's own */
	KERNEL_HAS_MAX
};

struct kernel_row { /* see kernels.def */
	const char *systems, *version, *machines, *from, *before, *like;
	const char *name, *seen;
	enum kernel_has has;
	const char *memory, *note, *evidence, *date, *way;
};

/* In the order of asking; a row without a name ends them. */
extern const struct kernel_row kernel_rows[];

/* kernel_row_find - The first row that fits. NULL: none does. */
const struct kernel_row *kernel_row_find(const struct host *h,
					 const struct os_release *os);

/* kernel_has_sentence - E.g. "SMC and IPPROTO_SMC, no smc_hs_ctrl (6.19)". */
const char *kernel_has_sentence(enum kernel_has has);

/* kernels_reference - The table in Markdown, as deploy/docs/kernels.md has it.
 * Return: 0 or -ENOMEM. */
int kernels_reference(struct buf *out);

/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the running kernel was built with SMC, by what it left behind: it
 * says so where trying an SMC socket only says that there is none. */
#pragma once

#include "node/host.h"

#define KERNEL_SMC_SEEN_MAX 320

enum smc_build {
	SMC_BUILD_UNTOLD = 0,
	SMC_BUILD_NO,
	SMC_BUILD_IN,	  /* in the kernel itself */
	SMC_BUILD_MODULE, /* as a module, wherever that is */
};

struct kernel_smc {
	enum smc_build build;
	bool without_infiniband; /* which CONFIG_SMC needs, too, is off */
	char seen[KERNEL_SMC_SEEN_MAX]; /* the evidence, phrases with "; "
					   between */
};

/*
 * kernel_smc_look - Look at /proc/kallsyms for tcp_have_smc, which net/ipv4 has
 * with CONFIG_SMC alone, in the configuration (/proc/config.gz, else
 * /boot/config-RELEASE or that of /lib/modules/RELEASE), and in
 * modules.builtin. What the kernel shows of itself wins over what files of its
 * name say.
 */
void kernel_smc_look(const struct host *h, struct kernel_smc *out);

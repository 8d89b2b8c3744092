/* SPDX-License-Identifier: Apache-2.0 */
/* Where the module smc is, and what keeps the kernel from loading it. */
#pragma once

#include "node/host.h"

#define SMC_MODULE_TEXT_MAX 320

struct smc_module {
	bool loaded;
	bool has_list; /* modules.dep could be read */
	/* As modules.dep has it, below /lib/modules/RELEASE; "": it has none.
	 */
	char file[SMC_MODULE_TEXT_MAX];
	/* Its file answers to IPPROTO_SMC: modules.alias has that number. */
	bool for_ipproto;
	bool other_number; /* that is 263 and not 256 */
	/* "" or why it is not the kernel's own */
	char foreign[SMC_MODULE_TEXT_MAX];
	/* "" or what forbids to load it: "PATH: the line" */
	char blocked[SMC_MODULE_TEXT_MAX];
	bool locked; /* kernel.modules_disabled: no module can be loaded */
};

/* smc_module_look - What cannot be read is left out. */
void smc_module_look(const struct host *h, struct smc_module *out);

// SPDX-License-Identifier: Apache-2.0
/* The selector makes the record of a handshake, programs on SMC's own functions
 * settle and close it: a process without SMC sockets runs through none of
 * them. */
#include "datapath/recorder.h"

static const enum feature smc_needs[] = {FEATURE_SMC_TRACE, FEATURE_MAX};
static const char *const smc_programs[] = {"smc_connected", "smc_accepted",
					   "smc_closed", NULL};

const struct recorder recorder_smc = {
	.name = "smc",
	.wish = MESH_RECORDER_SMC,
	.cannot = "ends and bytes of plain TCP flows are told by socket "
		  "diagnosis, some time after",
	.needs = smc_needs,
	.by_selector = true,
	.programs = smc_programs,
	.uses = SMC_USE_PLAIN,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* Which look-ups of our programs can hit, by the rows that there are to hit. */
#pragma once

#include "datapath/state.h"

/* These bits of smc_config.uses; rows do not decide the others. */
#define USES_OF_ROWS (SMC_USE_PORTS | SMC_USE_CIDRS | SMC_USE_SIDECARS)

/* uses_of_maps - Those of them that the rows in our maps need now. Return: 0
 * with *@out set, or a negative errno. */
must_check int uses_of_maps(struct datapath *dp, __u32 *out);

/* uses_of_plan - Those that the rows of @plan will need. */
__u32 uses_of_plan(const struct mesh_plan *plan);

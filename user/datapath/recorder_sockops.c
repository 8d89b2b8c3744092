// SPDX-License-Identifier: Apache-2.0
/* A sockops program at the root cgroup sees every TCP connection begin and end:
 * any kernel can do that. */
#include "datapath/recorder.h"

static const enum feature sockops_needs[] = {FEATURE_CGROUP2, FEATURE_MAX};
static const char *const sockops_programs[] = {"flow_sockops", NULL};

const struct recorder recorder_sockops = {
	.name = "sockops",
	.wish = MESH_RECORDER_SOCKOPS,
	.cannot = "while a pod is armed every TCP connection of the node runs "
		  "through it, 2 to 4 percent of a short one",
	.needs = sockops_needs,
	.programs = sockops_programs,
};

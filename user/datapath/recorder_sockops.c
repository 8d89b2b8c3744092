// SPDX-License-Identifier: Apache-2.0
/* A sockops program at the root cgroup sees every TCP connection begin and end:
 * any kernel has that. */
#include "datapath/recorder.h"

static bool sockops_probe(const struct features *fs)
{
	return feature_present(fs, FEATURE_CGROUP2);
}

static const char *const sockops_programs[] = {"flow_sockops", NULL};

const struct recorder recorder_sockops = {
	.name = "sockops",
	.wish = MESH_RECORDER_SOCKOPS,
	.cannot = "while a pod is armed every TCP connection of the node runs "
		  "through it, 2 to 4 percent of a short one",
	.probe = sockops_probe,
	.programs = sockops_programs,
};

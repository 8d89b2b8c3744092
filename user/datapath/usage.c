// SPDX-License-Identifier: Apache-2.0
/* smc_usage: what a pod and the node hold at once. */
#include <bpf/bpf.h>
#include <string.h>

#include "datapath/state.h"

int datapath_usage(const struct datapath *dp, __u32 slot, struct smc_usage *out)
{
	int fd = dp->map_fd[MAP_USAGE], err;

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return 0;
	err = bpf_map_lookup_elem(fd, &slot, out);
	/* A program may give bytes back before another has added them. */
	if (!err && out->bytes < 0)
		out->bytes = 0;
	return err;
}

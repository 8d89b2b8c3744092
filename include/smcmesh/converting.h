/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* A row of the map smc_converting, which is between our own programs. */
#pragma once

#include <smcmesh/abi.h>

/* How far a task's conversion of a socket has come; see sockproto.bpf.c. */
struct smc_converting {
	__u32 step;
	/* Nothing of this task is converted (any more): one of its conversions
	 * failed for no known reason, or it has to make plain TCP sockets
	 * (`smcmesh syncheck`). */
	__u32 failed;
	__u32 pod_id; /* whose it was */
	/* In a process' first task alone: how many of its sockets were not
	 * converted because the ration was used up, and are not connected
	 * yet. */
	__s32 rationed;
	__u64 sock; /* the sock that was made; never dereferenced */
};

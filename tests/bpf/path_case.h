/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Between path.bpf.c and test_path.c. */
#pragma once

#include <smcmesh/abi.h>

enum path_op {
	PATH_ENTER = 1, /* a handshake; flags and reason are the answer */
	PATH_LEAVE,	/* role, flags, since_ns */
	PATH_WISH,
	PATH_FAILED, /* the handshake of a flow with flags */
	PATH_LIVES,
	PATH_CODE,  /* does code, peer make it bad? yes is the answer */
	PATH_ALONE, /* was it, with flags? yes is the answer */
	PATH_TOLD,  /* job */
};

struct path_case {
	struct smc_path_job job;
	struct smc_addr_port local, remote;
	__u64 since_ns; /* when the handshake began */
	__u32 op;
	__u32 role;
	__u32 flags;
	__u32 reason;
	__u32 code, peer;
	__u32 yes;
	__u32 _pad;
};

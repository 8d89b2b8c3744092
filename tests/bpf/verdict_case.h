/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Between verdict.bpf.c and test_verdict.c. */
#pragma once

#include <smcmesh/abi.h>

struct verdict_case {
	struct smc_pod pod;
	struct smc_addr_port remote, local;
	__u32 has_pod;
	__u32 role;
	/* the answer */
	__u32 verdict;
	__u32 reason;
	__u32 transports;
};

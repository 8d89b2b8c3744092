/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Between ration.bpf.c and test_ration.c. */
#pragma once

#include <smcmesh/abi.h>

enum ration_op {
	RATION_LEFT = 1, /* is there room at slot? */
	RATION_PUT,	 /* cookie counts at slot */
	RATION_DROP,	 /* cookie does not count any more */
	RATION_SLOT,	 /* of pod, where has_pod; slot gets it */
};

struct ration_case {
	__u32 op;
	__u32 slot;
	__u64 cookie;
	struct smc_pod pod;
	__u32 has_pod;
	/* the answer */
	__u32 yes;
};

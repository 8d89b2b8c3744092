/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Between answers.bpf.c and test_answers.c. */
#pragma once

#include <smcmesh/abi.h>

enum answers_what { ANSWERS_LEFT, ANSWERS_GIVEN, ANSWERS_FINISHED };

struct answers_case {
	struct smc_addr peer;
	__u32 what; /* enum answers_what */
	__u32 left; /* the answer to ANSWERS_LEFT */
	__u64 now;
	__u64 given; /* of what is finished: when it was given */
};

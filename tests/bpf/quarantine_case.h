/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Between quarantine.bpf.c and test_quarantine.c. */
#pragma once

#include <smcmesh/abi.h>

enum quarantine_what {
	WHAT_STRIKE,
	WHAT_MARK,
	WHAT_SUSPECT,
	WHAT_ANSWERED, /* a connect() without the option was */
	WHAT_FORGIVE,
	WHAT_UNANSWERED, /* a connect() has ended: flow, repeats, cpu */
	WHAT_ASK,
};

struct quarantine_case {
	__u32 what;
	__u32 pod_id;
	struct smc_addr_port peer;
	__s32 code;
	__u64 now, began;
	/* of WHAT_UNANSWERED */
	__u32 role, verdict, reason;
	__u32 repeats;
	__s32 cpu;
	__u32 quarantined; /* the answer to WHAT_ASK */
};

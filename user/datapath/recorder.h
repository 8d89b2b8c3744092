/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorders of flows: one row per way. Their own programs are the rows of
 * link_rows that name them.
 */
#pragma once

#include "datapath/state.h"

struct recorder {
	const char *name;
	enum mesh_recorder wish; /* SmcMesh.spec.recorder that means it */
	const char *cannot;	 /* what it lacks, or costs: a sentence */
	/* It needs all of these; ended by FEATURE_MAX. */
	const enum feature *needs;
	bool by_selector; /* it uses the records of the selector */
	/* It needs all of these; NULL-terminated. */
	const char *const *programs;
	__u32 uses; /* enum smc_use: what shared programs do for it */
};

extern const struct recorder recorder_smc, recorder_sockops;

/* The datapath takes the first that works. NULL ends the table. */
extern const struct recorder *const recorders[];

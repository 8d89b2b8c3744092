/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What writes the records of flows: one row per way. The programs that are its
 * own are the rows of link_rows that name it.
 */
#pragma once

#include "datapath/state.h"

struct recorder {
	const char *name;
	enum mesh_recorder wish; /* SmcMesh.spec.recorder that means it */
	const char *cannot;	 /* what it tells less, or costs: a sentence */
	/* Without one of these it cannot be had; ended by FEATURE_MAX. */
	const enum feature *needs;
	bool by_selector; /* it finds flows by what the selector noted */
	/* Without one of these it is none; NULL-terminated. */
	const char *const *programs;
	__u32 uses; /* enum smc_use: what programs of both do for it */
};

extern const struct recorder recorder_smc, recorder_sockops;

/* The first that can be had is taken. NULL ends the table. */
extern const struct recorder *const recorders[];

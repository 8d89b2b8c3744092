/* SPDX-License-Identifier: Apache-2.0 */
/* How sockets become SMC: one row for each way that kernels offer. */
#pragma once

#include "datapath/state.h"

struct converter {
	const char *name;
	const char *cannot; /* what it cannot do, a sentence; NULL: nothing */
	/* It needs all of these; ended by FEATURE_MAX. */
	const enum feature *needs;
	/* Is all that attach() needs loaded, or attached from the start? */
	bool (*is_ready)(const struct datapath *dp);
	/* Start converting; hooks.c has attached its guards before, and pins it
	 * afterwards. Return: 0 or a negative errno, logged. */
	int (*attach)(struct datapath *dp);
	/* Stop converting; sockets made before stay as they are. Works on pins
	 * alone. Return: 1 stopped, 0 was not attached, or errno. */
	int (*detach)(struct datapath *dp);
};

extern const struct converter converter_sockproto;

/* The datapath takes the first that works. NULL ends the table. */
extern const struct converter *const converters[];

/* converter_for - The one to take with these features; NULL: none. */
const struct converter *converter_for(const struct features *fs);

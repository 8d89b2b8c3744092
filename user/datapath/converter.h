/* SPDX-License-Identifier: Apache-2.0 */
/* How sockets become SMC: one row per way the kernels know. */
#pragma once

#include "datapath/state.h"

struct converter {
	const char *name;
	const char *cannot; /* what it cannot do, a sentence; NULL: nothing */
	/* Without one of these it cannot be had; ended by FEATURE_MAX. */
	const enum feature *needs;
	/* Is all of it here that attach() needs: loaded, or attached from the
	 * start? */
	bool (*is_ready)(const struct datapath *dp);
	/* Start converting, after what guards it is attached; not yet pinned.
	 * Return: 0 or a negative errno, logged. */
	int (*attach)(struct datapath *dp);
	/* Stop converting; sockets made already stay what they are. Works on
	 * pins alone. Return: 1 stopped, 0 was not attached, or errno. */
	int (*detach)(struct datapath *dp);
};

extern const struct converter converter_sockproto;

/* The first that can be had is taken. NULL ends the table. */
extern const struct converter *const converters[];

/* converter_for - The one that is taken with these features; NULL: none. */
const struct converter *converter_for(const struct features *fs);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "datapath/state.h"

/* Rows that deny and are missing in their map. */
struct missing {
	unsigned int rows;
	bool node;	    /* one of them holds for the whole node */
	bool pod[SMC_PODS]; /* by slot: one of them is that pod's */
};

/* missing_note - Note that these @rows of the map @id are wanted, but
 * missing. */
void missing_note(enum map_id id, const struct rows *rows,
		  struct missing *missing);

/*
 * wants_rows - What the map @id should hold, sorted.
 * @missing: a pod with missing exclusions is not armed.
 * @have: its present rows, sorted: BPF's own marks stay.
 * @out: empty, with the map's sizes.
 * Return: 0 or a negative errno. Free @out with rows_free() also then.
 */
must_check int wants_rows(const struct datapath *dp,
			  const struct mesh_plan *plan,
			  const struct missing *missing, enum map_id id,
			  const struct rows *have, struct rows *out);

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "datapath/state.h"

/* Rows that deny and are not in their map. */
struct missing {
	unsigned int rows;
	bool node;	    /* one of them holds for the whole node */
	bool pod[SMC_PODS]; /* by slot: one of them is that pod's */
};

/* missing_note - These @rows of the map @id are wanted, and are not there. */
void missing_note(enum map_id id, const struct rows *rows,
		  struct missing *missing);

/*
 * wants_rows - What the map @id should hold, sorted.
 * @missing: a pod of which exclusions are missing is not armed.
 * @have: what it holds, sorted: BPF's own marks stay.
 * @out: empty, with the map's sizes.
 * Return: 0 or a negative errno. Free @out with rows_free() also then.
 */
must_check int wants_rows(const struct datapath *dp,
			  const struct mesh_plan *plan,
			  const struct missing *missing, enum map_id id,
			  const struct rows *have, struct rows *out);

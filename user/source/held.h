/* SPDX-License-Identifier: Apache-2.0 */
/* What the kube source keeps of an object, decoded when it came. Only
 * source_kube.c and held.c include this. */
#pragma once

#include <stddef.h>
#include "kube/watch.h"
#include "objects/kinds.h"

/* kube_object.data. */
struct held {
	struct held *next; /* among those to be freed */
	enum kind kind;
	bool valid;	  /* `object` is filled */
	struct buf notes; /* of its decoding */
	/* Of the kind's type; a configuration object has none. */
	max_align_t object[];
};

/*
 * held_make - Decode @val. A configuration object changes @config as well.
 * Return: NULL without memory (logged). An object that cannot be used is not
 * valid and has notes.
 */
struct held *held_make(enum kind kind, yyjson_val *val,
		       struct mesh_config *config);

/* held_free - NULL is fine. */
void held_free(struct held *h);

/* config_gone - The configuration object of @kind was deleted. */
void config_gone(enum kind kind, struct mesh_config *config);

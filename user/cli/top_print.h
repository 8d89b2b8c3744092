/* SPDX-License-Identifier: Apache-2.0 */
/* What `smcmesh top` shows, as text of a given size and as a line of JSON. */
#pragma once

#include <stdio.h>
#include "cli/top_rates.h"

/* What no rows mean. */
#define TOP_EMPTY "no pod of this node was armed yet: smcmesh pods says why"

struct top_size {
	size_t lines, columns; /* 0: as many as it takes */
};

/* top_print - The node's sums, then a row for each pod for which there is
 * room; a line says how many there is none for, and on a page of given size
 * that there are none. @now: the later answer. */
void top_print(yyjson_val *now, const struct top_rows *rows,
	       const struct top_size *size, FILE *to);

/* top_print_json - One object and a line's end on stdout. Return: 0 or -ENOMEM.
 */
must_check int top_print_json(yyjson_val *now, const struct top_rows *rows);

/* SPDX-License-Identifier: Apache-2.0 */
/* What to do about the reasons that a list shows: each reason once, below it.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <yyjson.h>
#include "base/cleanup.h"

struct remedy {
	const char *label, *text;
	size_t n; /* how many rows of the list have this reason */
};

/* In the order in which the reasons appeared. */
struct remedies {
	struct remedy *v;
	size_t n;
};

/* remedies_of_pods - Those of the pods that are not armed.
 * @pods: the array of /v1/pods; @out points into it. */
void remedies_of_pods(yyjson_val *pods, struct remedies *out);

/* remedies_of_flows - Those of the flows that are TCP, by our verdict or by the
 * kernel's code. @flows: the array of /v1/flows; @out points into it. */
void remedies_of_flows(yyjson_val *flows, struct remedies *out);

/* remedies_print - An empty line and a table; nothing if there are none.
 * @what: the head of the column of counts. */
void remedies_print(const struct remedies *r, const char *what, FILE *to);

static inline void remedies_free(struct remedies *r)
{
	free(r->v);
	*r = (struct remedies){};
}

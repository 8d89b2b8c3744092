/* SPDX-License-Identifier: Apache-2.0 */
/* What happened between two answers of /v1/top, by pod. */
#pragma once

#include <stddef.h>
#include <yyjson.h>
#include "base/cleanup.h"

/* Negative: not known, as in the first answer that has the pod. */
struct top_row {
	const char *ns, *pod; /* of the later answer's */
	/* open now; those that fell back are TCP */
	unsigned long long smcr, smcd, tcp;
	double opened; /* flows in a second, whatever became of them */
	double fell;   /* of those, offered SMC and not SMC */
	/* bytes in a second, over SMC; rx: as its programs read */
	double smcr_rx, smcr_tx, smcd_rx, smcd_tx;
	unsigned long long fallbacks; /* since they are counted */
	unsigned long long buffers;   /* bytes of pinned memory */
	/* rations: held and the most; sockets that were kept TCP by them */
	unsigned long long pending, pending_max, connections, connections_max;
	unsigned long long rationed;
};

struct top_rows {
	struct top_row *v;
	size_t n;
	double seconds; /* between the two answers */
};

/*
 * top_rows_make - @before, @now: the roots of two answers, which must outlive
 * @out. Those with most bytes in a second come first, then those with most new
 * flows, then by name. Return: 0 or -ENOMEM; free with top_rows_free().
 */
must_check int top_rows_make(yyjson_val *before, yyjson_val *now,
			     struct top_rows *out);
void top_rows_free(struct top_rows *rows);

/* top_bytes - Of a row, over both transports and both ways; 0 if not known. */
double top_bytes(const struct top_row *row);

/* top_ration - How much of the ration of which it has used most, in percent. */
unsigned int top_ration(const struct top_row *row);

/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the numbers of /metrics are: by pod, added up by namespace, or all in
 * one (enum metrics_labels). */
#pragma once

#include "base/cleanup.h"
#include "telemetry/metrics.h"

/* metrics_shown - The gauges of @pod that have a sample from now on, for as
 * long as the pod lives: its @shown of the last time, and what is not 0 now. */
unsigned int metrics_shown(const struct metrics_pod *pod);

struct metrics_row {
	const char *ns, *pod; /* "": nobody's, or not told apart by it */
	char *labels;	      /* as in a sample, escaped; "": none */
	unsigned int shown;   /* gauges that have a sample, a bit each */
	__u64 gauge[METRICS_GAUGES];
	__u64 sum[METRICS_SUMS];
};

struct metrics_rows {
	struct metrics_row *v; /* the last is that of what has no name */
	size_t n;
	size_t of_slot[SMC_PODS]; /* index in v */
	__u32 id_at[SMC_PODS]; /* the pod's number; 0: the slot has no name */
};

/* metrics_rows_make - Add up what @m has; it must outlive @out.
 * Return: 0 or -ENOMEM; free with metrics_rows_free() in any case. */
must_check int metrics_rows_make(const struct metrics *m,
				 struct metrics_rows *out);

void metrics_rows_free(struct metrics_rows *rows);

/* metrics_row_of - The row of a fall-back's count, as an index. */
size_t metrics_row_of(const struct metrics_rows *rows,
		      const struct metrics_fallback *f);

/* metrics_label_add - Append @before, then key="value", escaped. */
void metrics_label_add(struct buf *out, const char *before, const char *key,
		       const char *value);

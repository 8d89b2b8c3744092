/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms of durations, as Prometheus has them: buckets of fixed bounds. */
#pragma once

#include <linux/types.h>

#define HISTOGRAM_BUCKETS 11

/*
 * The buckets: one table.
 * X(ID, upper bounds in seconds, rising: HISTOGRAM_BUCKETS of them)
 *   CONNECT  a handshake within a node takes 0.1 ms, one that waits for a lost
 *            SYN 1 s and more
 *   ARMED    a look takes milliseconds; the sandbox of a pod seconds
 *   EVENT    a reconcile of a small mesh takes milliseconds
 */
#define HISTOGRAMS(X)                                                         \
	X(CONNECT, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, \
	  0.25, 1, 5)                                                         \
	X(ARMED, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)           \
	X(EVENT, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)

#define HISTOGRAM_ENUM(id, ...) HISTOGRAM_##id,
enum histogram_id { HISTOGRAMS(HISTOGRAM_ENUM) HISTOGRAM_MAX };
#undef HISTOGRAM_ENUM

struct histogram {
	__u64 n[HISTOGRAM_BUCKETS + 1]; /* by bucket; the last: above all */
	double sum;			/* seconds */
};

/* histogram_bounds - The HISTOGRAM_BUCKETS upper bounds, in seconds. */
const double *histogram_bounds(enum histogram_id id);

/* histogram_add - Count one duration; one below 0 counts as 0. */
void histogram_add(struct histogram *h, enum histogram_id id, double seconds);

/* histogram_count - How many were counted. */
__u64 histogram_count(const struct histogram *h);

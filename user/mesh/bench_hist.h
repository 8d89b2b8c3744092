/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long requests took, as load generators tell it: bins of any width, also
 * overlapping ones, as those of several runs are. Within a bin its requests are
 * taken to be spread evenly.
 */
#pragma once

#include <stddef.h>
#include "base/cleanup.h"

/* Requests that took from `start` to `end` seconds. */
struct bench_bin {
	double start, end, count;
};

struct bench_hist {
	struct bench_bin *v;
	size_t n;
	double count, min, max; /* of all; seconds */
};

/* bench_hist_add - Append a bin. Return: 0; -EINVAL: the numbers are none, or
 * end before they start; or -ENOMEM; @h is untouched then. */
must_check int bench_hist_add(struct bench_hist *h, double start, double end,
			      double count);

/* bench_hist_merge - Append all bins of @from. Return: 0, or -ENOMEM with a
 * part of them appended. */
must_check int bench_hist_merge(struct bench_hist *h,
				const struct bench_hist *from);

/* bench_hist_below - How many requests took at most @seconds; one that took
 * less than the bin's width is counted by the part of the bin. */
double bench_hist_below(const struct bench_hist *h, double seconds);

/*
 * bench_hist_percentile - The time that @percent (0 to 100) of the requests
 * took at most, in seconds; 0 for an empty one.
 */
double bench_hist_percentile(const struct bench_hist *h, double percent);

/* bench_hist_free - Free the bins; safe on a zeroed struct, and as cleanup. */
void bench_hist_free(struct bench_hist *h);

/*
 * Single times, for a generator that logs each request: buckets that are a
 * 64th of their value wide at most.
 */
#define BENCH_TALLY_BUCKETS 3712 /* up to 2^63 */

struct bench_tally {
	unsigned long n[BENCH_TALLY_BUCKETS];
};

/* bench_tally_add - One request, of @value units. */
void bench_tally_add(struct bench_tally *t, unsigned long value);

/* bench_tally_take - Append what is in it. @unit: seconds a unit. Return: as
 * bench_hist_add(). */
must_check int bench_tally_take(const struct bench_tally *t, double unit,
				struct bench_hist *out);

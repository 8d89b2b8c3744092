// SPDX-License-Identifier: Apache-2.0
#include "telemetry/histogram.h"

static const double bounds[HISTOGRAM_MAX][HISTOGRAM_BUCKETS] = {
#define ROW(id, ...) [HISTOGRAM_##id] = {__VA_ARGS__},
	HISTOGRAMS(ROW)
#undef ROW
};

const double *histogram_bounds(enum histogram_id id)
{
	return bounds[id];
}

void histogram_add(struct histogram *h, enum histogram_id id, double seconds)
{
	unsigned int b = 0;

	if (seconds < 0)
		seconds = 0;
	while (b < HISTOGRAM_BUCKETS && seconds > bounds[id][b])
		b++;
	h->n[b]++;
	h->sum += seconds;
}

__u64 histogram_count(const struct histogram *h)
{
	__u64 sum = 0;

	for (unsigned int b = 0; b <= HISTOGRAM_BUCKETS; b++)
		sum += h->n[b];
	return sum;
}

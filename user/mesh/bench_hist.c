// SPDX-License-Identifier: Apache-2.0
#include "mesh/bench_hist.h"

#include <math.h>
#include "base/array.h"

/* More halvings than a double has bits. */
#define HALVINGS 64

/* Buckets up to 64 are one unit wide; from there on each power of two has 64.
 */
#define SUB_BITS 6
#define SUB (1UL << SUB_BITS)

int bench_hist_add(struct bench_hist *h, double start, double end, double count)
{
	struct bench_bin *bin;

	/* written so that what is no number is refused, too */
	if (!(start >= 0 && end >= start && count >= 0) || isinf(end) ||
	    isinf(count))
		return -EINVAL;
	bin = array_push(h->v, h->n);
	if (!bin)
		return -ENOMEM;
	*bin = (struct bench_bin){start, end, count};
	if (h->n == 1 || start < h->min)
		h->min = start;
	if (end > h->max)
		h->max = end;
	h->count += count;
	return 0;
}

int bench_hist_merge(struct bench_hist *h, const struct bench_hist *from)
{
	int err = 0;

	for (size_t i = 0; !err && i < from->n; i++)
		err = bench_hist_add(h, from->v[i].start, from->v[i].end,
				     from->v[i].count);
	return err;
}

static double below(const struct bench_bin *b, double seconds)
{
	if (seconds >= b->end)
		return b->count;
	if (seconds <= b->start)
		return 0;
	return b->count * (seconds - b->start) / (b->end - b->start);
}

double bench_hist_below(const struct bench_hist *h, double seconds)
{
	double sum = 0;

	for (size_t i = 0; i < h->n; i++)
		sum += below(&h->v[i], seconds);
	return sum;
}

double bench_hist_percentile(const struct bench_hist *h, double percent)
{
	double low = h->min, high = h->max;
	const double wanted = h->count * percent / 100;

	if (!(h->count > 0))
		return 0;
	for (int i = 0; i < HALVINGS && low < high; i++) {
		const double middle = low + (high - low) / 2;

		if (bench_hist_below(h, middle) < wanted)
			low = middle;
		else
			high = middle;
	}
	return high;
}

void bench_hist_free(struct bench_hist *h)
{
	free(h->v);
	*h = (struct bench_hist){};
}

/* ---- single times -------------------------------------------------------- */

/* Where the bucket of @value begins is bucket_start() of it. */
static size_t bucket_of(unsigned long value)
{
	unsigned int shift;

	if (value < SUB)
		return value;
	shift = 63 - __builtin_clzl(value) - SUB_BITS;
	return SUB * (shift + 1) + ((value >> shift) - SUB);
}

static double bucket_start(size_t i)
{
	const size_t shift = i / SUB ? i / SUB - 1 : 0;

	return i < SUB ? (double)i : ldexp((double)(i % SUB + SUB), shift);
}

void bench_tally_add(struct bench_tally *t, unsigned long value)
{
	const size_t i = bucket_of(value);

	t->n[i < BENCH_TALLY_BUCKETS ? i : BENCH_TALLY_BUCKETS - 1]++;
}

int bench_tally_take(const struct bench_tally *t, double unit,
		     struct bench_hist *out)
{
	int err = 0;

	for (size_t i = 0; !err && i < BENCH_TALLY_BUCKETS; i++)
		if (t->n[i])
			err = bench_hist_add(out, bucket_start(i) * unit,
					     bucket_start(i + 1) * unit,
					     t->n[i]);
	return err;
}

// SPDX-License-Identifier: Apache-2.0
#include "mesh/bench.h"

#include <math.h>

/* Of the wanted rate: a generator that keeps it is a little below at times. */
#define REACHED 0.98
/* Of the rate at which latencies are compared. */
#define KEPT 0.9

const double bench_percentiles[BENCH_PERCENTILES] = {50, 75, 90, 99, 99.9};

const char *const bench_metric_words[BENCH_METRICS] = {
	[BENCH_RATE] = "requests_per_second",
	[BENCH_LATENCY + BENCH_P50] = "p50_seconds",
	[BENCH_LATENCY + BENCH_P75] = "p75_seconds",
	[BENCH_LATENCY + BENCH_P90] = "p90_seconds",
	[BENCH_LATENCY + BENCH_P99] = "p99_seconds",
	[BENCH_LATENCY + BENCH_P999] = "p99_9_seconds",
	[BENCH_CPU] = "cpu_seconds_per_request",
	[BENCH_CPU_CLIENT] = "client_cpu_seconds_per_request",
};

/* ---- what the connections were ------------------------------------------- */

static unsigned int smc_of(const struct bench_flows *f)
{
	return f->smcr + f->smcd;
}

/* Has @a a smaller share of SMC than @b? Of equal shares the one with more
 * connections says more. */
static bool is_worse(const struct bench_flows *a, const struct bench_flows *b)
{
	const __u64 all_a = smc_of(a) + a->tcp, all_b = smc_of(b) + b->tcp;
	const __u64 x = smc_of(a) * all_b, y = smc_of(b) * all_a;

	return x != y ? x < y : all_a > all_b;
}

void bench_flows_take(struct bench_flows *worst, const struct bench_flows *now)
{
	const unsigned int looks = worst->looks;

	if (!smc_of(now) && !now->tcp)
		return;
	if (!looks || is_worse(now, worst))
		*worst = *now;
	worst->looks = looks + 1;
}

/* ---- medians, ratios ----------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

struct bench_spread bench_spread_of(const double *v, size_t n)
{
	double sorted[BENCH_ROUNDS_MAX];
	size_t k = 0;

	for (size_t i = 0; i < n && k < BENCH_ROUNDS_MAX; i++)
		if (!isnan(v[i]))
			sorted[k++] = v[i];
	if (!k)
		return (struct bench_spread){NAN, NAN, NAN, 0};
	qsort(sorted, k, sizeof(*sorted), by_value);
	return (struct bench_spread){
		.median = (sorted[(k - 1) / 2] + sorted[k / 2]) / 2,
		.low = sorted[0],
		.high = sorted[k - 1],
		.n = k,
	};
}

struct bench_spread bench_spread_metric(const struct bench_run *v, size_t n,
					enum bench_metric metric)
{
	double values[BENCH_ROUNDS_MAX];

	n = n < BENCH_ROUNDS_MAX ? n : BENCH_ROUNDS_MAX;
	for (size_t i = 0; i < n; i++)
		values[i] = v[i].value[metric];
	return bench_spread_of(values, n);
}

struct bench_spread bench_ratio(const struct bench_run *of,
				const struct bench_run *to, size_t n,
				enum bench_metric metric)
{
	double values[BENCH_ROUNDS_MAX];

	n = n < BENCH_ROUNDS_MAX ? n : BENCH_ROUNDS_MAX;
	for (size_t i = 0; i < n; i++) {
		const double below = to[i].value[metric];

		values[i] = below > 0 ? of[i].value[metric] / below : NAN;
	}
	return bench_spread_of(values, n);
}

/* ---- what may be said ---------------------------------------------------- */

static bool has_errors(const struct bench_run *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].errors > 0)
			return true;
	return false;
}

static bool is_unseen(const struct bench_run *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!v[i].flows.looks)
			return true;
	return false;
}

/* Was any connection TCP (@smc false: SMC)? */
static bool has_any(const struct bench_run *v, size_t n, bool smc)
{
	for (size_t i = 0; i < n; i++)
		if (smc ? smc_of(&v[i].flows) : v[i].flows.tcp)
			return true;
	return false;
}

enum bench_verdict bench_judge(const struct bench_run *const v[BENCH_SIDES],
			       size_t n)
{
	/* first of all: it says what to do, the others only to repeat it */
	if (has_any(v[BENCH_SMC], n, false))
		return BENCH_NOT_SMC;
	for (int side = 0; side < BENCH_SIDES; side++) {
		if (!v[side])
			continue;
		if (side != BENCH_SMC && has_any(v[side], n, true))
			return BENCH_NOT_TCP;
		if (has_errors(v[side], n))
			return BENCH_ERRORS;
		if (is_unseen(v[side], n))
			return BENCH_UNSEEN;
	}
	return n < BENCH_ROUNDS_MIN ? BENCH_FEW : BENCH_SAID;
}

static const struct {
	const char *word, *sentence;
} verdicts[] = {
	[BENCH_SAID] = {"said", ""},
	[BENCH_FEW] =
		{"few-rounds",
		 "fewer than three rounds were finished: their spread says nothing"},
	[BENCH_ERRORS] =
		{"errors",
		 "requests failed: rates of such runs are not comparable"},
	[BENCH_UNSEEN] =
		{"unseen",
		 "the kernel showed no connection of a run: whether they were SMC is not known"},
	[BENCH_NOT_SMC] =
		{"not-smc",
		 "the accelerated runs were not SMC, as the kernel's socket diagnosis says"},
	[BENCH_NOT_TCP] =
		{"not-tcp",
		 "runs that were to be TCP were SMC: there is nothing to compare with"},
};

const char *bench_verdict_word(enum bench_verdict verdict)
{
	return verdicts[verdict].word;
}

const char *bench_verdict_sentence(enum bench_verdict verdict)
{
	return verdicts[verdict].sentence;
}

bool bench_is_clear(const struct bench_spread *ratio,
		    const struct bench_spread *control)
{
	const double low = control->n ? control->low : 1;
	const double high = control->n ? control->high : 1;

	return ratio->n && (ratio->low > high || ratio->high < low);
}

bool bench_is_closed(double wanted, double reached)
{
	return !(wanted > 0) || reached < wanted * REACHED;
}

bool bench_keeps_pace(double wanted, double reached)
{
	return !(reached < wanted * KEPT);
}

double bench_pace(double a, double b)
{
	const double lower = a < b ? a : b;

	return lower > 0 ? floor(lower * BENCH_PACE) : 0;
}

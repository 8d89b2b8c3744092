/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `smcmesh bench` makes of its runs: medians with spread, ratios of runs
 * that were made one after the other, and whether a ratio may be said at all.
 */
#pragma once

#include <stdbool.h>
#include <linux/types.h>
#include "base/cleanup.h"
#include "mesh/bench_hist.h"

#define BENCH_ROUNDS_MIN 3
#define BENCH_ROUNDS_MAX 100
#define BENCH_PACE 0.7 /* of the lower rate: where latencies are comparable */

/* Who is measured, in the order of a round. */
enum bench_side {
	BENCH_TCP,
	BENCH_SMC,
	BENCH_CONTROL, /* TCP between two ends that nobody armed */
	BENCH_SIDES
};

/* The percentiles of the vendor's guide. */
enum {
	BENCH_P50,
	BENCH_P75,
	BENCH_P90,
	BENCH_P99,
	BENCH_P999,
	BENCH_PERCENTILES
};
extern const double bench_percentiles[BENCH_PERCENTILES];

/* What is compared. CPU: seconds a request. */
enum bench_metric {
	BENCH_RATE,
	BENCH_LATENCY, /* the first percentile; one metric each */
	BENCH_CPU =
		BENCH_LATENCY + BENCH_PERCENTILES, /* of the whole machine */
	BENCH_CPU_CLIENT, /* of the generator's processes */
	BENCH_METRICS
};

/* metric's word in JSON: "requests_per_second", "p50_seconds" ... */
extern const char *const bench_metric_words[BENCH_METRICS];

/* What the kernel says of a run's connections, of that look at them which found
 * the fewest to be SMC. */
struct bench_flows {
	unsigned int looks; /* that found connections */
	unsigned int smcr, smcd, tcp;
	__u32 code; /* of one that fell back, the kernel's; or 0 */
};

/* One run of the load generator. */
struct bench_run {
	double value[BENCH_METRICS]; /* NAN: not known */
	double requests, errors, seconds;
	struct bench_flows flows;
};

struct bench_spread {
	double median, low, high; /* NAN: not known */
	unsigned int n;
};

/* bench_flows_take - Take one look into account: @now has looks 0. */
void bench_flows_take(struct bench_flows *worst, const struct bench_flows *now);

/* bench_spread_of - Of @n numbers; those that are NAN count as not there. At
 * most BENCH_ROUNDS_MAX. */
struct bench_spread bench_spread_of(const double *v, size_t n);

/* bench_spread_metric - Of one metric of @n runs. */
struct bench_spread bench_spread_metric(const struct bench_run *v, size_t n,
					enum bench_metric metric);

/* bench_ratio - Of each run of @of to that of the same round of @to, then the
 * spread of these. */
struct bench_spread bench_ratio(const struct bench_run *of,
				const struct bench_run *to, size_t n,
				enum bench_metric metric);

/* Why no ratio is said; BENCH_SAID: it is. */
enum bench_verdict {
	BENCH_SAID,
	BENCH_FEW,     /* less than BENCH_ROUNDS_MIN rounds were finished */
	BENCH_ERRORS,  /* requests failed */
	BENCH_UNSEEN,  /* no look at the kernel's sockets found any */
	BENCH_NOT_SMC, /* the accelerated runs were not all SMC */
	BENCH_NOT_TCP, /* those to compare with were not TCP */
};

/*
 * bench_judge - May the ratio of these runs be said?
 * @v: by side; @n: finished rounds. BENCH_CONTROL's may be NULL.
 */
enum bench_verdict bench_judge(const struct bench_run *const v[BENCH_SIDES],
			       size_t n);

/* bench_verdict_word - For JSON: "not-smc". */
const char *bench_verdict_word(enum bench_verdict verdict);

/* bench_verdict_sentence - For people; "" for BENCH_SAID. */
const char *bench_verdict_sentence(enum bench_verdict verdict);

/*
 * bench_is_clear - Is a ratio more than noise? The control's ratio to the same
 * TCP runs would be 1 on a machine at rest: what is not is noise. It is clear
 * if the two spreads do not overlap; without a control, if the ratio's own does
 * not have 1 in it.
 * @control: n 0: there is none.
 */
bool bench_is_clear(const struct bench_spread *ratio,
		    const struct bench_spread *control);

/*
 * bench_is_closed - Did the server set the pace? A generator that does not
 * reach the wanted rate (0: none was) sends the next request when the last one
 * is answered: then latencies are service times, and the time that a request
 * should have waited for its turn is in none of them (coordinated omission).
 */
bool bench_is_closed(double wanted, double reached);

/* bench_pace - The rate at which latencies are comparable: BENCH_PACE of the
 * lower of two, whole requests a second; 0: there is none. */
double bench_pace(double a, double b);

/* bench_keeps_pace - Was that rate kept, but for what does not change latencies
 * much? NAN, not known, counts as kept. */
bool bench_keeps_pace(double wanted, double reached);

// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_measure.h"

#include <limits.h>
#include <string.h>
#include <time.h>
#include "cli/bench_run.h"
#include "cli/work_dir.h"

const char *const bench_side_words[BENCH_SIDES] = {
	[BENCH_TCP] = "tcp", [BENCH_SMC] = "smc", [BENCH_CONTROL] = "control"};

void bench_result_free(struct bench_result *r)
{
	for (int side = 0; side < BENCH_SIDES; side++) {
		bench_hist_free(&r->side[side].times);
		bench_hist_free(&r->side[side].paced_times);
	}
}

/* ---- runs ---------------------------------------------------------------- */

static int fail(int err, enum bench_side side, struct bench_result *r,
		const struct buf *error)
{
	if (err == -EINTR)
		return err;
	r->why = (struct bench_why){};
	snprintf(r->why.sentence, sizeof(r->why.sentence),
		 "a run of side %s failed: %s", bench_side_words[side],
		 error->data ?: strerror(-err));
	fprintf(stderr, "smcmesh bench: %s\n", r->why.sentence);
	return err;
}

static void say_run(const struct bench_run *run, enum bench_side side)
{
	fprintf(stderr,
		"smcmesh bench:   %-8s %.0f requests/s, p50 %.3f ms, p99 %.3f ms, connections: SMC %u, TCP %u\n",
		bench_side_words[side], run->value[BENCH_RATE],
		run->value[BENCH_LATENCY + BENCH_P50] * 1e3,
		run->value[BENCH_LATENCY + BENCH_P99] * 1e3,
		run->flows.smcr + run->flows.smcd, run->flows.tcp);
}

/* A run in which requests failed is none: the rates of others are not to be
 * compared with it. */
static int one(const struct bench_plan *plan, enum bench_side side,
	       struct bench_load *load, struct bench_run *out,
	       struct bench_hist *times, struct bench_result *r)
{
	_buf_ struct buf error = {};
	int err;

	/* so that no report is taken for the next run's */
	work_dir_empty(load->dir);
	load->url = plan->end[side].url;
	err = bench_run_one(plan, side, load, out, times, r, &error);
	if (!err && out->errors > 0) {
		buf_printf(
			&error,
			"%.0f of %.0f requests failed; does the server at %s still run?",
			out->errors, out->errors + out->requests,
			plan->end[side].target);
		err = -EIO;
	}
	if (err)
		return fail(err, side, r, &error);
	say_run(out, side);
	return 0;
}

static int rounds(const struct bench_plan *plan, struct bench_load *load,
		  struct bench_result *r)
{
	for (; r->rounds < plan->rounds; r->rounds++) {
		fprintf(stderr, "smcmesh bench: round %u of %u, %u s each\n",
			r->rounds + 1, plan->rounds, load->seconds);
		for (int side = 0; side < BENCH_SIDES; side++) {
			struct bench_series *s = &r->side[side];
			int err =
				!plan->end[side].used
					? 0
					: one(plan, side, load,
					      &s->run[r->rounds], &s->times, r);

			if (err)
				return err;
		}
	}
	return 0;
}

static void judge(const struct bench_plan *plan, struct bench_result *r)
{
	const struct bench_run *v[BENCH_SIDES] = {};

	for (int side = 0; side < BENCH_SIDES; side++)
		if (plan->end[side].used)
			v[side] = r->side[side].run;
	r->verdict = bench_judge(v, r->rounds);
	if (r->verdict == BENCH_SAID || r->verdict == BENCH_NOT_SMC)
		return;
	if (r->rounds == plan->rounds)
		r->why = (struct bench_why){};
}

/* Does a second part tell more? If the first was a closed loop of SMC against
 * TCP, and the generator can keep to a rate. */
static int at_pace(const struct bench_plan *plan, struct bench_load *load,
		   struct bench_result *r)
{
	const double tcp = bench_spread_metric(r->side[BENCH_TCP].run,
					       r->rounds, BENCH_RATE)
				   .median;
	const double smc = bench_spread_metric(r->side[BENCH_SMC].run,
					       r->rounds, BENCH_RATE)
				   .median;
	int err = 0;

	if (!plan->paced || r->verdict != BENCH_SAID)
		return 0;
	if (!plan->generator->paces) {
		fprintf(stderr,
			"smcmesh bench: %s cannot keep to a rate: no run at %.0f %% of the lower one\n",
			plan->generator->name, BENCH_PACE * 100);
		return 0;
	}
	load->rate = bench_pace(tcp, smc);
	if (!(load->rate >= load->connections))
		return 0;
	fprintf(stderr, "smcmesh bench: at %.0f requests/s, %u s each\n",
		load->rate, load->seconds);
	for (int side = 0; !err && side < BENCH_SIDES; side++)
		if (plan->end[side].used)
			err = one(plan, side, load, &r->side[side].paced,
				  &r->side[side].paced_times, r);
	if (!err)
		r->pace = load->rate;
	return err;
}

int bench_measure(const struct bench_plan *plan, struct bench_result *out)
{
	struct bench_load load = plan->load;
	char dir[PATH_MAX];
	int err = work_dir_make("bench", dir);

	if (err)
		return err;
	out->began = time(NULL);
	load.dir = dir;
	load.rate = plan->rate;
	err = rounds(plan, &load, out);
	judge(plan, out);
	if (err && out->verdict == BENCH_SAID)
		out->verdict = BENCH_ERRORS;
	err = err ?: at_pace(plan, &load, out);
	work_dir_remove(dir);
	return err;
}

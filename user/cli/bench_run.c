// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_run.h"

#include <limits.h>
#include <math.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "base/file.h"
#include "cli/bench_way.h"
#include "cli/ending.h"

#define LOOK_MS 250 /* between two looks at least */
#define LOOKS 8	    /* of a long run */
#define OVERTIME_S 60

/* ---- start --------------------------------------------------------------- */

static int start(const struct bench_plan *plan, enum bench_side side,
		 const struct bench_load *load, struct child *c)
{
	const struct bench_end *end = &plan->end[side];
	_strv_ char **argv = NULL;
	const int err = plan->way->arguments(plan, side, load, &argv);
	const struct child_how how = {.argv = argv,
				      .self = end->by_run,
				      .netns = end->at.fd,
				      .of = end->pod,
				      .dir = load->dir,
				      .out_file = BENCH_STDOUT,
				      .err_file = BENCH_STDERR};

	return err ?: child_start(&how, c);
}

/* ---- while it runs ------------------------------------------------------- */

static void look(const struct bench_plan *plan, enum bench_side side,
		 const struct child *c, struct bench_eyes *eyes,
		 struct bench_run *out, struct bench_result *r)
{
	const bool why = side == BENCH_SMC && !*r->why.sentence;
	struct bench_sight seen = {};
	struct bench_flows now;

	if (!plan->way->look(plan, side, c->pid, why, eyes, &seen))
		return;
	now = (struct bench_flows){.smcr = seen.found.smcr,
				   .smcd = seen.found.smcd,
				   .tcp = seen.found.tcp,
				   .code = seen.found.code};
	bench_flows_take(&out->flows, &now);
	if (why && seen.found.tcp)
		r->why = seen.why;
	if (side == BENCH_SMC && *seen.found.software)
		strcpy(r->software, seen.found.software);
}

/* Nanoseconds from one look to the next. */
static __u64 look_each(const struct bench_load *load)
{
	const __u64 ms = load->seconds * 1000 / LOOKS;

	return (ms > LOOK_MS ? ms : LOOK_MS) * CLOCK_MS;
}

/* Until it has ended. */
static int watch(const struct bench_plan *plan, enum bench_side side,
		 const struct bench_load *load, struct child *c,
		 struct bench_eyes *eyes, struct bench_run *out,
		 struct bench_result *r)
{
	const __u64 until =
		clock_now() + (load->seconds + OVERTIME_S) * CLOCK_SECOND;
	const __u64 each = look_each(load);
	__u64 next = clock_now() + LOOK_MS * CLOCK_MS;

	while (!child_has_ended(c)) {
		if (ending_came())
			return -EINTR;
		if (clock_now() > until)
			return -ETIMEDOUT;
		if (clock_now() >= next) {
			look(plan, side, c, eyes, out, r);
			next = clock_now() + each;
		}
		child_step();
	}
	return 0;
}

/* ---- what came of it ----------------------------------------------------- */

/* What it printed on its standard error, "" for nothing. */
static void read_said(const struct bench_load *load, struct buf *out)
{
	_buf_ struct buf error = {};
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", load->dir, BENCH_STDERR);
	(void)!small_file_read(path, out, &error);
}

static void fill(const struct bench_plan *plan,
		 const struct bench_report *report, const struct child *c,
		 double busy, struct bench_run *out)
{
	const double n = report->requests;
	const struct timeval *u = &c->used.ru_utime, *s = &c->used.ru_stime;

	out->requests = n;
	out->errors = report->errors;
	out->seconds = report->seconds;
	out->value[BENCH_RATE] = n / report->seconds;
	for (int i = 0; i < BENCH_PERCENTILES; i++)
		out->value[BENCH_LATENCY + i] = bench_hist_percentile(
			&report->times, bench_percentiles[i]);
	out->value[BENCH_CPU] = n > 0 ? busy / n : NAN;
	out->value[BENCH_CPU_CLIENT] =
		n > 0 && !plan->cluster ? (u->tv_sec + s->tv_sec +
					   (u->tv_usec + s->tv_usec) / 1e6) /
						  n
					: NAN;
}

/* The generator's report. Its exit status says less: some give 0 for a server
 * that nobody reached. */
static int conclude(const struct bench_plan *plan,
		    const struct bench_load *load, const struct child *c,
		    struct bench_report *report, struct buf *error)
{
	_buf_ struct buf said = {}, why = {};
	int err = plan->generator->read(load, report, &why);
	const char *last;

	if (!err && report->requests > 0)
		return 0;
	last = child_said(load->dir, BENCH_STDERR, &said);
	buf_printf(error, "%s: %s", plan->generator->name,
		   why.data
			   ?: err ? strerror(-err)
				  : "no request was answered");
	if (WIFSIGNALED(c->status))
		buf_printf(error, "; signal %d ended it", WTERMSIG(c->status));
	if (*last)
		buf_printf(error, "; it said: %s", last);
	return err ?: -EIO;
}

static int run_it(const struct bench_plan *plan, enum bench_side side,
		  const struct bench_load *load, struct child *c,
		  struct bench_eyes *eyes, struct bench_run *out,
		  struct bench_result *r, struct buf *error)
{
	int err = plan->way->begin(plan, side, load, eyes, r, error);

	if (err)
		return err;
	err = start(plan, side, load, c);
	if (err) {
		buf_printf(error, "start %s: %s", plan->generator->name,
			   strerror(-err));
		return err;
	}
	err = watch(plan, side, load, c, eyes, out, r);
	if (err == -ETIMEDOUT)
		buf_printf(error, "%s did not end in %u seconds",
			   plan->generator->name, load->seconds + OVERTIME_S);
	return err;
}

static void close_eyes(struct bench_eyes *eyes)
{
	child_end(&eyes->keeper);
	for (size_t i = 0; i < array_size(eyes->stream); i++)
		child_end(&eyes->stream[i].child);
}

int bench_run_one(const struct bench_plan *plan, enum bench_side side,
		  const struct bench_load *load, struct bench_run *out,
		  struct bench_hist *times, struct bench_result *r,
		  struct buf *error)
{
	_cleanup_(bench_report_free) struct bench_report report = {};
	_cleanup_(close_eyes) struct bench_eyes eyes = {
		.keeper = CHILD_NONE,
		.stream = {{.child = CHILD_NONE}, {.child = CHILD_NONE}}};
	_child_ struct child c = CHILD_NONE;
	_buf_ struct buf said = {};
	double busy;
	int err;

	*out = (struct bench_run){};
	err = run_it(plan, side, load, &c, &eyes, out, r, error);
	if (err)
		return err;
	busy = plan->way->end(plan, &eyes);
	read_said(load, &said);
	if (side == BENCH_SMC && !*r->why.sentence)
		bench_why_plain(said.data ?: "", &r->why);
	err = conclude(plan, load, &c, &report, error);
	if (err)
		return err;
	fill(plan, &report, &c, busy, out);
	return bench_hist_merge(times, &report.times);
}

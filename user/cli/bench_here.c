// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_way.h"

#include <math.h>
#include "agent/runs.h"
#include "node/cpu_time.h"

static double busy_now(const struct bench_plan *plan)
{
	double seconds;

	return cpu_time_busy(plan->proc, &seconds) ? NAN : seconds;
}

static int begin(const struct bench_plan *plan, enum bench_side side,
		 const struct bench_load *load, struct bench_eyes *eyes,
		 struct bench_result *r, struct buf *error)
{
	if (!*r->machine.kernel)
		bench_machine_here(plan->proc, &r->machine);
	eyes->busy = busy_now(plan);
	return 0;
}

static int arguments(const struct bench_plan *plan, enum bench_side side,
		     const struct bench_load *load, char ***argv)
{
	const char *const prefix[] = {"smcmesh", "run",	    "--wait", "10",
				      "--run",	 plan->run, "--"};
	const size_t n = plan->end[side].by_run ? array_size(prefix) : 0;
	int err = 0;

	for (size_t i = 0; !err && i < n; i++)
		err = strv_push(argv, prefix[i]);
	return err ?: plan->generator->prepare(load, argv);
}

static bool look(const struct bench_plan *plan, enum bench_side side, pid_t pid,
		 bool why, struct bench_eyes *eyes, struct bench_sight *out)
{
	const struct bench_end *end = &plan->end[side];
	char run[64];

	if (peer_flows_count(&end->at, &end->to, false, &out->found))
		return false;
	snprintf(run, sizeof(run), RUNS_NS "/%s-%d", plan->generator->name,
		 pid);
	if (why && out->found.tcp)
		bench_why(plan->run,
			  end->pod
				  ?: end->by_run ? run
						 : NULL,
			  &end->to, &out->found, &out->why);
	return true;
}

static double end(const struct bench_plan *plan, struct bench_eyes *eyes)
{
	return busy_now(plan) - eyes->busy;
}

const struct bench_way bench_here = {
	.begin = begin, .arguments = arguments, .look = look, .end = end};

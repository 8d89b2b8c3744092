// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_run.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include "base/clock.h"
#include "base/file.h"
#include "cli/bench_why.h"
#include "cli/ending.h"
#include "node/cpu_time.h"
#include "node/peer_flows.h"

#define STEP_MS 50
#define LOOK_MS 250 /* between two looks at least */
#define LOOKS 8	    /* of a long run */
#define OVERTIME_S 60

/* One that runs, or has run. */
struct child {
	pid_t pid;
	int status;
	struct rusage used;
};

/* ---- start --------------------------------------------------------------- */

static int arguments(const struct bench_plan *plan, const struct bench_end *end,
		     const struct bench_load *load, char ***argv)
{
	const char *const prefix[] = {"smcmesh", "run",	    "--wait", "10",
				      "--run",	 plan->run, "--"};
	int err = 0;

	for (size_t i = 0; !err && end->by_run && i < array_size(prefix); i++)
		err = strv_push(argv, prefix[i]);
	return err ?: plan->generator->prepare(load, argv);
}

static int redirect(const char *dir, const char *name, int fd)
{
	char path[PATH_MAX];
	int file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return file < 0 ? -errno : dup2(file, fd) < 0 ? -errno : 0;
}

static void __attribute__((noreturn))
become(const struct bench_end *end, const char *dir, pid_t parent, char **argv)
{
	/* a terminal's Ctrl-C is for the parent, which ends it */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || redirect(dir, BENCH_STDOUT, 1) ||
	    redirect(dir, BENCH_STDERR, 2))
		_exit(126);
	if (end->at.fd >= 0 && setns(end->at.fd, CLONE_NEWNET))
		fprintf(stderr, "enter the namespace of pod %s: %m\n",
			end->pod);
	else if (end->by_run)
		execv("/proc/self/exe", argv);
	else
		execvp(argv[0], argv);
	fprintf(stderr, "%s: %m\n", argv[0]);
	_exit(127);
}

static int start(const struct bench_plan *plan, const struct bench_end *end,
		 const struct bench_load *load, struct child *c)
{
	const pid_t parent = getpid();
	_strv_ char **argv = NULL;
	int err = arguments(plan, end, load, &argv);

	if (err)
		return err;
	fflush(NULL);
	c->pid = fork();
	if (c->pid < 0)
		return -errno;
	if (!c->pid)
		become(end, load->dir, parent, argv);
	return 0;
}

/* ---- while it runs ------------------------------------------------------- */

static void look(const struct bench_plan *plan, enum bench_side side,
		 const struct child *c, struct bench_run *out,
		 struct bench_result *r)
{
	const struct bench_end *end = &plan->end[side];
	struct bench_flows now;
	struct peer_flows found;

	if (peer_flows_count(&end->at, &end->to, &found))
		return;
	now = (struct bench_flows){.smcr = found.smcr,
				   .smcd = found.smcd,
				   .tcp = found.tcp,
				   .code = found.code};
	bench_flows_take(&out->flows, &now);
	if (side == BENCH_SMC && found.tcp && !*r->why)
		bench_why(plan, &found, c->pid, r);
}

static void end_it(struct child *c)
{
	kill(-c->pid, SIGKILL); /* with what it has started */
	kill(c->pid, SIGKILL);	/* before it has its group */
	while (wait4(c->pid, &c->status, 0, &c->used) < 0 && errno == EINTR)
		;
}

/* Nanoseconds from one look to the next. */
static __u64 look_each(const struct bench_load *load)
{
	const __u64 ms = load->seconds * 1000 / LOOKS;

	return (ms > LOOK_MS ? ms : LOOK_MS) * (CLOCK_SECOND / 1000);
}

/* Until it has ended. */
static int watch(const struct bench_plan *plan, enum bench_side side,
		 const struct bench_load *load, struct child *c,
		 struct bench_run *out, struct bench_result *r)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
	const __u64 until =
		clock_now() + (load->seconds + OVERTIME_S) * CLOCK_SECOND;
	const __u64 each = look_each(load);
	__u64 next = clock_now() + LOOK_MS * (CLOCK_SECOND / 1000);

	for (;;) {
		if (wait4(c->pid, &c->status, WNOHANG, &c->used) == c->pid)
			return 0;
		if (ending_came() || clock_now() > until) {
			end_it(c);
			return ending_came() ? -EINTR : -ETIMEDOUT;
		}
		if (clock_now() >= next) {
			look(plan, side, c, out, r);
			next = clock_now() + each;
		}
		nanosleep(&step, NULL);
	}
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

/* The last line that says something, for an error. */
static void add_last_line(struct buf *error, struct buf *said)
{
	char *end = said->data ? said->data + said->len : NULL, *line;

	while (end && end > said->data && strchr("\n\r ", end[-1]))
		*--end = '\0';
	if (!end || end == said->data)
		return;
	line = strrchr(said->data, '\n');
	buf_printf(error, "; it said: %s", line ? line + 1 : said->data);
}

static void fill(const struct bench_report *report, const struct child *c,
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
		n > 0 ? (u->tv_sec + s->tv_sec +
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

	if (!err && report->requests > 0)
		return 0;
	read_said(load, &said);
	buf_printf(error, "%s: %s", plan->generator->name,
		   why.data
			   ?: err ? strerror(-err)
				  : "no request was answered");
	if (WIFSIGNALED(c->status))
		buf_printf(error, "; signal %d ended it", WTERMSIG(c->status));
	add_last_line(error, &said);
	return err ?: -EIO;
}

static double busy_now(const struct bench_plan *plan)
{
	double seconds;

	return cpu_time_busy(plan->proc, &seconds) ? NAN : seconds;
}

int bench_run_one(const struct bench_plan *plan, enum bench_side side,
		  const struct bench_load *load, struct bench_run *out,
		  struct bench_hist *times, struct bench_result *r,
		  struct buf *error)
{
	_cleanup_(bench_report_free) struct bench_report report = {};
	_buf_ struct buf said = {};
	struct child c = {};
	double busy = busy_now(plan);
	int err = start(plan, &plan->end[side], load, &c);

	*out = (struct bench_run){};
	if (err) {
		buf_printf(error, "start %s: %s", plan->generator->name,
			   strerror(-err));
		return err;
	}
	err = watch(plan, side, load, &c, out, r);
	if (err == -ETIMEDOUT)
		buf_printf(error, "%s did not end in %u seconds",
			   plan->generator->name, load->seconds + OVERTIME_S);
	if (err)
		return err;
	busy = busy_now(plan) - busy;
	read_said(load, &said);
	if (side == BENCH_SMC && !*r->why)
		bench_why_plain(said.data ?: "", r);
	err = conclude(plan, load, &c, &report, error);
	if (err)
		return err;
	fill(&report, &c, busy, out);
	return bench_hist_merge(times, &report.times);
}

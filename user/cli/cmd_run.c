// SPDX-License-Identifier: Apache-2.0
/*
 * Starts a program whose TCP is accelerated, as a pod's is: in a cgroup of its
 * own, which the agent arms. The program itself is not touched: static ones,
 * Go's, and what it starts are accelerated, too.
 *
 * Whatever is missing, the program runs: as plain TCP, after a line that says
 * why. It replaces this process, so its number, exit status, signals and files
 * are its own.
 */
#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "agent/agent.h"
#include "base/clock.h"
#include "cli/ask_agent.h"
#include "cli/command.h"
#include "datapath/features.h"
#include "node/proc.h"
#include "node/run_cgroup.h"

/* Between two questions. */
#define AGAIN_NS 50000000
#define WAIT_MAX 60

/* As env(1) and a shell say it. */
enum { EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

enum { WAIT, RUN };

static const struct cli_option options[] = {
	[WAIT] = {0, "wait", "SECONDS", "2",
		  "how long the program may wait until it is armed"},
	[RUN] = CLI_OPTION_RUN,
	{},
};

/* What the agent said. */
struct said {
	bool armed;
	bool inside; /* by the row of a cgroup around this process' */
	bool settled;
};

static int take_answer(const struct buf *text, struct said *said,
		       struct buf *why)
{
	yyjson_doc *doc = yyjson_read(text->data, text->len, 0);
	yyjson_val *root = yyjson_doc_get_root(doc);

	if (!doc) {
		buf_printf(why, "the agent's answer is no JSON");
		return -EIO;
	}
	said->armed = yyjson_get_bool(yyjson_obj_get(root, "armed"));
	said->inside = yyjson_get_bool(yyjson_obj_get(root, "inside"));
	said->settled = yyjson_get_bool(yyjson_obj_get(root, "settled"));
	if (!said->armed)
		buf_printf(why, "%s%s%s", json_text(root, "reason"),
			   *json_text(root, "reason") ? ": " : "",
			   json_text(root, "sentence"));
	yyjson_doc_free(doc);
	return 0;
}

static int ask(const char *run, const char *cgroup, long ms, struct said *said,
	       struct buf *why)
{
	_buf_ struct buf path = {}, answer = {};
	char *name = curl_easy_escape(NULL, cgroup, 0);
	int err;

	buf_printf(&path, "/v1/run?cgroup=%s", name ?: "");
	curl_free(name);
	buf_free(why);
	err = path.err ?: client_within(run, path.data, ms, &answer, why);
	return err ?: take_answer(&answer, said, why);
}

/* Until it is armed, cannot be, or the time is over. */
static int wait_armed(const char *run, const char *cgroup, long ms,
		      struct said *said, struct buf *why)
{
	const struct timespec pause = {.tv_nsec = AGAIN_NS};
	const __u64 end = clock_now() + ms * 1000000ULL;
	__u64 now;
	int err;

	for (;;) {
		now = clock_now();
		ms = now < end ? (end - now) / 1000000 : 0;
		err = ask(run, cgroup, ms + 1, said, why);
		if (err || said->armed || said->settled || !ms)
			return err;
		nanosleep(&pause, NULL);
	}
}

/* A row for a cgroup counts in the host's network namespace alone. */
static bool is_in_hosts(void)
{
	struct ns_id own, host;

	return !proc_ns("/proc", getpid(), "net", &own) &&
	       !proc_ns("/proc", 1, "net", &host) && ns_same(&own, &host);
}

/* Ask the agent to arm the cgroup that this process has moved to, and move back
 * where that is of no use. Return: is this process armed now? */
static bool arm_in(const struct run_cgroup *cgroup, const char *run, long ms,
		   struct buf *why)
{
	struct said said = {};
	int err = wait_armed(run, cgroup->path, ms, &said, why);

	if (!err && said.armed && !said.inside)
		return true;
	if (run_cgroup_leave(cgroup))
		buf_printf(why, " (and the cgroup %s stays)", cgroup->path);
	return !err && said.armed;
}

static bool arm(const char *program, const char *run, long ms, struct buf *why)
{
	struct run_cgroup cgroup;
	char sock[PATH_MAX], root[PATH_MAX];
	int err;

	snprintf(sock, sizeof(sock), "%s/%s", run, AGENT_SOCKET);
	if (access(sock, W_OK)) {
		buf_printf(why,
			   errno == EACCES ? "%s is for root only"
					   : "no agent answers on %s",
			   sock);
		return false;
	}
	if (!is_in_hosts()) {
		buf_printf(why, "this network namespace is not the host's");
		return false;
	}
	if (features_find_cgroup2("/proc", root, sizeof(root))) {
		buf_printf(why, "no cgroup v2 hierarchy is mounted");
		return false;
	}
	err = run_cgroup_enter(root, program, &cgroup);
	if (err) {
		buf_printf(why, "make a cgroup of its own below %s: %s", root,
			   strerror(-err));
		return false;
	}
	return arm_in(&cgroup, run, ms, why);
}

/* Return: milliseconds, or -1. */
static long read_wait(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (*text && !*end && seconds >= 0 && seconds <= WAIT_MAX)
		return seconds * 1000;
	fprintf(stderr,
		"smcmesh run: --wait %s: expected seconds from 0 to %d\n", text,
		WAIT_MAX);
	return -1;
}

static int run(const struct cli_args *args)
{
	const char *program = args->program[0];
	long ms = read_wait(args->option[WAIT]);
	_buf_ struct buf why = {};

	if (ms < 0)
		return EXIT_USAGE;
	if (!arm(program, args->option[RUN], ms, &why))
		fprintf(stderr, "smcmesh run: %s runs as plain TCP: %s\n",
			program, why.data ?: strerror(ENOMEM));
	execvp(program, args->program);
	fprintf(stderr, "smcmesh run: %s: %m\n", program);
	return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

const struct command command_run = {
	.name = "run",
	.help = "run a program accelerated, without Kubernetes",
	.more = "The agent of this machine arms it in a cgroup of its own, as root only. Without\n"
		"one, or where it cannot, the program runs as plain TCP, and stderr says why.",
	.operand = "[--] PROGRAM [ARG...]",
	.operands_min = 1,
	.starts = true,
	.options = options,
	.run = run,
};

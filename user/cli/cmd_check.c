// SPDX-License-Identifier: Apache-2.0
/* Makes connections between two pods, and says how far each came on the way to
 * SMC. */
#include <stdio.h>
#include <string.h>
#include "base/addr.h"
#include "cli/check_local.h"
#include "cli/check_print.h"
#include "cli/check_run.h"
#include "cli/command.h"
#include "cli/pod_name.h"

enum {
	LOCAL,
	SERVE,
	CONNECT,
	SERVICE,
	COUNT,
	OUTPUT,
	RUN,
	BPFFS,
	CGROUP,
	PROC
};

static const struct cli_option options[] = {
	[LOCAL] = {0, "local", NULL, NULL,
		   "of this node: between two network namespaces of its own"},
	[SERVE] = {0, "serve", "NAMESPACE/POD", NULL,
		   "the server's half: listen in this pod, and say where"},
	[CONNECT] = {0, "connect", "NAMESPACE/POD", NULL,
		     "the client's half: from this pod to ADDRESS:PORT"},
	[SERVICE] = {0, "service", NULL, NULL,
		     "connect: only connect, for others answer there"},
	[COUNT] = {0, "count", "N", "3", "connections each way, at most 100"},
	[OUTPUT] = CLI_OPTION_OUTPUT,
	[RUN] = CLI_OPTION_RUN,
	[BPFFS] = CLI_OPTION_BPFFS,
	[CGROUP] = CLI_OPTION_CGROUP,
	[PROC] = CLI_OPTION_PROC,
	{},
};

/* What was asked for. */
struct asked {
	struct check_place place;
	const char *const *option;
	const char *from, *to; /* pods; NULL: not given */
	struct smc_addr_port at;
	unsigned int count;
	/* What was found out; too large for a stack. */
	struct check_pod pods[2];
	struct check_way ways[2];
};

static int wrong(const char *what)
{
	fprintf(stderr, "smcmesh check: %s\n", what);
	return EXIT_USAGE;
}

static int read_count(const char *text, unsigned int *out)
{
	size_t digits = strspn(text, "0123456789");

	*out = !text[digits] && digits <= 3 ? atoi(text) : 0;
	if (*out && *out <= EXCHANGE_MAX)
		return EXIT_OK;
	fprintf(stderr,
		"smcmesh check: --count is a number from 1 to %d, not %s\n",
		EXCHANGE_MAX, text);
	return EXIT_USAGE;
}

static int read_target(const char *text, struct smc_addr_port *out)
{
	if (!addr_port_parse(text, out))
		return EXIT_OK;
	fprintf(stderr, "smcmesh check: expected ADDRESS:PORT, not %s\n", text);
	return EXIT_USAGE;
}

/* Which of the four ways to call it is it, and is all there? */
static int read_operands(const struct cli_args *args, struct asked *a)
{
	const char *const *op = args->operand;
	const char *serve = a->option[SERVE], *connect = a->option[CONNECT];
	bool local = a->option[LOCAL];

	a->to = serve ?: op[1];
	a->from = connect ?: op[0];
	if (local + !!serve + !!connect > 1)
		return wrong(
			"--local, --serve and --connect are not for one call");
	if (a->option[SERVICE] && !connect)
		return wrong("--service is for --connect");
	if ((local || serve) && op[0])
		return wrong("--local and --serve take no operand");
	if (connect && (!op[0] || op[1]))
		return wrong("--connect takes one operand, ADDRESS:PORT");
	if (!local && !serve && !connect && !op[1])
		return wrong("expected two pods, or --local");
	if (connect)
		a->to = NULL;
	if (serve)
		a->from = NULL;
	return EXIT_OK;
}

static int read_args(const struct cli_args *args, struct asked *a)
{
	int err = read_operands(args, a)
			  ?: read_count(a->option[COUNT], &a->count);

	if (!err && a->option[CONNECT])
		err = read_target(args->operand[0], &a->at);
	if (err)
		return err;
	if ((a->from && !pod_name_ok("check", a->from)) ||
	    (a->to && !pod_name_ok("check", a->to)))
		return EXIT_USAGE;
	if (a->from && a->to && !strcmp(a->from, a->to))
		return wrong("a pod's connections to itself are never SMC");
	return EXIT_OK;
}

/* ---- each way to call it ------------------------------------------------- */

/* kubectl-smcmesh waits for this line. */
static void say_ready(const struct smc_addr_port *at)
{
	char text[ADDR_PORT_STRLEN];

	printf("listening %s\n", addr_port_format(at, text));
	fflush(stdout);
}

static int one_half(struct asked *a)
{
	struct check_way *w = &a->ways[0];
	int err = check_pod_find(&a->place, a->from ?: a->to, &a->pods[0]);

	if (err)
		return err;
	w->at = a->at;
	w->service = a->option[SERVICE];
	if (a->from) {
		w->from = &a->pods[0];
		return check_connect(&a->place, w);
	}
	w->to = &a->pods[0];
	return check_serve(&a->place, w, say_ready);
}

static int both_ways(struct asked *a)
{
	int err = check_pod_find(&a->place, a->from, &a->pods[0])
			  ?: check_pod_find(&a->place, a->to, &a->pods[1]);

	for (int i = 0; !err && i < 2; i++) {
		a->ways[i].from = &a->pods[i];
		a->ways[i].to = &a->pods[!i];
		err = check_both(&a->place, &a->ways[i]);
	}
	return err;
}

/* Return: EXIT_UNTOLD if nobody came to a server. */
static int conclude(struct asked *a, size_t n)
{
	struct check_way *const v[] = {&a->ways[0], &a->ways[1]};
	bool ok = true;

	if (check_print(v, n, wants_json(a->option[OUTPUT])))
		return EXIT_UNTOLD;
	for (size_t i = 0; i < n; i++)
		ok &= check_ok(v[i]);
	if (a->option[SERVE] && !a->ways[0].n)
		return EXIT_UNTOLD;
	return ok ? EXIT_OK : EXIT_FAILED;
}

static int carry_out(struct asked *a)
{
	struct check_way *const v[] = {&a->ways[0], &a->ways[1]};
	bool half = a->option[SERVE] || a->option[CONNECT];
	int err;

	a->ways[0].wanted = a->ways[1].wanted = a->count;
	if (half)
		err = one_half(a);
	else if (a->option[LOCAL])
		err = check_local(&a->place, a->option[CGROUP], a->pods, v);
	else
		err = both_ways(a);
	return err ? EXIT_UNTOLD : conclude(a, half ? 1 : 2);
}

static int run(const struct cli_args *args)
{
	_free_ struct asked *a = calloc(1, sizeof(*a));
	int ret;

	if (!a)
		return EXIT_UNTOLD;
	a->place = (struct check_place){.run = args->option[RUN],
					.bpffs = args->option[BPFFS],
					.proc = args->option[PROC]};
	a->option = args->option;
	a->pods[0].at = a->pods[1].at = PLACE_NONE;
	ret = read_args(args, a) ?: carry_out(a);
	check_pod_close(&a->pods[0]);
	check_pod_close(&a->pods[1]);
	return ret;
}

const struct command command_check = {
	.name = "check",
	.help = "connections between two pods: at which step do they stop being SMC?",
	.more = "Two pods of this node, each way; --local: on a node without an agent, one for a\n"
		"moment. Of two nodes: kubectl smcmesh check, which calls --serve and --connect.\n"
		"Exits 0 only if SMC was used by all, 1 if not, 3 if it could not be told.",
	.operand = "[NAMESPACE/POD NAMESPACE/POD | ADDRESS:PORT]",
	.operands_max = 2,
	.options = options,
	.run = run,
};

// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include "base/duration.h"
#include "cli/ask_agent.h"
#include "cli/cannot.h"
#include "cli/command.h"
#include "cli/status_wait.h"

enum { WAIT, OUTPUT, RUN };

static const struct cli_option options[] = {
	[WAIT] =
		{0, "wait", "[=DURATION]", NULL,
		 "first wait until it is ready, 5 minutes at most or as long as said"},
	[OUTPUT] = CLI_OPTION_OUTPUT,
	[RUN] = CLI_OPTION_RUN,
	{},
};

static void line(const char *name, const char *value)
{
	printf("%-12s %s\n", name, *value ? value : "-");
}

static void list(const char *name, yyjson_val *obj, const char *key)
{
	_buf_ struct buf text = {};

	line(name, json_join(obj, key, &text));
}

static void sentences(const char *name, yyjson_val *obj, const char *key)
{
	yyjson_val *v;
	size_t i, max;

	yyjson_arr_foreach (yyjson_obj_get(obj, key), i, max, v) {
		line(name, yyjson_get_str(v) ?: "");
	}
}

static void held(yyjson_val *root)
{
	yyjson_val *held = yyjson_obj_get(root, "held");

	printf("%-12s %llu of %llu SMC connections, %llu of %llu MiB of buffers\n",
	       "held", json_count(held, "connections"),
	       json_count(held, "connections_max"),
	       json_count(held, "buffer_bytes") >> 20,
	       json_count(held, "buffer_bytes_max") >> 20);
	if (!yyjson_get_bool(yyjson_obj_get(held, "rations"))) {
		if (json_count(root, "capability"))
			line("handshakes", "not rationed on this kernel");
		return;
	}
	printf("%-12s %llu of %llu under way, of no armed pod %llu of %llu; %llu sockets rationed\n",
	       "handshakes", json_count(held, "pending"),
	       json_count(held, "pending_max"),
	       json_count(held, "strangers_pending"),
	       json_count(held, "strangers_pending_max"),
	       json_count(held, "rationed"));
}

/* How long clients go on offering SMC if the agent falls silent. */
static void print_lease(yyjson_val *lease)
{
	yyjson_val *left = yyjson_obj_get(lease, "left_seconds");
	bool held = yyjson_get_bool(yyjson_obj_get(lease, "held"));

	if (held && yyjson_is_num(left))
		printf("%-12s %.0f s left, known %.0f s ago\n", "lease",
		       yyjson_get_num(left),
		       yyjson_get_num(
			       yyjson_obj_get(lease, "knowledge_age_seconds")));
	else if (held)
		line("lease", "no end");
	else if (yyjson_is_num(left))
		line("lease", "over: clients here offer no SMC");
}

static void print_paths(yyjson_val *paths)
{
	const char *problem = json_text(paths, "problem");

	printf("%-12s %llu proven, %llu unproven, %llu bad%s%s\n", "paths",
	       json_count(paths, "proven"), json_count(paths, "unproven"),
	       json_count(paths, "bad"), *problem ? ": " : "", problem);
}

/* Of each reason how many pods have it, and what to do. */
static void print_not_armed(yyjson_val *pods)
{
	yyjson_val *why;
	size_t i, max;

	yyjson_arr_foreach (yyjson_obj_get(pods, "not_armed"), i, max, why) {
		printf("%-12s %llu %s: %s\n%-12s %s\n", "not armed",
		       json_count(why, "pods"), json_text(why, "reason"),
		       json_text(why, "sentence"), "  to do",
		       json_text(why, "remedy"));
	}
}

/* The problem of a file begins with its path, with which `from` ends. */
static void print_source(yyjson_val *source)
{
	const char *from = json_text(source, "from");
	const char *problem = json_text(source, "problem");
	const char *path = strchr(from, ':');

	if (path && path[1] && !strncmp(problem, path + 1, strlen(path + 1)))
		printf("%-12s %.*s:%s\n", "source", (int)(path - from), from,
		       problem);
	else
		printf("%-12s %s%s%s\n", "source", from, *problem ? ": " : "",
		       problem);
}

static void print(yyjson_val *root)
{
	yyjson_val *source = yyjson_obj_get(root, "source");
	yyjson_val *publish = yyjson_obj_get(root, "publish");
	yyjson_val *pods = yyjson_obj_get(root, "pods");

	line("node", json_text(root, "node"));
	printf("%-12s %s, pid %llu, since %s\n", "agent",
	       json_text(root, "version"), json_count(root, "pid"),
	       json_text(root, "started"));
	line("state", json_text(root, "ready_sentence"));
	line("mesh", yyjson_get_bool(yyjson_obj_get(root, "mesh_enabled"))
			     ? "on"
			     : "off");
	line("kernel", json_text(root, "kernel"));
	line("converter", json_text(root, "converter"));
	line("selector", json_text(root, "selector"));
	line("recorder", json_text(root, "recorder"));
	print_cannot(root, 12);
	print_lacks(root, 12);
	list("transports", root, "transports");
	list("ueids", root, "ueids");
	printf("%-12s %llu here, %llu wanted, %llu armed\n", "pods",
	       json_count(pods, "here"), json_count(pods, "wanted"),
	       json_count(pods, "armed"));
	print_not_armed(pods);
	printf("%-12s %llu\n", "endpoints", json_count(root, "endpoints"));
	print_paths(yyjson_obj_get(root, "paths"));
	held(root);
	print_source(source);
	printf("%-12s %.0f s old\n", "knowledge",
	       yyjson_get_num(yyjson_obj_get(source, "age_seconds")));
	print_lease(yyjson_obj_get(root, "lease"));
	if (publish)
		line("published",
		     yyjson_get_bool(yyjson_obj_get(publish, "ok"))
			     ? "all"
			     : (*json_text(publish, "problem")
					? json_text(publish, "problem")
					: "not yet"));
	line("metrics", json_text(root, "listen"));
	sentences("left out", source, "notes");
	sentences("warning", root, "warnings");
}

static int run(const struct cli_args *args)
{
	unsigned long long seconds = STATUS_WAIT_SECONDS;
	const char *wait = args->option[WAIT];

	if (wait && *wait && duration_parse(wait, &seconds)) {
		fprintf(stderr,
			"smcmesh status: --wait is " DURATION_EXPECTED
			", not %s\n",
			wait);
		return EXIT_USAGE;
	}
	if (wait && status_wait(args->option[RUN], seconds))
		return EXIT_FAILED;
	return client_show(args->option[RUN], "/v1/status",
			   wants_json(args->option[OUTPUT]), print);
}

const struct command command_status = {
	.name = "status",
	.help = "the agent of this node: what it can do, and has done",
	.more = "With --wait: exit status 0 it is ready, 1 it is not, and a sentence says why.",
	.options = options,
	.run = run,
};

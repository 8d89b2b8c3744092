// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>
#include "base/addr.h"
#include "cli/ask_agent.h"
#include "cli/command.h"
#include "cli/remedies.h"
#include "cli/table.h"
#include "telemetry/flows.h"

enum { ALL, FOLLOW, LIMIT, OUTPUT, RUN };

static const struct cli_option options[] = {
	[ALL] = {'a', "all", NULL, NULL,
		 "all of them, not the newest thousand"},
	[FOLLOW] = {'f', "follow", NULL, NULL,
		    "print what happens to flows from now on, as it happens"},
	[LIMIT] = {'n', "limit", "NUMBER", NULL, "only the newest so many"},
	[OUTPUT] = CLI_OPTION_OUTPUT,
	[RUN] = CLI_OPTION_RUN,
	{},
};

static const char *const heads[] = {"POD",    "ROLE",	 "LOCAL", "REMOTE",
				    "OPENED", "OUTCOME", NULL};

static void end_text(yyjson_val *f, const char *side, char text[72])
{
	char key[24], number[24];
	const char *address;
	unsigned long long port;

	snprintf(key, sizeof(key), "%s_address", side);
	address = json_text(f, key);
	snprintf(key, sizeof(key), "%s_port", side);
	port = yyjson_get_uint(yyjson_obj_get(f, key));
	snprintf(number, sizeof(number), "%llu", port);
	if (port)
		host_port_format(address, number, text, 72);
	else /* connect() was called, no more is known yet */
		snprintf(text, 72, "-");
}

static void pod_text(yyjson_val *f, char text[160])
{
	const char *name = json_text(f, "pod");

	if (*name)
		snprintf(text, 160, "%s/%s", json_text(f, "namespace"), name);
	else
		snprintf(text, 160, "-");
}

static const char *remark(yyjson_val *f)
{
	if (yyjson_get_bool(yyjson_obj_get(f, "closed")))
		return " (closed)";
	if (yyjson_get_bool(yyjson_obj_get(f, "late")))
		return " (late: smcmesh reopen ends it)";
	return "";
}

static void say_cut(yyjson_val *root)
{
	unsigned long long total =
		yyjson_get_uint(yyjson_obj_get(root, "total"));
	unsigned long long shown =
		yyjson_get_uint(yyjson_obj_get(root, "shown"));

	if (shown < total)
		printf("\nOf %llu flows the newest %llu are shown; smcmesh flows --all shows all.\n",
		       total, shown);
}

static void print(yyjson_val *root)
{
	_cleanup_(remedies_free) struct remedies todo = {};
	_cleanup_(table_free) struct table t = {};
	yyjson_val *flows = yyjson_obj_get(root, "flows"), *f;
	char pod[160], end[72];
	size_t i, max;

	table_init(&t, heads);
	yyjson_arr_foreach (flows, i, max, f) {
		pod_text(f, pod);
		table_add(&t, pod);
		table_add(&t, json_text(f, "role"));
		end_text(f, "local", end);
		table_add(&t, end);
		end_text(f, "remote", end);
		table_add(&t, end);
		table_add(&t, json_text(f, "opened"));
		table_addf(&t, "%s%s", json_text(f, "sentence"), remark(f));
	}
	table_print(&t, stdout);
	say_cut(root);
	remedies_of_flows(flows, &todo);
	remedies_print(&todo, "FLOWS", stdout);
}

static void print_event(const char *line, size_t len)
{
	yyjson_doc *doc = yyjson_read(line, len, 0);
	yyjson_val *e = yyjson_doc_get_root(doc);
	char pod[160], local[72], remote[72];

	pod_text(e, pod);
	end_text(e, "local", local);
	end_text(e, "remote", remote);
	printf("%s %-8s %s %s %s -> %s: %s\n", json_text(e, "time"),
	       json_text(e, "event"), pod, json_text(e, "role"), local, remote,
	       json_text(e, "sentence"));
	yyjson_doc_free(doc);
}

static void follow_line(const char *line, size_t len, void *json)
{
	if (*(bool *)json)
		printf("%.*s\n", (int)len, line);
	else
		print_event(line, len);
	fflush(stdout);
}

/* "": the agent's default. */
static int limit_text(const struct cli_args *args, const char **out)
{
	const char *limit = args->option[LIMIT];
	size_t most;

	*out = args->option[ALL] ? "all" : limit ?: "";
	if (limit && args->option[ALL]) {
		fprintf(stderr,
			"smcmesh flows: --all and --limit are not for one call\n");
		return EXIT_USAGE;
	}
	if (limit && flow_limit_parse(limit, &most)) {
		fprintf(stderr, "smcmesh flows: --limit is %s, not %s\n",
			FLOW_LIMIT_EXPECTED, limit);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

static int run(const struct cli_args *args)
{
	bool json = wants_json(args->option[OUTPUT]);
	const char *limit;
	char path[64];
	int wrong = limit_text(args, &limit);

	if (wrong)
		return wrong;
	if (args->option[FOLLOW])
		return client_follow(args->option[RUN], "/v1/flows?follow=1",
				     follow_line, &json)
			       ? EXIT_FAILED
			       : EXIT_OK;
	snprintf(path, sizeof(path), "/v1/flows%s%s", *limit ? "?limit=" : "",
		 limit);
	return client_show(args->option[RUN], path, json, print);
}

const struct command command_flows = {
	.name = "flows",
	.help = "TCP connections of armed pods: what became of each, and why",
	.more = "The newest thousand, newest first. With -f and -o json each line is one event.\n"
		"Where a flow's end is not told exactly, its sentence says so.",
	.options = options,
	.run = run,
};

// SPDX-License-Identifier: Apache-2.0
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include "base/addr.h"
#include "cli/ask_agent.h"
#include "cli/command.h"
#include "cli/table.h"

#define ALL "all"

enum { OUTPUT, NO_HEADERS, RUN };

static const struct cli_option options[] = {
	[OUTPUT] = CLI_OPTION_OUTPUT_NAMES,
	[NO_HEADERS] = CLI_OPTION_NO_HEADERS,
	[RUN] = CLI_OPTION_RUN,
	{},
};

static const char *const heads[] = {"POD",     "PEER", "STATE", "UNTIL",
				    "STRIKES", "WHY",  NULL};

static void add_pod(struct table *t, yyjson_val *row)
{
	const char *name = json_text(row, "pod");

	if (!json_count(row, "pod_id"))
		table_add(t, "(all)");
	else if (*name)
		table_addf(t, "%s/%s", json_text(row, "namespace"), name);
	else
		table_add(t, NULL); /* it has gone */
}

static void print(yyjson_val *root)
{
	_cleanup_(table_free) struct table t = {};
	yyjson_val *row;
	size_t i, max;

	table_init(&t, heads);
	yyjson_arr_foreach (yyjson_obj_get(root, "quarantine"), i, max, row) {
		table_name(&t, "%s", json_text(row, "peer"));
		add_pod(&t, row);
		table_add(&t, json_text(row, "peer"));
		table_add(&t, json_text(row, "state"));
		table_add(&t, json_text(row, "until"));
		table_addf(&t, "%llu", json_count(row, "strikes"));
		table_add(&t, json_text(row, "sentence"));
	}
	table_print(&t, stdout);
	table_explain_empty(&t, "no peer is in quarantine");
}

static int list(const struct cli_args *args)
{
	_buf_ struct buf text = {};

	if (client_get(args->option[RUN], "/v1/quarantine", &text))
		return EXIT_UNTOLD;
	return client_print(&text, wants_json(args->option[OUTPUT]), print);
}

static void print_cleared(yyjson_val *root)
{
	const char *peer = json_text(root, "peer");

	if (!strcmp(peer, ALL))
		peer = "any peer";
	if (json_count(root, "cleared"))
		printf("nothing is held against %s any more\n", peer);
	else
		printf("nothing was held against %s\n", peer);
}

static bool cleared_any(const struct buf *text)
{
	yyjson_doc *doc = yyjson_read(text->data, text->len, 0);
	bool any = json_count(yyjson_doc_get_root(doc), "cleared");

	yyjson_doc_free(doc);
	return any;
}

static int clear(const struct cli_args *args, const char *peer)
{
	_buf_ struct buf path = {}, text = {};
	char *escaped = curl_easy_escape(NULL, peer, 0);
	int ret;

	buf_printf(&path, "/v1/quarantine/clear?peer=%s", escaped ?: "");
	curl_free(escaped);
	if (path.err || client_post(args->option[RUN], path.data, &text))
		return EXIT_UNTOLD;
	ret = client_print(&text, wants_json(args->option[OUTPUT]),
			   print_cleared);
	return ret == EXIT_OK && !cleared_any(&text) ? EXIT_FAILED : ret;
}

static int wrong(const char *expected, const char *given)
{
	fprintf(stderr, "smcmesh quarantine: expected %s, not %s\n", expected,
		given);
	return EXIT_USAGE;
}

static int run(const struct cli_args *args)
{
	const char *verb = args->operand[0], *peer = args->operand[1];
	struct smc_addr_port at;

	if (!verb)
		return list(args);
	if (strcmp(verb, "clear") != 0)
		return wrong("clear", verb);
	if (!peer || (strcmp(peer, ALL) != 0 && addr_port_parse(peer, &at)))
		return wrong("ADDRESS:PORT, [ADDRESS]:PORT or all",
			     peer ?: "nothing");
	return clear(args, peer);
}

const struct command command_quarantine = {
	.name = "quarantine",
	.help = "peers that failed pods of this node, and are not offered SMC for a while",
	.more = "What one pod saw holds for that pod, what two saw for all. `clear` forgets\n"
		"it: exit status 0 something was held against the peer, 1 nothing was, 3 the\n"
		"agent did not tell.",
	.operand = "[clear ADDRESS:PORT|all]",
	.operands_max = 2,
	.options = options,
	.run = run,
};

// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"
#include "cli/command.h"
#include "cli/table.h"

enum { OUTPUT, RUN };

static const struct cli_option options[] = {
	[OUTPUT] = CLI_OPTION_OUTPUT,
	[RUN] = CLI_OPTION_RUN,
	{},
};

static const char *const heads[] = {"ADDRESS",	 "TRANSPORTS", "NODE",
				    "NAMESPACE", "POD",	       NULL};

static void print(yyjson_val *root)
{
	_cleanup_(table_free) struct table t = {};
	yyjson_val *e;
	size_t i, max;

	table_init(&t, heads);
	yyjson_arr_foreach (yyjson_obj_get(root, "endpoints"), i, max, e) {
		_buf_ struct buf transports = {};

		table_add(&t, json_text(e, "address"));
		table_add(&t, json_join(e, "transports", &transports));
		table_add(&t, json_text(e, "node"));
		table_add(&t, json_text(e, "namespace"));
		table_add(&t, json_text(e, "pod"));
	}
	table_print(&t, stdout);
}

static int run(const struct cli_args *args)
{
	return client_show(args->option[RUN], "/v1/endpoints",
			   wants_json(args->option[OUTPUT]), print);
}

const struct command command_endpoints = {
	.name = "endpoints",
	.help = "addresses to which SMC may be offered",
	.options = options,
	.run = run,
};

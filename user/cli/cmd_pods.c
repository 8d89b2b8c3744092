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

static const char *const heads[] = {"NAMESPACE", "POD",	       "ARMED",
				    "REASON",	 "TRANSPORTS", "PUBLISHED",
				    "WHY",	 NULL};

/* Late listeners are the one thing that an armed pod's user should know. */
static void add_why(struct table *t, yyjson_val *pod)
{
	_buf_ struct buf late = {};

	json_join(pod, "late_listeners", &late);
	if (late.data)
		table_addf(t, "%s; opened before that and plain TCP: %s",
			   json_text(pod, "sentence"), late.data);
	else
		table_add(t, json_text(pod, "sentence"));
}

static void print(yyjson_val *root)
{
	_cleanup_(table_free) struct table t = {};
	yyjson_val *pod;
	size_t i, max;

	table_init(&t, heads);
	yyjson_arr_foreach (yyjson_obj_get(root, "pods"), i, max, pod) {
		_buf_ struct buf transports = {}, published = {};

		table_add(&t, json_text(pod, "namespace"));
		table_add(&t, json_text(pod, "name"));
		table_add(&t, yyjson_get_bool(yyjson_obj_get(pod, "armed"))
				      ? "yes"
				      : "no");
		table_add(&t, json_text(pod, "reason"));
		table_add(&t, json_join(pod, "transports", &transports));
		table_add(&t, json_join(pod, "published", &published));
		add_why(&t, pod);
	}
	table_print(&t, stdout);
}

static int run(const struct cli_args *args)
{
	return client_show(args->option[RUN], "/v1/pods",
			   wants_json(args->option[OUTPUT]), print);
}

const struct command command_pods = {
	.name = "pods",
	.help = "pods of this node: armed or not, and why not",
	.options = options,
	.run = run,
};

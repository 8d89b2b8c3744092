// SPDX-License-Identifier: Apache-2.0
#include "cli/ask_agent.h"
#include "cli/command.h"
#include "cli/remedies.h"
#include "cli/table.h"

enum { OUTPUT, NO_HEADERS, RUN };

static const struct cli_option options[] = {
	[OUTPUT] = CLI_OPTION_OUTPUT_NAMES,
	[NO_HEADERS] = CLI_OPTION_NO_HEADERS,
	[RUN] = CLI_OPTION_RUN,
	{},
};

static const char *const heads[] = {"NAMESPACE", "POD",	       "ARMED",
				    "REASON",	 "TRANSPORTS", "+PUBLISHED",
				    "WHY",	 NULL};

static unsigned long long held(yyjson_val *pod, const char *key)
{
	return yyjson_get_uint(
		yyjson_obj_get(yyjson_obj_get(pod, "held"), key));
}

static bool at_limit(yyjson_val *pod)
{
	return yyjson_obj_get(pod, "held") &&
	       held(pod, "connections") >= held(pod, "connections_max");
}

/* An armed pod's user should know what is late, and what limits it. */
static void add_why(struct table *t, yyjson_val *pod)
{
	unsigned long long flows =
		yyjson_get_uint(yyjson_obj_get(pod, "late_flows"));
	_buf_ struct buf late = {}, text = {};

	buf_printf(&text, "%s", json_text(pod, "sentence"));
	json_join(pod, "late_listeners", &late);
	if (late.data)
		buf_printf(
			&text,
			"; opened before that and plain TCP: %s (restart the pod to accelerate it)",
			late.data);
	if (at_limit(pod))
		buf_printf(
			&text,
			"; it has the %llu SMC connections that it may have, "
			"more are plain TCP",
			held(pod, "connections"));
	if (held(pod, "rationed"))
		buf_printf(
			&text,
			"; %llu of its sockets were rationed, it has %llu of %llu SMC handshakes under way",
			held(pod, "rationed"), held(pod, "pending"),
			held(pod, "pending_max"));
	if (flows)
		buf_printf(&text, "; %llu late flow%s (smcmesh reopen)", flows,
			   flows == 1 ? "" : "s");
	table_add(t, text.data ?: "");
}

static void explain_empty(const struct table *t, yyjson_val *root)
{
	unsigned long long others =
		yyjson_get_uint(yyjson_obj_get(root, "elsewhere"));
	char more[64] = "";

	if (others)
		snprintf(more, sizeof(more), "; the source has %llu of others",
			 others);
	table_explain_empty(t, "no pod of this node (%s)%s",
			    json_text(root, "node"), more);
}

static void print(yyjson_val *root)
{
	_cleanup_(remedies_free) struct remedies todo = {};
	_cleanup_(table_free) struct table t = {};
	yyjson_val *pods = yyjson_obj_get(root, "pods"), *pod;
	size_t i, max;

	table_init(&t, heads);
	yyjson_arr_foreach (pods, i, max, pod) {
		_buf_ struct buf transports = {}, published = {};

		table_name(&t, "%s/%s", json_text(pod, "namespace"),
			   json_text(pod, "name"));
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
	explain_empty(&t, root);
	remedies_of_pods(pods, &todo);
	remedies_print(&todo, "PODS", stdout);
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

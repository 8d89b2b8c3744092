// SPDX-License-Identifier: Apache-2.0
#include "cli/ask_agent.h"
#include "cli/command.h"
#include "cli/table.h"
#include "mesh/plan.h"

enum { OUTPUT, NO_HEADERS, RUN };

static const struct cli_option options[] = {
	[OUTPUT] = CLI_OPTION_OUTPUT_NAMES,
	[NO_HEADERS] = CLI_OPTION_NO_HEADERS,
	[RUN] = CLI_OPTION_RUN,
	{},
};

static const char *const endpoint_heads[] = {"ADDRESS",	  "TRANSPORTS", "NODE",
					     "NAMESPACE", "POD",	NULL};
static const char *const service_heads[] = {
	"ADDRESS", "PORT",    "TRANSPORTS", "NAMESPACE",
	"SERVICE", "WHY NOT", NULL};

static const char *const path_heads[] = {
	"RDMA PATH FROM", "TO", "STATE", "SECONDS", "STRIKES", "LINKS", NULL};

static void print_endpoints(yyjson_val *root)
{
	_cleanup_(table_free) struct table t = {};
	yyjson_val *e;
	size_t i, max;

	table_init(&t, endpoint_heads);
	yyjson_arr_foreach (yyjson_obj_get(root, "endpoints"), i, max, e) {
		_buf_ struct buf transports = {};

		table_name(&t, "%s", json_text(e, "address"));
		table_add(&t, json_text(e, "address"));
		table_add(&t, json_join(e, "transports", &transports));
		table_add(&t, json_text(e, "node"));
		table_add(&t, json_text(e, "namespace"));
		table_add(&t, json_text(e, "pod"));
	}
	table_print(&t, stdout);
	table_explain_empty(
		&t,
		"no endpoint: no armed pod is known here, of this node or another");
}

/* A row without transports has no expiry. */
static const char *why_not(yyjson_val *service, struct buf *text)
{
	const char *stranger = json_text(service, "stranger");
	bool offered = yyjson_arr_size(yyjson_obj_get(service, "transports"));
	yyjson_val *left = yyjson_obj_get(service, "expires_in_seconds");

	if (*stranger)
		buf_printf(
			text,
			"its backend %s is no endpoint, or has no transport of the others",
			stranger);
	else if (!offered)
		buf_printf(
			text, "%s",
			mesh_service_why_sentence(json_text(service, "why")));
	else if (offered && yyjson_is_num(left) && yyjson_get_num(left) <= 0)
		buf_printf(text, "expired: the agent is behind");
	return text->data;
}

/* A Service's ports, and those of hostNetwork pods. */
static void print_services(yyjson_val *root)
{
	_cleanup_(table_free) struct table t = {};
	yyjson_val *all = yyjson_obj_get(root, "services"), *e;
	size_t i, max;

	table_init(&t, service_heads);
	yyjson_arr_foreach (all, i, max, e) {
		_buf_ struct buf transports = {}, why = {}, name = {};
		const char *pod = json_text(e, "pod");

		table_add(&t, json_text(e, "address"));
		table_addf(&t, "%u",
			   (unsigned int)yyjson_get_uint(
				   yyjson_obj_get(e, "port")));
		table_add(&t, json_join(e, "transports", &transports));
		table_add(&t, json_text(e, "namespace"));
		buf_printf(&name, "%s%s", *pod ? "pod " : "",
			   *pod ? pod : json_text(e, "service"));
		table_add(&t, name.data);
		table_add(&t, why_not(e, &why));
	}
	table_print_below(&t, stdout);
}

/* A Service's address has a row of its own. */
static void print_paths(yyjson_val *root)
{
	_cleanup_(table_free) struct table t = {};
	yyjson_val *all = yyjson_obj_get(root, "paths"), *e;
	size_t i, max;

	table_init(&t, path_heads);
	yyjson_arr_foreach (all, i, max, e) {
		table_add(&t, json_text(e, "own"));
		table_add(&t, json_text(e, "peer"));
		table_add(&t, json_text(e, "state"));
		table_addf(&t, "%.0f",
			   yyjson_get_num(yyjson_obj_get(e, "left_seconds")));
		table_addf(&t, "%llu",
			   (unsigned long long)yyjson_get_uint(
				   yyjson_obj_get(e, "strikes")));
		table_addf(&t, "%llu",
			   (unsigned long long)yyjson_get_uint(
				   yyjson_obj_get(e, "links")));
	}
	table_print_below(&t, stdout);
}

static void print(yyjson_val *root)
{
	print_endpoints(root);
	print_services(root);
	print_paths(root);
}

static int run(const struct cli_args *args)
{
	return client_show(args->option[RUN], "/v1/endpoints",
			   wants_json(args->option[OUTPUT]), print);
}

const struct command command_endpoints = {
	.name = "endpoints",
	.help = "addresses, and ports of Services, to which SMC may be offered",
	.options = options,
	.run = run,
};

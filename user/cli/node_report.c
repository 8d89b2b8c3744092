// SPDX-License-Identifier: Apache-2.0
#include "cli/node_report.h"

#include <errno.h>
#include <stdio.h>
#include <yyjson.h>
#include "cli/ask_agent.h"
#include "cli/table.h"

static void print_table(const struct nic_report *r)
{
	static const char *const heads[] = {"NETDEV", "DEVICE", "RESULT",
					    "WHAT", NULL};
	_cleanup_(table_free) struct table t = {};

	table_init(&t, heads);
	table_whole(&t);
	for (size_t i = 0; i < r->n; i++) {
		const struct nic_result *v = &r->v[i];

		table_add(&t, v->nic.name);
		table_add(&t, v->device);
		table_add(&t, nic_outcome_word(v->outcome));
		table_add(&t, v->text.data);
	}
	table_print(&t, stdout);
}

static void add_steps(yyjson_mut_doc *doc, yyjson_mut_val *row,
		      unsigned int steps)
{
	static const struct {
		enum nic_step step;
		const char *word;
	} words[] = {{NIC_STEP_UP, "link"},
		     {NIC_STEP_ADDRESS, "address"},
		     {NIC_STEP_ROUTE, "route"}};
	yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, row, "steps");

	for (size_t i = 0; i < array_size(words); i++)
		if (steps & words[i].step)
			yyjson_mut_arr_add_str(doc, list, words[i].word);
}

static void add_plan(yyjson_mut_doc *doc, yyjson_mut_val *row,
		     const struct nic_plan *p)
{
	struct cidr subnet = nic_want_subnet(&p->want);
	char text[ADDR_STRLEN];

	yyjson_mut_obj_add_strcpy(doc, row, "address",
				  nic_want_format(&p->want, text));
	yyjson_mut_obj_add_strcpy(doc, row, "subnet",
				  cidr_format(&subnet, text));
	if (p->want.has_gateway)
		yyjson_mut_obj_add_strcpy(doc, row, "gateway",
					  addr_format(&p->want.gateway, text));
	yyjson_mut_obj_add_uint(doc, row, "metric", p->metric);
	yyjson_mut_obj_add_bool(doc, row, "carrier", p->carrier);
	add_steps(doc, row, p->steps);
}

static void add_result(yyjson_mut_doc *doc, yyjson_mut_val *list,
		       const struct nic_result *v)
{
	yyjson_mut_val *row = yyjson_mut_arr_add_obj(doc, list);

	yyjson_mut_obj_add_str(doc, row, "netdev", v->nic.name);
	yyjson_mut_obj_add_str(doc, row, "device", v->device);
	yyjson_mut_obj_add_str(doc, row, "mac", v->nic.mac);
	yyjson_mut_obj_add_str(doc, row, "result",
			       nic_outcome_word(v->outcome));
	if (v->planned)
		add_plan(doc, row, &v->plan);
	yyjson_mut_obj_add_str(doc, row, "text", v->text.data ?: "");
}

static int print_json(const struct nic_report *r, int status)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	yyjson_mut_val *root = yyjson_mut_obj(doc), *list;

	yyjson_mut_doc_set_root(doc, root);
	yyjson_mut_obj_add_bool(doc, root, "ok", !status);
	yyjson_mut_obj_add_str(doc, root, "primary", r->primary);
	list = yyjson_mut_obj_add_arr(doc, root, "nics");
	for (size_t i = 0; i < r->n; i++)
		add_result(doc, list, &r->v[i]);
	if (r->error.len)
		yyjson_mut_obj_add_str(doc, root, "error", r->error.data);
	/* Names of NICs and files are bytes. */
	return json_print(doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE);
}

int node_report_print(const struct nic_report *r, int status, bool json)
{
	if (json)
		return print_json(r, status);
	print_table(r);
	return 0;
}

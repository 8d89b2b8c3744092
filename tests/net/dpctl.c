// SPDX-License-Identifier: Apache-2.0
/*
 * dpctl COMMAND [ARGUMENT...]: user/datapath without an agent, one process for
 * each step, for tests in Python. Prints one JSON object; `result` is what the
 * function returned. Exit code 2: wrong usage.
 *
 *   open [COOKIE...] [ADDRESS...]  open, arm the namespaces of these cookies
 *                                  with SMC-D towards these endpoints
 *   renew                          open and retire older selectors
 *   check COMMAND                  open, run a shell command, heal
 *   flows                          read the pinned flows
 *   remove [keep]                  take the datapath away
 */
#include <stdbool.h>
#include <string.h>
#include <yyjson.h>

#include "datapath/datapath.h"

static yyjson_mut_doc *doc;
static yyjson_mut_val *root;

static void put(const char *key, long long value)
{
	yyjson_mut_obj_add_sint(doc, root, key, value);
}

static void put_str(const char *key, const char *value)
{
	yyjson_mut_obj_add_strcpy(doc, root, key, value ? value : "");
}

static int show_open(struct datapath **dp)
{
	const struct datapath_options opt = {};
	int err = datapath_open(&opt, dp);

	put("result", err);
	if (err)
		return err;
	put_str("converter", datapath_converter(*dp));
	put_str("selector", datapath_selector(*dp));
	put_str("ctrl", datapath_ctrl_name(*dp));
	return 0;
}

static int fill(struct datapath *dp, char **argv, int argc)
{
	const struct smc_config config = {.transports = SMC_TRANSPORT_SMCD,
					  .node_id = 1};
	struct plan_endpoint endpoints[16] = {};
	struct plan_pod pods[16] = {};
	struct mesh_plan plan = {
		.enabled = true, .pods = pods, .endpoints = endpoints};
	struct datapath_changes did;
	int err;

	for (int i = 0; i < argc && i < 16; i++) {
		struct plan_endpoint *e = &endpoints[plan.n_endpoints];
		struct plan_pod *p = &pods[plan.n_pods];

		if (!addr_parse(argv[i], &e->addr)) {
			e->value.transports = SMC_TRANSPORT_SMCD;
			e->value.node_id = 1;
			plan.n_endpoints++;
			continue;
		}
		p->armed = true;
		p->netns_cookie = strtoull(argv[i], NULL, 0);
		p->value.pod_id = ++plan.n_pods;
		p->value.transports = SMC_TRANSPORT_SMCD;
		p->value.uid = SMC_UID_ANY;
	}
	err = datapath_apply(dp, &plan, &config, &did);
	put("applied", err);
	return err;
}

static int do_check(struct datapath *dp, const char *command)
{
	unsigned int n;
	int err;

	put("command", system(command));
	err = datapath_check(dp, &n);
	put("error", err);
	put("repairs", n);
	put_str("ctrl_after", datapath_ctrl_name(dp));
	err = datapath_check(dp, &n) ?: err;
	put("repairs_again", n);
	return err;
}

static int add_flow(__u64 cookie, const struct smc_flow *f, void *arg)
{
	yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, arg);

	yyjson_mut_obj_add_uint(doc, o, "role", f->role);
	yyjson_mut_obj_add_uint(doc, o, "verdict", f->verdict);
	yyjson_mut_obj_add_uint(doc, o, "outcome", f->outcome);
	yyjson_mut_obj_add_uint(doc, o, "reason", f->reason);
	yyjson_mut_obj_add_uint(doc, o, "pod_id", f->pod_id);
	return 0;
}

static int do_flows(void)
{
	const struct datapath_options opt = {};
	struct datapath *dp = NULL;
	int err = datapath_read(&opt, &dp);

	if (!err)
		err = datapath_each_flow(
			dp, add_flow,
			yyjson_mut_obj_add_arr(doc, root, "flows"));
	put("result", err);
	datapath_close(dp);
	return err;
}

static int do_remove(bool keep)
{
	const struct datapath_options opt = {};
	_buf_ struct buf said = {};
	int err = datapath_remove(&opt, keep, &said);

	put("result", err);
	put_str("said", said.data);
	return err;
}

static int run(int argc, char **argv)
{
	struct datapath *dp = NULL;
	int err;

	if (!strcmp(argv[1], "flows"))
		return do_flows();
	if (!strcmp(argv[1], "remove"))
		return do_remove(argc > 2 && !strcmp(argv[2], "keep"));
	err = show_open(&dp);
	if (!err && !strcmp(argv[1], "open") && argc > 2)
		err = fill(dp, argv + 2, argc - 2);
	else if (!err && !strcmp(argv[1], "renew"))
		put("retired", datapath_retire_selectors(dp));
	else if (!err && !strcmp(argv[1], "check") && argc > 2)
		err = do_check(dp, argv[2]);
	datapath_close(dp);
	return err;
}

int main(int argc, char **argv)
{
	char *text;
	int err;

	if (argc < 2) {
		fprintf(stderr, "usage: dpctl COMMAND [ARGUMENT...]\n");
		return 2;
	}
	doc = yyjson_mut_doc_new(NULL);
	root = yyjson_mut_obj(doc);
	yyjson_mut_doc_set_root(doc, root);
	err = run(argc, argv);
	text = yyjson_mut_write(doc, 0, NULL);
	puts(text);
	free(text);
	yyjson_mut_doc_free(doc);
	return err ? 1 : 0;
}

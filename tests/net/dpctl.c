// SPDX-License-Identifier: Apache-2.0
/*
 * dpctl COMMAND [ARGUMENT...]: user/datapath without an agent, one process for
 * each step, for tests in Python. Prints one JSON object; `result` is what the
 * function returned. Exit code 2: wrong usage.
 *
 *   open [COOKIE...] [ADDRESS...]  open, arm the namespaces of these cookies
 *                                  with SMC-D towards these endpoints
 *   renew                          open and retire older selectors
 *   disarm [guarded]               open, no pod is armed any more
 *   record RECORDER                open, choose the recorder
 *   check COMMAND                  open, run a shell command, heal
 *   takeover                       open, retire, take over from another ABI
 *   flows                          read the pinned flows
 *   counters                       read the pinned counters, by slot and number
 *   remove [keep]                  take the datapath away
 */
#include <stdbool.h>
#include <string.h>
#include <yyjson.h>

#include "base/memory.h"
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
	put_str("recorder", datapath_recorder(*dp));
	put_str("ctrl", datapath_ctrl_name(*dp));
	yyjson_mut_obj_add_bool(doc, root, "armed", datapath_is_armed(*dp));
	return 0;
}

static struct smc_config config_here(void)
{
	struct mesh_config defaults = {};

	mesh_config_reset(&defaults);
	return (struct smc_config){
		.transports = SMC_TRANSPORT_SMCD,
		.node_id = 1,
		.limits = mesh_limits(&defaults, memory_total())};
}

static int fill(struct datapath *dp, char **argv, int argc)
{
	const struct smc_config config = config_here();
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
	}
	err = datapath_arm(dp);
	put("armed_now", err);
	err = err ?: datapath_apply(dp, &plan, &config, &did);
	err = err ?: datapath_offer_until(dp, SMC_NO_END);
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

static int do_disarm(struct datapath *dp, bool guarded)
{
	const struct smc_config config = config_here();
	const struct mesh_plan plan = {.enabled = true};
	struct datapath_changes did;
	int err = datapath_apply(dp, &plan, &config, &did);

	datapath_disarm(dp, guarded);
	yyjson_mut_obj_add_bool(doc, root, "armed_now", datapath_is_armed(dp));
	return err;
}

static int do_record(struct datapath *dp, const char *wanted)
{
	enum mesh_recorder wish = !strcmp(wanted, "smc") ? MESH_RECORDER_SMC
				  : !strcmp(wanted, "sockops")
					  ? MESH_RECORDER_SOCKOPS
					  : MESH_RECORDER_AUTO;
	int err = datapath_record(dp, wish);

	put_str("recorder_now", datapath_recorder(dp));
	return err;
}

static int do_take_over(struct datapath *dp)
{
	int err = datapath_retire_selectors(dp) ?: datapath_take_over(dp);

	put("taken", err);
	return err;
}

static int add_flow(const struct smc_handshake *key, const struct smc_flow *f,
		    void *arg)
{
	yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, arg);

	yyjson_mut_obj_add_uint(doc, o, "role", f->role);
	yyjson_mut_obj_add_uint(doc, o, "verdict", f->verdict);
	yyjson_mut_obj_add_uint(doc, o, "outcome", f->outcome);
	yyjson_mut_obj_add_uint(doc, o, "reason", f->reason);
	yyjson_mut_obj_add_uint(doc, o, "pod_id", f->pod_id);
	yyjson_mut_obj_add_uint(doc, o, "flags", f->flags);
	yyjson_mut_obj_add_uint(doc, o, "remote_port", f->remote_port);
	yyjson_mut_obj_add_bool(doc, o, "closed", f->closed);
	return 0;
}

static int add_counter(const struct smc_counter_key *key, __u64 value,
		       void *arg)
{
	yyjson_mut_val *row = yyjson_mut_arr_add_arr(doc, arg);

	yyjson_mut_arr_add_uint(doc, row, key->slot);
	yyjson_mut_arr_add_uint(doc, row, key->counter);
	yyjson_mut_arr_add_uint(doc, row, value);
	return 0;
}

/* Of what is pinned. */
static int do_read(bool flows)
{
	const struct datapath_options opt = {};
	struct datapath *dp = NULL;
	int err = datapath_read(&opt, &dp);

	if (!err && flows)
		err = datapath_each_flow(
			dp, false, add_flow,
			yyjson_mut_obj_add_arr(doc, root, "flows"));
	else if (!err)
		err = datapath_each_counter(
			dp, add_counter,
			yyjson_mut_obj_add_arr(doc, root, "counters"));
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

/* What needs an open datapath. */
static int run_open(struct datapath *dp, int argc, char **argv)
{
	const char *arg = argc > 2 ? argv[2] : NULL;

	if (!strcmp(argv[1], "open"))
		return arg ? fill(dp, argv + 2, argc - 2) : 0;
	if (!strcmp(argv[1], "disarm"))
		return do_disarm(dp, arg);
	if (!strcmp(argv[1], "takeover"))
		return do_take_over(dp);
	if (!strcmp(argv[1], "record") && arg)
		return do_record(dp, arg);
	if (!strcmp(argv[1], "check") && arg)
		return do_check(dp, arg);
	put("retired", datapath_retire_selectors(dp));
	return 0;
}

static int run(int argc, char **argv)
{
	struct datapath *dp = NULL;
	int err;

	if (!strcmp(argv[1], "flows") || !strcmp(argv[1], "counters"))
		return do_read(!strcmp(argv[1], "flows"));
	if (!strcmp(argv[1], "remove"))
		return do_remove(argc > 2 && !strcmp(argv[2], "keep"));
	err = show_open(&dp);
	if (!err)
		err = run_open(dp, argc, argv);
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

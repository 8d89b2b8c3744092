// SPDX-License-Identifier: Apache-2.0
/* Prints what doctor/ finds out about this node: as the JSON document that it
 * makes, or as tables made from that, so that both agree. */
#include <stdio.h>
#include <string.h>
#include "cli/ask_agent.h"
#include "cli/cannot.h"
#include "cli/command.h"
#include "cli/table.h"
#include "doctor/report.h"

enum { OUTPUT, BPFFS, CGROUP, PROC };

static const struct cli_option options[] = {
	[OUTPUT] = CLI_OPTION_OUTPUT,
	[BPFFS] = CLI_OPTION_BPFFS,
	[CGROUP] = CLI_OPTION_CGROUP,
	[PROC] = CLI_OPTION_PROC,
	{},
};

static void print_features(yyjson_val *root)
{
	static const char *const heads[] = {"FEATURE", "STATE", "WHAT", NULL};
	_cleanup_(table_free) struct table t = {};
	yyjson_val *f;
	size_t i, max;

	table_init(&t, heads);
	yyjson_arr_foreach (yyjson_obj_get(root, "features"), i, max, f) {
		const char *detail = json_text(f, "detail");

		table_add(&t, json_text(f, "feature"));
		table_add(&t, json_text(f, "state"));
		table_addf(&t, *detail ? "%s: %s" : "%s%s",
			   json_text(f, "what"), detail);
	}
	table_print(&t, stdout);
}

static void print_missing(yyjson_val *root)
{
	bool head = false;
	yyjson_val *f;
	size_t i, max;

	yyjson_arr_foreach (yyjson_obj_get(root, "features"), i, max, f) {
		if (!strcmp(json_text(f, "state"), "present"))
			continue;
		if (!head)
			printf("\nWhat is lost, and how to get it:\n");
		head = true;
		printf("  %s: %s\n    %s\n", json_text(f, "feature"),
		       json_text(f, "loss"), json_text(f, "how"));
	}
}

static void print_rdma(yyjson_val *root)
{
	_buf_ struct buf ueids = {};
	yyjson_val *d;
	size_t i, max;

	printf("\nconverter  %s\nselector   %s\nrecorder   %s\n",
	       json_text(root, "converter"), json_text(root, "selector"),
	       json_text(root, "recorder"));
	print_cannot(root, 10);
	printf("ueids      %s\n",
	       *json_join(root, "ueids", &ueids) ? ueids.data : "-");
	yyjson_arr_foreach (yyjson_obj_get(root, "rdma"), i, max, d) {
		printf("rdma       %s/%llu on %s, %s\n", json_text(d, "device"),
		       (unsigned long long)yyjson_get_uint(
			       yyjson_obj_get(d, "port")),
		       json_text(d, "netdev"),
		       yyjson_get_bool(yyjson_obj_get(d, "active"))
			       ? "active"
			       : "not active");
	}
}

static const char *selector_word(yyjson_val *ns)
{
	const char *ctrl = json_text(ns, "hs_ctrl");

	return *ctrl ? ctrl : "none";
}

static void print_namespaces(yyjson_val *root)
{
	static const char *const heads[] = {
		"NAMESPACE",  "ARMED",	     "SELECTOR", "WHOSE",
		"TRANSPORTS", "SMC SOCKETS", NULL};
	_cleanup_(table_free) struct table t = {};
	yyjson_val *ns;
	size_t i, max;

	table_init(&t, heads);
	yyjson_arr_foreach (yyjson_obj_get(root, "namespaces"), i, max, ns) {
		_buf_ struct buf transports = {};
		bool ours = yyjson_get_bool(yyjson_obj_get(ns, "guarded"));
		bool foreign = yyjson_get_bool(yyjson_obj_get(ns, "foreign"));
		long long n =
			yyjson_get_sint(yyjson_obj_get(ns, "smc_sockets"));

		table_add(&t, json_text(ns, "path"));
		table_add(&t, yyjson_get_bool(yyjson_obj_get(ns, "armed"))
				      ? "yes"
				      : "no");
		table_add(&t, selector_word(ns));
		table_add(&t, ours ? "ours" : foreign ? "not ours" : "");
		table_add(&t, json_join(ns, "transports", &transports));
		table_addf(&t, n < 0 ? "?" : "%lld", n);
	}
	if (t.n)
		putchar('\n');
	table_print(&t, stdout);
}

static void print(yyjson_val *root)
{
	yyjson_val *w;
	size_t i, max;

	printf("Linux %s\n\n", json_text(root, "kernel"));
	print_features(root);
	print_missing(root);
	print_rdma(root);
	print_namespaces(root);
	yyjson_arr_foreach (yyjson_obj_get(root, "warnings"), i, max, w) {
		printf("\nWarning: %s\n", yyjson_get_str(w) ?: "");
	}
	printf("\n%s\n", json_text(root, "conclusion"));
}

static int show(yyjson_mut_doc *mut, bool json)
{
	_free_ char *text = NULL;
	yyjson_doc *doc;

	if (json) {
		text = yyjson_mut_write(mut, YYJSON_WRITE_NEWLINE_AT_END, NULL);
		if (!text)
			return EXIT_FAILED;
		fputs(text, stdout);
		return EXIT_OK;
	}
	doc = yyjson_mut_doc_imut_copy(mut, NULL);
	if (!doc)
		return EXIT_FAILED;
	print(yyjson_doc_get_root(doc));
	yyjson_doc_free(doc);
	return EXIT_OK;
}

static int run(const struct cli_args *args)
{
	const struct datapath_options opt = {.bpffs = args->option[BPFFS],
					     .cgroup = args->option[CGROUP],
					     .proc = args->option[PROC]};
	yyjson_mut_doc *doc;
	struct doctor d;
	bool all_seen;
	int ret;

	doctor_open(&opt, &d);
	doc = doctor_report(&d, &all_seen);
	if (!all_seen)
		fprintf(stderr,
			"smcmesh doctor: not every namespace could be looked at%s\n",
			feature_present(&d.features, FEATURE_CAPABILITIES)
				? ""
				: "; run it as root");
	doctor_close(&d);
	ret = show(doc, wants_json(args->option[OUTPUT]));
	yyjson_mut_doc_free(doc);
	return ret;
}

const struct command command_doctor = {
	.name = "doctor",
	.help = "what this node's kernel can do, what is missing, how to get it",
	.more = "Needs no agent. Exits 0 once it has looked, whatever it found; `capable` in\n"
		"its JSON is the answer for scripts: null where the kernel does not tell.",
	.options = options,
	.run = run,
};

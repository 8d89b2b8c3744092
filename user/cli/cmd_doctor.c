// SPDX-License-Identifier: Apache-2.0
/* Prints what doctor/ finds out about this node: as the JSON document that it
 * makes, or as tables made from that, so that both agree. */
#include <stdio.h>
#include <string.h>
#include "cli/ask_agent.h"
#include "cli/cannot.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/table.h"
#include "doctor/checks.h"
#include "doctor/report.h"

enum { CHECK, EXPLAIN, OUTPUT, ROOT, BPFFS, CGROUP, PROC, RUN };

static const struct cli_option options[] = {
	[CHECK] =
		{0, "check", NULL, NULL,
		 "exit 1 if this node is not capable, 3 if that is not known"},
	[EXPLAIN] =
		{0, "explain", "ID", NULL,
		 "only this check; exit 1 if it warns or fails, 3 if it is not known"},
	[OUTPUT] = CLI_OPTION_OUTPUT,
	[ROOT] =
		{0, "root", "DIR", NULL,
		 "where the host's files are; without it, the root of its first process"},
	[BPFFS] = CLI_OPTION_BPFFS,
	[CGROUP] = CLI_OPTION_CGROUP,
	[PROC] = CLI_OPTION_PROC,
	[RUN] = CLI_OPTION_RUN,
	{},
};

static void print_features(yyjson_val *root)
{
	static const char *const heads[] = {"FEATURE", "STATE", "WHAT", NULL};
	_cleanup_(table_free) struct table t = {};
	yyjson_val *f;
	size_t i, max;

	table_init(&t, heads);
	table_whole(&t);
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
	table_print_below(&t, stdout);
}

/* ---- the checks ---- */

/* Lines to copy keep their own, below the first. */
static void print_part(const char *name, const char *text)
{
	if (!*text)
		return;
	printf("  %-6s ", name);
	for (; *text; text++) {
		putchar(*text);
		if (*text == '\n')
			printf("%9s", "");
	}
	putchar('\n');
}

static void print_check(yyjson_val *check)
{
	printf("%-8s %s\n", json_text(check, "status"), json_text(check, "id"));
	print_part("found", json_text(check, "found"));
	print_part("means", json_text(check, "means"));
	print_part("fix", json_text(check, "fix"));
}

static bool has_status(yyjson_val *check, enum check_status status)
{
	return !strcmp(json_text(check, "status"), check_status_word(status));
}

static yyjson_val *find(yyjson_val *root, const char *array, const char *key,
			const char *name)
{
	yyjson_val *o;
	size_t i, max;

	yyjson_arr_foreach (yyjson_obj_get(root, array), i, max, o) {
		if (!strcmp(json_text(o, key), name))
			return o;
	}
	return NULL;
}

/* The features have a table of their own. */
static void print_checks(yyjson_val *root)
{
	yyjson_val *c;
	size_t i, max;

	yyjson_arr_foreach (yyjson_obj_get(root, "checks"), i, max, c) {
		if (has_status(c, CHECK_PASS) || has_status(c, CHECK_SKIP) ||
		    find(root, "features", "feature", json_text(c, "id")))
			continue;
		putchar('\n');
		print_check(c);
	}
}

/* ---- the whole ---- */

static void print(yyjson_val *root)
{
	const char *system = json_text(root, "system");

	printf("Linux %s%s%s\n\n", json_text(root, "kernel"),
	       *system ? " on " : "", system);
	print_features(root);
	print_missing(root);
	print_rdma(root);
	print_namespaces(root);
	print_checks(root);
	printf("\n%s\n", json_text(root, "conclusion"));
}

static int write_json(const yyjson_val *root)
{
	size_t len;
	_free_ char *text =
		yyjson_val_write(root, YYJSON_WRITE_NEWLINE_AT_END, &len);

	return text && !data_print(text, len) ? EXIT_OK : EXIT_FAILED;
}

static int no_check(yyjson_val *root, const char *id)
{
	yyjson_val *c;
	size_t i, max;

	fprintf(stderr, "smcmesh doctor: there is no check %s, but:", id);
	yyjson_arr_foreach (yyjson_obj_get(root, "checks"), i, max, c) {
		fprintf(stderr, " %s", json_text(c, "id"));
	}
	fputc('\n', stderr);
	return EXIT_USAGE;
}

static int explain(yyjson_val *root, const char *id, bool json)
{
	yyjson_val *c = find(root, "checks", "id", id);

	if (!c)
		return no_check(root, id);
	if (json && write_json(c))
		return EXIT_FAILED;
	if (!json) {
		print_check(c);
		if (!*json_text(c, "means"))
			print_part("else", check_meaning(id) ?: "");
	}
	if (has_status(c, CHECK_UNKNOWN))
		return EXIT_UNTOLD;
	return has_status(c, CHECK_WARN) || has_status(c, CHECK_FAIL)
		       ? EXIT_FAILED
		       : EXIT_OK;
}

static int show(yyjson_val *root, const struct cli_args *args)
{
	bool json = wants_json(args->option[OUTPUT]);
	yyjson_val *capable = yyjson_obj_get(root, "capable");

	if (args->option[EXPLAIN])
		return explain(root, args->option[EXPLAIN], json);
	if (json && write_json(root))
		return EXIT_FAILED;
	if (!json)
		print(root);
	if (!args->option[CHECK])
		return EXIT_OK;
	if (yyjson_is_null(capable))
		return EXIT_UNTOLD;
	return yyjson_get_bool(capable) ? EXIT_OK : EXIT_FAILED;
}

/* Of the agent only what nobody else on this node knows is asked for. Return:
 * NULL: it does not answer, for *@err. */
static yyjson_doc *ask_agent(const struct cli_args *args, int *err)
{
	_buf_ struct buf text = {};

	*err = client_try(args->option[RUN], "/v1/status", &text);
	return *err ? NULL : yyjson_read(text.data ?: "", text.len, 0);
}

static yyjson_doc *look(const struct cli_args *args)
{
	const struct datapath_options opt = {.bpffs = args->option[BPFFS],
					     .cgroup = args->option[CGROUP],
					     .proc = args->option[PROC]};
	yyjson_doc *doc, *agent;
	yyjson_mut_doc *mut;
	struct doctor d;
	int err;

	agent = ask_agent(args, &err);
	doctor_open(&opt, args->option[ROOT], &d);
	d.agent_err = err;
	d.agent = yyjson_doc_get_root(agent);
	mut = doctor_report(&d);
	if (d.spaces.unseen)
		fprintf(stderr,
			"smcmesh doctor: not every namespace could be looked at%s\n",
			feature_present(&d.features, FEATURE_CAPABILITIES)
				? ""
				: "; run it as root");
	doctor_close(&d);
	yyjson_doc_free(agent);
	doc = yyjson_mut_doc_imut_copy(mut, NULL);
	yyjson_mut_doc_free(mut);
	return doc;
}

static int run(const struct cli_args *args)
{
	yyjson_doc *doc;
	int ret;

	if (args->option[CHECK] && args->option[EXPLAIN]) {
		fprintf(stderr,
			"smcmesh doctor: --check and --explain are not for one call\n");
		return EXIT_USAGE;
	}
	doc = look(args);
	if (!doc)
		return EXIT_FAILED;
	ret = show(yyjson_doc_get_root(doc), args);
	yyjson_doc_free(doc);
	return ret;
}

const struct command command_doctor = {
	.name = "doctor",
	.help = "what this node's kernel can do, what is missing, how to get it",
	.more = "Needs no agent; one that runs is asked which nodes have another UEID. Without\n"
		"--check and --explain it exits 0 once it has looked, whatever it found.",
	.options = options,
	.run = run,
};

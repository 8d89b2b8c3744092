// SPDX-License-Identifier: Apache-2.0
/* Asks the addresses of a target, and prints what was found, the same as JSON
 * or as a table with what to do. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <yyjson.h>
#include "base/addr.h"
#include "cli/ask_agent.h"
#include "cli/command.h"
#include "cli/pod_name.h"
#include "cli/pod_space.h"
#include "cli/table.h"
#include "cli/target.h"
#include "datapath/unconverted.h"
#include "node/synprobe.h"

enum { OUTPUT, URL, POD, TRIES, RUN, BPFFS, PROC };

static const struct cli_option options[] = {
	[OUTPUT] = CLI_OPTION_OUTPUT,
	[URL] = {0, "url", "URL", NULL, "the target, as the operand names it"},
	[POD] = {0, "pod", "NAMESPACE/POD", NULL,
		 "ask from the network namespace of this pod"},
	[TRIES] = {0, "tries", "N", "3", "for each address, at most 100"},
	[RUN] = CLI_OPTION_RUN,
	[BPFFS] = CLI_OPTION_BPFFS,
	[PROC] = CLI_OPTION_PROC,
	{},
};

struct asked {
	const char *text; /* the target, as it was given */
	struct target target;
	unsigned int tries;
	struct sockaddr_storage to[SYNPROBE_MAX];
	size_t n, known; /* those asked, and all of the name */
	struct syn_result found[SYNPROBE_MAX];
};

static bool is_bad(const struct syn_result *r)
{
	return r->verdict != SYN_FINE;
}

/* Is it the option that makes the difference? */
static bool is_harmed(const struct syn_result *r)
{
	return is_bad(r) && r->verdict != SYN_UNREACHABLE;
}

static bool any(const struct asked *a, bool (*is)(const struct syn_result *))
{
	for (size_t i = 0; i < a->n; i++)
		if (is(&a->found[i]))
			return true;
	return false;
}

static const char *address(const struct sockaddr_storage *sa,
			   char text[ADDR_STRLEN])
{
	struct smc_addr addr;

	addr_from_sockaddr((const struct sockaddr *)sa, &addr);
	return addr_format(&addr, text);
}

/* ---- printing ------------------------------------------------------------ */

static int print_json(const struct asked *a)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	yyjson_mut_val *root = yyjson_mut_obj(doc), *arr = yyjson_mut_arr(doc);
	char text[ADDR_STRLEN];

	yyjson_mut_doc_set_root(doc, root);
	yyjson_mut_obj_add_str(doc, root, "target", a->text);
	for (size_t i = 0; i < a->n; i++) {
		const struct syn_result *r = &a->found[i];
		yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, arr);

		yyjson_mut_obj_add_strcpy(doc, o, "address",
					  address(&a->to[i], text));
		yyjson_mut_obj_add_uint(doc, o, "port", atoi(a->target.port));
		yyjson_mut_obj_add_str(doc, o, "verdict",
				       syn_verdict_word(r->verdict));
		yyjson_mut_obj_add_str(doc, o, "detail", r->detail);
	}
	yyjson_mut_obj_add_val(doc, root, "results", arr);
	return json_print(doc, 0);
}

static void print_exclusion(const struct asked *a)
{
	char text[ADDR_STRLEN];
	const char *comma = "";

	printf("\nTo keep SMC away from there, one of these:\n\n"
	       "# SmcMesh default, for all pods\n"
	       "spec:\n"
	       "  excludeCIDRs: [");
	for (size_t i = 0; i < a->n; i++) {
		if (!is_harmed(&a->found[i]))
			continue;
		printf("%s%s/%u", comma, address(&a->to[i], text),
		       a->to[i].ss_family == AF_INET ? 32 : 128);
		comma = ", ";
	}
	printf("]\n\n"
	       "# a pod that connects there\n"
	       "metadata:\n"
	       "  annotations:\n"
	       "    smcmesh.io/exclude-outbound-ports: \"%s\"\n",
	       a->target.port);
}

static void print_table(const struct asked *a)
{
	static const char *const heads[] = {"ADDRESS", "PORT", "VERDICT",
					    "DETAIL", NULL};
	_cleanup_(table_free) struct table t = {};
	char text[ADDR_STRLEN];

	table_init(&t, heads);
	table_whole(&t);
	for (size_t i = 0; i < a->n; i++) {
		table_add(&t, address(&a->to[i], text));
		table_add(&t, a->target.port);
		table_add(&t, syn_verdict_word(a->found[i].verdict));
		table_add(&t, a->found[i].detail);
	}
	table_print(&t, stdout);
	if (any(a, is_harmed))
		print_exclusion(a);
}

/* ---- asking -------------------------------------------------------------- */

/* In the probe's process. */
static int stay_tcp(const void *bpffs)
{
	return unconverted_mark(bpffs, getpid());
}

static int ask(struct asked *a, const struct cli_args *args,
	       const struct place *at)
{
	const struct synprobe probe = {
		.netns = at->fd,
		.tries = a->tries,
		.prepare = stay_tcp,
		.arg = args->option[BPFFS],
		.to = a->to,
		.n = a->n,
	};
	_buf_ struct buf error = {};
	int err = synprobe_run(&probe, a->found, &error);

	if (err)
		fprintf(stderr, "smcmesh syncheck: %s\n", error.data ?: "");
	return err;
}

static int resolve(struct asked *a, bool elsewhere)
{
	_buf_ struct buf error = {};
	/* A pod may have other addresses than this machine. */
	int err = target_resolve(&a->target, elsewhere ? 0 : AI_ADDRCONFIG,
				 a->to, SYNPROBE_MAX, &a->known, &error);

	if (err) {
		fprintf(stderr, "smcmesh syncheck: %s\n", error.data ?: "");
		return err;
	}
	a->n = a->known < SYNPROBE_MAX ? a->known : SYNPROBE_MAX;
	if (a->n < a->known)
		fprintf(stderr,
			"smcmesh syncheck: %s has %zu addresses, the first %zu are asked\n",
			a->target.host, a->known, a->n);
	return 0;
}

/* Return: EXIT_OK, or EXIT_USAGE with an error on stderr. */
static int read_args(const struct cli_args *args, struct asked *a)
{
	const char *operand = args->operand[0], *url = args->option[URL];
	const char *tries = args->option[TRIES];
	_buf_ struct buf error = {};
	size_t digits = strspn(tries, "0123456789");

	a->tries = !tries[digits] && digits <= 3 ? atoi(tries) : 0;
	if (!operand == !url)
		buf_printf(&error, "expected one target: HOST:PORT or a URL");
	else if (!a->tries || a->tries > SYN_TRIES_MAX)
		buf_printf(&error, "--tries is a number from 1 to %u, not %s",
			   SYN_TRIES_MAX, tries);
	a->text = operand ?: url;
	if (!error.len && !target_parse(a->text, &a->target, &error))
		return args->option[POD] && !pod_name_ok("syncheck",
							 args->option[POD])
			       ? EXIT_USAGE
			       : EXIT_OK;
	fprintf(stderr, "smcmesh syncheck: %s\n", error.data ?: "");
	return EXIT_USAGE;
}

static int run(const struct cli_args *args)
{
	_place_ struct place at = PLACE_NONE;
	const char *pod = args->option[POD];
	struct asked a = {};
	int err = read_args(args, &a);

	if (err)
		return err;
	if ((pod &&
	     pod_space(args->option[RUN], args->option[PROC], pod, &at)) ||
	    resolve(&a, pod) || ask(&a, args, &at))
		return EXIT_UNTOLD;
	if (!wants_json(args->option[OUTPUT]))
		print_table(&a);
	else if (print_json(&a))
		return EXIT_UNTOLD;
	return any(&a, is_bad) ? EXIT_FAILED : EXIT_OK;
}

const struct command command_syncheck = {
	.name = "syncheck",
	.alias = "syn_check",
	.help = "does the way to an address mishandle SMC's TCP option?",
	.more = "Connects with the option and without, in turn, and looks at the answers.\n"
		"Verdicts: fine, replay, conflict, too-long, dropped, reset, unreachable.\n"
		"Needs root and Linux 5.10, neither SMC nor an agent. Exits 0 if all is fine,\n"
		"1 if not, 3 if it could not be told. Also called syn_check.",
	.operand = "HOST:PORT|URL",
	.operands_max = 1,
	.options = options,
	.run = run,
};

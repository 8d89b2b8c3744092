// SPDX-License-Identifier: Apache-2.0
/* The auxiliary RDMA NICs of a node: node/nic_setup.h does it. */
#include <stdio.h>
#include <string.h>
#include "cli/command.h"
#include "cli/node_report.h"
#include "node/metadata.h"
#include "node/nic_state.h"

#define METADATA_ENV "SMCMESH_METADATA_URL"

enum {
	OUTPUT,
	SET,
	RESET,
	DRY_RUN,
	ALL,
	NETDEV,
	ADDRESS,
	METADATA,
	STATE,
	ROOT
};

static const struct cli_option options[] = {
	[OUTPUT] = CLI_OPTION_OUTPUT,
	[SET] = {'s', "set", NULL, NULL,
		 "as setup, with the exit status of the guide's script"},
	[RESET] = {'r', "reset", NULL, NULL,
		   "as reset, with the exit status of the guide's script"},
	[DRY_RUN] = {0, "dry-run", NULL, NULL,
		     "setup, reset: change nothing, say what would be done"},
	[ALL] = {0, "all", NULL, NULL,
		 "reset: all IPv4 addresses of the NICs, and their links"},
	[NETDEV] =
		{0, "netdev", "NAME", NULL,
		 "this NIC, RDMA device or not, instead of all of RDMA devices"},
	[ADDRESS] = {0, "address", "ADDRESS/BITS", NULL,
		     "of --netdev, instead of asking the metadata service"},
	[METADATA] = {0, "metadata-url", "URL", NULL,
		      "the metadata service; without it, " METADATA_ENV
		      ", or " METADATA_URL},
	[STATE] = {0, "state", "DIR", NIC_STATE_DIR,
		   "of the file that keeps what setup did"},
	[ROOT] = {0, "root", "DIR", "/",
		  "where the files of those are seen that may manage NICs"},
	{},
};

static int wrong(const char *sentence)
{
	fprintf(stderr, "smcmesh node: %s\n", sentence);
	return EXIT_USAGE;
}

/* ---- what is asked for --------------------------------------------------- */

static const char *const verbs[] = {"setup", "reset", "status", NULL};

/* Return: the verb; NULL: none, or more than one. */
static const char *verb_of(const struct cli_args *args)
{
	const char *verb = args->operand[0];

	if (!!verb + !!args->option[SET] + !!args->option[RESET] != 1)
		return NULL;
	if (!verb)
		return verbs[args->option[RESET] ? 1 : 0];
	for (const char *const *v = verbs; *v; v++)
		if (!strcmp(*v, verb))
			return *v;
	return NULL;
}

static int check_options(const struct cli_args *args, const char *verb)
{
	bool reset = !strcmp(verb, "reset"), status = !strcmp(verb, "status");

	if (args->option[ALL] && !reset)
		return wrong("--all goes with reset alone");
	if (args->option[DRY_RUN] && status)
		return wrong(
			"status changes nothing: --dry-run does not go with it");
	if (args->option[ADDRESS] && reset)
		return wrong("--address does not go with reset");
	if (args->option[ADDRESS] && !args->option[NETDEV])
		return wrong("--address is one NIC's: name that by --netdev");
	return EXIT_OK;
}

static int read_address(const char *text, struct nic_want *want)
{
	_buf_ struct buf why = {};

	if (!text ||
	    (!nic_want_given(want, text, &why) && !nic_want_check(want, &why)))
		return EXIT_OK;
	return wrong(why.data ?: "no memory");
}

static int read_options(const struct cli_args *args, struct nic_options *opt,
			struct nic_want *want)
{
	const char *env = getenv(METADATA_ENV);

	opt->state = args->option[STATE];
	opt->root = args->option[ROOT];
	opt->netdev = args->option[NETDEV];
	opt->given = args->option[ADDRESS] ? want : NULL;
	opt->dry_run = args->option[DRY_RUN];
	opt->metadata_url = args->option[METADATA];
	if (!opt->metadata_url)
		opt->metadata_url = env && *env ? env : METADATA_URL;
	if (!metadata_url_ok(opt->metadata_url))
		return wrong(
			"the metadata service's URL is not http://HOST/PATH");
	return read_address(args->option[ADDRESS], want);
}

/* ---- doing it ------------------------------------------------------------ */

static int carry_out(const struct nic_options *opt, const char *verb, bool all,
		     struct nic_report *report)
{
	if (!strcmp(verb, "setup"))
		return nic_setup(opt, report);
	if (!strcmp(verb, "reset"))
		return nic_reset(opt, all, report);
	return nic_status(opt, report);
}

static int run(const struct cli_args *args)
{
	_cleanup_(nic_report_free) struct nic_report report = {};
	bool script = args->option[SET] || args->option[RESET];
	const char *verb = verb_of(args);
	struct nic_options opt;
	struct nic_want want = {};
	int status;

	if (!verb)
		return wrong("expected one of setup, reset and status");
	status = check_options(args, verb) ?: read_options(args, &opt, &want);
	if (status)
		return status;
	status = carry_out(&opt, verb, args->option[ALL], &report);
	if (node_report_print(&report, status,
			      wants_json(args->option[OUTPUT])))
		return EXIT_FAILED;
	if (report.error.len)
		fprintf(stderr, "smcmesh node %s: %s\n", verb,
			report.error.data);
	/* Of that script 1 is all that can go wrong. */
	return script && status ? EXIT_FAILED : status;
}

const struct command command_node = {
	.name = "node",
	.help = "set up the auxiliary RDMA NIC of this node, or take that back",
	.more = "Asks the cloud's metadata service for the address of each netdev of an RDMA\n"
		"device but the primary NIC's; then link up, address, and a connected route\n"
		"that the primary NIC's beats. All of it or nothing. Exit status 0: it is so\n"
		"now, 1: it is not, 3: what should be could not be told.",
	.operand = "setup|reset|status",
	.operands_max = 1,
	.options = options,
	.run = run,
};

// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "agent/agent.h"
#include "base/log.h"
#include "cli/command.h"

enum { SOURCE, NODE, LISTEN, BPFFS, CGROUP, PROC, RUN, VERBOSE };

static const struct cli_option options[] = {
	[SOURCE] =
		{0, "source", "file:PATH", "file:/etc/smcmesh/pods.json",
		 "where pods and configuration come from: a Kubernetes List in JSON"},
	[NODE] = {0, "node", "NAME", NULL,
		  "this node's name in the source; without it, the host name"},
	[LISTEN] = {0, "listen", "ADDRESS:PORT", "127.0.0.1:9469",
		    "where /metrics, /healthz and /readyz are served"},
	[BPFFS] = CLI_OPTION_BPFFS,
	[CGROUP] = CLI_OPTION_CGROUP,
	[PROC] = CLI_OPTION_PROC,
	[RUN] = CLI_OPTION_RUN,
	[VERBOSE] = {'v', "verbose", NULL, NULL, "log what is done, too"},
	{},
};

static int run(const struct cli_args *args)
{
	char host[HOST_NAME_MAX + 1] = "";
	const struct agent_options opt = {
		.source = args->option[SOURCE],
		.node = args->option[NODE] ?: host,
		.listen = args->option[LISTEN],
		.bpffs = args->option[BPFFS],
		.cgroup = args->option[CGROUP],
		.proc = args->option[PROC],
		.run = args->option[RUN],
	};
	int err;

	if (args->option[VERBOSE])
		log_level_set(LOG_DEBUG);
	if (gethostname(host, sizeof(host) - 1) || !*opt.node) {
		fprintf(stderr,
			"smcmesh agent: this host has no name, give --node\n");
		return EXIT_USAGE;
	}
	/* A log that a service manager reads is read line by line. */
	setvbuf(stderr, NULL, _IOLBF, 0);
	err = agent_run(&opt);
	if (err == -EINVAL)
		return EXIT_USAGE;
	return err ? EXIT_FAILED : EXIT_OK;
}

const struct command command_agent = {
	.name = "agent",
	.help = "run the agent of this node",
	.more = "It arms the annotated pods of this node and keeps the datapath as the\n"
		"source says. Stopping it leaves everything working; `smcmesh cleanup`\n"
		"takes it away. SIGHUP reads the source again.",
	.options = options,
	.run = run,
};

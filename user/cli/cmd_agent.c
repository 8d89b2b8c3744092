// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "agent/agent.h"
#include "base/log.h"
#include "cli/command.h"

enum {
	SOURCE,
	NODE,
	LISTEN,
	METRICS_LABELS,
	KUBECONFIG,
	SERVER,
	TOKEN_FILE,
	CLIENT_CERT,
	CLIENT_KEY,
	CA,
	MESH_KUBECONFIG,
	STARTUP_TAINT,
	LATE_PODS,
	BPFFS,
	CGROUP,
	PROC,
	RUN,
	LOG_AS,
	VERBOSE
};

static const struct cli_option options[] = {
	[SOURCE] =
		{0, "source", "SOURCE", "file:/etc/smcmesh/pods.json",
		 "where pods and configuration come from: kube, or file:PATH of a Kubernetes List in JSON"},
	[NODE] = {0, "node", "NAME", NULL,
		  "this node's name in the source; without it, the host name"},
	[LISTEN] = {0, "listen", "ADDRESS:PORT", "127.0.0.1:9469",
		    "where /metrics, /healthz and /readyz are served"},
	[METRICS_LABELS] =
		{0, "metrics-labels", "pod|namespace|none", "pod",
		 "by what /metrics tells the numbers of pods apart; namespace and none add them up"},
	[KUBECONFIG] =
		{0, "kubeconfig", "FILE", NULL,
		 "kube: the API server; without it, that of the pod it runs in"},
	[SERVER] = {0, "server", "URL", NULL,
		    "kube: its address, https:// or http:// of a proxy"},
	[TOKEN_FILE] = {0, "token-file", "FILE", NULL,
			"kube: bearer token, read again for each request"},
	[CLIENT_CERT] = {0, "client-cert", "FILE", NULL,
			 "kube: client certificate, PEM"},
	[CLIENT_KEY] = {0, "client-key", "FILE", NULL, "kube: its key, PEM"},
	[CA] = {0, "ca", "FILE", NULL,
		"kube: who signs the server's certificate, PEM"},
	[MESH_KUBECONFIG] =
		{0, "mesh-kubeconfig", "FILE", NULL,
		 "kube: another API server, which has the ASMMeshConfig"},
	[STARTUP_TAINT] =
		{0, "startup-taint", NULL, NULL,
		 "kube: take smcmesh.io/agent-not-ready off the node once ready"},
	[LATE_PODS] =
		{0, "late-pods", "report|evict", "report",
		 "kube: what to do with pods armed too late that were there before the agent"},
	[BPFFS] = CLI_OPTION_BPFFS,
	[CGROUP] = CLI_OPTION_CGROUP,
	[PROC] = CLI_OPTION_PROC,
	[RUN] = CLI_OPTION_RUN,
	[LOG_AS] = {0, "log-format", LOG_FORMATS, "text",
		    "how a line of the log is written"},
	[VERBOSE] = {'v', "verbose", NULL, NULL, "log what is done, too"},
	{},
};

/* An option without effect is a misunderstanding: refuse it. */
static bool kube_options_ok(const struct cli_args *args)
{
	if (!strcmp(args->option[SOURCE], "kube"))
		return true;
	for (int i = KUBECONFIG; i <= LATE_PODS; i++) {
		if (args->option[i] == options[i].initial)
			continue;
		fprintf(stderr, "smcmesh agent: --%s is for --source kube\n",
			options[i].name);
		return false;
	}
	return true;
}

static int run(const struct cli_args *args)
{
	char host[HOST_NAME_MAX + 1] = "";
	struct agent_options opt = {
		.source = args->option[SOURCE],
		.node = args->option[NODE] ?: host,
		.listen = args->option[LISTEN],
		.kube =
			{
				.kubeconfig = args->option[KUBECONFIG],
				.server = args->option[SERVER],
				.token_file = args->option[TOKEN_FILE],
				.client_cert = args->option[CLIENT_CERT],
				.client_key = args->option[CLIENT_KEY],
				.ca = args->option[CA],
				.mesh_kubeconfig =
					args->option[MESH_KUBECONFIG],
				.node = args->option[NODE] ?: host,
			},
		.startup_taint = args->option[STARTUP_TAINT],
		.evict_late = !strcmp(args->option[LATE_PODS], "evict"),
		.bpffs = args->option[BPFFS],
		.cgroup = args->option[CGROUP],
		.proc = args->option[PROC],
		.run = args->option[RUN],
	};
	enum log_format format = LOG_TEXT;
	int err;

	if (!kube_options_ok(args) ||
	    metrics_labels_parse(args->option[METRICS_LABELS], &opt.labels))
		return EXIT_USAGE;
	log_format_parse(args->option[LOG_AS], &format);
	log_open(format);
	if (args->option[VERBOSE])
		log_level_set(LOG_DEBUG);
	if (gethostname(host, sizeof(host) - 1) || !*opt.node) {
		fprintf(stderr,
			"smcmesh agent: this host has no name, give --node\n");
		return EXIT_USAGE;
	}
	/* A service manager reads the log line by line. */
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

// SPDX-License-Identifier: Apache-2.0
/* The vendor guide's measurement in one command: an HTTP echo server, and a
 * client that has a load generator ask it over TCP and over SMC, in turns. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include "cli/bench_client.h"
#include "cli/bench_cluster.h"
#include "cli/bench_server.h"
#include "cli/bench_way.h"
#include "cli/command.h"
#include "cli/ending.h"
#include "cli/pod_name.h"
#include "cli/pod_space.h"
#include "cli/target.h"
#include "node/exchange.h"

enum {
	LISTEN,
	CONNECTIONS,
	RATE,
	SECONDS,
	PAYLOAD,
	ROUNDS,
	TCP,
	CONTROL,
	POD,
	TCP_POD,
	GENERATOR,
	NO_PACED,
	DIRECTORY,
	CLUSTER,
	ONE_NODE,
	KEEP,
	IMAGE,
	AGENTS,
	KUBECTL,
	MANIFEST,
	OUTPUT,
	RUN,
	PROC
};

static const struct cli_option options[] = {
	[LISTEN] = {0, "listen", "ADDRESS:PORT", "0.0.0.0:8080",
		    "server: where it listens"},
	[CONNECTIONS] = {'c', "connections", "N", "64",
			 "client: connections at once"},
	[RATE] =
		{0, "rate", "N", "100000",
		 "client: requests a second of all together, 0: as many as go"},
	[SECONDS] = {'t', "seconds", "N", "30", "client: of each run"},
	[PAYLOAD] = {0, "payload", "BYTES", "128", "client: of a request"},
	[ROUNDS] = {0, "rounds", "N", "3",
		    "client: how often TCP and SMC take turns, from 3 to 100"},
	[TCP] = {0, "tcp", "HOST:PORT", NULL,
		 "client: where the TCP runs go, if not to the same server"},
	[CONTROL] =
		{0, "control", "HOST:PORT", NULL,
		 "client: a server that nobody armed, asked as the TCP runs are"},
	[POD] = {0, "pod", "NAMESPACE/POD", NULL,
		 "client: the SMC runs start in this armed pod's network namespace"},
	[TCP_POD] =
		{0, "tcp-pod", "NAMESPACE/POD", NULL,
		 "client: the others start in this one's, which is not armed"},
	[GENERATOR] =
		{0, "generator", "fortio|wrk|h2load", NULL,
		 "client: who makes the load; without it, the first that is there"},
	[NO_PACED] = {0, "no-paced", NULL, NULL,
		      "client: no round at 70 % of the lower rate"},
	[DIRECTORY] = {0, "directory", "DIR", NULL,
		       "client: write bench.json and bench.html there"},
	[CLUSTER] =
		{0, "cluster", NULL, NULL,
		 "make two pairs of pods by kubectl, annotated and not, measure, take them away"},
	[ONE_NODE] =
		{0, "one-node", NULL, NULL,
		 "cluster: clients on their servers' node, not on another"},
	[KEEP] = {0, "keep", NULL, NULL,
		  "cluster: leave the pods and their namespace"},
	[IMAGE] = {0, "image", "IMAGE", BENCH_IMAGE,
		   "cluster: what has fortio in it"},
	[AGENTS] = {0, "agents", "NAMESPACE", "smcmesh-system",
		    "cluster: where the agents' pods are"},
	[KUBECTL] = {0, "kubectl", "COMMAND", "kubectl",
		     "cluster: how kubectl is called, words between spaces"},
	[MANIFEST] = {0, "manifest", NULL, NULL,
		      "print the pods that --cluster makes, and do nothing"},
	[OUTPUT] = CLI_OPTION_OUTPUT,
	[RUN] = CLI_OPTION_RUN,
	[PROC] = CLI_OPTION_PROC,
	{},
};

/* ---- what was asked for -------------------------------------------------- */

static int read_number(const struct cli_args *args, int option, double least,
		       double most, unsigned int *out)
{
	const char *text = args->option[option];
	const size_t digits = strspn(text, "0123456789");

	if (digits && digits < 10 && !text[digits] && atol(text) >= least &&
	    atol(text) <= most) {
		*out = atol(text);
		return EXIT_OK;
	}
	fprintf(stderr,
		"smcmesh bench: --%s is a number from %.0f to %.0f, not %s\n",
		options[option].name, least, most, text);
	return EXIT_USAGE;
}

static int read_load(const struct cli_args *args, struct bench_plan *p)
{
	unsigned int rate = 0;
	int err = read_number(args, CONNECTIONS, 1, 4096, &p->load.connections)
			  ?: read_number(args, RATE, 0, 1e8, &rate)
			  ?: read_number(args, SECONDS, 1, 3600,
					 &p->load.seconds)
			  ?: read_number(args, PAYLOAD, 0, 1 << 20,
					 &p->load.payload)
			  ?: read_number(args, ROUNDS, BENCH_ROUNDS_MIN,
					 BENCH_ROUNDS_MAX, &p->rounds);

	p->rate = rate;
	p->paced = !args->option[NO_PACED];
	p->run = args->option[RUN];
	p->proc = args->option[PROC];
	return err;
}

static void say(const struct buf *error)
{
	fprintf(stderr, "smcmesh bench: %s\n", error->data ?: "out of memory");
}

/* By its first address: the kernel is asked about connections to that. */
static int read_end(const char *text, struct bench_end *end)
{
	struct sockaddr_storage sa;
	char host[ADDR_STRLEN], at[ADDR_PORT_STRLEN];
	_buf_ struct buf error = {};
	struct smc_addr addr;
	struct target t;
	size_t n;

	if (target_parse(text, &t, &error)) {
		say(&error);
		return EXIT_USAGE;
	}
	if (target_resolve(&t, 0, &sa, 1, &n, &error)) {
		say(&error);
		return EXIT_UNTOLD;
	}
	addr_from_sockaddr((struct sockaddr *)&sa, &addr);
	end->used = true;
	end->target = text;
	end->to = addr_port(&addr, atoi(t.port));
	snprintf(end->url, sizeof(end->url), "http://%s/echo",
		 host_port_format(addr_format(&addr, host), t.port, at,
				  sizeof(at)));
	return EXIT_OK;
}

static int read_ends(const struct cli_args *args, struct bench_plan *p)
{
	const char *server = args->operand[1];
	int err = read_end(server, &p->end[BENCH_SMC])
			  ?: read_end(args->option[TCP] ?: server,
				      &p->end[BENCH_TCP]);

	if (!err && args->option[CONTROL])
		err = read_end(args->option[CONTROL], &p->end[BENCH_CONTROL]);
	return err;
}

/* ---- where the runs start ------------------------------------------------ */

/* Does this process' network namespace, or its cgroup, convert sockets? */
static bool is_armed_here(void)
{
	struct smc_addr loopback;
	bool converted = false;
	__u16 port;
	_close_ int fd =
		addr_parse("127.0.0.1", &loopback)
			?: exchange_listen(&loopback, &port, &converted);

	return fd >= 0 && converted;
}

static int place_end(const struct bench_plan *p, const char *pod,
		     struct bench_end *end)
{
	end->pod = pod;
	if (!pod)
		return EXIT_OK;
	if (!pod_name_ok("bench", pod))
		return EXIT_USAGE;
	return pod_space(p->run, p->proc, pod, &end->at) ? EXIT_UNTOLD
							 : EXIT_OK;
}

static int place_ends(const struct cli_args *args, struct bench_plan *p)
{
	struct bench_end *v = p->end;
	int err = place_end(p, args->option[POD], &v[BENCH_SMC])
			  ?: place_end(p, args->option[TCP_POD], &v[BENCH_TCP])
			  ?: place_end(p, args->option[TCP_POD],
				       &v[BENCH_CONTROL]);

	v[BENCH_SMC].by_run = !args->option[POD] && !is_armed_here();
	if (!err && !args->option[TCP_POD] && !args->option[TCP] &&
	    !args->option[POD] && !v[BENCH_SMC].by_run) {
		fprintf(stderr,
			"smcmesh bench: this pod is armed, so what it opens to %s is SMC: --tcp HOST:PORT says where the TCP runs go, a port that smcmesh.io/exclude-outbound-ports has, or a server that is not armed\n",
			v[BENCH_SMC].target);
		return EXIT_USAGE;
	}
	return err;
}

/* ---- each way to call it ------------------------------------------------- */

static char **own_argv(const struct cli_args *args)
{
	char **v = NULL;
	int err = strv_push(&v, "smcmesh") ?: strv_push(&v, "bench");

	for (int i = 0; !err && i < CLI_OPERANDS_MAX && args->operand[i]; i++)
		err = strv_push(&v, args->operand[i]);
	for (int i = 0; !err && options[i].name; i++) {
		char text[512];

		if (!args->option[i] ||
		    (options[i].initial &&
		     !strcmp(args->option[i], options[i].initial)))
			continue;
		snprintf(text, sizeof(text), "--%s%s%s", options[i].name,
			 options[i].value ? "=" : "", args->option[i]);
		err = strv_push(&v, text);
	}
	return v;
}

static int find_generator(const char *name, struct bench_plan *p)
{
	_buf_ struct buf error = {};

	p->generator = bench_generator_find(name, &error);
	if (p->generator)
		return EXIT_OK;
	say(&error);
	return EXIT_UNTOLD;
}

static int client(const struct cli_args *args, struct bench_plan *p,
		  const struct bench_show *show)
{
	int ret = read_ends(args, p)
			  ?: place_ends(args, p)
			  ?: find_generator(args->option[GENERATOR], p);

	p->way = &bench_here;
	if (ret != EXIT_OK)
		return ret;
	if (!bench_can_show(show))
		return EXIT_FAILED;
	ending_catch();
	ret = bench_client(p, show);
	ending_release();
	return ret;
}

/* What says of this machine where runs start and go. */
static int refuse_local(const struct cli_args *args)
{
	static const int local[] = {TCP, CONTROL, POD, TCP_POD};
	const char *generator = args->option[GENERATOR];

	for (size_t i = 0; i < array_size(local); i++) {
		if (!args->option[local[i]])
			continue;
		fprintf(stderr,
			"smcmesh bench: --%s is for client; --cluster has pods of its own\n",
			options[local[i]].name);
		return EXIT_USAGE;
	}
	if (generator && strcmp(generator, bench_generators[0].name) != 0) {
		fprintf(stderr,
			"smcmesh bench: --cluster has %s make the load, which is in its image, not %s\n",
			bench_generators[0].name, generator);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

static void read_manifest(const struct cli_args *args,
			  struct bench_manifest_how *how)
{
	how->image = args->option[IMAGE];
	how->one_node = args->option[ONE_NODE];
}

static int cluster(const struct cli_args *args, struct bench_plan *p,
		   const struct bench_show *show)
{
	struct bench_cluster c = {.agents = args->option[AGENTS],
				  .keep = args->option[KEEP]};
	int ret = refuse_local(args);

	read_manifest(args, &c.manifest);
	if (ret == EXIT_OK && kubectl_read(&c.kubectl, args->option[KUBECTL])) {
		fprintf(stderr, "smcmesh bench: --kubectl names no program\n");
		ret = EXIT_USAGE;
	}
	if (ret == EXIT_OK && !bench_can_show(show))
		ret = EXIT_FAILED;
	if (ret == EXIT_OK) {
		p->generator = bench_generators;
		ending_catch();
		ret = bench_cluster(&c, p, show);
		ending_release();
	}
	strv_free(&c.kubectl.words);
	return ret;
}

static int measure(const struct cli_args *args)
{
	struct bench_plan p = {};
	const struct bench_show show = {
		.json = wants_json(args->option[OUTPUT]),
		.directory = args->option[DIRECTORY],
	};
	int ret;

	for (int i = 0; i < BENCH_SIDES; i++)
		p.end[i].at = PLACE_NONE;
	p.argv = own_argv(args);
	ret = read_load(args, &p)
		      ?: args->option[CLUSTER] ? cluster(args, &p, &show)
					       : client(args, &p, &show);
	for (int i = 0; i < BENCH_SIDES; i++)
		place_close(&p.end[i].at);
	strv_free(&p.argv);
	return ret;
}

static int look(const struct cli_args *args)
{
	const char *pod = args->option[POD], *to = args->operand[1];
	struct smc_addr_port at = {};

	if (!pod != !to) {
		fprintf(stderr,
			"smcmesh bench: look takes ADDRESS:PORT and --pod NAMESPACE/POD, or neither\n");
		return EXIT_USAGE;
	}
	if (pod && !pod_name_ok("bench", pod))
		return EXIT_USAGE;
	if (to && addr_port_parse(to, &at)) {
		fprintf(stderr,
			"smcmesh bench: expected ADDRESS:PORT, not %s\n", to);
		return EXIT_USAGE;
	}
	return bench_look(args->option[RUN], args->option[PROC], pod, &at);
}

static int manifest(const struct cli_args *args)
{
	struct bench_manifest_how how;

	read_manifest(args, &how);
	bench_manifest(&how, stdout);
	return EXIT_OK;
}

static int wrong(const char *found)
{
	fprintf(stderr,
		"smcmesh bench: expected server, client HOST:PORT, look, page FILE, --cluster or --manifest, not %s\n",
		found);
	return EXIT_USAGE;
}

static int run(const struct cli_args *args)
{
	const char *what = args->operand[0], *of = args->operand[1];

	if (args->option[MANIFEST])
		return what ? wrong("--manifest with an operand")
			    : manifest(args);
	if (args->option[CLUSTER])
		return what ? wrong("--cluster with an operand")
			    : measure(args);
	if (!what)
		return wrong("nothing");
	if (!strcmp(what, "server") && !of)
		return bench_server(args->option[LISTEN]);
	if (!strcmp(what, "client") && of)
		return measure(args);
	if (!strcmp(what, "look"))
		return look(args);
	if (!strcmp(what, "page") && of)
		return bench_redraw(of);
	return wrong(of ? of : what);
}

const struct command command_bench = {
	.name = "bench",
	.help = "requests a second and latencies, TCP beside SMC, as a table and a page",
	.more = "server answers HTTP requests with their own body. client has a load generator\n"
		"ask it in turns as TCP and as SMC (through smcmesh run, or from a pod), and says\n"
		"the ratio only if the kernel says that the connections were SMC. --cluster does\n"
		"so with pods that it makes. page draws a kept result again. look tells each\n"
		"second what a pod's connections are. Exit status: 0 a ratio is said, 1 it is\n"
		"not, or a run failed, 3 nothing could be measured.",
	.operand =
		"[server | client HOST:PORT | look [ADDRESS:PORT] | page FILE]",
	.operands_max = 2,
	.options = options,
	.run = run,
};

// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/addr.h"
#include "cli/ask_agent.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/remedies.h"
#include "cli/table.h"
#include "telemetry/flow_query.h"

enum {
	ALL,
	ALL_NAMESPACES,
	FOLLOW,
	LAST,
	LIMIT,
	NAMESPACE,
	OUTCOME,
	OUTPUT,
	NO_HEADERS,
	POD,
	PORT,
	REASON,
	RUN,
	SINCE,
	TO,
};

/* What narrows is a parameter of /v1/flows, of the same name. */
static const struct cli_option options[] = {
	[ALL] = {'a', "all", NULL, NULL,
		 "all of them, not the newest thousand; as --last all"},
	[ALL_NAMESPACES] = {'A', "all-namespaces", NULL, NULL,
			    "pods of every namespace, as without -n"},
	[FOLLOW] = {'f', "follow", NULL, NULL,
		    "print what happens to flows from now on, as it happens"},
	[LAST] = {0, "last", "NUMBER", NULL, "only the newest so many, or all"},
	[LIMIT] = {0, "limit", "NUMBER", NULL, "the older name of --last"},
	[NAMESPACE] = {'n', "namespace", "NAMESPACE", NULL,
		       "only of pods of this namespace"},
	[OUTCOME] = {0, "outcome", "OUTCOME,...", NULL,
		     "only smcr, smcd, tcp, fallback, failed, pending"},
	[OUTPUT] = CLI_OPTION_OUTPUT,
	[NO_HEADERS] = CLI_OPTION_NO_HEADERS,
	[POD] = {'p', "pod", "[NAMESPACE/]POD", NULL, "only of this pod"},
	[PORT] = {0, "port", "PORT[-PORT]", NULL,
		  "only with such a port at either end"},
	[REASON] =
		{0, "reason", "REASON,...", NULL,
		 "only TCP for this: a reason, or a kernel code by name or 0xCODE"},
	[RUN] = CLI_OPTION_RUN,
	[SINCE] = {0, "since", "DURATION", NULL,
		   "only opened in the last 90s, 5m, 2h"},
	[TO] = {0, "to", "CIDR[:PORT]", NULL,
		"only to this address or prefix: the server's end"},
	{},
};

static const int parameters[] = {LAST, NAMESPACE, OUTCOME, POD,
				 PORT, REASON,	  SINCE,   TO};

static const char *const heads[] = {"POD",   "ROLE",	"LOCAL",  "REMOTE",
				    "+PEER", "+NODE",	"OPENED", "+CONNECT",
				    "+LIFE", "OUTCOME", NULL};

static void end_text(yyjson_val *f, const char *side, char text[72])
{
	char key[24], number[24];
	const char *address;
	unsigned long long port;

	snprintf(key, sizeof(key), "%s_address", side);
	address = json_text(f, key);
	snprintf(key, sizeof(key), "%s_port", side);
	port = yyjson_get_uint(yyjson_obj_get(f, key));
	snprintf(number, sizeof(number), "%llu", port);
	if (port)
		host_port_format(address, number, text, 72);
	else /* connect() was called, no more is known yet */
		snprintf(text, 72, "-");
}

static void pod_text(yyjson_val *f, char text[160])
{
	const char *name = json_text(f, "pod");

	if (*name)
		snprintf(text, 160, "%s/%s", json_text(f, "namespace"), name);
	else
		snprintf(text, 160, "-");
}

/* Whose the remote address is, where the agent knows. */
static void peer_text(yyjson_val *f, char text[200])
{
	const char *ns = json_text(f, "peer_namespace");
	const char *pod = json_text(f, "peer_pod");
	const char *service = json_text(f, "peer_service");

	*text = '\0';
	if (*pod)
		snprintf(text, 200, "%s/%s", ns, pod);
	else if (*service)
		snprintf(text, 200, "Service %s/%s", ns, service);
}

static const char *remark(yyjson_val *f)
{
	if (yyjson_get_bool(yyjson_obj_get(f, "closed")))
		return " (closed)";
	if (yyjson_get_bool(yyjson_obj_get(f, "late")))
		return " (late: smcmesh reopen ends it)";
	return "";
}

static void say_cut(yyjson_val *root)
{
	unsigned long long matched = json_count(root, "matched");
	unsigned long long shown = json_count(root, "shown");

	if (shown < matched && !output_is_list())
		printf("\nOf %llu flows the newest %llu are shown; smcmesh flows --all shows all.\n",
		       matched, shown);
}

static void say_lost(yyjson_val *root)
{
	yyjson_val *lost = yyjson_obj_get(root, "lost");
	unsigned long long events = json_count(lost, "events");
	unsigned long long flows = json_count(lost, "flows");

	if (output_is_list())
		return;
	if (flows)
		printf("\nNot in the list: %llu flows, of which no record could be made for want of room.\n",
		       flows);
	if (events)
		printf("\nWho follows flows has missed %llu events: the ring buffer was full.\n",
		       events);
}

static void say_empty(yyjson_val *root, const struct table *t)
{
	unsigned long long total = json_count(root, "total");

	if (json_count(root, "matched"))
		return;
	if (total)
		table_explain_empty(
			t, "no flow of this node matches; it has %llu", total);
	else
		table_explain_empty(t, "no flow of this node is recorded: "
				       "armed pods have opened none");
}

static void add_text(struct table *t, const char *text)
{
	table_add(t, *text ? text : "-");
}

static void add_seconds(struct table *t, yyjson_val *seconds)
{
	if (seconds)
		table_addf(t, "%.3f s", yyjson_get_num(seconds));
	else
		table_add(t, "-");
}

static void add_flow(struct table *t, yyjson_val *f)
{
	char pod[160], end[72], peer[200];

	pod_text(f, pod);
	table_add(t, pod);
	table_add(t, json_text(f, "role"));
	end_text(f, "local", end);
	table_add(t, end);
	end_text(f, "remote", end);
	table_add(t, end);
	peer_text(f, peer);
	add_text(t, peer);
	add_text(t, json_text(f, "peer_node"));
	table_add(t, json_text(f, "opened"));
	add_seconds(t, yyjson_obj_get(f, "connect_seconds"));
	add_seconds(t, yyjson_obj_get(f, "lifetime_seconds"));
	table_addf(t, "%s%s", json_text(f, "sentence"), remark(f));
}

static void print(yyjson_val *root)
{
	_cleanup_(remedies_free) struct remedies todo = {};
	_cleanup_(table_free) struct table t = {};
	yyjson_val *flows = yyjson_obj_get(root, "flows"), *f;
	size_t i, max;

	table_init(&t, heads);
	yyjson_arr_foreach (flows, i, max, f) {
		add_flow(&t, f);
	}
	table_print(&t, stdout);
	say_cut(root);
	say_lost(root);
	say_empty(root, &t);
	remedies_of_flows(flows, &todo);
	remedies_print(&todo, "FLOWS", stdout);
}

static void print_flow_event(yyjson_val *e)
{
	yyjson_val *life = yyjson_obj_get(e, "lifetime_seconds");
	char pod[160], local[72], remote[72], peer[200];

	pod_text(e, pod);
	end_text(e, "local", local);
	end_text(e, "remote", remote);
	peer_text(e, peer);
	printf("%s %-8s %s %s %s -> %s", json_text(e, "time"),
	       json_text(e, "event"), pod, json_text(e, "role"), local, remote);
	if (*peer)
		printf(" (%s)", peer);
	printf(": %s", json_text(e, "sentence"));
	if (life)
		printf(", open for %.3f s", yyjson_get_num(life));
	putchar('\n');
}

static void print_event(const char *line, size_t len)
{
	yyjson_doc *doc = yyjson_read(line, len, 0);
	yyjson_val *e = yyjson_doc_get_root(doc);

	if (!strcmp(json_text(e, "event"), "lost"))
		printf("%s lost     %s\n", json_text(e, "time"),
		       json_text(e, "sentence"));
	else
		print_flow_event(e);
	yyjson_doc_free(doc);
}

static int follow_line(const char *line, size_t len, void *json)
{
	if (*(bool *)json)
		data_print(line, len);
	else
		print_event(line, len);
	return fflush(stdout) ? -errno : 0;
}

/* ---- what is asked ------------------------------------------------------- */

static int wrong(const char *why)
{
	fprintf(stderr, "smcmesh flows: %s\n", why);
	return EXIT_USAGE;
}

/* The value that counts: --last has two more names. */
static const char *value_of(const struct cli_args *args, int option)
{
	if (option != LAST)
		return args->option[option];
	return args->option[ALL] ? "all"
				 : args->option[LAST] ?: args->option[LIMIT];
}

static int take(struct flow_query *q, int option, const char *value)
{
	const char *name = options[option].name, *expected = "";

	if (!flow_query_take(q, name, value, &expected))
		return EXIT_OK;
	fprintf(stderr, "smcmesh flows: --%s is %s, not %s\n", name, expected,
		value);
	return EXIT_USAGE;
}

static bool is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

/* What each option says may be right, and together wrong. */
static int check(const struct cli_args *args)
{
	const char *ns = args->option[NAMESPACE];

	if (ns && is_number(ns)) {
		fprintf(stderr,
			"smcmesh flows: -n is the namespace now, and %s is a number: --last %s shows the newest %s (pods of a namespace of that name: -p %s/POD)\n",
			ns, ns, ns, ns);
		return EXIT_USAGE;
	}
	if (ns && args->option[ALL_NAMESPACES])
		return wrong("-A and -n are not for one call");
	if (!!args->option[ALL] + !!args->option[LAST] + !!args->option[LIMIT] >
	    1)
		return wrong("of --all, --last and --limit one call has one");
	if (args->option[FOLLOW] &&
	    (value_of(args, LAST) || args->option[SINCE]))
		return wrong(
			"-f begins now: it goes with neither --since nor --last nor --all");
	return EXIT_OK;
}

static int ask_for(const struct cli_args *args, struct buf *path)
{
	struct flow_query q;
	int ret = check(args);

	flow_query_init(&q);
	buf_printf(path, "/v1/flows%s",
		   args->option[FOLLOW] ? "?follow=1" : "");
	for (size_t i = 0; !ret && i < array_size(parameters); i++) {
		const char *value = value_of(args, parameters[i]);

		if (!value)
			continue;
		ret = take(&q, parameters[i], value);
		client_add_query(path, options[parameters[i]].name, value);
	}
	return ret;
}

static int run(const struct cli_args *args)
{
	bool json = wants_json(args->option[OUTPUT]);
	_buf_ struct buf path = {};
	int ret = ask_for(args, &path);

	if (ret)
		return ret;
	if (path.err)
		return EXIT_FAILED;
	if (args->option[FOLLOW])
		return client_follow(args->option[RUN], path.data, follow_line,
				     &json)
			       ? EXIT_FAILED
			       : EXIT_OK;
	return client_show(args->option[RUN], path.data, json, print);
}

const struct command command_flows = {
	.name = "flows",
	.help = "TCP connections of armed pods: what became of each, and why",
	.more = "Of all pods of this node the newest thousand, newest first; what narrows must\n"
		"all hold. With -f and -o json each line is one event; if the agent is lost -f\n"
		"waits for it. Where a flow's end is not told exactly, its sentence says so.",
	.options = options,
	.run = run,
};

// SPDX-License-Identifier: Apache-2.0
#include "cli/explain_print.h"

#include <stdio.h>
#include <string.h>
#include "cli/ask_agent.h"
#include "cli/table.h"

static const char *mark(yyjson_val *o, const char *key)
{
	yyjson_val *v = yyjson_obj_get(o, key);

	return !yyjson_is_bool(v) ? NULL : yyjson_get_bool(v) ? "yes" : "no";
}

static void print_steps(yyjson_val *root)
{
	static const char *const heads[] = {"STEP", "DONE", "READ BACK", NULL};
	_cleanup_(table_free) struct table t = {};
	yyjson_val *o;
	size_t i, max;

	table_init(&t, heads);
	table_whole(&t);
	yyjson_arr_foreach (yyjson_obj_get(root, "steps"), i, max, o) {
		table_add(&t, json_text(o, "step"));
		table_add(&t, mark(o, "ok"));
		table_add(&t, json_text(o, "found"));
	}
	table_print(&t, stdout);
}

/* ---- the peer ------------------------------------------------------------ */

static void add_verdict(struct table *t, const char *what, yyjson_val *o)
{
	_buf_ struct buf transports = {};
	const char *pod = json_text(o, "pod");

	json_join(o, "transports", &transports);
	table_add(t, what);
	table_addf(t, "%s%s%s as %s: %s (%s)%s%s", pod, *pod ? " " : "",
		   json_text(o, "verdict"), json_text(o, "role"),
		   json_text(o, "reason"), json_text(o, "sentence"),
		   transports.data ? ", " : "", transports.data ?: "");
}

static void add_endpoint(struct table *t, yyjson_val *e)
{
	_buf_ struct buf transports = {};

	table_add(t, "endpoint");
	if (!yyjson_is_obj(e)) {
		table_add(t, "no");
		return;
	}
	table_addf(t, "%s/%s of node %s, %s%s", json_text(e, "namespace"),
		   json_text(e, "pod"), json_text(e, "node"),
		   json_join(e, "transports", &transports),
		   yyjson_get_bool(yyjson_obj_get(e, "answer_only"))
			   ? ", at the ports of its hostNetwork pods alone"
			   : "");
}

static void add_backends(struct table *t, yyjson_val *service)
{
	yyjson_val *b;
	size_t i, max;

	yyjson_arr_foreach (yyjson_obj_get(service, "backends"), i, max, b) {
		_buf_ struct buf transports = {};
		const char *pod = json_text(b, "pod");

		table_add(t, "backend");
		table_addf(t, "%s%s%s%s%s: %s%s", json_text(b, "address"),
			   *pod ? " " : "",
			   *pod ? json_text(b, "namespace") : "",
			   *pod ? "/" : "", pod,
			   yyjson_get_bool(yyjson_obj_get(b, "endpoint"))
				   ? "an endpoint, "
				   : "no endpoint",
			   json_join(b, "transports", &transports));
	}
}

static void add_service(struct table *t, yyjson_val *s)
{
	_buf_ struct buf transports = {};
	const char *pod = json_text(s, "pod"), *name = json_text(s, "service");

	if (!yyjson_is_obj(s))
		return;
	json_join(s, "transports", &transports);
	table_add(t, "Service");
	table_addf(t, "%s/%s%s: %s%s%s", json_text(s, "namespace"),
		   *pod ? "pod " : "", *pod ? pod : name,
		   transports.data ?: "not offered SMC",
		   *json_text(s, "sentence") ? ", " : "",
		   json_text(s, "sentence"));
	add_backends(t, s);
}

static void add_exclusions(struct table *t, yyjson_val *peer)
{
	_buf_ struct buf text = {};

	table_add(t, "exclusions");
	table_add(t, json_join(peer, "exclusions", &text));
}

static void add_quarantine(struct table *t, yyjson_val *peer)
{
	yyjson_val *all = yyjson_obj_get(peer, "quarantine"), *q;
	size_t i, max;

	if (!yyjson_arr_size(all)) {
		table_add(t, "quarantine");
		table_add(t, "no");
	}
	yyjson_arr_foreach (all, i, max, q) {
		table_add(t, "quarantine");
		table_addf(t, "%s until %s, strikes %llu: %s",
			   json_text(q, "state"), json_text(q, "until"),
			   (unsigned long long)yyjson_get_uint(
				   yyjson_obj_get(q, "strikes")),
			   json_text(q, "sentence"));
	}
}

static void add_path(struct table *t, yyjson_val *path)
{
	table_add(t, "RDMA path");
	if (!yyjson_is_obj(path)) {
		table_add(t, NULL);
		return;
	}
	table_addf(t, "%s to %s: %s, %.0f seconds", json_text(path, "own"),
		   json_text(path, "peer"), json_text(path, "state"),
		   yyjson_get_num(yyjson_obj_get(path, "left_seconds")));
}

static void add_newest(struct table *t, yyjson_val *flow)
{
	table_add(t, "newest flow");
	if (!yyjson_is_obj(flow))
		table_add(t, NULL);
	else
		table_addf(t, "%s, opened %s", json_text(flow, "sentence"),
			   json_text(flow, "opened"));
}

static void print_peer(yyjson_val *peer)
{
	const char *const heads[] = {"PEER", json_text(peer, "address"), NULL};
	_cleanup_(table_free) struct table t = {};

	table_init(&t, heads);
	table_whole(&t);
	add_verdict(&t, "verdict", peer);
	if (yyjson_is_obj(yyjson_obj_get(peer, "here")))
		add_verdict(&t, "other half", yyjson_obj_get(peer, "here"));
	add_exclusions(&t, peer);
	add_quarantine(&t, peer);
	add_service(&t, yyjson_obj_get(peer, "service"));
	add_endpoint(&t, yyjson_obj_get(peer, "endpoint"));
	add_path(&t, yyjson_obj_get(peer, "path"));
	add_newest(&t, yyjson_obj_get(peer, "newest_flow"));
	printf("\n");
	table_print(&t, stdout);
}

/* ---- all of it ----------------------------------------------------------- */

void explain_print_do(const char *remedy)
{
	static const char none[] = "nothing to do";
	size_t len = sizeof(none) - 1;

	if (!strncmp(remedy, none, len))
		printf("what to do: nothing%s\n", remedy + len);
	else
		printf("what to do: %s\n", *remedy ? remedy : "not known");
}

void explain_print(yyjson_val *root)
{
	yyjson_val *peer = yyjson_obj_get(root, "peer");
	const char *yes = mark(root, "accelerated");

	print_steps(root);
	if (yyjson_is_obj(peer))
		print_peer(peer);
	printf("\naccelerated: %s (%s: %s)\n", yes ?: "could not be told",
	       json_text(root, "reason"), json_text(root, "sentence"));
	explain_print_do(json_text(root, "remedy"));
}

// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_table.h"

#include <math.h>
#include <string.h>
#include "base/cleanup.h"
#include "cli/bench_json.h"
#include "cli/table.h"
#include "mesh/bench.h"

const struct bench_column bench_columns[] = {
	{"requests_per_second", "requests/s", 1, 0},
	{"p50_seconds", "P50 ms", 1e3, 3},
	{"p75_seconds", "P75 ms", 1e3, 3},
	{"p90_seconds", "P90 ms", 1e3, 3},
	{"p99_seconds", "P99 ms", 1e3, 3},
	{"p99_9_seconds", "P99.9 ms", 1e3, 3},
	{"cpu_seconds_per_request", "CPU us/request, machine", 1e6, 1},
	{"client_cpu_seconds_per_request", "CPU us/request, generator", 1e6, 1},
	{},
};

const struct bench_side_name bench_side_names[] = {
	{"tcp", "TCP"}, {"smc", "SMC"}, {"control", "control"}, {}};

/* ---- texts --------------------------------------------------------------- */

const char *bench_spread_text(yyjson_val *spread, double scale, int digits,
			      struct buf *out)
{
	const double median = bench_json_number(spread, "/median");

	buf_free(out);
	if (isnan(median))
		buf_printf(out, "-");
	else
		buf_printf(out, "%.*f (%.*f-%.*f)", digits, median * scale,
			   digits, bench_json_number(spread, "/low") * scale,
			   digits, bench_json_number(spread, "/high") * scale);
	return out->data ?: "";
}

/* Of SMC's share, then of the number. */
static bool is_worse(yyjson_val *a, yyjson_val *b)
{
	return !b ||
	       bench_json_number(a, "/tcp") > bench_json_number(b, "/tcp");
}

static void add_kind(struct buf *out, yyjson_val *c, const char *key,
		     const char *title)
{
	const double n = bench_json_number(c, key);

	if (n > 0)
		buf_printf(out, "%s%s %.0f", out->len ? ", " : "", title, n);
}

const char *bench_connections_text(yyjson_val *side, struct buf *out)
{
	yyjson_val *run, *worst = NULL;
	size_t i, max;

	buf_free(out);
	yyjson_arr_foreach (yyjson_obj_get(side, "runs"), i, max, run) {
		yyjson_val *c = yyjson_obj_get(run, "connections");

		if (is_worse(c, worst))
			worst = c;
	}
	add_kind(out, worst, "/smcr", "SMC-R");
	add_kind(out, worst, "/smcd", "SMC-D");
	add_kind(out, worst, "/tcp", "TCP");
	if (!out->len)
		buf_printf(out, "none seen");
	return out->data ?: "";
}

const char *bench_machine_names(yyjson_val *root, struct buf *out)
{
	const char *server = bench_json_text(root, "/server_machine/name");

	buf_free(out);
	buf_printf(out, "%s%s%s", bench_json_text(root, "/machine/name"),
		   *server ? " to " : "", server);
	return out->data ?: "";
}

/* ---- notes --------------------------------------------------------------- */

static void note_ratio(yyjson_val *root, struct buf *out)
{
	const char *why = bench_json_text(root, "/why");
	const char *remedy = bench_json_text(root, "/remedy");

	if (yyjson_is_obj(yyjson_obj_get(root, "ratio")))
		return;
	buf_printf(out, "No ratio: %s.\n", bench_json_text(root, "/sentence"));
	if (*why)
		buf_printf(out, "Why: %s\n", why);
	if (*remedy)
		buf_printf(out, "What to do: %s\n", remedy);
}

static void note_noise(yyjson_val *root, struct buf *out)
{
	yyjson_val *rate = yyjson_ptr_get(root, "/ratio/requests_per_second");
	yyjson_val *control = yyjson_obj_get(rate, "control");
	const bool clear = yyjson_get_bool(yyjson_obj_get(rate, "clear"));
	_buf_ struct buf ratio = {}, noise = {};

	if (!rate)
		return;
	bench_spread_text(yyjson_obj_get(rate, "smc"), 1, 2, &ratio);
	buf_printf(out, "SMC had %s times the requests of TCP, %s the noise",
		   ratio.data ?: "", clear ? "beyond" : "within");
	if (yyjson_is_obj(control))
		buf_printf(out, ": the control had %s times.\n",
			   bench_spread_text(control, 1, 2, &noise));
	else
		buf_printf(
			out,
			".\nThere was no control (--control): what the machine's own noise is was not measured.\n");
}

static void note_latency(yyjson_val *root, struct buf *out)
{
	const double paced =
		bench_json_number(root, "/paced/wanted_requests_per_second");

	buf_printf(out, "Latencies of %s are %s.\n",
		   bench_json_text(root, "/load/generator"),
		   bench_json_text(root, "/load/latency"));
	if (!yyjson_get_bool(yyjson_obj_get(root, "closed_loop")))
		return;
	buf_printf(
		out,
		"The wanted rate was not reached: the server set the pace, each side its own, so the latencies are service times at different rates (coordinated omission).%s\n",
		paced > 0 ? " Those at one lower rate are below: compare these."
			  : "");
}

static void note_software(yyjson_val *root, struct buf *out)
{
	const char *device = bench_json_text(root, "/software_rdma");

	if (*device)
		buf_printf(
			out,
			"SMC-R ran over %s, an RDMA device made of software: the processors do what an RDMA NIC does by itself, so it is slower than TCP, and the ratio says nothing of a NIC.\n",
			device);
}

static void note_nodes(yyjson_val *root, struct buf *out)
{
	if (*bench_json_text(root, "/server_machine/name"))
		buf_printf(out,
			   "The machine's CPU is that of %s and %s together.\n",
			   bench_json_text(root, "/machine/name"),
			   bench_json_text(root, "/server_machine/name"));
}

/* Of the runs at one rate those that did not keep to it. */
static void note_pace(yyjson_val *root, struct buf *out)
{
	yyjson_val *paced = yyjson_obj_get(root, "paced");
	const double wanted =
		bench_json_number(paced, "/wanted_requests_per_second");

	for (const struct bench_side_name *s = bench_side_names; s->word; s++) {
		const double reached = bench_json_numberf(
			paced, "/%s/requests_per_second", s->word);

		if (!bench_keeps_pace(wanted, reached))
			buf_printf(
				out,
				"At one rate %s made %.0f of the %.0f requests/s that were wanted: its latencies are not comparable either.\n",
				s->title, reached, wanted);
	}
}

void bench_notes(yyjson_val *root, struct buf *out)
{
	note_ratio(root, out);
	note_noise(root, out);
	note_software(root, out);
	note_nodes(root, out);
	note_latency(root, out);
	if (yyjson_is_obj(yyjson_obj_get(root, "paced")))
		note_pace(root, out);
}

/* ---- the tables ---------------------------------------------------------- */

static void add_row(struct table *t, yyjson_val *root,
		    const struct bench_column *c)
{
	yyjson_val *ratio =
		yyjson_obj_get(yyjson_obj_get(root, "ratio"), c->word);
	_buf_ struct buf text = {};

	table_add(t, c->title);
	for (const struct bench_side_name *s = bench_side_names; s->word; s++)
		table_add(t,
			  bench_spread_text(
				  yyjson_obj_get(
					  yyjson_obj_get(bench_json_side(
								 root, s->word),
							 "spread"),
					  c->word),
				  c->scale, c->digits, &text));
	table_add(t,
		  bench_spread_text(yyjson_obj_get(ratio, "smc"), 1, 2, &text));
	table_add(t, bench_spread_text(yyjson_obj_get(ratio, "control"), 1, 2,
				       &text));
}

static void print_main(yyjson_val *root, FILE *to)
{
	static const char *const heads[] = {
		"MEDIAN (SPREAD)", "TCP",	  "SMC", "CONTROL",
		"SMC/TCP",	   "CONTROL/TCP", NULL};
	_cleanup_(table_free) struct table t = {};
	_buf_ struct buf text = {};

	table_init(&t, heads);
	for (const struct bench_column *c = bench_columns; c->word; c++)
		add_row(&t, root, c);
	table_add(&t, "connections");
	for (const struct bench_side_name *s = bench_side_names; s->word; s++)
		table_add(&t, bench_json_side(root, s->word)
				      ? bench_connections_text(
						bench_json_side(root, s->word),
						&text)
				      : NULL);
	table_add(&t, NULL);
	table_add(&t, NULL);
	table_print(&t, to);
}

static void print_paced(yyjson_val *root, FILE *to)
{
	static const char *const heads[] = {"AT ONE RATE", "TCP", "SMC",
					    "CONTROL", NULL};
	yyjson_val *paced = yyjson_obj_get(root, "paced");
	_cleanup_(table_free) struct table t = {};

	if (!yyjson_is_obj(paced))
		return;
	fputc('\n', to);
	table_init(&t, heads);
	for (const struct bench_column *c = bench_columns; c->word; c++) {
		table_add(&t, c->title);
		for (const struct bench_side_name *s = bench_side_names;
		     s->word; s++) {
			const double v = bench_json_numberf(paced, "/%s/%s",
							    s->word, c->word);

			if (isnan(v))
				table_add(&t, NULL);
			else
				table_addf(&t, "%.*f", c->digits, v * c->scale);
		}
	}
	table_print(&t, to);
}

void bench_table(yyjson_val *root, FILE *to)
{
	_buf_ struct buf notes = {}, names = {};

	fprintf(to,
		"%s, %.0f connections, %.0f bytes, %.0f rounds of %.0f s; %s: Linux %s, %s\n\n",
		bench_json_text(root, "/load/generator"),
		bench_json_number(root, "/load/connections"),
		bench_json_number(root, "/load/payload_bytes"),
		bench_json_number(root, "/rounds"),
		bench_json_number(root, "/load/seconds"),
		bench_machine_names(root, &names),
		bench_json_text(root, "/machine/kernel"),
		bench_json_text(root, "/machine/processor"));
	print_main(root, to);
	print_paced(root, to);
	bench_notes(root, &notes);
	fprintf(to, "\n%s", notes.data ?: "");
}

// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_json.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "base/array.h"
#include "base/when.h"

/* Raised when a reader of older documents would misread them. */
#define SCHEMA 1

struct json {
	yyjson_mut_doc *doc;
	const struct bench_plan *plan;
	const struct bench_result *r;
};

/* JSON has no word for what is not known but null. */
static void add_number(struct json *j, yyjson_mut_val *o, const char *key,
		       double v)
{
	if (isfinite(v))
		yyjson_mut_obj_add_real(j->doc, o, key, v);
	else
		yyjson_mut_obj_add_null(j->doc, o, key);
}

/* ---- where and how ------------------------------------------------------- */

static void add_load(struct json *j, yyjson_mut_val *root)
{
	yyjson_mut_val *o = yyjson_mut_obj_add_obj(j->doc, root, "load");
	const struct bench_load *l = &j->plan->load;

	yyjson_mut_obj_add_str(j->doc, o, "generator",
			       j->plan->generator->name);
	yyjson_mut_obj_add_str(j->doc, o, "latency",
			       j->plan->generator->latency);
	yyjson_mut_obj_add_uint(j->doc, o, "connections", l->connections);
	yyjson_mut_obj_add_uint(j->doc, o, "payload_bytes", l->payload);
	yyjson_mut_obj_add_uint(j->doc, o, "seconds", l->seconds);
	/* 0: as many as go */
	add_number(j, o, "wanted_requests_per_second", j->plan->rate);
}

static void add_origin(struct json *j, yyjson_mut_val *root)
{
	yyjson_mut_val *argv;
	char when[WHEN_STRLEN];

	yyjson_mut_obj_add_uint(j->doc, root, "schema", SCHEMA);
	yyjson_mut_obj_add_str(j->doc, root, "smcmesh", SMCMESH_VERSION);
	yyjson_mut_obj_add_strcpy(j->doc, root, "began",
				  when_format(j->r->began, when));
	argv = yyjson_mut_obj_add_arr(j->doc, root, "command");
	for (char **a = j->plan->argv; a && *a; a++)
		yyjson_mut_arr_add_str(j->doc, argv, *a);
	bench_machine_add(&j->r->machine, j->doc, root, "machine");
	if (*j->r->server_machine.kernel)
		bench_machine_add(&j->r->server_machine, j->doc, root,
				  "server_machine");
	add_load(j, root);
}

/* ---- runs ---------------------------------------------------------------- */

static void add_spread(struct json *j, yyjson_mut_val *o, const char *key,
		       struct bench_spread s)
{
	yyjson_mut_val *v = yyjson_mut_obj_add_obj(j->doc, o, key);

	add_number(j, v, "median", s.median);
	add_number(j, v, "low", s.low);
	add_number(j, v, "high", s.high);
}

static void add_run(struct json *j, yyjson_mut_val *o,
		    const struct bench_run *run)
{
	yyjson_mut_val *c;

	for (int m = 0; m < BENCH_METRICS; m++)
		add_number(j, o, bench_metric_words[m], run->value[m]);
	add_number(j, o, "requests", run->requests);
	add_number(j, o, "errors", run->errors);
	add_number(j, o, "seconds", run->seconds);
	c = yyjson_mut_obj_add_obj(j->doc, o, "connections");
	yyjson_mut_obj_add_uint(j->doc, c, "looks", run->flows.looks);
	yyjson_mut_obj_add_uint(j->doc, c, "smcr", run->flows.smcr);
	yyjson_mut_obj_add_uint(j->doc, c, "smcd", run->flows.smcd);
	yyjson_mut_obj_add_uint(j->doc, c, "tcp", run->flows.tcp);
	yyjson_mut_obj_add_uint(j->doc, c, "kernel_code", run->flows.code);
}

static void add_times(struct json *j, yyjson_mut_val *o,
		      const struct bench_hist *h)
{
	yyjson_mut_val *arr = yyjson_mut_obj_add_arr(j->doc, o, "histogram");

	for (size_t i = 0; i < h->n; i++) {
		const double bin[] = {h->v[i].start, h->v[i].end,
				      h->v[i].count};

		yyjson_mut_arr_append(arr,
				      yyjson_mut_arr_with_real(j->doc, bin, 3));
	}
}

static const char *started_by(const struct bench_end *end)
{
	return end->by_run ? "smcmesh run" : end->pod ? end->pod : "";
}

static void add_series(struct json *j, yyjson_mut_val *sides,
		       enum bench_side side)
{
	const struct bench_end *end = &j->plan->end[side];
	const struct bench_series *s = &j->r->side[side];
	yyjson_mut_val *o, *runs, *spread;
	char at[ADDR_PORT_STRLEN];

	o = yyjson_mut_obj_add_obj(j->doc, sides, bench_side_words[side]);
	yyjson_mut_obj_add_str(j->doc, o, "target", end->target);
	yyjson_mut_obj_add_strcpy(j->doc, o, "address",
				  addr_port_format(&end->to, at));
	yyjson_mut_obj_add_str(j->doc, o, "started_by", started_by(end));
	runs = yyjson_mut_obj_add_arr(j->doc, o, "runs");
	for (unsigned int i = 0; i < j->r->rounds; i++)
		add_run(j, yyjson_mut_arr_add_obj(j->doc, runs), &s->run[i]);
	spread = yyjson_mut_obj_add_obj(j->doc, o, "spread");
	for (int m = 0; m < BENCH_METRICS; m++)
		add_spread(j, spread, bench_metric_words[m],
			   bench_spread_metric(s->run, j->r->rounds, m));
	add_times(j, o, &s->times);
}

static void add_paced(struct json *j, yyjson_mut_val *root)
{
	yyjson_mut_val *o, *run;

	if (!(j->r->pace > 0)) {
		yyjson_mut_obj_add_null(j->doc, root, "paced");
		return;
	}
	o = yyjson_mut_obj_add_obj(j->doc, root, "paced");
	add_number(j, o, "wanted_requests_per_second", j->r->pace);
	for (int side = 0; side < BENCH_SIDES; side++) {
		if (!j->plan->end[side].used)
			continue;
		run = yyjson_mut_obj_add_obj(j->doc, o, bench_side_words[side]);
		add_run(j, run, &j->r->side[side].paced);
		add_times(j, run, &j->r->side[side].paced_times);
	}
}

/* ---- what it comes to ---------------------------------------------------- */

/* Of one metric, to the TCP runs of the same rounds. */
static void add_ratio(struct json *j, yyjson_mut_val *ratio,
		      enum bench_metric m)
{
	yyjson_mut_val *o =
		yyjson_mut_obj_add_obj(j->doc, ratio, bench_metric_words[m]);
	const struct bench_series *v = j->r->side;
	const struct bench_spread smc = bench_ratio(
		v[BENCH_SMC].run, v[BENCH_TCP].run, j->r->rounds, m);
	const bool used = j->plan->end[BENCH_CONTROL].used;
	const struct bench_spread control =
		bench_ratio(v[BENCH_CONTROL].run, v[BENCH_TCP].run,
			    used ? j->r->rounds : 0, m);

	add_spread(j, o, "smc", smc);
	if (used)
		add_spread(j, o, "control", control);
	else
		yyjson_mut_obj_add_null(j->doc, o, "control");
	yyjson_mut_obj_add_bool(j->doc, o, "clear",
				bench_is_clear(&smc, &control));
}

static void add_ratios(struct json *j, yyjson_mut_val *root)
{
	yyjson_mut_val *ratio;

	if (j->r->verdict != BENCH_SAID) {
		yyjson_mut_obj_add_null(j->doc, root, "ratio");
		return;
	}
	ratio = yyjson_mut_obj_add_obj(j->doc, root, "ratio");
	for (int m = 0; m < BENCH_METRICS; m++)
		add_ratio(j, ratio, m);
}

static bool is_closed(const struct json *j)
{
	double reached = INFINITY;

	for (int side = 0; side < BENCH_SIDES; side++) {
		const double rate =
			bench_spread_metric(j->r->side[side].run, j->r->rounds,
					    BENCH_RATE)
				.low;

		if (j->plan->end[side].used && rate < reached)
			reached = rate;
	}
	return bench_is_closed(j->plan->rate, reached);
}

static void add_verdict(struct json *j, yyjson_mut_val *root)
{
	const enum bench_verdict v = j->r->verdict;

	yyjson_mut_obj_add_uint(j->doc, root, "rounds", j->r->rounds);
	yyjson_mut_obj_add_str(j->doc, root, "verdict", bench_verdict_word(v));
	yyjson_mut_obj_add_str(j->doc, root, "sentence",
			       bench_verdict_sentence(v));
	yyjson_mut_obj_add_str(j->doc, root, "why", j->r->why.sentence);
	yyjson_mut_obj_add_str(j->doc, root, "remedy", j->r->why.remedy);
	yyjson_mut_obj_add_str(j->doc, root, "software_rdma", j->r->software);
	yyjson_mut_obj_add_bool(j->doc, root, "closed_loop", is_closed(j));
}

char *bench_json(const struct bench_plan *plan, const struct bench_result *r,
		 size_t *len)
{
	struct json j = {yyjson_mut_doc_new(NULL), plan, r};
	yyjson_mut_val *root = yyjson_mut_obj(j.doc), *sides;
	char *text;

	yyjson_mut_doc_set_root(j.doc, root);
	add_origin(&j, root);
	add_verdict(&j, root);
	add_ratios(&j, root);
	sides = yyjson_mut_obj_add_obj(j.doc, root, "sides");
	for (int side = 0; side < BENCH_SIDES; side++)
		if (plan->end[side].used)
			add_series(&j, sides, side);
	add_paced(&j, root);
	text = yyjson_mut_write(j.doc, 0, len);
	yyjson_mut_doc_free(j.doc);
	return text;
}

/* ---- reading it ---------------------------------------------------------- */

double bench_json_number(yyjson_val *root, const char *pointer)
{
	yyjson_val *v = yyjson_ptr_get(root, pointer);

	return yyjson_is_num(v) ? yyjson_get_num(v) : NAN;
}

double bench_json_numberf(yyjson_val *root, const char *fmt, ...)
{
	char pointer[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(pointer, sizeof(pointer), fmt, ap);
	va_end(ap);
	return bench_json_number(root, pointer);
}

const char *bench_json_text(yyjson_val *root, const char *pointer)
{
	return yyjson_get_str(yyjson_ptr_get(root, pointer)) ?: "";
}

yyjson_val *bench_json_side(yyjson_val *root, const char *word)
{
	return yyjson_obj_get(yyjson_obj_get(root, "sides"), word);
}

int bench_json_check(yyjson_val *root, struct buf *why)
{
	static const char *const objects[] = {
		"/machine", "/load", "/sides/tcp/spread", "/sides/smc/spread"};

	if (!(bench_json_number(root, "/schema") == SCHEMA)) {
		buf_printf(why, "its schema is not %d", SCHEMA);
		return -EINVAL;
	}
	for (size_t i = 0; i < array_size(objects); i++) {
		if (yyjson_is_obj(yyjson_ptr_get(root, objects[i])))
			continue;
		buf_printf(why, "it has no %s", objects[i] + 1);
		return -EINVAL;
	}
	return 0;
}

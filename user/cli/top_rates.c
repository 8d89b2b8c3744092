// SPDX-License-Identifier: Apache-2.0
#include "cli/top_rates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/array.h"
#include "cli/ask_agent.h"

#define UNKNOWN -1.0

static double real(yyjson_val *o, const char *key)
{
	return yyjson_get_num(yyjson_obj_get(o, key));
}

/* ---- rates --------------------------------------------------------------- */

/* Counters begin anew when a pod's slot does. */
static double rate(unsigned long long before, unsigned long long now,
		   double seconds)
{
	if (seconds <= 0)
		return UNKNOWN;
	return now > before ? (double)(now - before) / seconds : 0;
}

static unsigned long long sum_of(yyjson_val *o)
{
	unsigned long long sum = 0;
	yyjson_val *key, *value;
	size_t i, max;

	yyjson_obj_foreach (o, i, max, key, value) {
		sum += yyjson_get_uint(value);
	}
	return sum;
}

static void take_flows(yyjson_val *before, yyjson_val *now, double seconds,
		       struct top_row *row)
{
	yyjson_val *was = yyjson_obj_get(before, "flows");
	yyjson_val *is = yyjson_obj_get(now, "flows");

	row->opened = rate(sum_of(was), sum_of(is), seconds);
	row->fell = rate(json_count(was, "fallback"),
			 json_count(is, "fallback"), seconds);
}

struct way {
	const char *name;
	double *rx, *tx;
};

/* The two readings have times of their own. */
static void take_traffic(yyjson_val *before, yyjson_val *now,
			 struct top_row *row)
{
	const struct way ways[] = {{"smcr", &row->smcr_rx, &row->smcr_tx},
				   {"smcd", &row->smcd_rx, &row->smcd_tx}};
	yyjson_val *was = yyjson_obj_get(before, "traffic");
	yyjson_val *is = yyjson_obj_get(now, "traffic");
	double seconds = real(is, "clock_seconds") - real(was, "clock_seconds");

	if (!yyjson_is_obj(was) || !yyjson_is_obj(is))
		return;
	for (size_t i = 0; i < array_size(ways); i++) {
		yyjson_val *a = yyjson_obj_get(was, ways[i].name);
		yyjson_val *b = yyjson_obj_get(is, ways[i].name);

		*ways[i].rx = rate(json_count(a, "rx_bytes"),
				   json_count(b, "rx_bytes"), seconds);
		*ways[i].tx = rate(json_count(a, "tx_bytes"),
				   json_count(b, "tx_bytes"), seconds);
	}
}

/* ---- rows ---------------------------------------------------------------- */

static void take_held(yyjson_val *held, struct top_row *row)
{
	row->buffers = json_count(held, "buffer_bytes");
	row->pending = json_count(held, "pending");
	row->pending_max = json_count(held, "pending_max");
	row->connections = json_count(held, "connections");
	row->connections_max = json_count(held, "connections_max");
	row->rationed = json_count(held, "rationed");
}

static struct top_row row_of(yyjson_val *before, yyjson_val *now,
			     double seconds)
{
	yyjson_val *open = yyjson_obj_get(now, "open");
	struct top_row row = {
		.ns = json_text(now, "namespace"),
		.pod = json_text(now, "pod"),
		.smcr = json_count(open, "smcr"),
		.smcd = json_count(open, "smcd"),
		.tcp = json_count(open, "tcp") + json_count(open, "fallback"),
		.opened = UNKNOWN,
		.fell = UNKNOWN,
		.smcr_rx = UNKNOWN,
		.smcr_tx = UNKNOWN,
		.smcd_rx = UNKNOWN,
		.smcd_tx = UNKNOWN,
		.fallbacks =
			json_count(yyjson_obj_get(now, "flows"), "fallback"),
	};

	take_held(yyjson_obj_get(now, "held"), &row);
	if (!before)
		return row;
	take_flows(before, now, seconds, &row);
	take_traffic(before, now, &row);
	return row;
}

/* Numbers of pods are never given twice by one agent; another may. */
static yyjson_val *find(yyjson_val *pods, yyjson_val *pod)
{
	yyjson_val *p;
	size_t i, max;

	yyjson_arr_foreach (pods, i, max, p) {
		if (json_count(p, "pod_id") == json_count(pod, "pod_id") &&
		    !strcmp(json_text(p, "pod"), json_text(pod, "pod")) &&
		    !strcmp(json_text(p, "namespace"),
			    json_text(pod, "namespace")))
			return p;
	}
	return NULL;
}

static double known(double n)
{
	return n > 0 ? n : 0;
}

double top_bytes(const struct top_row *row)
{
	return known(row->smcr_rx) + known(row->smcr_tx) + known(row->smcd_rx) +
	       known(row->smcd_tx);
}

static unsigned int percent(unsigned long long held, unsigned long long most)
{
	return most ? 100 * held / most : 0;
}

unsigned int top_ration(const struct top_row *row)
{
	unsigned int pending = percent(row->pending, row->pending_max);
	unsigned int connections =
		percent(row->connections, row->connections_max);

	return pending > connections ? pending : connections;
}

static int most_first(double a, double b)
{
	return (a < b) - (a > b);
}

static int row_order(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;
	int order = most_first(top_bytes(x), top_bytes(y))
			    ?: most_first(x->opened, y->opened);

	return order ?: strcmp(x->ns, y->ns) ?: strcmp(x->pod, y->pod);
}

int top_rows_make(yyjson_val *before, yyjson_val *now, struct top_rows *out)
{
	yyjson_val *olds = yyjson_obj_get(before, "pods"), *pod;
	struct top_rows rows = {};
	size_t i, max;

	rows.seconds =
		real(now, "clock_seconds") - real(before, "clock_seconds");
	yyjson_arr_foreach (yyjson_obj_get(now, "pods"), i, max, pod) {
		struct top_row *row = array_push(rows.v, rows.n);

		if (!row) {
			top_rows_free(&rows);
			return -ENOMEM;
		}
		*row = row_of(find(olds, pod), pod, rows.seconds);
	}
	if (rows.n)
		qsort(rows.v, rows.n, sizeof(*rows.v), row_order);
	*out = rows;
	return 0;
}

void top_rows_free(struct top_rows *rows)
{
	free(rows->v);
	*rows = (struct top_rows){};
}

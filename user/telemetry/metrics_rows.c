// SPDX-License-Identifier: Apache-2.0
#include "telemetry/metrics_rows.h"

#include <stdlib.h>
#include <string.h>
#include "base/array.h"

/* ---- labels ------------------------------------------------------------ */

/* Escapes backslash, quote and newline of a label's value. */
static void add_escaped(struct buf *out, const char *text)
{
	for (size_t len; *text; text += len) {
		len = strcspn(text, "\n\\\"");
		buf_add(out, text, len);
		if (text[len] == '\n')
			buf_add(out, "\\n", 2);
		else if (text[len])
			buf_printf(out, "\\%c", text[len]);
		len += text[len] != '\0';
	}
}

void metrics_label_add(struct buf *out, const char *before, const char *key,
		       const char *value)
{
	buf_add(out, before, strlen(before));
	buf_add(out, key, strlen(key));
	buf_add(out, "=\"", 2);
	add_escaped(out, value);
	buf_add(out, "\"", 1);
}

static char *labels_of(const struct metrics_row *row, enum metrics_labels by)
{
	struct buf text = {};

	buf_add(&text, "", 0);
	if (by != METRICS_BY_NONE)
		metrics_label_add(&text, "", "namespace", row->ns);
	if (by == METRICS_BY_POD)
		metrics_label_add(&text, ",", "pod", row->pod);
	return buf_take(&text);
}

unsigned int metrics_shown(const struct metrics_pod *pod)
{
	unsigned int shown = pod->shown;

	for (int g = 0; g < METRICS_GAUGES; g++)
		shown |= pod->gauge[g] ? 1U << g : 0;
	return shown;
}

/* ---- rows -------------------------------------------------------------- */

/* Their number is small: of namespaces with pods on this node. */
static struct metrics_row *row_of_ns(struct metrics_rows *rows, const char *ns)
{
	for (size_t i = 0; i < rows->n; i++)
		if (!strcmp(rows->v[i].ns, ns))
			return &rows->v[i];
	return NULL;
}

/* The row of a pod, made where there is none. NULL without memory. */
static struct metrics_row *row_for(struct metrics_rows *rows,
				   enum metrics_labels by,
				   const struct metrics_pod *pod)
{
	struct metrics_row *row = NULL;

	if (by == METRICS_BY_NAMESPACE)
		row = row_of_ns(rows, pod->ns);
	if (row)
		return row;
	row = array_push(rows->v, rows->n);
	if (row) {
		row->ns = pod->ns;
		row->pod = pod->name;
	}
	return row;
}

static void add_pod(struct metrics_row *row, const struct metrics_pod *pod)
{
	for (int g = 0; g < METRICS_GAUGES; g++)
		row->gauge[g] += pod->gauge[g];
	for (int b = 0; b < METRICS_BYTES_MAX; b++)
		row->sum[METRICS_SUM_BYTES + b] += pod->bytes[b];
	row->shown |= metrics_shown(pod);
}

/* A pod without a number has counted nothing. */
static int add_pods(const struct metrics *m, struct metrics_rows *rows)
{
	for (size_t i = 0; i < m->n_pods; i++) {
		const struct metrics_pod *pod = &m->pods[i];
		struct metrics_row *row;

		if (!pod->id || m->labels == METRICS_BY_NONE)
			continue;
		row = row_for(rows, m->labels, pod);
		if (!row)
			return -ENOMEM;
		add_pod(row, pod);
		rows->of_slot[smc_slot(pod->id)] = row - rows->v;
		rows->id_at[smc_slot(pod->id)] = pod->id;
	}
	return 0;
}

/* The last row: of what has no name, and where nothing is told apart of all. */
static int add_nameless(const struct metrics *m, struct metrics_rows *rows)
{
	struct metrics_row *row = array_push(rows->v, rows->n);

	if (!row)
		return -ENOMEM;
	row->ns = row->pod = "";
	row->gauge[METRICS_PENDING] = m->strangers.pending;
	row->shown = 1U << METRICS_PENDING;
	for (__u32 slot = 0; slot < SMC_PODS; slot++)
		if (!rows->id_at[slot])
			rows->of_slot[slot] = rows->n - 1;
	for (size_t i = 0; m->labels == METRICS_BY_NONE && i < m->n_pods; i++)
		add_pod(row, &m->pods[i]);
	return 0;
}

static void add_counters(const struct metrics *m, struct metrics_rows *rows)
{
	for (size_t i = 0; i < m->n_counters; i++) {
		const struct metrics_counter *c = &m->counters[i];
		size_t at = rows->of_slot[c->key.slot % SMC_PODS];

		rows->v[at].sum[c->key.counter] += c->value;
	}
}

static void add_gone(const struct metrics *m, struct metrics_rows *rows)
{
	for (size_t i = 0; i < m->n_gone; i++) {
		struct metrics_row *row =
			m->gone[i].ns ? row_of_ns(rows, m->gone[i].ns) : NULL;

		for (int k = 0; row && k < METRICS_SUMS; k++)
			row->sum[k] += m->gone[i].sum[k];
	}
}

int metrics_rows_make(const struct metrics *m, struct metrics_rows *out)
{
	int err;

	*out = (struct metrics_rows){};
	err = add_pods(m, out) ?: add_nameless(m, out);
	if (err)
		return err;
	add_counters(m, out);
	add_gone(m, out);
	for (size_t i = 0; i < out->n; i++) {
		out->v[i].labels = labels_of(&out->v[i], m->labels);
		if (!out->v[i].labels)
			return -ENOMEM;
	}
	return 0;
}

void metrics_rows_free(struct metrics_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		free(rows->v[i].labels);
	free(rows->v);
	*rows = (struct metrics_rows){};
}

size_t metrics_row_of(const struct metrics_rows *rows,
		      const struct metrics_fallback *f)
{
	__u32 slot = smc_slot(f->pod_id);

	for (size_t i = 0; f->ns && i < rows->n; i++)
		if (!strcmp(rows->v[i].ns, f->ns))
			return i;
	return f->pod_id && rows->id_at[slot] == f->pod_id ? rows->of_slot[slot]
							   : rows->n - 1;
}

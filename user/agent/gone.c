// SPDX-License-Identifier: Apache-2.0
#include "agent/gone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "pods/known.h"
#include "base/array.h"
#include "base/log.h"

static struct metrics_gone *row_of(struct agent *a, const char *ns)
{
	struct agent_counts *counts = &a->counts;
	struct metrics_gone *row, *free_row = NULL;

	if (a->opt->labels == METRICS_BY_POD)
		return NULL;
	if (a->opt->labels == METRICS_BY_NONE)
		ns = "";
	for (size_t i = 0; i < counts->n_gone; i++) {
		row = &counts->gone[i];
		if (row->ns && !strcmp(row->ns, ns))
			return row;
		if (!row->ns)
			free_row = row;
	}
	row = free_row ?: array_push(counts->gone, counts->n_gone);
	if (row)
		row->ns = strdup(ns);
	return row && row->ns ? row : NULL;
}

const char *gone_ns(struct agent *a, const char *ns)
{
	const struct metrics_gone *row = row_of(a, ns);

	return row ? row->ns : NULL;
}

/* ---- what is counted at a slot ------------------------------------------- */

static int add(const struct smc_counter_key *key, __u64 value, void *arg)
{
	struct metrics_gone *row = arg;

	row->sum[key->counter] += value;
	return 0;
}

static int take_off(const struct smc_counter_key *key, __u64 value, void *arg)
{
	struct metrics_gone *row = arg;

	row->sum[key->counter] -= value;
	return 0;
}

static void say(int err)
{
	if (err)
		log_warn(err, "read the counters of a pod");
}

/* ---- begin and end ------------------------------------------------------- */

static void take_off_slot(struct agent *a, __u32 slot, const char *ns)
{
	struct metrics_gone *row = row_of(a, ns);

	if (row)
		say(datapath_slot_counters(a->dp, slot, take_off, row));
}

void gone_begin(struct agent *a)
{
	take_off_slot(a, SMC_SLOT_NODE, "");
	take_off_slot(a, SMC_SLOT_STRANGERS, "");
	for (size_t i = 0; i < a->pods.n; i++)
		if (a->pods.v[i]->id)
			take_off_slot(a, smc_slot(a->pods.v[i]->id),
				      a->pods.v[i]->ns);
}

void gone_add(struct agent *a, const struct pod *p)
{
	struct metrics_gone *row = p->id ? row_of(a, p->ns) : NULL;
	const struct pod_bytes *bytes = pod_bytes_of(&a->counts, p->id);

	if (!row)
		return;
	say(datapath_slot_counters(a->dp, smc_slot(p->id), add, row));
	for (int b = 0; bytes && b < METRICS_BYTES_MAX; b++)
		row->sum[METRICS_SUM_BYTES + b] += bytes->n[b];
}

static bool has_pods(const struct agent *a, const char *ns)
{
	for (size_t i = 0; i < a->pods.n; i++)
		if (!strcmp(a->pods.v[i]->ns, ns))
			return true;
	return false;
}

static void drop_fallbacks(struct agent_counts *counts, const char *ns)
{
	size_t kept = 0;

	for (size_t i = 0; i < counts->n_fallbacks; i++)
		if (counts->fallbacks[i].ns != ns)
			counts->fallbacks[kept++] = counts->fallbacks[i];
	counts->n_fallbacks = kept;
}

void gone_sweep(struct agent *a)
{
	for (size_t i = 0; i < a->counts.n_gone; i++) {
		struct metrics_gone *row = &a->counts.gone[i];

		if (!row->ns || !*row->ns || has_pods(a, row->ns))
			continue;
		drop_fallbacks(&a->counts, row->ns);
		free(row->ns);
		*row = (struct metrics_gone){};
	}
}

void gone_free(struct agent *a)
{
	for (size_t i = 0; i < a->counts.n_gone; i++)
		free(a->counts.gone[i].ns);
	free(take_ptr(a->counts.gone));
	a->counts.n_gone = 0;
}

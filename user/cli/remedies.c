// SPDX-License-Identifier: Apache-2.0
#include "cli/remedies.h"

#include <stdlib.h>
#include <string.h>
#include "base/array.h"
#include "cli/ask_agent.h"
#include "cli/table.h"
#include "telemetry/labels.h"
#include "telemetry/fallback.h"

/* Without memory the list is shorter. */
static void add(struct remedies *r, const char *label, const char *text)
{
	struct remedy *v;

	if (!*text)
		return;
	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(r->v[i].label, label) != 0)
			continue;
		r->v[i].n++;
		return;
	}
	v = array_push(r->v, r->n);
	if (v)
		*v = (struct remedy){.label = label, .text = text, .n = 1};
}

void remedies_of_pods(yyjson_val *pods, struct remedies *out)
{
	yyjson_val *pod;
	size_t i, max;

	yyjson_arr_foreach (pods, i, max, pod) {
		if (!yyjson_get_bool(yyjson_obj_get(pod, "armed")))
			add(out, json_text(pod, "reason"),
			    json_text(pod, "remedy"));
	}
}

static void add_flow(struct remedies *r, yyjson_val *flow)
{
	const char *outcome = json_text(flow, "outcome");

	if (!strcmp(outcome, outcome_label(SMC_OUTCOME_TCP)))
		add(r, json_text(flow, "reason"),
		    reason_remedy_of(json_text(flow, "reason")));
	if (!strcmp(outcome, outcome_label(SMC_OUTCOME_FALLBACK)) ||
	    !strcmp(outcome, outcome_label(SMC_OUTCOME_FAILED)))
		add(r, json_text(flow, "kernel_label"),
		    fallback_remedy(
			    strtoul(json_text(flow, "kernel_code"), NULL, 16)));
}

void remedies_of_flows(yyjson_val *flows, struct remedies *out)
{
	yyjson_val *flow;
	size_t i, max;

	yyjson_arr_foreach (flows, i, max, flow) {
		add_flow(out, flow);
	}
}

void remedies_print(const struct remedies *r, const char *what, FILE *to)
{
	const char *const heads[] = {"REASON", what, "WHAT TO DO", NULL};
	_cleanup_(table_free) struct table t = {};

	table_init(&t, heads);
	table_whole(&t);
	for (size_t i = 0; i < r->n; i++) {
		table_add(&t, r->v[i].label);
		table_addf(&t, "%zu", r->v[i].n);
		table_add(&t, r->v[i].text);
	}
	table_print_below(&t, to);
}

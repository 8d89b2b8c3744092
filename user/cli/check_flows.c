// SPDX-License-Identifier: Apache-2.0
#include "cli/check_flows.h"

#include <stdio.h>
#include <string.h>
#include "cli/ask_agent.h"
#include "objects/json.h"
#include "telemetry/fallback.h"
#include "telemetry/labels.h"

/* So many of the newest are looked through: a busy node has opened others. */
#define FLOWS_ASKED "/v1/flows?limit=5000"

static bool is_pods(yyjson_val *f, const struct check_pod *pod)
{
	char name[CHECK_NAME_MAX];

	snprintf(name, sizeof(name), "%s/%s", json_text(f, "namespace"),
		 json_text(f, "pod"));
	return !strcmp(name, pod->name);
}

static bool has_port(yyjson_val *f, const char *key, __u16 port)
{
	return yyjson_get_uint(yyjson_obj_get(f, key)) == port;
}

static void take(yyjson_val *f, struct check_flow *out)
{
	const char *outcome = json_text(f, "outcome");
	const char *reason = json_text(f, "reason");

	out->found = true;
	out->accelerate = !strcmp(json_text(f, "verdict"),
				  verdict_label(SMC_VERDICT_ACCELERATE));
	out->smc = !strcmp(outcome, outcome_label(SMC_OUTCOME_SMCR)) ||
		   !strcmp(outcome, outcome_label(SMC_OUTCOME_SMCD));
	out->offered_none =
		!strcmp(reason, reason_label(SMC_REASON_NOT_OFFERED));
	out->code = strtoul(json_text(f, "kernel_code"), NULL, 16);
	snprintf(out->sentence, sizeof(out->sentence), "%s",
		 json_text(f, "sentence"));
	if (out->smc)
		return;
	snprintf(out->remedy, sizeof(out->remedy), "%s",
		 out->accelerate ? fallback_remedy(out->code)
				 : reason_remedy_of(reason));
}

/* @own, @other: keys of the ports of the end that is @at's, and of the
 * client's. The first that fits is the newest. */
static void find(yyjson_val *flows, const struct check_way *w, unsigned int i,
		 bool client, struct check_flow *out)
{
	const char *own = client ? "local_port" : "remote_port";
	const char *at = client ? "remote_port" : "local_port";
	const char *role =
		role_label(client ? SMC_ROLE_CLIENT : SMC_ROLE_SERVER);
	yyjson_val *f;
	size_t k, max;

	yyjson_arr_foreach (flows, k, max, f) {
		if (strcmp(json_text(f, "role"), role) != 0 ||
		    !has_port(f, own, w->v[i].port) ||
		    !has_port(f, at, w->at.port) ||
		    !is_pods(f, client ? w->from : w->to))
			continue;
		take(f, out);
		return;
	}
}

int check_flows_take(const char *json, size_t len, struct check_way *w)
{
	_doc_ yyjson_doc *doc = yyjson_read(json, len, 0);
	yyjson_val *flows = yyjson_obj_get(yyjson_doc_get_root(doc), "flows");

	if (!doc)
		return -EINVAL;
	for (unsigned int i = 0; i < w->n; i++) {
		if (!w->v[i].port) /* there was no connection */
			continue;
		if (w->from)
			find(flows, w, i, true, &w->client[i]);
		if (w->to)
			find(flows, w, i, false, &w->server[i]);
	}
	return 0;
}

int check_flows(const char *run, struct check_way *w)
{
	_buf_ struct buf text = {};
	int err = client_get(run, FLOWS_ASKED, &text);

	if (err)
		return err;
	err = check_flows_take(text.data, text.len, w);
	if (err)
		fprintf(stderr,
			"smcmesh check: the agent's answer is no JSON\n");
	return err;
}

// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_why.h"

#include <curl/curl.h>
#include <string.h>
#include "agent/runs.h"
#include "cli/ask_agent.h"
#include "objects/json.h"
#include "telemetry/fallback.h"

static void write_down(struct bench_result *r, const char *why,
		       const char *remedy)
{
	if (!*why)
		return;
	snprintf(r->why, sizeof(r->why), "%s", why);
	snprintf(r->remedy, sizeof(r->remedy), "%s", remedy);
}

/* As `smcmesh explain` of this pod and the server. */
static bool explain(const struct bench_plan *plan, const char *pod,
		    struct bench_result *r)
{
	const struct bench_end *end = &plan->end[BENCH_SMC];
	char at[ADDR_PORT_STRLEN];
	char *name = curl_easy_escape(NULL, pod, 0);
	char *peer = curl_easy_escape(NULL, addr_port_format(&end->to, at), 0);
	_buf_ struct buf path = {}, text = {};
	_doc_ yyjson_doc *doc = NULL;
	yyjson_val *root, *yes;

	buf_printf(&path, "/v1/explain?pod=%s&peer=%s", name ?: "", peer ?: "");
	curl_free(name);
	curl_free(peer);
	if (path.err || client_try(plan->run, path.data, &text))
		return false;
	doc = yyjson_read(text.data, text.len, 0);
	root = yyjson_doc_get_root(doc);
	yes = yyjson_obj_get(root, "accelerated");
	/* that it would be is no answer to why it is not */
	if (!yyjson_is_bool(yes) || yyjson_get_bool(yes))
		return false;
	write_down(r, json_text(root, "sentence"), json_text(root, "remedy"));
	return *r->why;
}

void bench_why(const struct bench_plan *plan, const struct peer_flows *found,
	       pid_t pid, struct bench_result *r)
{
	const struct bench_end *end = &plan->end[BENCH_SMC];
	char pod[BENCH_TEXT_MAX];

	if (found->code) {
		write_down(r, fallback_sentence(found->code),
			   fallback_remedy(found->code));
		return;
	}
	if (end->pod)
		snprintf(pod, sizeof(pod), "%s", end->pod);
	else
		snprintf(pod, sizeof(pod), RUNS_NS "/%s-%d",
			 plan->generator->name, pid);
	if (end->pod || end->by_run)
		(void)!explain(plan, pod, r);
}

void bench_why_plain(const char *said, struct bench_result *r)
{
	static const char mark[] = " runs as plain TCP: ";
	const char *why = strstr(said, mark);
	char line[BENCH_TEXT_MAX];

	if (!why)
		return;
	why += sizeof(mark) - 1;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(why, "\n"), why);
	write_down(
		r, line,
		"smcmesh status says whether an agent runs here, smcmesh doctor what this kernel can do");
}

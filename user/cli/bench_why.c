// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_why.h"

#include <string.h>
#include "cli/ask_agent.h"
#include "objects/json.h"
#include "telemetry/fallback.h"

static void write_down(struct bench_why *out, const char *sentence,
		       const char *remedy)
{
	if (!*sentence)
		return;
	snprintf(out->sentence, sizeof(out->sentence), "%s", sentence);
	snprintf(out->remedy, sizeof(out->remedy), "%s", remedy);
}

/* As `smcmesh explain` of this pod and the server. */
static void explain(const char *run, const char *pod,
		    const struct smc_addr_port *to, struct bench_why *out)
{
	char at[ADDR_PORT_STRLEN];
	_buf_ struct buf path = {}, text = {};
	_doc_ yyjson_doc *doc = NULL;
	yyjson_val *root, *yes;

	buf_printf(&path, "/v1/explain");
	client_add_query(&path, "pod", pod);
	client_add_query(&path, "peer", addr_port_format(to, at));
	if (path.err || client_try(run, path.data, &text))
		return;
	doc = yyjson_read(text.data ?: "", text.len, 0);
	root = yyjson_doc_get_root(doc);
	yes = yyjson_obj_get(root, "accelerated");
	/* that it would be is no answer to why it is not */
	if (yyjson_is_bool(yes) && !yyjson_get_bool(yes))
		write_down(out, json_text(root, "sentence"),
			   json_text(root, "remedy"));
}

void bench_why(const char *run, const char *pod, const struct smc_addr_port *to,
	       const struct peer_flows *found, struct bench_why *out)
{
	/* PEERNOSMC is the kernel's word also where our own verdict was "no" */
	if (pod && (!found->code || found->code == FALLBACK_PEERNOSMC))
		explain(run, pod, to, out);
	if (found->code && !*out->sentence)
		write_down(out, fallback_sentence(found->code),
			   fallback_remedy(found->code));
}

void bench_why_plain(const char *said, struct bench_why *out)
{
	static const char mark[] = " runs as plain TCP: ";
	const char *why = strstr(said, mark);
	char line[BENCH_TEXT_MAX];

	if (!why)
		return;
	why += sizeof(mark) - 1;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(why, "\n"), why);
	write_down(
		out, line,
		"smcmesh status says whether an agent runs here, smcmesh doctor what this kernel can do");
}

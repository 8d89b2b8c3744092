// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/addr.h"
#include "cli/ask_agent.h"
#include "cli/command.h"
#include "cli/explain_print.h"
#include "cli/pod_name.h"
#include "telemetry/fallback.h"
#include "telemetry/labels.h"

enum { OUTPUT, RUN, SERVER };

static const struct cli_option options[] = {
	[OUTPUT] = CLI_OPTION_OUTPUT,
	[RUN] = CLI_OPTION_RUN,
	[SERVER] =
		{'s', "server", NULL, NULL,
		 "the pod is the server: ADDRESS is its client's, PORT its own"},
	{},
};

static int wrong(const char *expected, const char *given)
{
	fprintf(stderr, "smcmesh explain: expected %s, not %s\n", expected,
		given);
	return EXIT_USAGE;
}

/* ---- a word: needs no agent ---------------------------------------------- */

/* What the tables have on a word. */
struct word {
	char code[16]; /* "0x03030008"; "": it is a reason */
	const char *of, *label, *sentence, *remedy;
};

static void of_reason(__u32 reason, struct word *out)
{
	*out = (struct word){.of = reason > SMC_REASON_POD ? "pod" : "flow",
			     .label = reason_label(reason),
			     .sentence = reason_sentence(reason),
			     .remedy = reason_remedy(reason)};
}

static void of_code(__u32 code, char label[FALLBACK_LABEL_MAX],
		    struct word *out)
{
	*out = (struct word){.of = "kernel",
			     .label = fallback_label(code, label),
			     .sentence = fallback_sentence(code),
			     .remedy = fallback_remedy(code)};
	snprintf(out->code, sizeof(out->code), "0x%08x", code);
}

/* Return: 0; -ENOENT: no table has it; -EINVAL: it begins as a number, and is
 * none. */
static int word_find(const char *text, char label[FALLBACK_LABEL_MAX],
		     struct word *out)
{
	unsigned long code;
	__u32 found;
	char *end;

	if (!strncmp(text, "0x", 2) || !strncmp(text, "0X", 2)) {
		code = strtoul(text, &end, 16);
		if (*end || end == text + 2 || code > 0xffffffffUL)
			return -EINVAL;
		if (!fallback_known(code))
			return -ENOENT;
		of_code(code, label, out);
	} else if (reason_find(text, &found)) {
		of_reason(found, out);
	} else if (fallback_find(text, &found)) {
		of_code(found, label, out);
	} else {
		return -ENOENT;
	}
	return 0;
}

static int word_json(const struct word *w)
{
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	yyjson_mut_val *o = yyjson_mut_obj(doc);

	yyjson_mut_doc_set_root(doc, o);
	yyjson_mut_obj_add_bool(doc, o, "known", true);
	yyjson_mut_obj_add_str(doc, o, "of", w->of);
	yyjson_mut_obj_add_str(doc, o, "reason", w->label);
	yyjson_mut_obj_add_str(doc, o, "code", w->code);
	yyjson_mut_obj_add_str(doc, o, "sentence", w->sentence);
	yyjson_mut_obj_add_bool(doc, o, "can_be_helped",
				remedy_helps(w->remedy));
	yyjson_mut_obj_add_str(doc, o, "remedy", w->remedy);
	return json_print(doc, 0) ? EXIT_FAILED : EXIT_OK;
}

static int explain_word(const char *text, bool json)
{
	char label[FALLBACK_LABEL_MAX];
	struct word w;
	int err = word_find(text, label, &w);

	if (err == -EINVAL)
		return wrong("a code of the kernel as 0x03030008", text);
	if (err) {
		fprintf(stderr,
			"smcmesh explain: %s is no reason and no code that this version knows: smcmesh(8) lists them (REASONS, KERNEL CODES); a pod is NAMESPACE/POD\n",
			text);
		return EXIT_FAILED;
	}
	if (json)
		return word_json(&w);
	printf("%s%s%s (of a %s): %s\n", w.label, *w.code ? " " : "", w.code,
	       *w.code ? "kernel's handshake" : w.of, w.sentence);
	printf("can be helped: %s\n", remedy_helps(w.remedy) ? "yes" : "no");
	explain_print_do(w.remedy);
	return EXIT_OK;
}

/* ---- a pod: asks the agent ----------------------------------------------- */

static int exit_status(const struct buf *text)
{
	yyjson_doc *doc = yyjson_read(text->data, text->len, 0);
	yyjson_val *yes =
		yyjson_obj_get(yyjson_doc_get_root(doc), "accelerated");
	int ret = !yyjson_is_bool(yes)	 ? EXIT_UNTOLD
		  : yyjson_get_bool(yes) ? EXIT_OK
					 : EXIT_FAILED;

	yyjson_doc_free(doc);
	return ret;
}

static int explain_pod(const struct cli_args *args)
{
	_buf_ struct buf path = {}, text = {};

	buf_printf(&path, "/v1/explain");
	client_add_query(&path, "pod", args->operand[0]);
	client_add_query(&path, "peer", args->operand[1]);
	if (args->option[SERVER])
		client_add_query(&path, "server", "1");
	if (path.err || client_get(args->option[RUN], path.data, &text))
		return EXIT_UNTOLD;
	if (client_print(&text, wants_json(args->option[OUTPUT]),
			 explain_print))
		return EXIT_UNTOLD;
	return exit_status(&text);
}

static int run(const struct cli_args *args)
{
	const char *what = args->operand[0], *peer = args->operand[1];
	struct smc_addr_port at;

	if (!strchr(what, '/') && (peer || args->option[SERVER]))
		return wrong("NAMESPACE/POD before an address", what);
	if (!strchr(what, '/'))
		return explain_word(what, wants_json(args->option[OUTPUT]));
	if (!pod_name_ok("explain", what))
		return EXIT_USAGE;
	if (peer && addr_port_parse(peer, &at))
		return wrong("ADDRESS:PORT or [ADDRESS]:PORT", peer);
	if (!peer && args->option[SERVER])
		return wrong("ADDRESS:PORT with --server", "nothing");
	return explain_pod(args);
}

const struct command command_explain = {
	.name = "explain",
	.help = "why a pod, or a connection of it, is accelerated or not; what a reason means",
	.more = "Asks the agent of this node, which reads back each step by which the pod\n"
		"is armed and, of a peer, runs the verdict for a connection to there. It\n"
		"tells this node's half. A REASON, or a code of the kernel as 0x03030008,\n"
		"needs no agent. The last line says what to do. Exit status: 0\n"
		"accelerated, or known; 1 not; 3 it could not be told.",
	.operand = "NAMESPACE/POD [ADDRESS:PORT] | REASON | 0xCODE",
	.operands_min = 1,
	.operands_max = 2,
	.options = options,
	.run = run,
};

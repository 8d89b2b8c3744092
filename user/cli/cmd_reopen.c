// SPDX-License-Identifier: Apache-2.0
#include <curl/curl.h>
#include <stdio.h>
#include "cli/ask_agent.h"
#include "cli/command.h"
#include "cli/pod_name.h"

enum { OUTPUT, RUN };

static const struct cli_option options[] = {
	[OUTPUT] = CLI_OPTION_OUTPUT,
	[RUN] = CLI_OPTION_RUN,
	{},
};

static void print(yyjson_val *root)
{
	unsigned long long late = json_count(root, "late");
	unsigned long long ended = json_count(root, "ended");

	if (!late)
		printf("%s has no late flow\n", json_text(root, "pod"));
	else
		printf("%s: %llu of %llu late flow%s ended\n",
		       json_text(root, "pod"), ended, late,
		       late == 1 ? "" : "s");
}

static int run(const struct cli_args *args)
{
	_buf_ struct buf path = {};
	char *pod;

	if (!pod_name_ok("reopen", args->operand[0]))
		return EXIT_USAGE;
	pod = curl_easy_escape(NULL, args->operand[0], 0);
	buf_printf(&path, "/v1/reopen?pod=%s", pod ?: "");
	curl_free(pod);
	if (path.err)
		return EXIT_FAILED;
	return client_do(args->option[RUN], path.data,
			 wants_json(args->option[OUTPUT]), print);
}

const struct command command_reopen = {
	.name = "reopen",
	.help = "end a pod's late flows, so that its program connects anew over SMC",
	.more = "Late flows are TCP only because they were opened before both ends were\n"
		"endpoints (smcmesh flows shows them). Both ends' programs see them end\n"
		"as if they had been reset; whoever connects again gets SMC.",
	.operand = "NAMESPACE/POD",
	.operands_min = 1,
	.operands_max = 1,
	.options = options,
	.run = run,
};

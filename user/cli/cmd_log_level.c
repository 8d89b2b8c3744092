// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include "base/log_words.h"
#include "cli/ask_agent.h"
#include "cli/command.h"

enum { OUTPUT, RUN };

static const struct cli_option options[] = {
	[OUTPUT] = CLI_OPTION_OUTPUT,
	[RUN] = CLI_OPTION_RUN,
	{},
};

static void print(yyjson_val *root)
{
	const char *level = json_text(root, "level");
	const char *was = json_text(root, "was");

	if (strcmp(level, was) != 0)
		printf("%s, and was %s\n", level, was);
	else
		printf("%s\n", level);
}

static int run(const struct cli_args *args)
{
	bool json = wants_json(args->option[OUTPUT]);
	const char *word = args->operand[0];
	enum log_level level;
	char path[64];

	if (!word)
		return client_show(args->option[RUN], "/v1/log-level", json,
				   print);
	if (!log_level_parse(word, &level)) {
		fprintf(stderr, "smcmesh log-level: expected %s, not %s\n",
			LOG_LEVELS, word);
		return EXIT_USAGE;
	}
	snprintf(path, sizeof(path), "/v1/log-level/set?level=%s",
		 log_level_word(level));
	return client_do(args->option[RUN], path, json, print);
}

const struct command command_log_level = {
	.name = "log-level",
	.help = "what the agent logs, and from now on",
	.more = "Without a level it says the agent's. A change is for as long as that agent\n"
		"runs; `agent --verbose` begins with debug.",
	.operand = "[" LOG_LEVELS "]",
	.operands_max = 1,
	.options = options,
	.run = run,
};

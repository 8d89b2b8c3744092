// SPDX-License-Identifier: Apache-2.0
#include "cli/usage_text.h"

static const struct cli_option options[] = {{}};

static int run(const struct cli_args *args)
{
	const char *name = args->operand[0];
	const struct command *c;

	if (!name) {
		usage_print(stdout, args->commands);
		return EXIT_OK;
	}
	c = usage_find(args->commands, name);
	if (!c)
		return usage_no_command(args->commands, name);
	usage_print_command(stdout, c);
	return EXIT_OK;
}

const struct command command_help = {
	.name = "help",
	.help = "all commands, or one and its options",
	.operand = "[COMMAND]",
	.operands_max = 1,
	.options = options,
	.run = run,
};

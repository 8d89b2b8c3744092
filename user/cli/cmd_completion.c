// SPDX-License-Identifier: Apache-2.0
/* Scripts with which a shell completes command lines of smcmesh. */
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "cli/complete_bash.h"
#include "cli/complete_fish.h"
#include "cli/complete_zsh.h"
#include "cli/command.h"

static const struct cli_option options[] = {{}};

static const struct {
	const char *name;
	void (*print)(const struct command *const *list);
} shells[] = {
	{"bash", complete_bash},
	{"zsh", complete_zsh},
	{"fish", complete_fish},
};

static int run(const struct cli_args *args)
{
	const char *name = args->operand[0];

	for (size_t i = 0; i < array_size(shells); i++) {
		if (strcmp(shells[i].name, name) != 0)
			continue;
		shells[i].print(args->commands);
		return EXIT_OK;
	}
	fprintf(stderr,
		"smcmesh completion: expected bash, zsh or fish, not %s\n",
		name);
	return EXIT_USAGE;
}

const struct command command_completion = {
	.name = "completion",
	.help = "a script with which bash, zsh or fish completes command lines",
	.more = "`make install` puts them where the shells look. Without that, in ~/.bashrc:\n"
		"source <(smcmesh completion bash)",
	.operand = "bash|zsh|fish",
	.operands_min = 1,
	.operands_max = 1,
	.options = options,
	.run = run,
};

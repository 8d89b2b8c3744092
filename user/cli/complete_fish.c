// SPDX-License-Identifier: Apache-2.0
#include "cli/complete_fish.h"

#include <stdio.h>
#include "cli/complete.h"
#include "cli/usage_text.h"

/* The list that an argument is one of. */
static const char *const lists[] = {
	[COMPLETE_NOTHING] = "",
	[COMPLETE_WORDS] = "",
	[COMPLETE_FILES] = "(__fish_complete_path (commandline -ct))",
	[COMPLETE_DIRS] = "(__fish_complete_directories (commandline -ct))",
	[COMPLETE_COMMANDS] = "$__smcmesh_commands",
	[COMPLETE_PROGRAMS] = "(__fish_complete_command)",
	[COMPLETE_PODS] = "(smcmesh pods -o name 2>/dev/null)",
};

/* Within '...'. */
static void print_quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void print_list(const struct buf *words, enum complete_kind kind)
{
	/* fish makes the list when it is asked for */
	if (words->len || *lists[kind])
		printf(" -a '%s%s%s'", words->data ?: "",
		       words->len && *lists[kind] ? " " : "", lists[kind]);
}

/* "complete" for one command's words. */
static void print_for(const struct command *c)
{
	printf("complete -c smcmesh -f -n '__fish_seen_subcommand_from %s%s%s'",
	       c->name, c->alias ? " " : "", c->alias ?: "");
}

static void print_option(const struct command *c, const struct cli_option *o)
{
	_buf_ struct buf words = {};
	const enum complete_kind kind = complete_value(o, &words);

	print_for(c);
	printf(" -l %s", o->name);
	if (o->key)
		printf(" -s %c", o->key);
	if (cli_option_takes(o) == CLI_NEEDS_VALUE)
		printf(" -r");
	print_list(&words, kind);
	printf(" -d ");
	print_quoted(o->help);
	putchar('\n');
}

static void print_command(const struct command *c)
{
	_buf_ struct buf words = {};
	const enum complete_kind kind = complete_operand(c, &words);

	printf("complete -c smcmesh -f -n __fish_use_subcommand -a %s -d ",
	       c->name);
	print_quoted(c->help);
	putchar('\n');
	for (const struct cli_option *o = c->options; o->name; o++)
		print_option(c, o);
	print_option(c, &usage_help);
	if (kind == COMPLETE_NOTHING)
		return;
	print_for(c);
	print_list(&words, kind);
	putchar('\n');
}

void complete_fish(const struct command *const *list)
{
	printf("# fish completion of smcmesh, made by: smcmesh completion fish\n"
	       "set -g __smcmesh_commands");
	for (const struct command *const *c = list; *c; c++)
		printf(" %s", (*c)->name);
	putchar('\n');
	for (const struct command *const *c = list; *c; c++)
		print_command(*c);
}

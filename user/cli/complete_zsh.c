// SPDX-License-Identifier: Apache-2.0
#include "cli/complete_zsh.h"

#include <stdio.h>
#include <string.h>
#include "cli/complete.h"

/* The action of _arguments for a kind. */
static const char *const actions[] = {
	[COMPLETE_NOTHING] = " ",
	[COMPLETE_WORDS] = " ",
	[COMPLETE_FILES] = "_files",
	[COMPLETE_DIRS] = "_files -/",
	[COMPLETE_COMMANDS] = "_smcmesh_commands",
	[COMPLETE_PROGRAMS] = "_command_names -e",
	[COMPLETE_PODS] = "_smcmesh_pods",
};

static const char middle[] =
	"\t)\n"
	"\t_describe -t commands command commands\n"
	"}\n"
	"\n"
	"_smcmesh_pods() {\n"
	"\tlocal -a pods\n"
	"\tpods=(${(f)\"$(smcmesh pods -o name 2>/dev/null)\"})\n"
	"\tcompadd -a pods\n"
	"}\n"
	"\n"
	"_smcmesh() {\n"
	"\tlocal curcontext=\"$curcontext\" state line\n"
	"\tlocal -A opt_args\n"
	"\t_arguments -C '(- *)--help[all commands]' '(- *)--version[the version]' \\\n"
	"\t\t'1: :->command' '*:: :->argument'\n"
	"\tcase $state in\n"
	"\tcommand) _smcmesh_commands ;;\n"
	"\targument)\n"
	"\t\tcase $words[1] in\n";

/* Within '...', and within [...] or before a colon of a specification. */
static void print_quoted(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr("[]:\\", *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

/* ":what it is:how it is completed" */
static void print_action(const char *what, enum complete_kind kind,
			 const struct buf *words)
{
	putchar(':');
	print_quoted(what);
	if (kind == COMPLETE_WORDS)
		printf(":(%s)", words->data);
	else
		printf(":%s", actions[kind]);
}

static void print_option(const struct cli_option *o)
{
	_buf_ struct buf words = {};
	const enum complete_kind kind = complete_value(o, &words);
	const bool value = cli_option_takes(o) == CLI_NEEDS_VALUE;

	printf(" \\\n\t\t\t\t");
	if (o->key)
		printf("'(-%c --%s)'{-%c,--%s%s}'[", o->key, o->name, o->key,
		       o->name, value ? "=" : "");
	else
		printf("'--%s%s[", o->name, value ? "=" : "");
	print_quoted(o->help);
	putchar(']');
	if (value)
		print_action(o->value, kind, &words);
	putchar('\'');
}

static void print_command(const struct command *c)
{
	_buf_ struct buf words = {};
	const enum complete_kind kind = complete_operand(c, &words);

	printf("\t\t%s", c->name);
	if (c->alias)
		printf("|%s", c->alias);
	printf(")\n\t\t\t_arguments -s '(- *)'{-h,--help}'[print this]'");
	for (const struct cli_option *o = c->options; o->name; o++)
		print_option(o);
	if (c->operand) {
		printf(" \\\n\t\t\t\t'*");
		print_action(c->operand, kind, &words);
		putchar('\'');
	}
	printf("\n\t\t\t;;\n");
}

void complete_zsh(const struct command *const *list)
{
	printf("#compdef smcmesh\n"
	       "# zsh completion of smcmesh, made by: smcmesh completion zsh\n\n"
	       "_smcmesh_commands() {\n"
	       "\tlocal -a commands\n"
	       "\tcommands=(\n");
	for (const struct command *const *c = list; *c; c++) {
		printf("\t\t'%s:", (*c)->name);
		print_quoted((*c)->help);
		printf("'\n");
	}
	fputs(middle, stdout);
	for (const struct command *const *c = list; *c; c++)
		print_command(*c);
	fputs("\t\tesac\n"
	      "\t\t;;\n"
	      "\tesac\n"
	      "}\n"
	      "\n"
	      "# as a file of $fpath it is the function, sourced it names it\n"
	      "if [[ $funcstack[1] == _smcmesh ]]; then\n"
	      "\t_smcmesh \"$@\"\n"
	      "else\n"
	      "\tcompdef _smcmesh smcmesh\n"
	      "fi\n",
	      stdout);
}

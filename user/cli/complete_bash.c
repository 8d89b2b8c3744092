// SPDX-License-Identifier: Apache-2.0
#include "cli/complete_bash.h"

#include <stdio.h>
#include "cli/complete.h"

/* What offers a kind of things, without that of words. */
static const char *const offers[] = {
	[COMPLETE_NOTHING] = NULL,
	[COMPLETE_WORDS] = NULL,
	[COMPLETE_FILES] = "_smcmesh_offer -o filenames -A file",
	[COMPLETE_DIRS] = "_smcmesh_offer -o filenames -A directory",
	[COMPLETE_COMMANDS] = "_smcmesh_offer -W \"$commands\"",
	[COMPLETE_PROGRAMS] = "_smcmesh_offer -A command",
	[COMPLETE_PODS] =
		"_smcmesh_offer -W \"$(smcmesh pods -o name 2>/dev/null)\"",
};

static const char head[] =
	"# bash completion of smcmesh, made by: smcmesh completion bash\n"
	"\n"
	"# Offer what compgen finds for the word under the cursor, too.\n"
	"_smcmesh_offer() {\n"
	"\tlocal found\n"
	"\tif [[ $1 == -o ]]; then\n"
	"\t\tcompopt -o \"$2\" 2>/dev/null\n"
	"\t\tshift 2\n"
	"\tfi\n"
	"\tmapfile -t found < <(compgen \"$@\" -- \"$cur\")\n"
	"\tCOMPREPLY+=(\"${found[@]}\")\n"
	"}\n"
	"\n"
	"_smcmesh() {\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	"\tlocal commands=\"";

static const char middle[] =
	"\"\n"
	"\tCOMPREPLY=()\n"
	"\t# --option=value is three words\n"
	"\tif [[ $cur == = ]]; then\n"
	"\t\tcur=\n"
	"\telif [[ $prev == = ]]; then\n"
	"\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
	"\tfi\n"
	"\tif ((COMP_CWORD == 1)); then\n"
	"\t\t_smcmesh_offer -W \"$commands --help --version\"\n"
	"\t\treturn\n"
	"\tfi\n"
	"\tcase ${COMP_WORDS[1]} in\n";

static const char tail[] = "\tesac\n"
			   "}\n"
			   "\n"
			   "complete -F _smcmesh smcmesh\n";

/* One "case" of the options that take an argument. */
static void print_values(const struct command *c)
{
	printf("\t\tcase $prev in\n");
	for (const struct cli_option *o = c->options; o->name; o++) {
		_buf_ struct buf words = {};
		const char *offer = offers[complete_value(o, &words)];

		if (cli_option_takes(o) != CLI_NEEDS_VALUE)
			continue;
		printf("\t\t--%s", o->name);
		if (o->key)
			printf(" | -%c", o->key);
		printf(")\n");
		if (words.len)
			printf("\t\t\t_smcmesh_offer -W \"%s\"\n", words.data);
		if (offer)
			printf("\t\t\t%s\n", offer);
		printf("\t\t\treturn\n\t\t\t;;\n");
	}
	printf("\t\t-*) ;;\n\t\tesac\n");
}

static void print_command(const struct command *c)
{
	_buf_ struct buf words = {};
	const char *offer = offers[complete_operand(c, &words)];

	printf("\t%s", c->name);
	if (c->alias)
		printf(" | %s", c->alias);
	printf(")\n");
	print_values(c);
	printf("\t\tif [[ $cur == -* ]]; then\n"
	       "\t\t\t_smcmesh_offer -W \"");
	for (const struct cli_option *o = c->options; o->name; o++)
		printf("--%s ", o->name);
	printf("--help\"\n\t\telse\n\t\t\t:\n");
	if (words.len)
		printf("\t\t\t_smcmesh_offer -W \"%s\"\n", words.data);
	if (offer)
		printf("\t\t\t%s\n", offer);
	printf("\t\tfi\n\t\t;;\n");
}

void complete_bash(const struct command *const *list)
{
	fputs(head, stdout);
	for (const struct command *const *c = list; *c; c++)
		printf("%s%s", c == list ? "" : " ", (*c)->name);
	fputs(middle, stdout);
	for (const struct command *const *c = list; *c; c++)
		print_command(*c);
	fputs(tail, stdout);
}

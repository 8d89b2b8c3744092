// SPDX-License-Identifier: Apache-2.0
#include "cli/usage_text.h"

#include <string.h>
#include "cli/nearest.h"

void usage_print(FILE *to, const struct command *const *list)
{
	fprintf(to, "usage: smcmesh COMMAND [OPTION...]\n\n"
		    "TCP between annotated pods over SMC.\n\n");
	for (const struct command *const *c = list; *c; c++)
		fprintf(to, "  %-10s %s\n", (*c)->name, (*c)->help);
	fprintf(to, "\n`smcmesh help COMMAND` lists the options of one, "
		    "smcmesh(8) tells it all.\n");
}

const struct cli_option usage_help = {'h', "help", NULL, NULL, "print this"};

#define LEFT 26 /* columns for an option and its argument */

static void print_option(FILE *to, const struct cli_option *o)
{
	char left[80], key[8] = "    ";

	if (o->key)
		snprintf(key, sizeof(key), "-%c, ", o->key);
	snprintf(left, sizeof(left), "%s--%s%s%s", key, o->name,
		 cli_option_takes(o) == CLI_NEEDS_VALUE ? " " : "",
		 o->value ?: "");
	if (strlen(left) > LEFT)
		fprintf(to, "  %s\n  %*s %s", left, LEFT, "", o->help);
	else
		fprintf(to, "  %-*s %s", LEFT, left, o->help);
	if (o->initial && *o->initial)
		fprintf(to, " (%s)", o->initial);
	fputc('\n', to);
}

void usage_print_command(FILE *to, const struct command *c)
{
	fprintf(to, "usage: smcmesh %s [OPTION...]%s%s\n\n%s\n", c->name,
		c->operand ? " " : "", c->operand ?: "", c->help);
	if (c->more)
		fprintf(to, "%s\n", c->more);
	fputc('\n', to);
	for (const struct cli_option *o = c->options; o->name; o++)
		print_option(to, o);
	print_option(to, &usage_help);
}

const struct command *usage_find(const struct command *const *list,
				 const char *name)
{
	for (; *list; list++)
		if (!strcmp((*list)->name, name) ||
		    ((*list)->alias && !strcmp((*list)->alias, name)))
			return *list;
	return NULL;
}

int usage_no_command(const struct command *const *list, const char *name)
{
	struct nearest near = {.given = name};
	char hint[80];

	for (const struct command *const *c = list; *c; c++)
		nearest_try(&near, (*c)->name, strlen((*c)->name));
	fprintf(stderr,
		"smcmesh: there is no command %s%s (smcmesh help lists them)\n",
		name, nearest_hint(&near, hint));
	return EXIT_USAGE;
}

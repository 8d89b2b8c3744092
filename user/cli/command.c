// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"

/* clang-format off */
const struct command *const commands[] = {
	&command_agent,
	&command_status,
	&command_pods,
	&command_endpoints,
	&command_flows,
	&command_quarantine,
	&command_explain,
	&command_reopen,
	&command_doctor,
	&command_syncheck,
	&command_check,
	&command_node,
	&command_run,
	&command_cleanup,
	&command_version,
	NULL,
};
/* clang-format on */

const struct command *command_find(const char *name)
{
	for (const struct command *const *c = commands; *c; c++)
		if (!strcmp((*c)->name, name) ||
		    ((*c)->alias && !strcmp((*c)->alias, name)))
			return *c;
	return NULL;
}

static void usage(FILE *to)
{
	fprintf(to, "usage: smcmesh COMMAND [OPTION...]\n\n"
		    "TCP between annotated pods over SMC.\n\n");
	for (const struct command *const *c = commands; *c; c++)
		fprintf(to, "  %-10s %s\n", (*c)->name, (*c)->help);
	fprintf(to, "\n`smcmesh COMMAND --help` lists the options of one, "
		    "smcmesh(8) tells it all.\n");
}

static void option_usage(FILE *to, const struct cli_option *o)
{
	char left[64], key[8] = "    ";

	if (o->key)
		snprintf(key, sizeof(key), "-%c, ", o->key);
	snprintf(left, sizeof(left), "%s--%s%s%s", key, o->name,
		 o->value ? " " : "", o->value ?: "");
	fprintf(to, "  %-26s %s", left, o->help);
	if (o->initial && *o->initial)
		fprintf(to, " (%s)", o->initial);
	fputc('\n', to);
}

static void command_usage(FILE *to, const struct command *c)
{
	static const struct cli_option help = {'h', "help", NULL, NULL,
					       "print this"};

	fprintf(to, "usage: smcmesh %s [OPTION...]%s%s\n\n%s\n", c->name,
		c->operand ? " " : "", c->operand ?: "", c->help);
	if (c->more)
		fprintf(to, "%s\n", c->more);
	fputc('\n', to);
	for (const struct cli_option *o = c->options; o->name; o++)
		option_usage(to, o);
	option_usage(to, &help);
}

/* getopt's tables for one command's options. */
struct getopt_tables {
	struct option longs[CLI_OPTIONS_MAX + 2];
	char shorts[2 * CLI_OPTIONS_MAX + 5];
};

enum { LONG_BASE = 256, LONG_HELP = LONG_BASE + CLI_OPTIONS_MAX };

static void tables_fill(const struct command *c, struct getopt_tables *t)
{
	char *s = t->shorts;
	size_t n = 0;

	memset(t, 0, sizeof(*t));
	if (c->starts)
		*s++ = '+'; /* what follows the program is not ours */
	*s++ = ':';	    /* report a missing argument apart, print nothing */
	for (; c->options[n].name; n++) {
		const struct cli_option *o = &c->options[n];

		t->longs[n] = (struct option){
			o->name, o->value ? required_argument : no_argument,
			NULL, LONG_BASE + (int)n};
		if (!o->key)
			continue;
		*s++ = o->key;
		if (o->value)
			*s++ = ':';
	}
	*s++ = 'h';
	t->longs[n] = (struct option){"help", no_argument, NULL, LONG_HELP};
}

static int option_index(const struct command *c, int got)
{
	if (got >= LONG_BASE)
		return got - LONG_BASE;
	for (int i = 0; c->options[i].name; i++)
		if (c->options[i].key == got)
			return i;
	return -1;
}

/* A value written "a|b" in the table is a choice. */
static bool choice_ok(const struct cli_option *o, const char *given)
{
	size_t len = strlen(given);
	const char *p = o->value;

	if (!p || !strchr(p, '|'))
		return true;
	for (; *p; p += *p == '|') {
		size_t n = strcspn(p, "|");

		if (n == len && !strncmp(p, given, n))
			return true;
		p += n;
	}
	return false;
}

static int wrong(const struct command *c, const char *what, const char *word)
{
	fprintf(stderr, "smcmesh %s: %s %s\n", c->name, what, word);
	fprintf(stderr, "`smcmesh %s --help` lists the options.\n", c->name);
	return EXIT_USAGE;
}

/* Return: 0: run it; EXIT_USAGE; or -1: --help was given and printed. */
static int parse(const struct command *c, int argc, char **argv,
		 struct cli_args *args)
{
	struct getopt_tables t;
	int got, i;

	tables_fill(c, &t);
	for (i = 0; c->options[i].name; i++)
		args->option[i] = c->options[i].initial;
	optind = 1;
	while ((got = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
		if (got == 'h' || got == LONG_HELP) {
			command_usage(stdout, c);
			return -1;
		}
		if (got == ':')
			return wrong(c, "an argument is missing after",
				     argv[optind - 1]);
		i = got == '?' ? -1 : option_index(c, got);
		if (i < 0)
			return wrong(c, "there is no option", argv[optind - 1]);
		if (optarg && !choice_ok(&c->options[i], optarg)) {
			fprintf(stderr, "smcmesh %s: --%s is %s, not %s\n",
				c->name, c->options[i].name,
				c->options[i].value, optarg);
			return EXIT_USAGE;
		}
		args->option[i] = optarg ?: "";
	}
	if (argc - optind < (int)c->operands_min)
		return wrong(c, "needs", c->operand);
	if (c->starts) {
		args->program = argv + optind;
		return 0;
	}
	for (unsigned int n = 0; n < c->operands_max && optind < argc; n++)
		args->operand[n] = argv[optind++];
	if (optind < argc)
		return wrong(c, "takes no", argv[optind]);
	return 0;
}

int command_main(int argc, char **argv)
{
	struct cli_args args = {};
	const struct command *c;
	int ret;

	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		usage(stdout);
		return EXIT_OK;
	}
	c = !strcmp(argv[1], "--version") ? &command_version
					  : command_find(argv[1]);
	if (!c) {
		fprintf(stderr, "smcmesh: there is no command %s\n", argv[1]);
		usage(stderr);
		return EXIT_USAGE;
	}
	ret = parse(c, argc - 1, argv + 1, &args);
	if (ret)
		return ret < 0 ? EXIT_OK : ret;
	ret = c->run(&args);
	/* A full disk or a closed pipe must give an error. */
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "smcmesh %s: standard output: %m\n", c->name);
		return EXIT_FAILED;
	}
	return ret;
}

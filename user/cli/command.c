// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "cli/nearest.h"
#include "cli/output.h"
#include "cli/usage_text.h"

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
	&command_top,
	&command_doctor,
	&command_syncheck,
	&command_check,
	&command_node,
	&command_run,
	&command_log_level,
	&command_sysdump,
	&command_bench,
	&command_cleanup,
	&command_version,
	&command_completion,
	&command_help,
	NULL,
};
/* clang-format on */

const struct command *command_find(const char *name)
{
	return usage_find(commands, name);
}

/* getopt's tables for one command's options. */
struct getopt_tables {
	struct option longs[CLI_OPTIONS_MAX + 2];
	char shorts[3 * CLI_OPTIONS_MAX + 5];
};

enum { LONG_BASE = 256, LONG_HELP = LONG_BASE + CLI_OPTIONS_MAX };

static void tables_fill(const struct command *c, struct getopt_tables *t)
{
	static const int has_arg[] = {[CLI_NO_VALUE] = no_argument,
				      [CLI_MAY_VALUE] = optional_argument,
				      [CLI_NEEDS_VALUE] = required_argument};
	char *s = t->shorts;
	size_t n = 0;

	memset(t, 0, sizeof(*t));
	if (c->starts)
		*s++ = '+'; /* what follows the program is not ours */
	*s++ = ':';	    /* report a missing argument apart, print nothing */
	for (; c->options[n].name; n++) {
		const struct cli_option *o = &c->options[n];

		t->longs[n] =
			(struct option){o->name, has_arg[cli_option_takes(o)],
					NULL, LONG_BASE + (int)n};
		if (!o->key)
			continue;
		*s++ = o->key;
		for (int colons = has_arg[cli_option_takes(o)]; colons;
		     colons--)
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
static bool choice_ok(const struct cli_option *o, const char *given,
		      struct nearest *near)
{
	size_t len = strlen(given);
	const char *p = o->value;

	*near = (struct nearest){.given = given};
	if (!p || !strchr(p, '|'))
		return true;
	for (; *p; p += *p == '|') {
		size_t n = strcspn(p, "|");

		if (n == len && !strncmp(p, given, n))
			return true;
		nearest_try(near, p, n);
		p += n;
	}
	return false;
}

/* An error is one line, the last one. */
static int wrong(const struct command *c, const char *what, const char *word,
		 const char *hint)
{
	fprintf(stderr, "smcmesh %s: %s %s%s (smcmesh help %s tells more)\n",
		c->name, what, word, hint, c->name);
	return EXIT_USAGE;
}

static int no_option(const struct command *c, const char *given)
{
	const size_t dashes = strspn(given, "-");
	char name[48], hint[80] = "";
	struct nearest near = {.given = name};

	snprintf(name, sizeof(name), "--%.*s",
		 (int)strcspn(given + dashes, "="), given + dashes);
	for (const struct cli_option *o = c->options; dashes == 2 && o->name;
	     o++) {
		char full[48];

		snprintf(full, sizeof(full), "--%s", o->name);
		nearest_try(&near, full, strlen(full));
	}
	return wrong(c, "there is no option", given, nearest_hint(&near, hint));
}

static int no_choice(const struct command *c, const struct cli_option *o,
		     const char *given, const struct nearest *near)
{
	char hint[80];

	fprintf(stderr, "smcmesh %s: --%s is %s, not %s%s\n", c->name, o->name,
		o->value, given, nearest_hint(near, hint));
	return EXIT_USAGE;
}

/* The option of that name, if the command has it. */
static const char *option_named(const struct command *c,
				const struct cli_args *args, const char *name)
{
	for (int i = 0; c->options[i].name; i++)
		if (!strcmp(c->options[i].name, name))
			return args->option[i];
	return NULL;
}

/* Return: 0: run it; EXIT_USAGE; or -1: --help was given and printed. */
static int parse(const struct command *c, int argc, char **argv,
		 struct cli_args *args)
{
	struct getopt_tables t;
	struct nearest near;
	int got, i;

	tables_fill(c, &t);
	for (i = 0; c->options[i].name; i++)
		args->option[i] = c->options[i].initial;
	optind = 1;
	while ((got = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
		if (got == 'h' || got == LONG_HELP) {
			usage_print_command(stdout, c);
			return -1;
		}
		if (got == ':')
			return wrong(c, "an argument is missing after",
				     argv[optind - 1], "");
		i = got == '?' ? -1 : option_index(c, got);
		if (i < 0)
			return no_option(c, argv[optind - 1]);
		if (optarg && !choice_ok(&c->options[i], optarg, &near))
			return no_choice(c, &c->options[i], optarg, &near);
		args->option[i] = optarg ?: "";
	}
	if (argc - optind < (int)c->operands_min)
		return wrong(c, "needs", c->operand, "");
	if (c->starts) {
		args->program = argv + optind;
		return 0;
	}
	for (unsigned int n = 0; n < c->operands_max && optind < argc; n++)
		args->operand[n] = argv[optind++];
	if (optind < argc)
		return wrong(c, "takes no", argv[optind], "");
	return 0;
}

/* The first word is no command. */
static int no_command(const char *word)
{
	if (*word != '-')
		return usage_no_command(commands, word);
	fprintf(stderr,
		"smcmesh: a command comes first, then its options: not %s (smcmesh help lists them)\n",
		word);
	return EXIT_USAGE;
}

int command_main(int argc, char **argv)
{
	struct cli_args args = {.commands = commands};
	const struct command *c;
	int ret;

	if (argc < 2) {
		usage_print(stderr, commands);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		usage_print(stdout, commands);
		return EXIT_OK;
	}
	c = !strcmp(argv[1], "--version") ? &command_version
					  : command_find(argv[1]);
	if (!c)
		return no_command(argv[1]);
	ret = parse(c, argc - 1, argv + 1, &args);
	if (ret)
		return ret < 0 ? EXIT_OK : ret;
	output_choose(option_named(c, &args, "output"),
		      !option_named(c, &args, "no-headers"));
	ret = c->run(&args);
	/* A full disk or a closed pipe must give an error. */
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "smcmesh %s: standard output: %m\n", c->name);
		return EXIT_FAILED;
	}
	return ret;
}

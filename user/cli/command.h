/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subcommand is one const struct in one file. Usage, --help, getopt and the
 * man page's test all come from its option table.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define CLI_OPTIONS_MAX 24
#define CLI_OPERANDS_MAX 2

/* UNTOLD: a command that answers yes or no could not find out. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_UNTOLD = 3 };

struct cli_option {
	char key;	  /* of -k, or 0 */
	const char *name; /* of --name */
	/* Name of the argument, NULL: a flag; "a|b": one of these words;
	 * "[=NAME]": it may be left out. */
	const char *value;
	const char *initial; /* value without the option, NULL: none */
	const char *help;
};

enum cli_takes { CLI_NO_VALUE, CLI_MAY_VALUE, CLI_NEEDS_VALUE };

/* cli_option_takes - Whether an argument goes with it. */
static inline enum cli_takes cli_option_takes(const struct cli_option *o)
{
	if (!o->value)
		return CLI_NO_VALUE;
	return strncmp(o->value, "[=", 2) ? CLI_NEEDS_VALUE : CLI_MAY_VALUE;
}

struct cli_args {
	/* By the option's place in the table: its argument, "" for one without
	 * that was given, or if it was not given `initial` or NULL. */
	const char *option[CLI_OPTIONS_MAX];
	const char *operand[CLI_OPERANDS_MAX]; /* NULL: not given */
	char **program; /* of a command that starts one: its argv */
	const struct command *const *commands; /* all, ends with NULL */
};

struct command {
	const char *name;
	const char *alias;   /* another name for it, or NULL */
	const char *help;    /* one line */
	const char *more;    /* further lines of --help, or NULL */
	const char *operand; /* names of its operands; NULL: none */
	unsigned int operands_min, operands_max;
	/* Its operands are a program and that one's arguments, options too. */
	bool starts;
	const struct cli_option *options;	 /* ends with an empty row */
	int (*run)(const struct cli_args *args); /* an exit status */
};

/* Rows that several commands share, so that they agree. */
#define CLI_OPTION_OUTPUT                                \
	{'o', "output", "table|wide|json|yaml", "table", \
	 "how the data is printed"}
/* The same of a list whose rows have names. */
#define CLI_OPTION_OUTPUT_NAMES                               \
	{'o', "output", "table|wide|json|yaml|name", "table", \
	 "how the data is printed"}
#define CLI_OPTION_NO_HEADERS         \
	{0, "no-headers", NULL, NULL, \
	 "rows alone: no titles, and nothing below them"}
#define CLI_OPTION_RUN \
	{0, "run", "DIR", "/run/smcmesh", "the agent's directory: socket, lock"}
#define CLI_OPTION_BPFFS                   \
	{0, "bpffs", "DIR", "/sys/fs/bpf", \
	 "where the BPF file system is mounted"}
#define CLI_OPTION_CGROUP          \
	{0, "cgroup", "DIR", NULL, \
	 "a cgroup v2 mount; without it, the first one found"}
#define CLI_OPTION_PROC \
	{0, "proc", "DIR", "/proc", "where the host's processes are seen"}

/* Every command, ends with NULL; the order is that of the usage. */
extern const struct command *const commands[];

extern const struct command command_agent, command_status, command_pods,
	command_endpoints, command_flows, command_quarantine, command_explain,
	command_reopen, command_top, command_doctor, command_syncheck,
	command_check, command_node, command_run, command_log_level,
	command_sysdump, command_bench, command_cleanup, command_version,
	command_completion, command_help;

/* command_find - By its name or its alias; NULL if there is none. */
const struct command *command_find(const char *name);

/* wants_json - Was -o json given, or -o yaml, which data_print() makes of it?
 * The parser has refused wrong values. */
static inline bool wants_json(const char *output)
{
	return !strcmp(output, "json") || !strcmp(output, "yaml");
}

/*
 * command_main - The whole program: find the command, parse, run it.
 * Return: an exit status.
 */
int command_main(int argc, char **argv);

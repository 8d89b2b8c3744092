/* SPDX-License-Identifier: Apache-2.0 */
/* What --help and help print, made from the tables of the commands. */
#pragma once

#include <stdio.h>
#include "cli/command.h"

/* usage_print - All commands of @list, which ends with NULL, a line each. */
void usage_print(FILE *to, const struct command *const *list);

/* The option that every command has. */
extern const struct cli_option usage_help;

/* usage_print_command - One command, its operands and options. */
void usage_print_command(FILE *to, const struct command *c);

/* usage_find - By its name or its alias; NULL if there is none in @list. */
const struct command *usage_find(const struct command *const *list,
				 const char *name);

/* usage_no_command - Say on stderr that there is no command @name, and which of
 * @list may be meant. Return: EXIT_USAGE. */
int usage_no_command(const struct command *const *list, const char *name);

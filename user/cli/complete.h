/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand at a place of the command line, as completion sees it: read
 * from the tables of commands and options. */
#pragma once

#include "base/buf.h"
#include "cli/command.h"

enum complete_kind {
	COMPLETE_NOTHING,
	COMPLETE_WORDS, /* one of the words alone */
	COMPLETE_FILES,
	COMPLETE_DIRS,
	COMPLETE_COMMANDS, /* of smcmesh */
	COMPLETE_PROGRAMS, /* of the system */
	COMPLETE_PODS,	   /* as smcmesh pods -o name prints them */
};

/*
 * complete_value - What an option's argument may be, by its name in the table.
 * @words: gets the words of a choice with blanks between, in their order.
 */
enum complete_kind complete_value(const struct cli_option *o,
				  struct buf *words);

/* complete_operand - The same of a command's operands; @words: those of them
 * that are written as they are, beside the kind. */
enum complete_kind complete_operand(const struct command *c, struct buf *words);

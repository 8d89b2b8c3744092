// SPDX-License-Identifier: Apache-2.0
#include "cli/complete.h"

#include <ctype.h>
#include <string.h>
#include "base/cleanup.h"

/* By the last part of a name, as NAMESPACE/POD or FILE. */
static const struct {
	const char *name;
	enum complete_kind kind;
} names[] = {
	{"POD", COMPLETE_PODS},		{"FILE", COMPLETE_FILES},
	{"DIR", COMPLETE_DIRS},		{"COMMAND", COMPLETE_COMMANDS},
	{"PROGRAM", COMPLETE_PROGRAMS},
};

static enum complete_kind kind_of(const char *name, size_t len)
{
	for (size_t i = 0; i < array_size(names); i++)
		if (strlen(names[i].name) == len &&
		    !strncmp(names[i].name, name, len))
			return names[i].kind;
	return COMPLETE_NOTHING;
}

/* A name for something else is in capitals: what is not stands for itself. */
static bool is_word(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!islower((unsigned char)text[i]) && text[i] != '-')
			return false;
	return len && *text != '-';
}

static enum complete_kind read_names(const char *text, struct buf *words)
{
	enum complete_kind kind = COMPLETE_NOTHING;

	while (*(text += strspn(text, " |[]/"))) {
		const size_t len = strcspn(text, " |[]/");

		if (is_word(text, len))
			buf_printf(words, "%s%.*s", words->len ? " " : "",
				   (int)len, text);
		else if (kind == COMPLETE_NOTHING)
			kind = kind_of(text, len);
		text += len;
	}
	return kind == COMPLETE_NOTHING && words->len ? COMPLETE_WORDS : kind;
}

enum complete_kind complete_value(const struct cli_option *o, struct buf *words)
{
	return cli_option_takes(o) == CLI_NEEDS_VALUE
		       ? read_names(o->value, words)
		       : COMPLETE_NOTHING;
}

enum complete_kind complete_operand(const struct command *c, struct buf *words)
{
	return c->operand ? read_names(c->operand, words) : COMPLETE_NOTHING;
}

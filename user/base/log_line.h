/* SPDX-License-Identifier: Apache-2.0 */
/* What a log line looks like; base/log.c decides which are printed. */
#pragma once

#include <stdbool.h>
#include "base/buf.h"
#include "base/log.h"

struct log_line {
	enum log_format format;
	/* The journal reads it: a level in front, and no time. */
	bool journal;
	/* Milliseconds since 1970; negative: the line has no time. */
	long long time_ms;
	enum log_level level;
	int err; /* 0, or a negative errno */
	const char *text;
	const struct log_field *fields; /* ends with an empty one, or NULL */
};

/*
 * log_line_format - Append the line, with its end. What comes from others
 * neither starts a new line nor sends control codes to a terminal: as text it
 * is replaced, in logfmt and JSON it is escaped, and what is no UTF-8 is
 * U+FFFD there.
 * Return: 0 or -ENOMEM.
 */
int log_line_format(const struct log_line *l, struct buf *out);

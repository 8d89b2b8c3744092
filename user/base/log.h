/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines on stderr: one sentence, then key=value. A command's lines are read
 * by who typed it: a level's word and the sentence. The agent's, after
 * log_open(), have the time, or what the journal wants instead.
 */
#pragma once

#include <stdbool.h>
#include "base/log_words.h"

/*
 * log_open - Be the log of a daemon: lines have this format, and RFC 3339 time;
 * or, where the environment's JOURNAL_STREAM says that stderr is the journal,
 * which keeps the time itself, the level as "<N>".
 */
void log_open(enum log_format format);

/* log_level_set - Drop lines of a higher level than @level from now on. */
void log_level_set(enum log_level level);
enum log_level log_level_get(void);

/* log_each_once - From now on drop a line that was printed before, too (one of
 * the first LOG_ONCE_MAX): for a command that tries again what failed. */
#define LOG_ONCE_MAX 64
void log_each_once(void);

/* What programs want to find without reading the sentence. */
struct log_field {
	const char *key, *value; /* key: a name that needs no quotes */
	bool said; /* the sentence has it: not again where that is read */
};

/*
 * log_at - Print one line if @level is wanted.
 * @err: 0, or a negative errno whose text is appended after ": ".
 *
 * Return: @err, so that `return log_err(err, "pin %s", path);` works. Keeps
 * errno.
 */
int log_at(enum log_level level, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* log_with - The same, with fields. @fields: ends with an empty one. */
int log_with(enum log_level level, int err, const struct log_field *fields,
	     const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#define log_err(err, ...) log_at(LOG_ERR, (err), __VA_ARGS__)
#define log_warn(err, ...) log_at(LOG_WARN, (err), __VA_ARGS__)
/* log_refuse - An error whose sentence says all: what was given and what was
 * expected. It needs no "Invalid argument" behind that. Return: -EINVAL. */
#define log_refuse(...) ((void)log_err(0, __VA_ARGS__), -EINVAL)
#define log_info(...) ((void)log_at(LOG_INFO, 0, __VA_ARGS__))
#define log_debug(...) ((void)log_at(LOG_DEBUG, 0, __VA_ARGS__))

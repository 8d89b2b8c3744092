/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines on stderr: one sentence, then key=value. No time stamps and no
 * colour; journald and the container runtime add their own.
 */
#pragma once

enum log_level { LOG_ERR = 0, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* log_level_set - Drop lines of a higher level than @level from now on. */
void log_level_set(enum log_level level);

/* log_each_once - From now on drop a line that was printed before, too (one of
 * the first LOG_ONCE_MAX): for a command that tries again what failed. */
#define LOG_ONCE_MAX 64
void log_each_once(void);

/*
 * log_at - Print one line if @level is wanted.
 * @err: 0, or a negative errno whose text is appended after ": ".
 *
 * Return: @err, so that `return log_err(err, "pin %s", path);` works. Keeps
 * errno.
 */
int log_at(enum log_level level, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_err(err, ...) log_at(LOG_ERR, (err), __VA_ARGS__)
#define log_warn(err, ...) log_at(LOG_WARN, (err), __VA_ARGS__)
#define log_info(...) ((void)log_at(LOG_INFO, 0, __VA_ARGS__))
#define log_debug(...) ((void)log_at(LOG_DEBUG, 0, __VA_ARGS__))

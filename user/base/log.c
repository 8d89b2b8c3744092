// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum log_level threshold = LOG_INFO;

static const char *const level_name[] = {
	[LOG_ERR] = "error",
	[LOG_WARN] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

void log_level_set(enum log_level level)
{
	threshold = level;
}

/* ---- each once ---- */

static bool each_once;
static char *printed[LOG_ONCE_MAX];

void log_each_once(void)
{
	each_once = true;
}

/* Was it printed before? Note that it is now; without memory it will be
 * printed again. */
static bool is_repeated(const char *line)
{
	size_t i = 0;

	while (i < LOG_ONCE_MAX && printed[i] && strcmp(printed[i], line))
		i++;
	if (i == LOG_ONCE_MAX)
		return false;
	if (printed[i])
		return true;
	printed[i] = strdup(line);
	return false;
}

/* ---- a line ---- */

/* Texts may come from others (names, paths, the kernel's strings): they must
 * neither start a new line nor send control codes to a terminal. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if (*text == '\n' || *text == '\t')
			*text = ' ';
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

/* One write per line, or the lines of helper processes mix: fprintf() to stderr
 * writes in parts of 128 bytes from glibc 2.37 on. */
static void put_line(const char *line, size_t len)
{
	(void)!write(STDERR_FILENO, line, len);
}

int log_at(enum log_level level, int err, const char *fmt, ...)
{
	int saved = errno, len;
	char text[1024], line[1024 + 96];
	va_list ap;

	if (level > threshold)
		return err;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	make_plain(text);
	len = snprintf(line, sizeof(line), "%s: %s%s%s\n", level_name[level],
		       text, err ? ": " : "", err ? strerror(-err) : "");
	if (len >= (int)sizeof(line))
		len = sizeof(line) - 1;
	if (!each_once || !is_repeated(line))
		put_line(line, len);
	errno = saved;
	return err;
}

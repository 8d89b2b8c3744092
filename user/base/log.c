// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

/* What is logged may come from others (names, paths, the kernel's strings): it
 * must neither start a line of its own nor reach a terminal as control codes.
 */
static void make_plain(char *text)
{
	for (; *text; text++)
		if (*text == '\n' || *text == '\t')
			*text = ' ';
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

int log_at(enum log_level level, int err, const char *fmt, ...)
{
	int saved = errno;
	char line[1024];
	va_list ap;

	if (level > threshold)
		return err;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	make_plain(line);
	/* One write per line: lines of helper processes must not mix. */
	if (err)
		fprintf(stderr, "%s: %s: %s\n", level_name[level], line,
			strerror(-err));
	else
		fprintf(stderr, "%s: %s\n", level_name[level], line);
	errno = saved;
	return err;
}

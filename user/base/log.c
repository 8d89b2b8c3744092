// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/log_line.h"

static enum log_level threshold = LOG_INFO;
static enum log_format format;
static bool is_daemon, is_journal;

void log_level_set(enum log_level level)
{
	threshold = level;
}

enum log_level log_level_get(void)
{
	return threshold;
}

/* systemd.exec(5): "DEVICE:INODE" of the stream. It is inherited by whoever is
 * started from a unit, also where its stderr leads elsewhere. */
static bool leads_to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == device &&
	       st.st_ino == inode;
}

void log_open(enum log_format as)
{
	format = as;
	is_daemon = true;
	is_journal = leads_to_journal();
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

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* One write per line, or the lines of helper processes mix: fprintf() to stderr
 * writes in parts of 128 bytes from glibc 2.37 on. */
static void put_line(const char *line, size_t len)
{
	(void)!write(STDERR_FILENO, line, len);
}

static void log_va(enum log_level level, int err,
		   const struct log_field *fields, const char *fmt, va_list ap)
{
	char text[1024];
	const struct log_line line = {
		.format = format,
		.journal = is_journal,
		.time_ms = is_daemon ? now_ms() : -1,
		.level = level,
		.err = err,
		.text = text,
		.fields = fields,
	};
	_buf_ struct buf out = {};

	vsnprintf(text, sizeof(text), fmt, ap);
	/* Without memory at least the sentence. */
	if (log_line_format(&line, &out))
		put_line(text, strlen(text));
	else if (!each_once || !is_repeated(out.data))
		put_line(out.data, out.len);
}

int log_at(enum log_level level, int err, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (level > threshold)
		return err;
	va_start(ap, fmt);
	log_va(level, err, NULL, fmt, ap);
	va_end(ap);
	errno = saved;
	return err;
}

int log_with(enum log_level level, int err, const struct log_field *fields,
	     const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (level > threshold)
		return err;
	va_start(ap, fmt);
	log_va(level, err, fields, fmt, ap);
	va_end(ap);
	errno = saved;
	return err;
}

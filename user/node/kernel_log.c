// SPDX-License-Identifier: Apache-2.0
#include "node/kernel_log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>

/* kernel/printk, devkmsg_read(): a read takes one record, and a buffer that it
 * does not fit into gets EINVAL. */
#define RECORD_MAX 8192

enum { SYSLOG_READ_ALL = 3, SYSLOG_SIZE = 10 }; /* SYSLOG_ACTION_* */

struct reader {
	kernel_log_fn fn;
	void *arg;
	void (*take)(const struct reader *r, char *line);
};

/* "6,339,5140900,-;the text"; lines that begin with a space belong to the one
 * before. */
static void take_record(const struct reader *r, char *line)
{
	char *text = strchr(line, ';'), *at = line;

	if (*line == ' ' || !text)
		return;
	for (int commas = 0; at < text && commas < 2; at++)
		commas += *at == ',';
	r->fn(strtoull(at, NULL, 10), text + 1, r->arg);
}

/* "<6>[    5.140900] the text", without the time if printk.time is off. */
static void take_line(const struct reader *r, char *line)
{
	char *text = *line == '<' ? strchr(line, '>') : NULL, *end;
	double seconds = 0;

	text = text ? text + 1 : line;
	if (*text == '[') {
		seconds = strtod(text + 1, &end);
		text = *end == ']' ? end + 1 + (end[1] == ' ') : text;
	}
	r->fn(seconds * 1000000, text, r->arg);
}

/* Hand on the whole lines of @text. */
static void take_lines(const struct reader *r, struct buf *text)
{
	char *from = text->data, *end;

	while (from && (end = strchr(from, '\n'))) {
		*end = '\0';
		r->take(r, from);
		from = end + 1;
	}
	buf_drop(text, from ? from - text->data : 0);
}

static int read_kmsg(const struct host *h, struct reader *r)
{
	_close_ int fd = host_file(h, "/dev/kmsg", O_RDONLY | O_NONBLOCK);
	_buf_ struct buf text = {};
	char part[RECORD_MAX];
	ssize_t n;

	if (fd < 0)
		return fd;
	r->take = take_record;
	/* EPIPE: the next message was overwritten meanwhile; read on. EAGAIN:
	 * there is none after that. */
	while ((n = read(fd, part, sizeof(part))) > 0 ||
	       (n < 0 && errno == EPIPE)) {
		if (n > 0 && buf_add(&text, part, n))
			return text.err;
		take_lines(r, &text);
	}
	return n < 0 && errno != EAGAIN ? -errno : 0;
}

static int read_syslog(struct reader *r)
{
	int size = klogctl(SYSLOG_SIZE, NULL, 0), n;
	_free_ char *all = size > 0 ? malloc(size) : NULL;
	_buf_ struct buf text = {};

	if (size < 0)
		return -errno;
	n = all ? klogctl(SYSLOG_READ_ALL, all, size) : -1;
	if (n < 0)
		return all ? -errno : -ENOMEM;
	r->take = take_line;
	if (buf_add(&text, all, n) || buf_add(&text, "\n", 1))
		return text.err;
	take_lines(r, &text);
	return 0;
}

int kernel_log_each(const struct host *h, kernel_log_fn fn, void *arg)
{
	struct reader r = {.fn = fn, .arg = arg};
	int err = read_kmsg(h, &r);

	return err && !h->given ? read_syslog(&r) : err;
}

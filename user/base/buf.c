// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_free(struct buf *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

/* Make room for @more bytes and the NUL where there is none yet. */
static int buf_enlarge(struct buf *b, size_t more)
{
	size_t room = b->room ? b->room : 256;
	char *data;

	/* Doubling would overflow and never end. */
	if (more > SIZE_MAX / 4 || b->len > SIZE_MAX / 4) {
		b->err = -ENOMEM;
		return b->err;
	}
	while (room < b->len + more + 1)
		room *= 2;
	data = realloc(b->data, room);
	if (!data) {
		b->err = -ENOMEM;
		return b->err;
	}
	b->data = data;
	b->room = room;
	return 0;
}

static inline int buf_grow(struct buf *b, size_t more)
{
	if (b->err)
		return b->err;
	return more < b->room - b->len ? 0 : buf_enlarge(b, more);
}

int buf_add(struct buf *b, const void *data, size_t len)
{
	if (buf_grow(b, len))
		return b->err;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || buf_grow(b, n))
		return b->err ? b->err : -ENOMEM;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, n + 1, fmt, ap);
	va_end(ap);
	b->len += n;
	return 0;
}

int buf_add_number(struct buf *b, unsigned long long value)
{
	char digits[20]; /* of 2^64 - 1 */
	size_t at = sizeof(digits);

	do {
		digits[--at] = '0' + value % 10;
		value /= 10;
	} while (value);
	return buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_drop(struct buf *b, size_t len)
{
	if (!b->data)
		return;
	if (len > b->len)
		len = b->len;
	b->len -= len;
	memmove(b->data, b->data + len, b->len + 1);
}

char *buf_take(struct buf *b)
{
	char *data;

	if (b->err || buf_grow(b, 0))
		return NULL;
	b->data[b->len] = '\0';
	data = b->data;
	memset(b, 0, sizeof(*b));
	return data;
}

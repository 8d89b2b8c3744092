/* SPDX-License-Identifier: Apache-2.0 */
/* A string that grows. */
#pragma once

#include <stddef.h>

struct buf {
	char *data;  /* NUL-terminated after the first addition; else NULL */
	size_t len;  /* without the NUL */
	size_t room; /* allocated */
	int err;     /* 0, or -ENOMEM: sticky, later calls do nothing */
};

/* buf_free - Free the content; safe on a zeroed struct and as a cleanup. */
void buf_free(struct buf *b);

/* buf_add - Append @len bytes of @data. Return: 0 or -ENOMEM. */
int buf_add(struct buf *b, const void *data, size_t len);

/* buf_printf - Append formatted text. Return: 0 or -ENOMEM. */
int buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* buf_add_number - Append @value in decimal: a tenth of what buf_printf()
 * costs, for texts of thousands of numbers. Return: 0 or -ENOMEM. */
int buf_add_number(struct buf *b, unsigned long long value);

/* buf_drop - Remove the first @len bytes, at most all. The room stays. */
void buf_drop(struct buf *b, size_t len);

/* buf_take - Hand over the text: the caller frees it. NULL if b->err. */
char *buf_take(struct buf *b);

#define _buf_ __attribute__((cleanup(buf_free)))

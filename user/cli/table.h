/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for people: columns as wide as their content. Programs should parse -o
 * json instead. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 8

struct table {
	const char *const *heads; /* ends with NULL */
	size_t columns;
	char **cells; /* row by row */
	size_t n;
};

/* table_init - @heads: column titles, ends with NULL, lives longer. */
void table_init(struct table *t, const char *const *heads);

/* table_add - The next cell, left to right, row by row. A NULL or empty text
 * shows as "-"; characters that do not print as "?". */
void table_add(struct table *t, const char *text);
void table_addf(struct table *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* table_print - Print all rows after the titles; nothing if there are no
 * rows. */
void table_print(const struct table *t, FILE *to);

/* table_free - Safe on a zeroed struct; for cleanup. */
void table_free(struct table *t);

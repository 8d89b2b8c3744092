/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for people: columns as wide as their content, the last one cut where
 * the terminal ends. Programs should parse -o json instead. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 12

struct libscols_table;
struct libscols_line;

struct table {
	struct libscols_table *all; /* libsmartcols' */
	struct libscols_line
		*row; /* that gets the next cell; NULL: a new one */
	size_t columns;
	size_t cell; /* how many of @row's cells are there */
	size_t n;    /* rows, without the titles */
	bool named;  /* a row has a name */
};

/*
 * table_init - @heads: column titles, ends with NULL. A title that begins with
 * "+" is without it that of a column which only -o wide shows; its cells are
 * added all the same. Ends the program where there is no memory, as
 * table_add().
 */
void table_init(struct table *t, const char *const *heads);

/* table_whole - Its last column has sentences that are to be read: it is not
 * cut on a terminal either. */
void table_whole(struct table *t);

/* table_name - What -o name prints of the row whose cells come next, as other
 * commands take it. */
void table_name(struct table *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* table_add - The next cell, left to right, row by row. A NULL or empty text
 * shows as "-"; characters that do not print as "?" or their number. */
void table_add(struct table *t, const char *text);
void table_addf(struct table *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * table_print - Print the titles and all rows, or what -o and --no-headers
 * leave of them. Where @to is a terminal the last column ends with it, but for
 * -o wide; $COLUMNS says how wide it is where that is set.
 */
void table_print(const struct table *t, FILE *to);

/* table_print_below - The same below another table, after an empty line;
 * nothing if there are no rows, or rows alone are wanted: they are those of the
 * first. */
void table_print_below(const struct table *t, FILE *to);

/* table_explain_empty - If it has no rows say on stderr what that means. */
void table_explain_empty(const struct table *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* table_printable - Put "?" for what would control a terminal: names come from
 * files and from the API. */
void table_printable(char *text);

/* table_width - How many characters a line of @to has: 0: it is no terminal, no
 * line ends. */
size_t table_width(FILE *to);

/* table_free - Safe on a zeroed struct; for cleanup. */
void table_free(struct table *t);

// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/array.h"

#define GAP 2

void table_init(struct table *t, const char *const *heads)
{
	*t = (struct table){.heads = heads};
	while (heads[t->columns])
		t->columns++;
}

/* Names come from files and from the API: they may contain terminal
 * sequences. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			*text = '?';
}

void table_add(struct table *t, const char *text)
{
	char **cell = array_push(t->cells, t->n);
	char *copy = strdup(text && *text ? text : "-");

	if (!cell || !copy) {
		fprintf(stderr, "smcmesh: out of memory\n");
		abort();
	}
	make_printable(copy);
	*cell = copy;
}

void table_addf(struct table *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	table_add(t, text);
}

static void row_print(const struct table *t, const char *const *row,
		      const size_t *width, FILE *to)
{
	for (size_t c = 0; c < t->columns; c++) {
		if (c + 1 < t->columns)
			fprintf(to, "%-*s", (int)(width[c] + GAP), row[c]);
		else
			fprintf(to, "%s\n", row[c]);
	}
}

void table_print(const struct table *t, FILE *to)
{
	size_t width[TABLE_COLUMNS_MAX] = {};

	if (!t->n)
		return;
	for (size_t c = 0; c < t->columns; c++)
		width[c] = strlen(t->heads[c]);
	for (size_t i = 0; i < t->n; i++) {
		size_t len = strlen(t->cells[i]);

		if (len > width[i % t->columns])
			width[i % t->columns] = len;
	}
	row_print(t, t->heads, width, to);
	for (size_t i = 0; i + t->columns <= t->n; i += t->columns)
		row_print(t, (const char *const *)&t->cells[i], width, to);
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	memset(t, 0, sizeof(*t));
}

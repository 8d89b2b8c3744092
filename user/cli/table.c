// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <ctype.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "cli/output.h"

#define GAP "  "
#define WIDTH_DEFAULT 80

/* Before the columns is one with the rows' names, which is hidden unless they
 * are what is wanted. */
enum { NAMES, FIRST };

static void need(bool ok)
{
	if (ok)
		return;
	fprintf(stderr, "smcmesh: out of memory\n");
	abort();
}

static void add_column(struct table *t, const char *head, bool hidden,
		       int flags)
{
	need(scols_table_new_column(t->all, head, 0,
				    hidden ? SCOLS_FL_HIDDEN : flags));
}

static void add_columns(struct table *t, const char *const *heads)
{
	const enum output format = output_format();
	const bool names = format == OUTPUT_NAME;

	add_column(t, NULL, !names, 0);
	for (; heads[t->columns]; t->columns++) {
		const bool wide = *heads[t->columns] == '+';
		const bool last = !heads[t->columns + 1];

		/* no column is made narrower than its title */
		add_column(t, heads[t->columns] + wide,
			   names || (wide && format != OUTPUT_WIDE),
			   last && format != OUTPUT_WIDE ? SCOLS_FL_TRUNC : 0);
	}
}

void table_init(struct table *t, const char *const *heads)
{
	*t = (struct table){.all = scols_new_table()};
	need(t->all);
	need(!scols_table_set_column_separator(t->all, GAP));
	/* The titles are the first row: the library prints none of its own
	 * above a table without rows. */
	need(!scols_table_enable_noheadings(t->all, 1));
	add_columns(t, heads);
	if (!output_is_list())
		for (size_t c = 0; heads[c]; c++)
			table_add(t, heads[c] + (*heads[c] == '+'));
	t->n = 0;
}

void table_whole(struct table *t)
{
	struct libscols_column *last =
		scols_table_get_column(t->all, t->columns - 1 + FIRST);

	need(last &&
	     !scols_column_set_flags(last, scols_column_get_flags(last) &
						   ~SCOLS_FL_TRUNC));
}

void table_printable(char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			*text = '?';
}

static void set_cell(struct table *t, size_t column, const char *text)
{
	_free_ char *copy = strdup(text && *text ? text : "-");

	need(copy);
	table_printable(copy);
	if (!t->row) {
		t->row = scols_table_new_line(t->all, NULL);
		need(t->row);
		t->cell = 0;
		t->n++;
	}
	need(!scols_line_set_data(t->row, column, copy));
}

void table_name(struct table *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	set_cell(t, NAMES, text);
	t->named = true;
}

void table_add(struct table *t, const char *text)
{
	const size_t cell = t->row ? t->cell : 0;

	set_cell(t, FIRST + cell, text);
	t->cell = cell + 1;
	if (t->cell == t->columns)
		t->row = NULL;
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

/* A terminal may not know its own size: it says 0 then. */
size_t table_width(FILE *to)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size = {};
	int fd = fileno(to);
	unsigned long n;
	char *end;

	if (fd < 0 || !isatty(fd))
		return 0;
	n = columns && isdigit((unsigned char)*columns)
		    ? strtoul(columns, &end, 10)
		    : 0;
	if (n && !*end && n <= UINT16_MAX)
		return n;
	if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	return WIDTH_DEFAULT;
}

void table_print(const struct table *t, FILE *to)
{
	const size_t width = table_width(to);

	if (output_format() == OUTPUT_NAME && !t->named)
		return;
	scols_table_set_stream(t->all, to);
	scols_table_set_termforce(t->all, width ? SCOLS_TERMFORCE_ALWAYS
						: SCOLS_TERMFORCE_NEVER);
	scols_table_set_termwidth(t->all, width);
	need(!scols_print_table(t->all));
}

void table_print_below(const struct table *t, FILE *to)
{
	if (!t->n || output_is_list())
		return;
	fputc('\n', to);
	table_print(t, to);
}

void table_explain_empty(const struct table *t, const char *fmt, ...)
{
	va_list ap;

	if (t->n)
		return;
	fflush(stdout);
	va_start(ap, fmt);
	fputs("smcmesh: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

void table_free(struct table *t)
{
	scols_unref_table(t->all);
	memset(t, 0, sizeof(*t));
}

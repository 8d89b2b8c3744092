// SPDX-License-Identifier: Apache-2.0
#include "base/log_line.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <yyjson.h>
#include "base/cleanup.h"

#define TIME_STRLEN 48

/* RFC 3339 in UTC, to the millisecond. */
static const char *time_format(long long ms, char text[TIME_STRLEN])
{
	time_t seconds = ms / 1000;
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(text, TIME_STRLEN, "%FT%T", &tm);
	snprintf(text + n, TIME_STRLEN - n, ".%03dZ", (int)(ms % 1000));
	return text;
}

/* The journal's levels are those of syslog(3), in front of each line as
 * sd-daemon(3) has them. */
static void add_level_prefix(const struct log_line *l, struct buf *out)
{
	static const char *const prefix[] = {
		[LOG_ERR] = "<3>",
		[LOG_WARN] = "<4>",
		[LOG_INFO] = "<6>",
		[LOG_DEBUG] = "<7>",
	};

	if (l->journal)
		buf_add(out, prefix[l->level], 3);
}

static bool has_time(const struct log_line *l)
{
	return !l->journal && l->time_ms >= 0;
}

/* The text as a JSON string: ASCII alone, whatever it holds. */
static void add_quoted(const char *text, struct buf *out)
{
	yyjson_val val = {};
	_free_ char *quoted = NULL;
	size_t len = 0;

	yyjson_set_str(&val, text);
	quoted = yyjson_val_write(&val,
				  YYJSON_WRITE_ESCAPE_UNICODE |
					  YYJSON_WRITE_ALLOW_INVALID_UNICODE,
				  &len);
	if (quoted)
		buf_add(out, quoted, len);
	else
		out->err = -ENOMEM;
}

/* ---- text -------------------------------------------------------------- */

static void add_plain(const char *text, struct buf *out)
{
	for (; *text; text++) {
		char c = *text;

		if (c == '\n' || c == '\t')
			c = ' ';
		else if ((unsigned char)c < 0x20 || c == 0x7f)
			c = '?';
		buf_add(out, &c, 1);
	}
}

static bool is_bare(const char *value)
{
	const char *p = value;

	while (isgraph((unsigned char)*p) && !strchr("\"=\\", *p))
		p++;
	return *value && !*p;
}

/* key=value, quoted where a reader would not find its end. */
static void add_pair(const char *before, const char *key, const char *value,
		     struct buf *out)
{
	buf_printf(out, "%s%s=", before, key);
	if (is_bare(value))
		buf_add(out, value, strlen(value));
	else
		add_quoted(value, out);
}

static void format_text(const struct log_line *l, struct buf *out)
{
	const char *before = ", ";
	char when[TIME_STRLEN];

	if (has_time(l))
		buf_printf(out, "%s ", time_format(l->time_ms, when));
	buf_printf(out, "%s: ", log_level_word(l->level));
	add_plain(l->text, out);
	if (l->err)
		buf_printf(out, ": %s", strerror(-l->err));
	for (const struct log_field *f = l->fields; f && f->key; f++) {
		if (f->said)
			continue;
		add_pair(before, f->key, f->value, out);
		before = " ";
	}
}

/* ---- logfmt ------------------------------------------------------------ */

static void format_logfmt(const struct log_line *l, struct buf *out)
{
	char when[TIME_STRLEN];

	if (has_time(l))
		buf_printf(out, "time=%s ", time_format(l->time_ms, when));
	buf_printf(out, "level=%s", log_level_word(l->level));
	add_pair(" ", "msg", l->text, out);
	if (l->err)
		add_pair(" ", "error", strerror(-l->err), out);
	for (const struct log_field *f = l->fields; f && f->key; f++)
		add_pair(" ", f->key, f->value, out);
}

/* ---- JSON -------------------------------------------------------------- */

static void add_member(const char *before, const char *key, const char *value,
		       struct buf *out)
{
	buf_printf(out, "%s\"%s\":", before, key);
	add_quoted(value, out);
}

static void format_json(const struct log_line *l, struct buf *out)
{
	char when[TIME_STRLEN];

	if (has_time(l))
		add_member("{", "time", time_format(l->time_ms, when), out);
	add_member(has_time(l) ? "," : "{", "level", log_level_word(l->level),
		   out);
	add_member(",", "msg", l->text, out);
	if (l->err)
		add_member(",", "error", strerror(-l->err), out);
	for (const struct log_field *f = l->fields; f && f->key; f++)
		add_member(",", f->key, f->value, out);
	buf_add(out, "}", 1);
}

int log_line_format(const struct log_line *l, struct buf *out)
{
	static void (*const format[])(const struct log_line *, struct buf *) = {
		[LOG_TEXT] = format_text,
		[LOG_LOGFMT] = format_logfmt,
		[LOG_JSON] = format_json,
	};

	add_level_prefix(l, out);
	format[l->format](l, out);
	buf_add(out, "\n", 1);
	return out->err;
}

// SPDX-License-Identifier: Apache-2.0
#include "objects/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/when.h"

/* Notes must not grow as large as a hostile or absurd file. */
#define NOTES_MAX (64 * 1024)

/* ---- notes ----------------------------------------------------------------
 */

/* A string in quotes, cut, and without characters that would upset a
 * terminal. */
static void render_text(const char *text, size_t len, char *out, size_t room)
{
	size_t n = 0, max = 60;

	out[n++] = '"';
	for (size_t i = 0; i < len && i < max; i++) {
		unsigned char c = text[i];

		if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
			n += snprintf(out + n, room - n, "\\x%02x", c);
		else
			out[n++] = c;
	}
	/* Do not end inside a UTF-8 sequence. */
	while (len > max && n > 1 && (out[n - 1] & 0x80))
		n--;
	snprintf(out + n, room - n, len > max ? "...\"" : "\"");
}

const char *json_render(yyjson_val *val, char out[JSON_RENDER_MAX])
{
	const size_t room = JSON_RENDER_MAX;

	if (yyjson_is_str(val))
		render_text(yyjson_get_str(val), yyjson_get_len(val), out,
			    room);
	else if (yyjson_is_bool(val))
		snprintf(out, room, "%s",
			 yyjson_get_bool(val) ? "true" : "false");
	else if (yyjson_is_uint(val))
		snprintf(out, room, "%llu",
			 (unsigned long long)yyjson_get_uint(val));
	else if (yyjson_is_sint(val))
		snprintf(out, room, "%lld", (long long)yyjson_get_sint(val));
	else if (yyjson_is_real(val))
		snprintf(out, room, "%g", yyjson_get_real(val));
	else if (yyjson_is_arr(val))
		snprintf(out, room, "an array");
	else if (yyjson_is_obj(val))
		snprintf(out, room, "an object");
	else
		snprintf(out, room, val ? "null" : "missing");
	return out;
}

void json_say(const struct json_object *o, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (o->notes->len > NOTES_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(o->notes, "%s: %s; %s\n", o->name, text, o->consequence);
	if (o->notes->len > NOTES_MAX)
		buf_printf(o->notes, "further notes are left out\n");
}

void json_note(const struct json_object *o, const char *what, yyjson_val *val,
	       const char *expected)
{
	char value[JSON_RENDER_MAX];

	json_render(val, value);
	if (!o->array)
		json_say(o, "%s is %s, expected %s", *what ? what : "it", value,
			 expected);
	else
		json_say(o, "%s[%zu]%s%s is %s, expected %s", o->array,
			 o->index, *what ? "." : "", what, value, expected);
}

/* ---- fields ---------------------------------------------------------------
 */

/* Return: 1 with *@out, 0 absent, -EINVAL noted: a part of the path is no
 * object. */
static int walk(const struct json_object *o, const char *path, yyjson_val **out)
{
	yyjson_val *val = o->val;
	const char *part = path;

	for (;;) {
		size_t len = strcspn(part, ".");
		char way[64]; /* longer than any of our paths */

		val = yyjson_obj_getn(val, part, len);
		if (!val || yyjson_is_null(val))
			return 0;
		if (!part[len]) {
			*out = val;
			return 1;
		}
		part += len + 1;
		if (yyjson_is_obj(val))
			continue;
		snprintf(way, sizeof(way), "%.*s", (int)(part - path - 1),
			 path);
		json_note(o, way, val, "an object");
		return -EINVAL;
	}
}

static int wrong(const struct json_object *o, const char *path, yyjson_val *val,
		 const char *expected)
{
	json_note(o, path, val, expected);
	return -EINVAL;
}

const char *json_value_str(yyjson_val *val, size_t max)
{
	size_t len = yyjson_get_len(val);
	const char *text = yyjson_get_str(val);

	if (!text || len > max || strlen(text) != len)
		return NULL;
	return text;
}

int json_str(const struct json_object *o, const char *path, const char **out)
{
	yyjson_val *val;
	const char *text;
	int got = walk(o, path, &val);

	if (got <= 0)
		return got;
	text = json_value_str(val, JSON_STR_MAX);
	if (!text)
		return wrong(o, path, val, "a string of at most 1024 bytes");
	*out = text;
	return 1;
}

int json_bool(const struct json_object *o, const char *path, bool *out)
{
	yyjson_val *val;
	int got = walk(o, path, &val);

	if (got <= 0)
		return got;
	if (!yyjson_is_bool(val))
		return wrong(o, path, val, "true or false");
	*out = yyjson_get_bool(val);
	return 1;
}

int json_uint(const struct json_object *o, const char *path, unsigned long max,
	      unsigned long *out)
{
	char expected[64];
	yyjson_val *val;
	int got = walk(o, path, &val);

	if (got <= 0)
		return got;
	if (!yyjson_is_uint(val) || yyjson_get_uint(val) > max) {
		snprintf(expected, sizeof(expected), "a number from 0 to %lu",
			 max);
		return wrong(o, path, val, expected);
	}
	*out = yyjson_get_uint(val);
	return 1;
}

int json_arr(const struct json_object *o, const char *path, yyjson_val **out)
{
	yyjson_val *val;
	int got = walk(o, path, &val);

	if (got <= 0)
		return got;
	if (!yyjson_is_arr(val))
		return wrong(o, path, val, "an array");
	*out = val;
	return 1;
}

int json_obj(const struct json_object *o, const char *path, yyjson_val **out)
{
	yyjson_val *val;
	int got = walk(o, path, &val);

	if (got <= 0)
		return got;
	if (!yyjson_is_obj(val))
		return wrong(o, path, val, "an object");
	*out = val;
	return 1;
}

int json_time(const struct json_object *o, const char *path, long long *out)
{
	yyjson_val *val;
	const char *text;
	int got = walk(o, path, &val);

	if (got <= 0)
		return got;
	text = json_value_str(val, JSON_STR_MAX);
	if (!text || when_parse(text, out))
		return wrong(o, path, val, "a time like 2025-03-01T12:00:00Z");
	return 1;
}

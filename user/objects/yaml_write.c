// SPDX-License-Identifier: Apache-2.0
/* JSON as YAML: libyaml lays it out and quotes what its syntax wants quoted;
 * here is decided what must be quoted to stay a text. */
#include "objects/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "base/cleanup.h"

/* What has an exponent is a number in YAML 1.1 only with a point before and a
 * sign after the "e". */
static void number_text(const char *json, struct buf *out)
{
	size_t mantissa = strcspn(json, "eE");
	const char *exponent = json + mantissa;

	buf_add(out, json, mantissa);
	if (!*exponent)
		return;
	if (!memchr(json, '.', mantissa))
		buf_printf(out, ".0");
	buf_printf(out, "e%s%s", strchr("+-", exponent[1]) ? "" : "+",
		   exponent + 1);
}

/* Would a reader of YAML 1.1 or 1.2 take it for a text without quotes, too?
 * Numbers, dates and signs do not begin with a letter. */
static bool is_plainly_text(const char *text, size_t len)
{
	static const char *const words[] = {"y",     "n",  "yes", "no",	 "true",
					    "false", "on", "off", "null"};

	if (!isalpha((unsigned char)*text) && *text != '/')
		return false;
	for (size_t i = 0; i < array_size(words); i++)
		if (strlen(words[i]) == len && !strcasecmp(words[i], text))
			return false;
	return true;
}

/* A copy in which what is no UTF-8 is "?": libyaml refuses it. */
static char *clean_copy(const char *text, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)copy[i] >= 0x80)
			copy[i] = '?';
	return copy;
}

static bool emit_scalar(yaml_emitter_t *to, const char *text, size_t len,
			yaml_scalar_style_t style)
{
	yaml_event_t event;

	return yaml_scalar_event_initialize(&event, NULL, NULL,
					    (const yaml_char_t *)text, (int)len,
					    1, 1, style) &&
	       yaml_emitter_emit(to, &event);
}

static bool emit_text(yaml_emitter_t *to, const char *text, size_t len)
{
	const yaml_scalar_style_t style =
		is_plainly_text(text, len) ? YAML_ANY_SCALAR_STYLE
					   : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	_free_ char *copy = NULL;

	if (emit_scalar(to, text, len, style))
		return true;
	copy = to->error == YAML_NO_ERROR ? clean_copy(text, len) : NULL;
	return copy && emit_scalar(to, copy, len, style);
}

static bool emit_other(yaml_emitter_t *to, yyjson_val *v)
{
	_free_ char *json = yyjson_val_write(v, 0, NULL);
	_buf_ struct buf text = {};

	if (!json)
		return false;
	if (yyjson_is_num(v))
		number_text(json, &text);
	else
		buf_printf(&text, "%s", json);
	return !text.err &&
	       emit_scalar(to, text.data, text.len, YAML_PLAIN_SCALAR_STYLE);
}

static bool emit(yaml_emitter_t *to, yyjson_val *v);

static bool emit_object(yaml_emitter_t *to, yyjson_val *v)
{
	yaml_event_t event;
	yyjson_val *key, *val;
	size_t i, max;

	yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
					    YAML_BLOCK_MAPPING_STYLE);
	if (!yaml_emitter_emit(to, &event))
		return false;
	yyjson_obj_foreach (v, i, max, key, val) {
		if (!emit(to, key) || !emit(to, val))
			return false;
	}
	yaml_mapping_end_event_initialize(&event);
	return yaml_emitter_emit(to, &event);
}

static bool emit_array(yaml_emitter_t *to, yyjson_val *v)
{
	yaml_event_t event;
	yyjson_val *val;
	size_t i, max;

	yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
					     YAML_BLOCK_SEQUENCE_STYLE);
	if (!yaml_emitter_emit(to, &event))
		return false;
	yyjson_arr_foreach (v, i, max, val) {
		if (!emit(to, val))
			return false;
	}
	yaml_sequence_end_event_initialize(&event);
	return yaml_emitter_emit(to, &event);
}

static bool emit(yaml_emitter_t *to, yyjson_val *v)
{
	if (yyjson_is_obj(v))
		return emit_object(to, v);
	if (yyjson_is_arr(v))
		return emit_array(to, v);
	if (yyjson_is_str(v))
		return emit_text(to, yyjson_get_str(v), yyjson_get_len(v));
	return emit_other(to, v);
}

static bool emit_document(yaml_emitter_t *to, yyjson_val *root)
{
	yaml_event_t begin[2], end[2];

	yaml_stream_start_event_initialize(&begin[0], YAML_UTF8_ENCODING);
	yaml_document_start_event_initialize(&begin[1], NULL, NULL, NULL, 1);
	yaml_document_end_event_initialize(&end[0], 1);
	yaml_stream_end_event_initialize(&end[1]);
	return yaml_emitter_emit(to, &begin[0]) &&
	       yaml_emitter_emit(to, &begin[1]) && emit(to, root) &&
	       yaml_emitter_emit(to, &end[0]) && yaml_emitter_emit(to, &end[1]);
}

static int take(void *out, unsigned char *text, size_t len)
{
	return !buf_add(out, text, len);
}

int yaml_write(yyjson_val *root, struct buf *out)
{
	yaml_emitter_t emitter;
	bool ok;

	if (!yaml_emitter_initialize(&emitter))
		return -ENOMEM;
	yaml_emitter_set_output(&emitter, take, out);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1); /* lines are not folded */
	ok = emit_document(&emitter, root);
	yaml_emitter_delete(&emitter);
	return ok && !out->err ? 0 : -ENOMEM;
}

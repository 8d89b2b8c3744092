/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads fields of JSON that others wrote, and notes what is wrong with them.
 * Only user/objects/ includes this.
 *
 * A field is named by its path of object keys, "spec.hostNetwork". A missing
 * one, a null, and one below a missing object are absent. One of another type
 * is noted, with its value and what was expected.
 *
 * All getters return 1 if *@out was set, 0 if the field is absent, -EINVAL if
 * it was noted; *@out is untouched then.
 */
#pragma once

#include <stdbool.h>
#include <yyjson.h>
#include "base/buf.h"
#include "base/cleanup.h"

static inline void json_doc_free(yyjson_doc **doc)
{
	yyjson_doc_free(*doc);
}

#define _doc_ _cleanup_(json_doc_free)

/* Strings longer than this are noted, except for annotations. */
#define JSON_STR_MAX 1024

/* The object whose fields are read: where notes go and how they name it. */
struct json_object {
	struct buf *notes;
	yyjson_val *val;
	const char *name;	 /* "Pod default/web-0" */
	const char *consequence; /* "the Pod is left out" */
	const char *array;	 /* NULL, or the path of the array it is in */
	size_t index;		 /* of that array */
	bool from_api;		 /* not from a file */
};

/* json_element - Element @index of @o's array at @path, as an object whose
 * notes end in @consequence. */
static inline struct json_object json_element(const struct json_object *o,
					      const char *path, size_t index,
					      yyjson_val *val,
					      const char *consequence)
{
	return (struct json_object){
		.notes = o->notes,
		.val = val,
		.name = o->name,
		.consequence = consequence,
		.array = path,
		.index = index,
		.from_api = o->from_api,
	};
}

/* json_with - @o with another consequence. */
static inline struct json_object json_with(const struct json_object *o,
					   const char *consequence)
{
	struct json_object with = *o;

	with.consequence = consequence;
	return with;
}

/* json_render - @val as notes show it: cut, safe for a terminal. NULL is
 * "missing". Return: @out. */
#define JSON_RENDER_MAX 300
const char *json_render(yyjson_val *val, char out[JSON_RENDER_MAX]);

/*
 * json_note - Note that @what ("spec.ueid") has the value @val and not the
 * expected one. @what "": the object itself. @val NULL: it is missing.
 */
void json_note(const struct json_object *o, const char *what, yyjson_val *val,
	       const char *expected);

/* json_say - Note a sentence that ends in "; " and the consequence. */
void json_say(const struct json_object *o, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

must_check int json_str(const struct json_object *o, const char *path,
			const char **out);
must_check int json_bool(const struct json_object *o, const char *path,
			 bool *out);
must_check int json_uint(const struct json_object *o, const char *path,
			 unsigned long max, unsigned long *out);
must_check int json_arr(const struct json_object *o, const char *path,
			yyjson_val **out);
must_check int json_obj(const struct json_object *o, const char *path,
			yyjson_val **out);

/* json_time - RFC 3339 to seconds since 1970. */
must_check int json_time(const struct json_object *o, const char *path,
			 long long *out);

/*
 * json_value_str - @val as a string without NUL characters and of at most @max
 * bytes; NULL if it is not one. Notes nothing.
 */
const char *json_value_str(yyjson_val *val, size_t max);

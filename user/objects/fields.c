// SPDX-License-Identifier: Apache-2.0
/* Fields of all kinds of objects: names, UIDs, labels and annotations. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "objects/objects.h"

int set_uid(char **out, const char *uid, const char *ns, const char *name)
{
	_buf_ struct buf made = {};

	if (uid)
		return text_set(out, uid);
	if (buf_printf(&made, "%s/%s", ns, name))
		return -ENOMEM;
	*out = buf_take(&made);
	return *out ? 0 : -ENOMEM;
}

static bool name_ok(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789._-:";
	size_t len = strlen(name);

	return len >= 1 && len <= 253 && strspn(name, allowed) == len;
}

int get_name(const struct json_object *o, const char *path, const char **out)
{
	const char *name;
	int got = json_str(o, path, &name);

	if (got <= 0)
		return got;
	/* The API writes "" for a name that is not set. */
	if (!*name)
		return 0;
	if (!name_ok(name)) {
		json_say(o,
			 "%s is no name: expected at most 253 of "
			 "A-Z a-z 0-9 . _ - :",
			 path);
		return -EINVAL;
	}
	*out = name;
	return 1;
}

static yyjson_val *metadata_of(const struct json_object *o, const char *path,
			       const char *key)
{
	yyjson_val *all = NULL;

	return json_obj(o, path, &all) > 0 ? yyjson_obj_get(all, key) : NULL;
}

yyjson_val *object_label(const struct json_object *o, const char *key)
{
	return metadata_of(o, "metadata.labels", key);
}

yyjson_val *object_annotation(const struct json_object *o, const char *key)
{
	return metadata_of(o, "metadata.annotations", key);
}

/* "Pod default/web-0" or "SmcNode n1", or "Pod (items[3])" if it has no name.
 */
static int object_name(const struct kind_row *kind, const struct json_object *o,
		       struct buf *out)
{
	yyjson_val *meta = yyjson_obj_get(o->val, "metadata");
	const char *name = json_value_str(yyjson_obj_get(meta, "name"), 253);
	const char *ns = json_value_str(yyjson_obj_get(meta, "namespace"), 253);

	if (!name || !name_ok(name))
		return buf_printf(out, "%s (items[%zu])", kind->name, o->index);
	if (!kind->namespaced)
		return buf_printf(out, "%s %s", kind->name, name);
	return buf_printf(out, "%s %s/%s", kind->name,
			  ns && name_ok(ns) ? ns : "default", name);
}

int object_begin(const struct kind_row *kind, struct json_object *o,
		 struct buf *text)
{
	const char *name;
	int got;

	if (object_name(kind, o, text))
		return -ENOMEM;
	o->name = text->data;
	o->consequence = "it is left out";
	if (!yyjson_is_obj(o->val)) {
		json_note(o, "", o->val, "an object");
		return -EINVAL;
	}
	got = get_name(o, "metadata.name", &name);
	if (!got)
		json_note(o, "metadata.name", NULL, "a name");
	return got > 0 ? 0 : -EINVAL;
}

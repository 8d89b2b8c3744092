// SPDX-License-Identifier: Apache-2.0
/*
 * Decodes a List into a world: finds the objects, has the other decode_*.c read
 * them, and drops doubles.
 *
 * A list is an object of kind List, or of any kind that ends in List: what
 * `kubectl get -o json` prints, and what the API itself answers, where the
 * items of a PodList do not repeat their kind. Lists may hold lists.
 */
#include "objects/decode.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "objects/objects.h"

/* kubectl never nests lists; people who join files do, once or twice. */
#define LISTS_MAX_DEPTH 8

struct decoder {
	struct mesh_world world;
	struct buf *notes;
	size_t index;	  /* in its list: names a nameless item */
	bool seen[KINDS]; /* of the configuration's */
};

/* ---- one object -----------------------------------------------------------
 */

/* Of two configurations the later counts. */
static int add_config(struct decoder *d, const struct kind_row *kind,
		      struct json_object *o)
{
	struct json_object with = json_with(o, "the later one counts");
	bool *seen = &d->seen[kind - kinds];

	if (!config_named_default(o))
		return 0;
	if (*seen)
		json_say(&with, "it is listed twice");
	*seen = true;
	kind->reset(&d->world.config);
	return kind->decode(o, &d->world.config);
}

/* Decode an object, append it to its array of the world. */
static int add_element(struct decoder *d, const struct kind_row *kind,
		       struct json_object *o)
{
	size_t n;
	void *v = kind_array(&d->world, kind - kinds, &n);
	int err;

	v = array_room(v, n, kind->size);
	if (!v)
		return -ENOMEM;
	err = kind->decode(o, (char *)v + n * kind->size);
	kind_array_set(&d->world, kind - kinds, v, err ? n : n + 1);
	return err;
}

static const struct kind_row *find_kind(const char *name)
{
	for (size_t i = 0; name && i < KINDS; i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

/* The version does not matter: fields are only ever added. */
static bool group_matches(const struct kind_row *kind, const char *api_version)
{
	const char *slash = strchr(api_version, '/');
	size_t len = slash ? (size_t)(slash - api_version) : 0;

	return len == strlen(kind->group) &&
	       !memcmp(api_version, kind->group, len);
}

static int add_object(struct decoder *d, const struct kind_row *kind,
		      yyjson_val *val)
{
	_buf_ struct buf name = {};
	struct json_object o = {
		.notes = d->notes, .val = val, .index = d->index};
	const char *version = NULL;
	int err = object_begin(kind, &o, &name);

	if (!err && json_str(&o, "apiVersion", &version) < 0)
		err = -EINVAL;
	if (version && !group_matches(kind, version)) {
		json_say(&o, "it is a %s of apiVersion \"%.100s\", not ours",
			 kind->name, version);
		err = -EINVAL;
	}
	if (!err)
		err = kind->size ? add_element(d, kind, &o)
				 : add_config(d, kind, &o);
	return err == -EINVAL ? 0 : err;
}

/* ---- lists ----------------------------------------------------------------
 */

/* "PodList" is a list of "Pod". Return: length of the item's kind, or -1. */
static int list_of(const char *kind)
{
	size_t len = kind ? strlen(kind) : 0;

	return len >= 4 && !strcmp(kind + len - 4, "List") ? (int)len - 4 : -1;
}

static int add_list(struct decoder *d, yyjson_val *list, const char *kind,
		    int depth);

/* @of: the kind if the item does not have it, or "". */
static int add_item(struct decoder *d, yyjson_val *val, size_t index,
		    const char *of, int depth)
{
	yyjson_val *said = yyjson_obj_get(val, "kind");
	const char *kind = said ? json_value_str(said, JSON_STR_MAX) : of;
	struct json_object o = {.notes = d->notes,
				.val = val,
				.name = "the List",
				.array = "items",
				.consequence = "the item is left out",
				.index = index};
	const struct kind_row *known = find_kind(kind);

	d->index = index;
	if (!yyjson_is_obj(val)) {
		json_note(&o, "", val, "an object");
		return 0;
	}
	if (!kind || !*kind) {
		json_note(&o, "kind", said, "a string");
		return 0;
	}
	if (known)
		return add_object(d, known, val);
	if (list_of(kind) < 0)
		return 0;
	if (depth == LISTS_MAX_DEPTH) {
		json_say(&o, "lists are nested more than %d deep", depth);
		return 0;
	}
	return add_list(d, val, kind, depth + 1);
}

static int add_list(struct decoder *d, yyjson_val *list, const char *kind,
		    int depth)
{
	yyjson_val *items = yyjson_obj_get(list, "items"), *val;
	struct json_object o = {.notes = d->notes,
				.val = list,
				.name = kind,
				.consequence = "the list is left out"};
	char of[32] = "";
	size_t i, n;
	int len = list_of(kind), err = 0;

	if (len < (int)sizeof(of))
		memcpy(of, kind, len);
	/* Go writes null for an empty list that was never allocated. */
	if (!yyjson_is_arr(items) && !yyjson_is_null(items)) {
		json_note(&o, "items", items, "an array");
		return 0;
	}
	yyjson_arr_foreach (items, i, n, val)
		err = err ?: add_item(d, val, i, of, depth);
	return err;
}

/* ---- the text -------------------------------------------------------------
 */

static int broken(const char *json, size_t len, const yyjson_read_err *err,
		  struct buf *error)
{
	size_t line = 1, column = 1, chars = 0;

	if (err->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
		return -ENOMEM;
	yyjson_locate_pos(json, len, err->pos, &line, &column, &chars);
	buf_printf(error, "broken JSON at line %zu, column %zu: %s",
		   line ? line : 1, column ? column : 1, err->msg);
	return -EINVAL;
}

/* Refuse a text as a whole that is no list and no object of ours: as an empty
 * list it would disarm everything. */
static int check_root(yyjson_val *root, struct buf *error)
{
	static const char expected[] = "expected a Kubernetes List in JSON";
	const char *kind = json_value_str(yyjson_obj_get(root, "kind"), 253);
	yyjson_val *items = yyjson_obj_get(root, "items");
	char found[JSON_RENDER_MAX];

	if (!yyjson_is_obj(root))
		buf_printf(error, "%s, found %s", expected,
			   json_render(root, found));
	else if (!kind)
		buf_printf(error, "%s, found an object whose kind is %s",
			   expected,
			   json_render(yyjson_obj_get(root, "kind"), found));
	else if (!find_kind(kind) && list_of(kind) < 0)
		buf_printf(error, "%s, found one %s", expected,
			   json_render(yyjson_obj_get(root, "kind"), found));
	else if (!find_kind(kind) && !yyjson_is_arr(items) &&
		 !yyjson_is_null(items))
		buf_printf(error, "%s, found a List whose items are %s",
			   expected, json_render(items, found));
	else
		return 0;
	return -EINVAL;
}

static void decoder_free(struct decoder *d)
{
	mesh_world_free(&d->world);
}

int kube_decode_list(const char *json, size_t len, struct mesh_world *out,
		     struct buf *notes, struct buf *error)
{
	_cleanup_(decoder_free) struct decoder d = {.notes = notes};
	_doc_ yyjson_doc *doc = NULL;
	yyjson_read_err bad;
	int err;

	mesh_world_init(&d.world);
	/* Not YYJSON_READ_INSITU, so yyjson does not write into the text. */
	doc = yyjson_read_opts((char *)json, len, 0, NULL, &bad);
	if (!doc)
		return broken(json, len, &bad, error);
	err = check_root(yyjson_doc_get_root(doc), error);
	err = err ?: add_item(&d, yyjson_doc_get_root(doc), 0, "", 0);
	err = err ?: world_once(&d.world, notes);
	err = err ?: notes->err;
	if (err)
		return err;
	*out = d.world;
	memset(&d.world, 0, sizeof(d.world));
	return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* Keeps each object once: joining files by hand makes doubles. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "objects/objects.h"

/* Two objects are the same if the strings at these offsets are. */
struct key {
	size_t at[2], n;
};

static const char *string_at(const void *object, size_t at)
{
	const char *text;

	memcpy(&text, (const char *)object + at, sizeof(text));
	return text;
}

static int key_cmp(const struct key *key, const void *a, const void *b)
{
	int order = 0;

	for (size_t i = 0; !order && i < key->n; i++)
		order = strcmp(string_at(a, key->at[i]),
			       string_at(b, key->at[i]));
	return order;
}

/* Order of pointers to objects. Equal ones keep the world's order, so that the
 * last one wins. */
static int ordered(const void *a, const void *b, void *key)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;

	return key_cmp(key, x, y) ?: (x > y) - (x < y);
}

/* Set drop[i] for each of the @n objects of @size at @base that is the same as
 * a later one. Return: 0 or -ENOMEM. */
static int mark_doubles(const char *base, size_t n, size_t size, struct key key,
			bool *drop)
{
	_free_ const char **v = calloc(n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		v[i] = base + i * size;
	qsort_r(v, n, sizeof(*v), ordered, &key);
	for (size_t i = 1; i < n; i++)
		if (!key_cmp(&key, v[i - 1], v[i]))
			drop[(v[i - 1] - base) / size] = true;
	return 0;
}

static int mark(const struct kind_row *kind, const void *v, size_t n,
		bool *drop)
{
	const struct key uid = {.at = {kind->uid_at}, .n = 1};
	struct key name = {.at = {kind->name_at}, .n = 1};
	int err;

	if (kind->namespaced)
		name = (struct key){{kind->ns_at, kind->name_at}, 2};
	err = mark_doubles(v, n, kind->size, name, drop);
	return err || !kind->uid_at ? err
				    : mark_doubles(v, n, kind->size, uid, drop);
}

static void note_double(struct buf *notes, const struct kind_row *kind,
			const void *object)
{
	struct json_object o = {.notes = notes,
				.name = kind->name,
				.consequence = "the later one counts"};

	json_say(&o, "%s%s%s is listed twice%s",
		 kind->namespaced ? string_at(object, kind->ns_at) : "",
		 kind->namespaced ? "/" : "", string_at(object, kind->name_at),
		 kind->uid_at ? ", or its UID is" : "");
}

static int keep_once(struct mesh_world *w, enum kind k, struct buf *notes)
{
	const struct kind_row *kind = &kinds[k];
	size_t n, kept = 0;
	char *v = kind_array(w, k, &n);
	_free_ bool *drop = calloc(n + 1, sizeof(*drop));
	int err = drop ? mark(kind, v, n, drop) : -ENOMEM;

	if (err)
		return err;
	for (size_t i = 0; i < n; i++) {
		char *o = v + i * kind->size;

		if (drop[i]) {
			note_double(notes, kind, o);
			kind->free(o);
		} else if (v + kept++ * kind->size != o) {
			memcpy(v + (kept - 1) * kind->size, o, kind->size);
		}
	}
	kind_array_set(w, k, v, kept);
	return 0;
}

int world_once(struct mesh_world *w, struct buf *notes)
{
	int err = 0;

	for (enum kind k = 0; k < KINDS; k++)
		if (kinds[k].size)
			err = err ?: keep_once(w, k, notes);
	return err;
}

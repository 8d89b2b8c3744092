// SPDX-License-Identifier: Apache-2.0
#include "kube/watch_set.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

static const char *text_of(yyjson_val *meta, const char *field)
{
	yyjson_val *val = yyjson_obj_get(meta, field);
	const char *text = yyjson_get_str(val);

	return text && strlen(text) == yyjson_get_len(val) ? text : NULL;
}

bool watch_meta_of(yyjson_val *obj, struct watch_meta *out)
{
	yyjson_val *meta = yyjson_obj_get(obj, "metadata");

	*out = (struct watch_meta){
		.ns = text_of(meta, "namespace"),
		.name = text_of(meta, "name"),
		.uid = text_of(meta, "uid"),
		.version = text_of(meta, "resourceVersion"),
	};
	return out->name && *out->name;
}

bool watch_is_list(yyjson_val *root, struct watch_meta *meta)
{
	const char *kind = yyjson_get_str(yyjson_obj_get(root, "kind"));
	yyjson_val *items = yyjson_obj_get(root, "items");
	size_t len = kind ? strlen(kind) : 0;

	watch_meta_of(root, meta);
	return len > 4 && !strcmp(kind + len - 4, "List") && meta->version &&
	       (yyjson_is_arr(items) || yyjson_is_null(items));
}

static int by_name(const void *one, const void *other)
{
	const struct kube_object *a = one, *b = other;
	int order = strcmp(a->ns, b->ns);

	return order ? order : strcmp(a->name, b->name);
}

struct watch_entry *watch_set_find(const struct watch_set *s,
				   const struct watch_meta *meta)
{
	struct kube_object key = {.ns = meta->ns ?: "", .name = meta->name};
	struct watch_entry **node = tfind(&key, &s->root, by_name);

	return node ? *node : NULL;
}

struct watch_entry *watch_set_add(struct watch_set *s,
				  const struct watch_meta *meta)
{
	struct watch_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->obj.ns = strdup(meta->ns ?: "");
	e->obj.name = strdup(meta->name);
	e->obj.uid = strdup(meta->uid ?: "");
	if (!e->obj.ns || !e->obj.name || !e->obj.uid ||
	    !tsearch(e, &s->root, by_name)) {
		watch_entry_free(e);
		return NULL;
	}
	s->n++;
	return e;
}

struct watch_entry *watch_set_any(const struct watch_set *s)
{
	/* tsearch() returns such a node, too: it begins with its key. */
	return *(struct watch_entry **)s->root;
}

void watch_set_remove(struct watch_set *s, struct watch_entry *e)
{
	tdelete(e, &s->root, by_name);
	s->n--;
}

void watch_entry_free(struct watch_entry *e)
{
	free((char *)e->obj.ns);
	free((char *)e->obj.name);
	free((char *)e->obj.uid);
	free(e->version);
	free(e);
}

/* ---- going through all ----------------------------------------------------
 */

struct walk {
	const struct watch_set *set;
	void (*each)(struct kube_object *obj, void *arg);
	void *arg;
	struct watch_entry **unseen;
	size_t n;
	bool failed;
};

static void walk_each(const void *node, VISIT visit, void *arg)
{
	struct watch_entry *e = *(struct watch_entry *const *)node;
	struct walk *w = arg;

	if (visit == postorder || visit == leaf)
		w->each(&e->obj, w->arg);
}

static void walk_unseen(const void *node, VISIT visit, void *arg)
{
	struct watch_entry *e = *(struct watch_entry *const *)node, **slot;
	struct walk *w = arg;

	if ((visit != postorder && visit != leaf) || e->seen == w->set->list)
		return;
	slot = array_push(w->unseen, w->n);
	if (slot)
		*slot = e;
	else
		w->failed = true;
}

static void walk_forget(const void *node, VISIT visit, void *arg)
{
	struct watch_entry *e = *(struct watch_entry *const *)node;

	if (visit == postorder || visit == leaf)
		free(take_ptr(e->version));
}

void watch_set_forget(struct watch_set *s)
{
	twalk_r(s->root, walk_forget, NULL);
}

void watch_set_each(const struct watch_set *s,
		    void (*each)(struct kube_object *obj, void *arg), void *arg)
{
	struct walk w = {.each = each, .arg = arg};

	twalk_r(s->root, walk_each, &w);
}

ssize_t watch_set_unseen(const struct watch_set *s, struct watch_entry ***out)
{
	struct walk w = {.set = s};

	twalk_r(s->root, walk_unseen, &w);
	if (w.failed) {
		free(w.unseen);
		return -ENOMEM;
	}
	*out = w.unseen;
	return w.n;
}

// SPDX-License-Identifier: Apache-2.0
/* Each object once: joining files by hand makes doubles. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "objects/objects.h"

/* The kinds; names are compared by `cmp`, and pods by their UID besides. */
struct once {
	const char *kind;
	size_t size;
	int (*cmp)(const void *a, const void *b); /* of objects */
	int (*cmp_uid)(const void *a, const void *b);
	/* What to call it, and free it: takes a pointer to an object. */
	void (*name)(const void *object, const char **ns, const char **name);
	void (*free)(void *object);
};

/* Comparison, naming and freeing of a type with a namespace, or without. */
#define NAMESPACED(type)                                         \
	static int type##_cmp(const void *a, const void *b)      \
	{                                                        \
		const struct mesh_##type *x = a, *y = b;         \
		int order = strcmp(x->ns, y->ns);                \
                                                                 \
		return order ? order : strcmp(x->name, y->name); \
	}                                                        \
	static void type##_name(const void *o, const char **ns,  \
				const char **name)               \
	{                                                        \
		*ns = ((const struct mesh_##type *)o)->ns;       \
		*name = ((const struct mesh_##type *)o)->name;   \
	}                                                        \
	static void type##_free(void *o)                         \
	{                                                        \
		mesh_##type##_free(o);                           \
	}
#define CLUSTER_SCOPED(type)                                    \
	static int type##_cmp(const void *a, const void *b)     \
	{                                                       \
		const struct mesh_##type *x = a, *y = b;        \
                                                                \
		return strcmp(x->name, y->name);                \
	}                                                       \
	static void type##_name(const void *o, const char **ns, \
				const char **name)              \
	{                                                       \
		*ns = NULL;                                     \
		*name = ((const struct mesh_##type *)o)->name;  \
	}                                                       \
	static void type##_free(void *o)                        \
	{                                                       \
		mesh_##type##_free(o);                          \
	}
NAMESPACED(pod)
NAMESPACED(service)
NAMESPACED(slice)
CLUSTER_SCOPED(node)
CLUSTER_SCOPED(namespace)
#undef NAMESPACED
#undef CLUSTER_SCOPED

static int pod_uid_cmp(const void *a, const void *b)
{
	return strcmp(((const struct mesh_pod *)a)->uid,
		      ((const struct mesh_pod *)b)->uid);
}

#define ONCE(kind, type)                                                 \
	kind, sizeof(struct mesh_##type), type##_cmp, NULL, type##_name, \
		type##_free

static void note_double(struct buf *notes, const struct once *once,
			const void *object)
{
	struct json_object o = {.notes = notes,
				.name = once->kind,
				.consequence = "the later one counts"};
	const char *ns, *name;

	once->name(object, &ns, &name);
	json_say(&o, "%s%s%s is listed twice%s", ns ? ns : "", ns ? "/" : "",
		 name, once->cmp_uid ? ", or its UID is" : "");
}

struct order {
	int (*cmp)(const void *a, const void *b);
};

/* Of pointers to objects. The place in the world makes the order total, so that
 * the last one wins. */
static int ordered(const void *a, const void *b, void *order)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	int by = ((struct order *)order)->cmp(x, y);

	return by ? by : (x > y) - (x < y);
}

/* Set drop[i] for each of the @n objects of @size at @base that compares equal
 * to a later one. Return: 0 or -ENOMEM. */
static int mark_doubles(char *base, size_t n, size_t size, struct order order,
			bool *drop)
{
	_free_ char **v = calloc(n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		v[i] = base + i * size;
	qsort_r(v, n, sizeof(*v), ordered, &order);
	for (size_t i = 1; i < n; i++)
		if (!order.cmp(v[i - 1], v[i]))
			drop[(v[i - 1] - base) / size] = true;
	return 0;
}

static int keep_once(const struct once *once, void *objects, size_t *n,
		     struct buf *notes)
{
	_free_ bool *drop = calloc(*n + 1, sizeof(*drop));
	char *v = objects;
	size_t kept = 0;
	int err = drop ? 0 : -ENOMEM;

	if (!err)
		err = mark_doubles(v, *n, once->size, (struct order){once->cmp},
				   drop);
	if (!err && once->cmp_uid)
		err = mark_doubles(v, *n, once->size,
				   (struct order){once->cmp_uid}, drop);
	if (err)
		return err;
	for (size_t i = 0; i < *n; i++) {
		char *o = v + i * once->size;

		if (drop[i]) {
			note_double(notes, once, o);
			once->free(o);
		} else if (v + kept++ * once->size != o) {
			memcpy(v + (kept - 1) * once->size, o, once->size);
		}
	}
	*n = kept;
	return 0;
}

int world_once(struct mesh_world *w, struct buf *notes)
{
	static const struct once pods = {"Pod",	   sizeof(struct mesh_pod),
					 pod_cmp,  pod_uid_cmp,
					 pod_name, pod_free};
	static const struct once nodes = {ONCE("SmcNode", node)};
	static const struct once spaces = {ONCE("Namespace", namespace)};
	static const struct once services = {ONCE("Service", service)};
	static const struct once slices = {ONCE("EndpointSlice", slice)};

	return keep_once(&pods, w->pods, &w->n_pods, notes)
		       ?: keep_once(&nodes, w->nodes, &w->n_nodes, notes)
		       ?: keep_once(&spaces, w->namespaces, &w->n_namespaces,
				    notes)
		       ?: keep_once(&services, w->services, &w->n_services,
				    notes)
		       ?: keep_once(&slices, w->slices, &w->n_slices, notes);
}

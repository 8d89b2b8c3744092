/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of Kubernetes objects that smcmesh reads: each is a row of kinds[].
 * The row says where the API has them, how the source "kube" watches them, how
 * one is decoded and where it goes in struct mesh_world. Code for objects of
 * any kind is a loop over the rows.
 */
#pragma once

#include "mesh/model.h"

/* They are watched, and their doubles dropped, in this order. */
enum kind {
	KIND_POD,
	KIND_NAMESPACE,
	KIND_SMCMESH,
	KIND_ASM,
	KIND_SMCNODE,
	KIND_SERVICE,
	KIND_SLICE,
	KINDS
};

struct json_object; /* objects/json.h */

struct kind_row {
	/* ---- in the API ---- */
	const char *name;  /* "Pod" */
	const char *group; /* "" is the core's */
	const char *path;  /* "/api/v1/pods" */
	const char *what;  /* "pods", "smcnodes.smcmesh.io": for people */
	bool namespaced;

	/* ---- its watch: as struct kube_watch_options (kube/watch.h) ---- */
	const char *labels;
	bool eager, optional, metadata_only;
	bool peers; /* of use only if a pod of this node is annotated */

	/* ---- where one goes ---- */
	/* Either an element of an array of the world, of `size` bytes. Offsets:
	 * in struct mesh_world of the array and of its length; in the element
	 * of its namespace (where it has one), its name, and its UID where two
	 * of one UID are doubles, too; else 0. */
	size_t size, array, n, ns_at, name_at, uid_at;
	void (*free)(void *object); /* what it holds */
	/* Or (`size` 0) a part of the configuration; reset - Set that to its
	 * defaults; other kinds' parts stay. */
	void (*reset)(struct mesh_config *c);
	/* As objects.h has it; @out: the element, or the configuration. */
	int (*decode)(struct json_object *o, void *out);
};

extern const struct kind_row kinds[KINDS];

/* kind_array - The objects of @kind in @w. Return: the first of *@n of them. */
void *kind_array(const struct mesh_world *w, enum kind kind, size_t *n);

/* kind_array_set - Set them to the @n at @v. Does nothing for kinds of the
 * configuration, which have no array. */
void kind_array_set(struct mesh_world *w, enum kind kind, void *v, size_t n);

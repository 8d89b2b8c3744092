/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of objects that the kube source watches: where they are, and what
 * they become. Only source_kube.c and kinds.c include this. */
#pragma once

#include "kube/watch.h"
#include "mesh/model.h"

enum kind {
	KIND_POD,
	KIND_NAMESPACE,
	KIND_SMCMESH,
	KIND_ASM,
	/* Of interest only where a pod of this node is annotated: */
	KIND_SMCNODE,
	KIND_SERVICE,
	KIND_SLICE,
	KINDS
};

#define KIND_PEER_FIRST KIND_SMCNODE

/* What is kept of an object: kube_object.data. */
struct held {
	struct held *next; /* among those to be freed */
	enum kind kind;
	bool valid;	  /* the union is filled */
	struct buf notes; /* of its decoding */
	union {
		char object[1]; /* any of these, as bytes */
		struct mesh_pod pod;
		struct mesh_namespace space;
		struct mesh_node node;
		struct mesh_service service;
		struct mesh_slice slice;
	};
};

struct kind_text {
	const char *path, *what, *labels; /* a selector, or NULL */
	bool optional, metadata_only, eager;
	size_t size; /* of an element of the world's array; 0: none, it goes
			into the configuration */
};

extern const struct kind_text kinds[KINDS];

/*
 * held_make - @val, decoded. A configuration object changes @config as well.
 * Return: NULL without memory (logged). What cannot be used is not valid and
 * has notes.
 */
struct held *held_make(enum kind kind, yyjson_val *val,
		       struct mesh_config *config);

/* held_free - NULL is fine. */
void held_free(struct held *h);

/* config_gone - The configuration object of @kind is not there any more. */
void config_gone(enum kind kind, struct mesh_config *config);

/* config_copy - *@out is overwritten. Return: 0 or -ENOMEM, then *@out holds
 * nothing. */
must_check int config_copy(const struct mesh_config *c,
			   struct mesh_config *out);

/* world_set - The objects of @kind in @w are those @n at @v. */
void world_set(struct mesh_world *w, enum kind kind, void *v, size_t n);

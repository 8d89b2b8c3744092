/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that a watch knows; only user/kube/watch*.c include this. */
#pragma once

#include "kube/watch.h"

struct watch_entry {
	struct kube_object obj; /* first: pointers to it find the entry */
	char *version;		/* metadata.resourceVersion */
	unsigned long seen;	/* the last list that had it */
};

struct watch_set {
	void *root;
	size_t n;
	unsigned long list; /* number of the present one */
};

/* The metadata that a watch reads. NULL: missing. */
struct watch_meta {
	const char *ns, *name, *uid, *version;
};

/* watch_meta_of - Return: false if @obj has no name. */
bool watch_meta_of(yyjson_val *obj, struct watch_meta *out);

/* watch_is_list - Is it a list, with a version? *@meta: that of the list. */
bool watch_is_list(yyjson_val *root, struct watch_meta *meta);

struct watch_entry *watch_set_find(const struct watch_set *s,
				   const struct watch_meta *meta);

/* watch_set_add - There must be no entry of that name. NULL without memory. */
struct watch_entry *watch_set_add(struct watch_set *s,
				  const struct watch_meta *meta);

/* watch_set_any - There must be one. */
struct watch_entry *watch_set_any(const struct watch_set *s);

/* watch_set_remove - Does not free the entry: watch_entry_free(). */
void watch_set_remove(struct watch_set *s, struct watch_entry *e);
void watch_entry_free(struct watch_entry *e);

/*
 * watch_set_unseen - Entries that the present list did not have, in order.
 * Return: their number, *@out to be freed by the caller; -ENOMEM.
 */
must_check ssize_t watch_set_unseen(const struct watch_set *s,
				    struct watch_entry ***out);

/* watch_set_forget - Forget the objects' versions: all are put again. */
void watch_set_forget(struct watch_set *s);

/* watch_set_each - Call @each for every entry, by namespace and name. */
void watch_set_each(const struct watch_set *s,
		    void (*each)(struct kube_object *obj, void *arg),
		    void *arg);

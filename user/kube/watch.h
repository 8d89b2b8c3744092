/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All objects at one path, kept up to date: list, watch, resume, list again.
 *
 * The list is a streaming one where the server offers it, else one with
 * resourceVersion=0. Then a watch with bookmarks, taken up again where it
 * ended; 410 lists anew. A path that is not there (404: the CRD is not
 * installed) is an empty set and no trouble; it is asked again, slowly.
 * Everything else that goes wrong is trouble, and what is known stays known
 * meanwhile.
 */
#pragma once

#include <yyjson.h>
#include "kube/client.h"

/* One object that is there. The strings are the watch's. */
struct kube_object {
	const char *ns; /* "" where it has none */
	const char *name, *uid;
	void *data; /* the owner's: starts as NULL, freed in on_delete */
};

struct kube_watch_options {
	const char *path;	    /* "/api/v1/pods", no query */
	const char *what;	    /* "pods", for people */
	const char *field_selector; /* "spec.nodeName=n1", or NULL */
	const char *label_selector;
	bool optional;	    /* a CRD's: it may not be installed */
	bool metadata_only; /* PartialObjectMetadata instead of whole objects */
	/* It is cheap to serve: while the server fails this watch asks every
	 * few seconds, others up to half a minute: kube_watch_server_back().
	 * When it is back it is asked for its version first. */
	bool eager;
	unsigned int
		first_ms; /* at most so long it waits at first, by chance */

	/*
	 * on_put - @obj is new, or has changed. All of this is called from the
	 * loop; @val is valid during the call. The watch may be closed in any
	 * of these.
	 */
	void (*on_put)(struct kube_object *obj, yyjson_val *val, void *arg);
	/* It is gone, or another one (UID) has its name now; also for each
	 * object when the watch is closed. */
	void (*on_delete)(struct kube_object *obj, void *arg);
	/* All there is was put and all else deleted; again after each list. */
	void (*on_synced)(void *arg);
	/* kube_watch_problem() is another one, or none. */
	void (*on_trouble)(void *arg);
	void *arg;
};

struct kube_watch;

/* kube_watch_open - Start; @opt is copied. Return: 0 or a negative errno. */
must_check int kube_watch_open(struct kube_client *c,
			       const struct kube_watch_options *opt,
			       struct kube_watch **out);

/* kube_watch_close - on_delete for each object, then nothing more. The memory
 * goes when the loop has closed the handles. NULL is fine. */
void kube_watch_close(struct kube_watch *w);

/* kube_watch_again - Do not wait for the end of a back-off. */
void kube_watch_again(struct kube_watch *w);

/* kube_watch_server_back - Another watch of this client is well again: nor need
 * this one wait for the end of a back-off, if it is in trouble. What it has to
 * list is spread over half a minute by how much that is, since the agents of
 * all nodes are likely to come back now. Where the server said how long to stay
 * away that holds. */
void kube_watch_server_back(struct kube_watch *w);

/* kube_version - A resourceVersion as a number (etcd's revision), which grows
 * with each change; 0: it is none. */
uint64_t kube_version(const char *text);

/* kube_watches_stand - The version at which @c's watch of @path stands; 0:
 * there is none. */
uint64_t kube_watches_stand(struct kube_client *c, const char *path);

/* kube_watches_anew - The server's versions went back, as @why tells: all
 * watches of @c list anew, and take none of the versions that they know for one
 * of the server's. Return: false: that was less than a minute ago. */
bool kube_watches_anew(struct kube_client *c, const char *why);

/* kube_watch_synced - Was it all listed once? It stays so. */
bool kube_watch_synced(const struct kube_watch *w);

/* kube_watch_age_ms - For how long nothing was heard of it: no event, no
 * bookmark (a server sends one a minute), no list. */
uint64_t kube_watch_age_ms(const struct kube_watch *w);

/* kube_watch_problem - NULL, or a sentence. */
const char *kube_watch_problem(const struct kube_watch *w);

/* kube_watch_each - Calls @each for every object, by namespace and name. */
void kube_watch_each(struct kube_watch *w,
		     void (*each)(struct kube_object *obj, void *arg),
		     void *arg);

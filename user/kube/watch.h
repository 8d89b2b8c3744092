/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All objects at one path, kept up to date: list, watch, resume, list again.
 *
 * The list is a streaming one where the server offers it, else one with
 * resourceVersion=0. Then a watch with bookmarks, taken up again where it
 * ended; 410 lists anew. A missing path (404: the CRD is not installed) is an
 * empty set and no trouble; the watch asks again, slowly. Any other failure is
 * trouble, and the known objects stay meanwhile.
 */
#pragma once

#include <yyjson.h>
#include "kube/client.h"

/* An object. The strings are the watch's. */
struct kube_object {
	const char *ns; /* "" where it has none */
	const char *name, *uid;
	void *data; /* the owner's: NULL at first, freed in on_delete */
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
	 * When the server is back the watch first asks for its version. */
	bool eager;
	unsigned int
		first_ms; /* a random wait before the start, at most this */

	/*
	 * on_put - @obj is new, or has changed. All of this is called from the
	 * loop; @val is valid during the call. The watch may be closed in any
	 * of these.
	 */
	void (*on_put)(struct kube_object *obj, yyjson_val *val, void *arg);
	/* @obj is gone, or another object (UID) has its name now; also for each
	 * object when the watch is closed. */
	void (*on_delete)(struct kube_object *obj, void *arg);
	/* on_put had all objects and the others are deleted; again after each
	 * list. */
	void (*on_synced)(void *arg);
	/* kube_watch_problem() has changed. */
	void (*on_trouble)(void *arg);
	void *arg;
};

struct kube_watch;

/* kube_watch_open - Start; @opt is copied. Return: 0 or a negative errno. */
must_check int kube_watch_open(struct kube_client *c,
			       const struct kube_watch_options *opt,
			       struct kube_watch **out);

/* kube_watch_close - Call on_delete for each object, then nothing more. The
 * memory goes when the loop has closed the handles. NULL is fine. */
void kube_watch_close(struct kube_watch *w);

/* kube_watch_again - End a back-off now. */
void kube_watch_again(struct kube_watch *w);

/* kube_watch_server_back - Another watch of this client works again: so end the
 * back-off of this one, too, if it is in trouble. A list that it must make
 * waits a random time of up to half a minute, by its length, since the agents
 * of all nodes are likely to come back now. A time that the server asked for
 * stays. */
void kube_watch_server_back(struct kube_watch *w);

/* kube_version - A resourceVersion as a number (etcd's revision), which grows
 * with each change; 0: it is not one. */
uint64_t kube_version(const char *text);

/* kube_watches_stand - The last version of @c's watch of @path; 0: none. */
uint64_t kube_watches_stand(struct kube_client *c, const char *path);

/* kube_watches_anew - The server's versions went back, as @why tells: have all
 * watches of @c list anew, and forget the versions that they know. Return:
 * false: the last time was less than a minute ago. */
bool kube_watches_anew(struct kube_client *c, const char *why);

/* kube_watch_synced - Has it listed all once? It stays so. */
bool kube_watch_synced(const struct kube_watch *w);

/* kube_watch_age_ms - How long ago it last heard anything: an event, a bookmark
 * (a server sends one a minute), a list. */
uint64_t kube_watch_age_ms(const struct kube_watch *w);

/* kube_watch_problem - NULL, or a sentence. */
const char *kube_watch_problem(const struct kube_watch *w);

/* kube_watch_each - Calls @each for every object, by namespace and name. */
void kube_watch_each(struct kube_watch *w,
		     void (*each)(struct kube_object *obj, void *arg),
		     void *arg);

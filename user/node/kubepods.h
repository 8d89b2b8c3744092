/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches the cgroups that kubelet makes for pods: a pod's directory comes
 * before its first process, so the agent has the time in which the runtime
 * makes the sandbox to arm the pod first. Their names: podname.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/cleanup.h"
#include "node/cgroup.h"
#include "node/place.h"
#include "node/podname.h"

struct kubepods;

/* The pod with this <uid> may be starting: its directory came; or, once the pod
 * is followed, a container's directory came in it, or it got its first
 * process. */
typedef void (*kubepods_fn)(const char *uid, void *arg);

/*
 * kubepods_open - Watch by inotify. Without inotify, which is logged, each
 * kubepods_scan() tries again, and finds the pods meanwhile.
 * @proc: where our own mount table is read.
 * @root: the cgroup v2 mount, or NULL. The table tells the v1 hierarchy.
 * Return: 0 (also if kubelet has made nothing yet), or a negative errno. Free
 * with kubepods_close(); NULL is fine there.
 */
must_check int kubepods_open(const char *proc, const char *root,
			     struct kubepods **out);
void kubepods_close(struct kubepods *k);

/* kubepods_fd - Readable when kubepods_read() has work. -1: no inotify; a
 * kubepods_scan() may change that, once. */
int kubepods_fd(const struct kubepods *k);

/* kubepods_read - Take a bounded number of inotify events, and call @fn.
 * Return: 0 or a negative errno. */
must_check int kubepods_read(struct kubepods *k, kubepods_fn fn, void *arg);

/* kubepods_scan - Search for directories of which no event told (a
 * --cgroup-root that appeared, watches that could not be set), and call @fn. */
void kubepods_scan(struct kubepods *k, kubepods_fn fn, void *arg);

/* kubepods_follow - Watch the inside of this pod's directories, too: of those
 * that exist, and of those that come. */
void kubepods_follow(struct kubepods *k, const char *uid);

/* kubepods_unfollow - Stop that. */
void kubepods_unfollow(struct kubepods *k, const char *uid);

bool kubepods_followed(const struct kubepods *k, const char *uid);

/* kubepods_known - Has the pod a directory? */
bool kubepods_known(const struct kubepods *k, const char *uid);

/* kubepods_any - Was a directory of kubelet's found at all? If not, the pods
 * are elsewhere, and answers about one of them mean nothing. */
bool kubepods_any(const struct kubepods *k);

/*
 * kubepods_seek - A process of a pod was found outside of kubelet's
 * directories: search for directories of containers that are named by their pod
 * (podname.h), and from now on watch beside them as in kubelet's own.
 */
void kubepods_seek(struct kubepods *k, kubepods_fn fn, void *arg);

/*
 * kubepods_place - podspace_in() of the pod's directories.
 * Return: 0; -ENOENT: it has none, or no process there is in the pod's own
 * namespace yet.
 */
must_check int kubepods_place(const struct kubepods *k, const char *proc,
			      const char *uid, struct place *out);

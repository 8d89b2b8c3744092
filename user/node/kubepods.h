/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroups that kubelet makes for pods, as they come: a pod's directory is
 * there before its first process is, so whoever is told of it has the time in
 * which the runtime makes the sandbox to be there first. Their names:
 * podname.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/cleanup.h"
#include "node/cgroup.h"
#include "node/place.h"
#include "node/podname.h"

struct kubepods;

/* Something that may be a start happened to the pod with this <uid>: its
 * directory came; or, once it is followed, a container's came in it, or it got
 * its first process. */
typedef void (*kubepods_fn)(const char *uid, void *arg);

/*
 * kubepods_open - Watch by inotify. Where that cannot be had, which is logged,
 * each kubepods_scan() tries again, and finds the pods meanwhile.
 * @proc: where our own mount table is read.
 * @root: the cgroup v2 mount, or NULL. A v1 hierarchy is found in the table.
 * Return: 0 (also where there is nothing of kubelet's yet), or a negative
 * errno. Free with kubepods_close(); NULL is fine there.
 */
must_check int kubepods_open(const char *proc, const char *root,
			     struct kubepods **out);
void kubepods_close(struct kubepods *k);

/* kubepods_fd - Readable when there is something for kubepods_read(). -1: no
 * inotify; a kubepods_scan() may change that, once. */
int kubepods_fd(const struct kubepods *k);

/* kubepods_read - Take what inotify has, a bounded amount, and tell of it.
 * Return: 0 or a negative errno. */
must_check int kubepods_read(struct kubepods *k, kubepods_fn fn, void *arg);

/* kubepods_scan - Look for directories that no event told of (a --cgroup-root
 * that appeared, watches that could not be set), and tell of them. */
void kubepods_scan(struct kubepods *k, kubepods_fn fn, void *arg);

/* kubepods_follow - Tell what happens inside of this pod's directories too, for
 * as long as these exist. Where they do not yet: from when they do. */
void kubepods_follow(struct kubepods *k, const char *uid);

/* kubepods_unfollow - No more. */
void kubepods_unfollow(struct kubepods *k, const char *uid);

bool kubepods_followed(const struct kubepods *k, const char *uid);

/* kubepods_known - Has the pod a directory? */
bool kubepods_known(const struct kubepods *k, const char *uid);

/* kubepods_any - Was a directory of kubelet's seen at all? Where not, the pods
 * are elsewhere, and an answer about one of them means nothing. */
bool kubepods_any(const struct kubepods *k);

/*
 * kubepods_seek - A process of a pod was found outside of kubelet's
 * directories: look for those of containers that are named by their pod
 * (podname.h), and from now on tell of what comes beside them as of kubelet's
 * own.
 */
void kubepods_seek(struct kubepods *k, kubepods_fn fn, void *arg);

/*
 * kubepods_place - podspace_in() of the pod's directories.
 * Return: 0; -ENOENT: it has none, or no process in them is in a namespace of
 * the pod's own yet.
 */
must_check int kubepods_place(const struct kubepods *k, const char *proc,
			      const char *uid, struct place *out);

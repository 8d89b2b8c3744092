/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods that are starting: from the moment their cgroup appears until a process
 * in it is in a network namespace of its own. kubepods.h tells of the first;
 * nothing tells of the second (setns() makes no event), so the agent looks for
 * it again and again for a short time, every millisecond at first.
 */
#pragma once

#include <uv.h>
#include "base/cleanup.h"
#include "node/place.h"

struct starts;

/*
 * The pod whose cgroup has this <uid> (podname.h): @at is its namespace, held
 * while the call lasts, or NULL: its cgroup is there, no more is known. Called
 * from the loop, perhaps more than once.
 */
typedef void (*starts_fn)(const char *uid, const struct place *at, void *arg);

/*
 * starts_open - Watch; without inotify only starts_scan() finds pods, and
 * watches as soon as it can.
 * @proc, @cgroup: as for kubepods_open(), and must outlive it.
 * Return: 0 or a negative errno, logged.
 */
must_check int starts_open(uv_loop_t *loop, const char *proc,
			   const char *cgroup, starts_fn fn, void *arg,
			   struct starts **out);

/* starts_follow - Wait for this pod's namespace, too, and call @fn with it; at
 * once if its cgroup is there already. A second call does nothing. */
void starts_follow(struct starts *s, const char *uid);
void starts_unfollow(struct starts *s, const char *uid);

/* starts_scan - Search for cgroups of which no event told. */
void starts_scan(struct starts *s);

/*
 * starts_place - The pod's namespace now. To be closed by the caller.
 * Return: 0; -ENOENT: none yet; -ESRCH: no cgroup of kubelet's is here at all,
 * look elsewhere.
 */
must_check int starts_place(const struct starts *s, const char *uid,
			    struct place *out);

/* starts_seek - A pod was found elsewhere: see kubepods_seek(). */
void starts_seek(struct starts *s);

/* starts_close - NULL is fine. Memory goes when the loop has closed the
 * handles. */
void starts_close(struct starts *s);

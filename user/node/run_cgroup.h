/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup of a program of `smcmesh run`: a child of the one that the command
 * was called in, so that its limits, and whoever stops its unit, still reach
 * the program. (Nothing else is below it, so it is above no other armed one,
 * and the agent is not in it.)
 *
 * Its name says what it is: an agent that starts later finds those of before it
 * by that, if root made them. It goes when no process is left: the agent
 * removes it, or `smcmesh cleanup`.
 */
#pragma once

#include <stdbool.h>
#include "base/cleanup.h"
#include "node/cgroup.h"

#define RUN_CGROUP_PREFIX "smcmesh.run-"

/* One that this process made, and is in. */
struct run_cgroup {
	const char *root;	      /* the cgroup v2 mount; the caller's */
	char before[CGROUP_PATH_MAX]; /* where it was, below the mount */
	char path[CGROUP_PATH_MAX];   /* likewise */
};

/*
 * run_cgroup_enter - Make one for @program (a path; its last part names the
 * cgroup, with the process' number), and move this process, of one thread, into
 * it.
 * @root: the mount of the whole cgroup v2 hierarchy; kept.
 * Return: 0, or a negative errno with nothing made: -ENODEV: this process is in
 * no cgroup below @root.
 */
must_check int run_cgroup_enter(const char *root, const char *program,
				struct run_cgroup *out);

/* run_cgroup_leave - Move back, and remove it. Return: 0 or a negative errno.
 */
must_check int run_cgroup_leave(const struct run_cgroup *c);

/* run_cgroup_is - Has @path, of a cgroup, the name of one? */
bool run_cgroup_is(const char *path);

/* run_cgroup_find - The directory of @path below @root, if it is one that root
 * made. Return: 0; -EINVAL: it has another name; -EPERM: another user made it,
 * or it lies below Kubernetes' pods; or as cgroup_named(). */
must_check int run_cgroup_find(const char *root, const char *path,
			       char dir[CGROUP_PATH_MAX]);

/*
 * run_cgroup_each - Call @fn for each that root made below @root, with its path
 * below it; @fn may remove it.
 * Return: 0, what else @fn returned, or a negative errno.
 */
typedef int (*run_cgroup_fn)(const char *path, void *arg);
must_check int run_cgroup_each(const char *root, run_cgroup_fn fn, void *arg);

/*
 * run_cgroup_remove - Remove it, and what its program made below it, if no
 * process is there.
 * @dir: its directory.
 * Return: 0: it is gone; -EBUSY: not empty; or another negative errno.
 */
must_check int run_cgroup_remove(const char *dir);

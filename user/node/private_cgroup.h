/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cgroup v2 for one process, so that a BPF program can be attached to that
 * process alone.
 *
 * It is made in a mount of its own, that nobody else sees: so it needs no mount
 * of the hierarchy, and works where a container has it read-only. It lies below
 * the root that the caller's cgroup namespace shows.
 */
#pragma once

#include "base/cleanup.h"

#define PRIVATE_CGROUP_PREFIX "smcmesh-" /* of its directory's name */

struct private_cgroup {
	int mount, fd; /* fd: of its directory, for bpf() */
	char name[64];
};

#define PRIVATE_CGROUP_NONE ((struct private_cgroup){-1, -1, ""})

/*
 * private_cgroup_make - Make an empty one.
 * @what: a word for its name.
 * Return: 0, or a negative errno with nothing made: -EPERM: it needs
 * CAP_SYS_ADMIN; -ENODEV: the kernel has no cgroup v2.
 */
must_check int private_cgroup_make(const char *what,
				   struct private_cgroup *out);

/* private_cgroup_enter - Move the calling process, of one thread, into it: for
 * a child that ends there. Return: 0 or a negative errno. */
must_check int private_cgroup_enter(const struct private_cgroup *c);

/* private_cgroup_drop - Remove it, once its processes have been waited for;
 * PRIVATE_CGROUP_NONE is fine. A failure is logged. */
void private_cgroup_drop(struct private_cgroup *c);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods by their cgroups: which directory of the cgroup v2 tree is a pod's, and
 * its id.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include "base/cleanup.h"

#define CGROUP_PATH_MAX 4096

/* cgroup_v1_mount - The mount of the v1 hierarchy with @controller ("pids",
 * "name=systemd"), by @proc's mount table. Return: 0 with its path in @path,
 * -ENOENT: there is none, or another errno. */
must_check int cgroup_v1_mount(const char *proc, const char *controller,
			       char path[CGROUP_PATH_MAX]);

/*
 * cgroup_find_pod - The directory of pod @uid below @root.
 * Return: 0; -ENOENT: there is none (yet), also on a hybrid host whose kubelet
 * uses only v1; or another errno.
 */
must_check int cgroup_find_pod(const char *root, const char *uid,
			       char path[CGROUP_PATH_MAX]);

/*
 * cgroup_named - The directory of the cgroup that is called @name ("/a/b")
 * below @root, a mount's (NULL: there is none).
 * Return: 0; -ENOENT: there is none; -ENOTDIR: a file of a cgroup has that
 * name; or another negative errno. @path has its name also with -ENOENT.
 */
must_check int cgroup_named(const char *root, const char *name,
			    char path[CGROUP_PATH_MAX]);

/* cgroup_holds - Is process @pid in the cgroup v2 directory @path, or below?
 * True also where that cannot be read. */
bool cgroup_holds(const char *path, pid_t pid);

/*
 * cgroup_id - The 64-bit id of a directory, as bpf_get_current_cgroup_id() and
 * the kernel's cgroup->kn->id have it. Return: 0 or a negative errno.
 */
must_check int cgroup_id(const char *path, __u64 *out);

/* cgroup_populated - Is a process in the cgroup v2 directory @path, or below?
 * True also if the kernel does not tell. */
bool cgroup_populated(const char *path);

/* cgroup_alive - Is there still a cgroup of this id in the hierarchy mounted at
 * @root? True also if the kernel does not tell. */
bool cgroup_alive(const char *root, __u64 id);

/* SPDX-License-Identifier: Apache-2.0 */
/* Processes, as /proc or a copy of its layout shows them. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <linux/types.h>
#include "base/cleanup.h"

#define PROC_DEFAULT "/proc"

/* Which namespace: what /proc/PID/ns/KIND is. */
struct ns_id {
	dev_t dev;
	ino_t ino;
};

static inline bool ns_same(const struct ns_id *a, const struct ns_id *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

/* ns_of_path - Return: 0, or a negative errno. */
must_check int ns_of_path(const char *path, struct ns_id *out);

/* netns_own_cookie - SO_NETNS_COOKIE of the caller's network namespace; 0: this
 * kernel has none. */
__u64 netns_own_cookie(void);

/*
 * A process: its number may be given again once it has ended, but with another
 * start.
 */
struct proc_id {
	pid_t pid;	 /* 0: none */
	long long start; /* ticks since boot */
};

/*
 * proc_open - Open the directory of process @pid below @proc. It stays that
 * process': when the process has ended nothing in it can be opened any more
 * (ESRCH), even if another one has its number (get_proc_task(),
 * fs/proc/base.c).
 * Return: a descriptor for openat(), or a negative errno.
 */
must_check int proc_open(const char *proc, pid_t pid);

/* proc_start_of - When did the process with directory @dir start? Ticks since
 * boot, to compare by; or a negative errno. */
must_check long long proc_start_of(int dir);

/* proc_ns_of - Namespace @kind ("net", "user") of the process whose directory
 * is @dir. */
must_check int proc_ns_of(int dir, const char *kind, struct ns_id *out);

/* proc_ns - Namespace @kind ("net", "user") of process @pid below @proc. */
must_check int proc_ns(const char *proc, pid_t pid, const char *kind,
		       struct ns_id *out);

/*
 * proc_file_beside - The path of another file of the same process.
 * @netns: PROC/PID/ns/net. @name: "cgroup" for PROC/PID/cgroup.
 * Return: is @netns of that form?
 */
bool proc_file_beside(const char *netns, const char *name, char path[PATH_MAX]);

/*
 * proc_each - Call @fn for each process below @proc, in no order. One that
 * ends meanwhile may be called for, too.
 * Return: 0, what @fn returned if not 0, or a negative errno.
 */
typedef int (*proc_fn)(pid_t pid, void *arg);
int proc_each(const char *proc, proc_fn fn, void *arg);

/*
 * proc_holds_sockets - Which of these sockets has a process open as a file?
 * @inode: their inode numbers, @held: one answer for each.
 * Reads every process' descriptors: for rare use only. A process that we may
 * not look into holds nothing.
 */
void proc_holds_sockets(const char *proc, const unsigned long *inode,
			bool *held, size_t n);

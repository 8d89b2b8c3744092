/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does one job inside another network namespace, in a process made for it.
 *
 * The helper is forked, enters the namespace, runs one function, sends its
 * answer over a pipe and ends. Whatever the job does (a netlink request that
 * never answers, a library that calls exit()) cannot hold up or end the caller,
 * and the caller never leaves its own namespace.
 */
#pragma once

#include <linux/types.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "node/proc.h"

/*
 * Where a namespace is found, and which one it is. A path alone leads to
 * whatever is there when the helper opens it, so the caller says which
 * namespace it found there before.
 */
struct netns_ref {
	const char *path; /* /run/netns/NAME or /proc/PID/ns/net */
	/* Of the descriptor that the caller holds open meanwhile (place.h), so
	 * that no other namespace can have these numbers. ino 0: not known. */
	struct ns_id id;
	__u64 cookie;	  /* SO_NETNS_COOKIE in it; 0: not known */
	const char *proc; /* the agent's --proc; NULL: /proc */
	/* datapath_ctrl_names(): the values of net.smc.hs_ctrl that are ours.
	 * NULL: none is. */
	char *const *ours;
	/* The agent's --run, where changes of SMC's settings are recorded.
	 * NULL: none is looked for. */
	const char *run;
	/* It is a pod's alone: so connections to its addresses must end in it,
	 * and a look makes sure of that (forwards.h). Not set for the
	 * host's. */
	bool pods;
};

/*
 * In one namespace: enough for an emulated machine, and the longest that a pod
 * which makes it slow on purpose can hold up the agent. Time in which a helper,
 * its own helper, or the process that waits for it, waits for a processor does
 * not count, up to so many times that: a busy node says nothing of the pod,
 * which the agent would disarm for it.
 */
#define HELPER_TIMEOUT_MS 1000
#define HELPER_EXCUSED 3
/* For all namespaces, one after the other. */
#define HELPER_ALL_TIMEOUT_MS 3000

/*
 * helper_fn - The job. Runs in the helper, in the namespace; descriptors and
 * memory that it leaves end with it.
 * @arg: as given to helper_run(): a copy-on-write image of the caller's.
 * @answer: bytes for the caller.
 * Return: >= 0, or a negative errno.
 */
typedef int (*helper_fn)(const void *arg, struct buf *answer);

/* A helper that runs while the caller does something else. */
struct helper {
	int fd; /* readable: call helper_take() */
	/* the rest is helper.c's */
	int place, timeout_ms;
	long long begun_ms, late_ms;
	struct buf raw;
};

/*
 * helper_start - As helper_run(), but do not wait.
 * Return: 0: call helper_take() when h->fd is readable, and now and then after
 * the end of the time, until it returns other than -EAGAIN, or helper_stop().
 * Or -EBUSY as below or another errno: nothing was started.
 */
must_check int helper_start(struct helper *h, const struct netns_ref *netns,
			    helper_fn fn, const void *arg, int timeout_ms);

/*
 * helper_take - Has it answered?
 * Return: -EAGAIN: not yet; else as helper_run(), and the helper is gone: no
 * more calls with @h.
 */
must_check int helper_take(struct helper *h, struct buf *answer);

/* helper_stop - End a started helper, and drop its answer. */
void helper_stop(struct helper *h);

/*
 * helper_run - Run @fn in the network namespace @netns, or in the caller's own
 * where @netns is NULL.
 * @answer: appended to only if the helper answered; may be NULL.
 * @timeout_ms: the helper is killed after that; see HELPER_EXCUSED.
 *
 * Return: what @fn returned; -ENOENT: no such path, or another namespace is
 * there by now than @netns says; -EINVAL: it is not a network namespace;
 * -ETIMEDOUT: it was too slow; -ETIME: this machine had no processor for it,
 * for HELPER_EXCUSED times that, which says nothing of the namespace; -EIO: the
 * helper ended without an answer; -EBUSY: too many killed helpers have still
 * not ended; or another errno. (A job's own -EAGAIN arrives as -EIO.)
 */
must_check int helper_run(const struct netns_ref *netns, helper_fn fn,
			  const void *arg, int timeout_ms, struct buf *answer);

/* helper_enter - For a job that goes through several namespaces: enter @netns.
 * Return: 0, -ENOENT, -EINVAL or another errno as helper_run(). */
must_check int helper_enter(const struct netns_ref *netns);

/* helper_copy - Copy an answer that must have @size bytes: structs as the job
 * put them. Return: 0; -EIO: it has more or fewer, and @out is untouched. */
must_check int helper_copy(const struct buf *answer, void *out, size_t size);

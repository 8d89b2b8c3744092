/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds out whether the RDMA path between two ports works, both ways, without
 * SMC.
 *
 * The helper sends an RDMA-CM request to a service at which nobody listens. The
 * peer's kernel rejects it ("invalid service ID") by a datagram, so that an
 * answer has passed both directions of the very path that SMC-R would use: the
 * same GIDs, the same UDP port 4791. The peer needs no program of ours, neither
 * side takes a lock of SMC, and nothing stays. An answer does not prove that
 * large packets, or reliable queue pairs, work.
 *
 * The helper uses four commands of the kernel's own interface,
 * /dev/infiniband/rdma_cm (rdma/rdma_user_cm.h). librdmacm would do too much:
 * it opens the verbs device by its vendor's provider and allocates a protection
 * domain, just to report that an address was resolved.
 */
#pragma once

#include <linux/types.h>
#include "base/addr.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "node/helper.h"

/* So many paths at a time: the kernel keeps one request for each. */
#define PROBE_MAX 256
/* Ten times what an emulated machine takes. */
#define PROBE_TIMEOUT_MS 500

struct probe {
	/* Path of the namespace that has the own port; NULL: the caller's. And
	 * the cookie that must still be found there; 0: not known. */
	const char *netns;
	__u64 cookie;
	/* IPv4 addresses of the two RDMA ports, which make their RoCEv2
	 * GIDs. */
	struct smc_addr own, peer;
	/*
	 * 0: the path works. -ETIMEDOUT, -EHOSTUNREACH, -ENETUNREACH: no
	 * answer, or no neighbour to send to. -ENOENT: the namespace is gone;
	 * -ENODEV: no RDMA device in it has @own; -EINVAL: not two IPv4
	 * addresses; or another errno.
	 */
	int result;
	__u32 us; /* from the request to its answer; 0: there was none */
	/* When the answered request went out, CLOCK_MONOTONIC: the path worked
	 * then. 0: there was no answer. */
	__u64 sent_ns;
};

/* Where the helper finds what a container may not have. */
struct probe_host {
	/* Where process 1 is seen: its /dev has rdma_cm where the caller's own
	 * has none, and its cgroup namespace is that of the whole tree. NULL:
	 * /proc. */
	const char *proc;
	/* The root of the cgroup v2 tree, or NULL. The device filter of a
	 * container's cgroup keeps everyone in it from opening rdma_cm; so the
	 * helper starts a child in the root. A process that may do that
	 * (CAP_SYS_ADMIN) could lift the filter anyway. */
	const char *cgroup;
};

/* probe_check - Can any path be probed here? Return: 0; -ENODEV: there is no
 * rdma_cm; or another negative errno. */
must_check int probe_check(const char *proc);

/*
 * probe_start - Probe all of these at once, by one helper, which goes from
 * namespace to namespace: so sort them by that. Does not wait.
 * @v:    copied. @n: at most PROBE_MAX.
 * @ms:   how long the helper waits for an answer. It repeats a request without
 *        one after half of that, so one lost packet is no dead path. Time in
 *        which it could not run does not count, up to @ms.
 * Return: 0; then call probe_take() when h->fd is readable, and again twice
 * @ms and a second later; or a negative errno: -E2BIG, or as helper_start().
 */
must_check int probe_start(struct helper *h, const struct probe_host *host,
			   const struct probe *v, size_t n, int ms);

/*
 * probe_take - Put the answers into result and us of @v, the same @n as above.
 * Return: 0; -EAGAIN: not yet; or another negative errno, with the helper gone
 * and @v untouched: -ENODEV: no rdma_cm on this machine (a module that is not
 * loaded: rdma_ucm); -EPERM: the helper may not open it; or as helper_take().
 */
must_check int probe_take(struct helper *h, struct probe *v, size_t n);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the RDMA path between two ports whole, both ways? Asked without SMC.
 *
 * An RDMA-CM request goes out to a service at which nobody listens. The peer's
 * kernel rejects it ("invalid service ID") by a datagram of its own, so that an
 * answer has passed both directions of the very path that SMC-R would use: the
 * same GIDs, the same UDP port 4791. Nothing of ours runs at the peer, no lock
 * of SMC is taken on either side, and nothing stays. What an answer does not
 * prove: large packets, and reliable queue pairs.
 *
 * The request is made by the kernel's own interface, /dev/infiniband/rdma_cm
 * (rdma/rdma_user_cm.h): four of its commands. librdmacm would do more than is
 * wanted: it opens the verbs device by its vendor's provider and takes a
 * protection domain, just to tell that an address was resolved.
 */
#pragma once

#include <linux/types.h>
#include "base/addr.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "node/helper.h"

/* So many paths at a time: one request for each waits in the kernel. */
#define PROBE_MAX 256
/* Ten times what an emulated machine takes. */
#define PROBE_TIMEOUT_MS 500

struct probe {
	/* The namespace of its own port, a path; NULL: the caller's. And the
	 * cookie that it must still have; 0: not known. */
	const char *netns;
	__u64 cookie;
	/* Of the two RDMA ports, IPv4: a RoCEv2 GID is made of just that. */
	struct smc_addr own, peer;
	/*
	 * 0: whole. -ETIMEDOUT, -EHOSTUNREACH, -ENETUNREACH: no answer, or not
	 * even a neighbour to send to. -ENOENT: it is not there; -ENODEV:
	 * @own is of no RDMA device of it; -EINVAL: not two IPv4 addresses; or
	 * another errno.
	 */
	int result;
	__u32 us; /* from the request to its answer; 0: there was none */
	/* When the request that was answered went out, CLOCK_MONOTONIC: so long
	 * ago the path was whole. 0: there was no answer. */
	__u64 sent_ns;
};

/* Where the helper finds what a container may not have. */
struct probe_host {
	/* Where process 1 is seen: its /dev has rdma_cm where the caller's own
	 * has none, and its cgroup namespace is that of the whole tree. NULL:
	 * /proc. */
	const char *proc;
	/* The root of the cgroup v2 tree, or NULL. A container's device filter,
	 * which is its cgroup's, lets nobody open rdma_cm; so there the helper
	 * has a child that begins in the root. Who may do that (CAP_SYS_ADMIN)
	 * could let itself in anyway. */
	const char *cgroup;
};

/* probe_check - Can any path be probed here? Return: 0; -ENODEV: there is no
 * rdma_cm; or another negative errno. */
must_check int probe_check(const char *proc);

/*
 * probe_start - Ask all of these at once, by one helper, which goes from
 * namespace to namespace: those of one had better stand together. It does not
 * wait.
 * @v:    copied. @n: at most PROBE_MAX.
 * @ms:   how long an answer is waited for. A request that was not answered in
 *        half of that is repeated, so one lost packet is not taken for a dead
 *        path. Times in which the helper could not run are not counted, as long
 *        as they are no more than @ms.
 * Return: 0; then call probe_take() when h->fd is readable, and again twice
 * @ms and a second later; or a negative errno: -E2BIG, or as helper_start().
 */
must_check int probe_start(struct helper *h, const struct probe_host *host,
			   const struct probe *v, size_t n, int ms);

/*
 * probe_take - What was answered, to result and us of @v, the same @n as above.
 * Return: 0; -EAGAIN: not yet; or another negative errno, with the helper gone
 * and @v untouched: -ENODEV: no rdma_cm on this machine (a module that is not
 * loaded: rdma_ucm); -EPERM: it may not be opened; or as helper_take().
 */
must_check int probe_take(struct helper *h, struct probe *v, size_t n);

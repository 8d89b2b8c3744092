/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work inside a pod's network namespace. Each call forks a short-lived helper
 * that enters the namespace, does the one thing and answers over a pipe
 * (helper.h); the agent itself never changes namespace, and holds none for
 * longer than it looks at it (place.h). A helper that does not answer within a
 * second is killed, and the call fails with -ETIMEDOUT.
 *
 * Every call fails with -ENOENT where there is no such path or where it leads
 * to another namespace than @ref says (struct netns_ref), and with -EINVAL
 * where it is not a network namespace.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <smcmesh/reasons.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "mesh/model.h"
#include "node/diag.h"
#include "node/helper.h"
#include "node/place.h"
#include "node/sidecar.h"
#include "node/smc.h"

/* What the pod's object says about a proxy: it counts where no rule does. */
struct netns_sidecar {
	bool hinted;
	struct smc_owner owner; /* in the pod's user namespace */
};

/* What the datapath has, for a namespace to use. */
struct netns_use {
	const char *selector; /* datapath_selector(): its row's name */
	const char *ctrl;     /* datapath_ctrl_name(): what it is told */
};

struct netns_facts {
	bool verified;		/* selector read back and trial socket made */
	enum smc_reason reason; /* why not */
	int err;		/* 0 or the negative errno behind the reason */
	char detail[128];	/* e.g. the foreign hs_ctrl's name, or "" */
	char ctrl[SMC_CTRL_NAME_MAX]; /* net.smc.hs_ctrl as it is now, or "" */
	bool ctrl_is_ours;
	__u64 cookie, inode, dev;
	__u32 transports;     /* SMC_TRANSPORT_* usable in this namespace */
	struct smc_addr rdma; /* of its first usable RDMA port; zero: none */
	struct sidecar_found sidecar;
	/* the same owners, as the init user namespace counts */
	struct smc_owner owners[SMC_OWNERS];
	struct mesh_addrs addrs; /* usable addresses of its interfaces */
};

/*
 * netns_prepare - Make a namespace safe to arm, and look at it, in this
 * order: whom the namespace's own rules let pass, and the rule of ours that
 * follows from that (sidecar.h); the selector set unless something foreign is
 * there, and read back (selector.h); in a pod's own, whether what comes to it
 * ends there (forwards.h); a trial IPPROTO_SMC socket. Idempotent; called again
 * it verifies and heals. What comes after a step that failed is not done.
 * @use: no such selector, or nothing to tell it: SMC_REASON_NO_SELECTOR.
 * @sidecar: NULL: the rules are left alone. They are the host's.
 *
 * Return: 0 with @out filled (also where not verified: out->reason), or a
 * negative errno: no such namespace (-ENOENT), no answer. Free with
 * netns_facts_free().
 */
must_check int netns_prepare(const struct netns_ref *ref,
			     const struct netns_use *use,
			     const struct netns_sidecar *sidecar,
			     struct netns_facts *out);
void netns_facts_free(struct netns_facts *f);

/*
 * netns_look - The same facts, changing nothing: verified if a selector of
 * ours (any generation) is there and a trial socket could be made. The rules
 * are not looked at.
 */
must_check int netns_look(const struct netns_ref *ref, struct netns_facts *out);

/*
 * netns_slow_here - The control of a look that timed out: a look into this
 * process's own namespace, which no pod can make slow. A throttled agent, or a
 * machine that shares its processors with others, is slow there as well.
 * @proc: the agent's --proc; NULL: /proc
 * Return: true: that took longer than a quarter of what a look has.
 */
bool netns_slow_here(const char *proc);

/* netns_smc_sockets - How many SMC sockets live there: 0 where the kernel has
 * no SMC; -ENOENT where it has, but no diagnosis of it. Return: count or
 * negative errno. */
must_check int netns_smc_sockets(const struct netns_ref *ref);

/*
 * netns_guarded - Do SMC sockets live in any namespace that has a selector of
 * ours? One helper goes through all that netns_each() finds.
 * @proc, @ours: as in struct netns_ref.
 * Return: 1, 0, or a negative errno: not known.
 */
must_check int netns_guarded(const char *proc, char *const *ours);

/* What netns_release() undid. */
struct netns_released {
	bool selector;	 /* net.smc.hs_ctrl was ours and is empty now */
	bool rule;	 /* our nftables table is gone */
	int smc_sockets; /* or a negative errno: not known, taken for some */
	bool kept;	 /* SMC sockets live there and !force: selector stays */
};

/*
 * netns_release - `cleanup` in one namespace: what is not ours stays. Where the
 * selector is kept, so is the rule: converted sockets still need it.
 * Return: 0, or the first negative errno; @out then says what was done before.
 */
must_check int netns_release(const struct netns_ref *ref, bool force,
			     struct netns_released *out);

/* What of ours a namespace has. */
struct netns_left {
	char ctrl[SMC_CTRL_NAME_MAX]; /* net.smc.hs_ctrl, if it is ours, or ""
				       */
	bool rule;		      /* our nftables table */
};

/*
 * netns_left - What netns_release() would undo, and no more than that: it is
 * asked of every namespace again and again. Loads nothing of SMC.
 * Return: 0, or the first negative errno; @out then has what could be read.
 */
must_check int netns_left(const struct netns_ref *ref, struct netns_left *out);

/*
 * netns_each - Every network namespace that can be found, each once: mounted in
 * /run/netns, each process' below @proc, mounted in the host's /run/netns as
 * process 1 below @proc sees it. All are held until the last was visited, so
 * that none has the number of another that was.
 * A namespace that only an open descriptor or one thread of a process keeps
 * alive is not found.
 * @fn: returns 0 to go on; -ENOENT: it is gone from this path, another to the
 * same namespace counts as new. @at: held; closed by us.
 * Return: 0, what else @fn returned, or a negative errno.
 */
typedef int (*netns_fn)(const struct place *at, void *arg);
must_check int netns_each(const char *proc, netns_fn fn, void *arg);

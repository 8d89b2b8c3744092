/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work inside a pod's network namespace. Each call forks a short-lived helper
 * that enters the namespace, does one thing and answers over a pipe (helper.h);
 * the agent itself never changes its namespace, and holds another one only
 * while it looks at it (place.h). A helper that does not answer within a second
 * is killed, and the call fails with -ETIMEDOUT.
 *
 * Every call fails with -ENOENT where there is no such path or where it leads
 * to another namespace than @ref says (struct netns_ref), and with -EINVAL
 * where it is not a network namespace.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <linux/types.h>
#include <smcmesh/reasons.h>
#include "base/buf.h"
#include "base/cleanup.h"
#include "mesh/model.h"
#include "node/diag.h"
#include "node/helper.h"
#include "node/ns_settings.h"
#include "node/place.h"
#include "node/sidecar.h"
#include "node/smc.h"

/* The pod's object names a proxy: it counts where no rule does. */
struct netns_sidecar {
	bool hinted;
	struct smc_owner owner; /* in the pod's user namespace */
};

/* The datapath's selector, for a namespace to use. */
struct netns_use {
	const char *selector; /* datapath_selector(): its row's name */
	const char *ctrl;     /* datapath_ctrl_name(): its value */
	const struct settings_want *settings; /* NULL: leave them alone */
};

/* What the `ctrl` of a namespace says whose selector is filters on its devices.
 */
#define NETNS_FILTERS "synfilter"

static inline bool netns_has_filters(const char *ctrl)
{
	return !strcmp(ctrl, NETNS_FILTERS);
}

struct netns_facts {
	bool verified;		/* selector read back and trial socket made */
	enum smc_reason reason; /* why not */
	int err;		/* 0 or the negative errno behind the reason */
	char detail[128];	/* e.g. the foreign hs_ctrl's name, or "" */
	/* net.smc.hs_ctrl as it is now, NETNS_FILTERS, or "" */
	char ctrl[SMC_CTRL_NAME_MAX];
	bool ctrl_is_ours;
	__u64 cookie, inode, dev;
	__u32 transports;     /* SMC_TRANSPORT_* usable in this namespace */
	struct smc_addr rdma; /* of its first usable RDMA port; zero: none */
	char deaf[64];	      /* rdma_device.deaf is set of this one, or "" */
	struct sidecar_found sidecar;
	/* the same owners, with IDs of the init user namespace */
	struct smc_owner owners[SMC_OWNERS];
	struct mesh_addrs addrs;	/* usable addresses of its interfaces */
	struct settings_facts settings; /* where verified: netns_prepare() */
};

/*
 * netns_prepare - Make a namespace safe to arm, and look at it, in this order:
 * find whom its rules let pass, and set the rule of ours that this needs
 * (sidecar.h); set the selector unless a foreign one is there, and read it back
 * (selector.h); in a pod's own, find whether packets to it end there
 * (forwards.h); make a trial IPPROTO_SMC socket. The first failure ends it.
 * Where nothing fails SMC's settings are made as wanted (ns_settings.h).
 * Idempotent; called again it verifies and heals.
 * @use: without a selector, or its value: SMC_REASON_NO_SELECTOR.
 * @sidecar: NULL: leave the rules alone: they are the host's.
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
 * netns_look - The same facts, changing nothing: verified if a selector of ours
 * (any generation) is there and a trial socket could be made. Does not look at
 * the rules.
 */
must_check int netns_look(const struct netns_ref *ref, struct netns_facts *out);

/*
 * netns_slow_here - The control for a look that timed out: look into this
 * process's own namespace, which no pod can make slow. A throttled agent, or a
 * machine that shares its processors, is slow there as well.
 * @proc: the agent's --proc; NULL: /proc
 * Return: did that take longer than a quarter of a look's time?
 */
bool netns_slow_here(const char *proc);

/* netns_smc_sockets - How many SMC sockets are there: 0 if the kernel has no
 * SMC; -ENOENT if it has SMC, but no diagnosis of it. Return: count or negative
 * errno. */
must_check int netns_smc_sockets(const struct netns_ref *ref);

/*
 * netns_guarded - Are there SMC sockets in any namespace with a selector of
 * ours? One helper goes through all that netns_each() finds.
 * @proc, @ours: as in struct netns_ref.
 * Return: 1, 0, or a negative errno: not known.
 */
must_check int netns_guarded(const char *proc, char *const *ours);

/* What netns_release() undid. */
struct netns_released {
	bool selector;	  /* net.smc.hs_ctrl was ours, is empty */
	bool rule;	  /* our nftables table was removed */
	int smc_sockets;  /* or a negative errno: not known, counts as some */
	bool kept;	  /* SMC sockets there and !force: selector stays */
	int settings_err; /* of settings_undo() */
};

/*
 * netns_release - `cleanup` in one namespace: removes only what is ours. If it
 * keeps the selector it keeps the rule, too: converted sockets still need it.
 * @said: settings_undo()'s lines.
 * Return: 0, or the first negative errno; @out then says what it did before.
 */
must_check int netns_release(const struct netns_ref *ref, bool force,
			     struct netns_released *out, struct buf *said);

/* What a namespace has of ours. */
struct netns_left {
	char ctrl[SMC_CTRL_NAME_MAX]; /* as netns_facts.ctrl; "": not ours */
	bool rule;		      /* our nftables table */
	unsigned int settings;	      /* changed by us: settings_left() */
};

/*
 * netns_left - What netns_release() would undo, and no more: the agent asks
 * this of every namespace again and again. Does not load SMC.
 * @said: settings_left()'s lines.
 * Return: 0, or the first negative errno; @out then has what could be read.
 */
must_check int netns_left(const struct netns_ref *ref, struct netns_left *out,
			  struct buf *said);

/*
 * netns_each - Visit every network namespace that can be found, each once:
 * mounted in /run/netns, each process' below @proc, mounted in the host's
 * /run/netns as process 1 below @proc sees it. It holds all until the last is
 * visited, so that no number is given again meanwhile.
 * It does not find a namespace that only an open descriptor or one thread of a
 * process keeps alive.
 * @fn: returns 0 to go on; -ENOENT: it has left this path; another path to it
 * counts as new. @at: held; netns_each() closes it.
 * Return: 0, what else @fn returned, or a negative errno.
 */
typedef int (*netns_fn)(const struct place *at, void *arg);
must_check int netns_each(const char *proc, netns_fn fn, void *arg);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work inside a pod's network namespace. Each call forks a short-lived helper
 * that enters the namespace, does the one thing and answers over a pipe; the
 * agent itself never changes namespace and keeps none open. A helper that does
 * not answer within a few seconds is killed, and the call fails with
 * -ETIMEDOUT.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <smcmesh/reasons.h>
#include "base/buf.h"
#include "mesh/model.h"

/* Where a namespace is found. */
struct netns_ref {
	const char *path; /* /run/netns/NAME or /proc/PID/ns/net */
};

struct netns_sidecar {
	bool wanted;
	__u32 proxy_uid; /* in the pod's user namespace */
	__u32 mark, mark_mask;
};

struct netns_facts {
	bool verified;		/* selector read back and trial socket made */
	enum smc_reason reason; /* why not */
	int err;		/* 0 or the negative errno behind the reason */
	char detail[128];	/* e.g. the foreign hs_ctrl's name, or "" */
	__u64 cookie, inode, dev;
	__u32 transports;  /* SMC_TRANSPORT_* usable in this namespace */
	__u32 convert_uid; /* proxy's UID in the init user namespace, or ANY */
	struct mesh_addrs addrs; /* usable addresses of its interfaces */
};

/*
 * netns_prepare - Make a namespace safe to arm, and look at it, in this
 * order: the sidecar rule where wanted; @ctrl into its net.smc.hs_ctrl unless
 * something foreign is there, and read back; a trial IPPROTO_SMC socket.
 * Idempotent; called again it verifies and heals.
 * @ctrl: datapath_ctrl_name().
 * Return: 0 with @out filled (also where not verified: out->reason), or a
 * negative errno: no such namespace (-ENOENT), no answer. Free with
 * netns_facts_free().
 */
int netns_prepare(const struct netns_ref *ref, const char *ctrl,
		  const struct netns_sidecar *sidecar, struct netns_facts *out);
void netns_facts_free(struct netns_facts *f);

/* netns_look - The same facts, changing nothing. */
int netns_look(const struct netns_ref *ref, struct netns_facts *out);

/* TCP listeners that are not SMC sockets: opened before arming. */
struct netns_listener {
	struct smc_addr addr;
	__u16 port;
};

/* netns_late_listeners - Allocates *@out. Return: count or negative errno. */
int netns_late_listeners(const struct netns_ref *ref,
			 struct netns_listener **out);

/* netns_smc_sockets - How many SMC sockets live there. Return: count or
 * negative errno. */
int netns_smc_sockets(const struct netns_ref *ref);

/* What netns_release() undoes. */
struct netns_released {
	bool selector; /* net.smc.hs_ctrl was ours and is empty now */
	bool rule;     /* our nftables table is gone */
	int smc_sockets;
	bool kept; /* SMC sockets live there and !force: selector stays */
};

/* netns_release - `cleanup` in one namespace: what is not ours stays. */
int netns_release(const struct netns_ref *ref, bool force,
		  struct netns_released *out);

/*
 * netns_each - Every network namespace that can be found: /run/netns, and
 * each process' below @proc, each once (by inode).
 */
typedef int (*netns_fn)(const char *path, __u64 inode, void *arg);
int netns_each(const char *proc, netns_fn fn, void *arg);

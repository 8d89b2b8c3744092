/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which pod a socket or a task belongs to, and how the kernel's sockets are
 * read.
 *
 * The cookie of a namespace finds the pod that has it to itself. Where that row
 * says SMC_POD_SHARED the cgroup decides: the socket's, for a softirq runs on
 * top of any task.
 */
#pragma once

#include "verdict.bpf.h"
#include <bpf/bpf_core_read.h>

/* There are five or six cgroups from a pod's container up to kubepods; nested
 * containers (kind, docker in a pod) double that. */
#define SMC_CGROUP_DEPTH 16

/* include/linux/cgroup-defs.h, in an enum without a name. rmdir clears it. */
#define CSS_ONLINE 2

/* smc_has_hs_ctrl - Does this kernel have the selector hs_ctrl? Then synfilter
 * is never used. A build for tests leaves it out (make SELECTOR=synfilter). */
static __always_inline bool smc_has_hs_ctrl(void)
{
#ifdef SMC_WITHOUT_HS_CTRL
	return false;
#else
	return bpf_core_field_exists(struct netns_smc, hs_ctrl);
#endif
}

/* smc_selected - Has this namespace a selector, so that something there may be
 * ours? Hooks that all programs run through ask this first: hs_ctrl is one
 * pointer; where the selector is synfilter the namespace's row tells. */
static __always_inline bool smc_selected(const struct net *net)
{
	__u64 cookie;

	if (smc_has_hs_ctrl())
		return net->smc.hs_ctrl != NULL;
	cookie = net->net_cookie;
	return bpf_map_lookup_elem(&smc_netns, &cookie) != NULL;
}

/* What smc_pod_of_*() found. */
struct smc_whose {
	struct smc_pod *pod; /* NULL: not an armed pod's */
	bool shared;	     /* others' sockets there pass */
};

/* smc_pod_of_cgroup - The row of @cg or of its nearest ancestor that has one.
 */
static __always_inline struct smc_pod *smc_pod_of_cgroup(struct cgroup *cg)
{
	struct cgroup_subsys_state *parent;
	struct smc_pod *pod;
	__u64 id;

	for (int i = 0; i < SMC_CGROUP_DEPTH && cg; i++) {
		id = cg->kn->id;
		pod = bpf_map_lookup_elem(&smc_cgroup, &id);
		if (pod)
			return pod;
		parent = cg->self.parent;
		if (!parent)
			break;
		cg = parent->cgroup;
	}
	return NULL;
}

/* smc_pod_in - The pod that @row of smc_netns is, or in a shared namespace the
 * pod of @cg. A removed cgroup has no row any more, so its sockets (of a
 * listener that was handed on, of a process that was moved) may be an armed
 * pod's: they do not pass as others'. */
static __always_inline struct smc_whose smc_pod_in(struct smc_pod *row,
						   struct cgroup *cg)
{
	struct smc_whose w = {.pod = row};

	if (row && row->flags & SMC_POD_SHARED) {
		w.pod = smc_pod_of_cgroup(cg);
		w.shared = w.pod || cg->self.flags & CSS_ONLINE;
	}
	return w;
}

static __always_inline struct smc_whose smc_pod_of(__u64 netns_cookie,
						   struct cgroup *cg)
{
	return smc_pod_in(bpf_map_lookup_elem(&smc_netns, &netns_cookie), cg);
}

static __always_inline struct smc_whose smc_pod_of_sock(const struct sock *sk)
{
	return smc_pod_of(sk->__sk_common.skc_net.net->net_cookie,
			  sk->sk_cgrp_data.cgroup);
}

/* smc_owns - Does the converter convert sockets of this user and group in @pod?
 * If the group is not known (SMC_ID_ANY): only if every group of the user's
 * is. */
static __always_inline bool smc_owns(const struct smc_pod *pod, __u32 uid,
				     __u32 gid)
{
	const struct smc_owner *o;

	if (!(pod->flags & SMC_POD_SIDECAR))
		return true;
	for (int i = 0; i < SMC_OWNERS; i++) {
		o = &pod->owners[i];
		if (i < (int)pod->n_owners &&
		    (o->uid == SMC_ID_ANY || o->uid == uid) &&
		    (o->gid == SMC_ID_ANY || o->gid == gid))
			return true;
	}
	return false;
}

/* The kernel fills the fields for IPv6 for IPv4 too, as mapped addresses
 * (sk_daddr_set() and sk_rcv_saddr_set()): so there is one path for both. The
 * address family does not tell them: an IPv4 client of a `::` listener has
 * AF_INET6 in its request. */
static __always_inline void smc_read_ip(__u8 to[16], const struct in6_addr *ip)
{
	__u32 *word = (__u32 *)to;

	word[0] = ip->in6_u.u6_addr32[0];
	word[1] = ip->in6_u.u6_addr32[1];
	word[2] = ip->in6_u.u6_addr32[2];
	word[3] = ip->in6_u.u6_addr32[3];
}

static __always_inline void smc_map_ip(__u8 to[16], __be32 ip)
{
	__u32 *word = (__u32 *)to;

	word[2] = bpf_htonl(0xffff);
	word[3] = ip;
}

/* smc_read_conn - Both ends of a full socket or of a request. */
static __always_inline void smc_read_conn(struct smc_conn *c,
					  const struct sock_common *skc)
{
	__builtin_memset(c, 0, sizeof(*c));
	if (bpf_core_field_exists(skc->skc_v6_daddr)) {
		smc_read_ip(c->remote.ip, &skc->skc_v6_daddr);
		smc_read_ip(c->local.ip, &skc->skc_v6_rcv_saddr);
	} else { /* a kernel without IPv6 */
		smc_map_ip(c->remote.ip, skc->skc_daddr);
		smc_map_ip(c->local.ip, skc->skc_rcv_saddr);
	}
	c->remote.port = bpf_ntohs(skc->skc_dport);
	c->local.port = skc->skc_num;
}

/* smc_handshake_of - The key of one handshake (see abi.h). */
static __always_inline void smc_handshake_of(struct smc_handshake *h,
					     const struct smc_conn *c,
					     const struct sock *sk, __u32 isn,
					     __u32 role)
{
	h->isn = isn;
	h->netns = sk->__sk_common.skc_net.net->net_cookie;
	h->local_port = c->local.port;
	h->remote_port = role == SMC_ROLE_SERVER ? c->remote.port : 0;
	h->kind = role;
	h->_pad = 0;
}

/*
 * smc_handshake_find - The key of the handshake that made @tp, at any time
 * after it: snd_una grows with acknowledged bytes, and bytes_acked counts them,
 * a client's SYN included.
 *
 * The local port comes from inet_sport: skc_num is 0 as soon as the socket is
 * closed, and after a failed blocking connect() tcp_disconnect() has also
 * cleared the remote port.
 */
static __always_inline void smc_handshake_find(struct smc_handshake *h,
					       const struct tcp_sock *tp,
					       __u32 role)
{
	const struct inet_sock *inet = &tp->inet_conn.icsk_inet;
	const struct sock_common *skc = &inet->sk.__sk_common;

	h->isn = (__u32)tp->snd_una - (__u32)tp->bytes_acked -
		 (role == SMC_ROLE_SERVER);
	h->netns = skc->skc_net.net->net_cookie;
	h->local_port = bpf_ntohs(inet->inet_sport);
	h->remote_port =
		role == SMC_ROLE_SERVER ? bpf_ntohs(skc->skc_dport) : 0;
	h->kind = role;
	h->_pad = 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ration of SMC sockets that are under way.
 *
 * A non-blocking connect() of an SMC socket sleeps in a worker of the kernel's
 * smc_hs_wq until its SYN is answered, and every accept() of an SMC listener,
 * of plain clients too, needs one of the same 1,024 of a CPU. So the programs
 * count SMC sockets, whoever made them, from the moment they are made until
 * they listen, are connected, have fallen back or are closed; beyond the bounds
 * they let none be made. The node's bound does not grow with its CPUs: an
 * attacker would stay on one.
 *
 * Each has one row in smc_pending. Only the one caller that makes the row
 * counts up, and only the one that deletes it counts down: so two threads, or
 * two generations of these programs, may come in any order. A row that no
 * program would delete again would stay for ever: so the programs count only
 * when the agent has attached all of them (SMC_USE_PENDING).
 *
 * Not counted: accepted sockets (they come with a connection), and sockets made
 * before the programs were attached, which end with their connect() time-out.
 * The bound may be exceeded by as many as are inside socket() at one moment.
 */
#pragma once

#include "count.bpf.h"
#include "pod.bpf.h"

/* smc_ration_slot - The slot that counts SMC sockets of @pod. For NULL, and for
 * a pod that is disarmed, the strangers': its number may be another pod's by
 * then. */
static __always_inline __u32 smc_ration_slot(const struct smc_pod *pod)
{
	if (!pod || pod->flags & (SMC_POD_DENY | SMC_POD_REFUSED))
		return SMC_SLOT_STRANGERS;
	return smc_slot(pod->pod_id);
}

static __always_inline void smc_pending_count(__u32 slot, __s32 n)
{
	struct smc_usage *usage = bpf_map_lookup_elem(&smc_usage, &slot);

	if (usage)
		__sync_fetch_and_add(&usage->pending, n);
}

/* smc_pending_put - Count the socket of this cookie, once. */
static __always_inline void smc_pending_put(__u64 cookie, __u32 slot,
					    __u32 netns)
{
	const struct smc_pending row = {
		.slot = slot, .netns = netns, .since_ns = bpf_ktime_get_ns()};

	if (bpf_map_update_elem(&smc_pending, &cookie, &row, BPF_NOEXIST))
		return;
	smc_pending_count(slot, 1);
	smc_pending_count(SMC_SLOT_NODE, 1);
}

/* smc_pending_drop - Uncount it, once. Return: true for the caller that did. */
static __always_inline bool smc_pending_drop(__u64 cookie)
{
	const struct smc_pending *row;
	__u32 slot;

	row = bpf_map_lookup_elem(&smc_pending, &cookie);
	if (!row)
		return false;
	/* If another caller deletes it now this may read another socket's row,
	 * but then our delete fails and nothing is counted. */
	slot = row->slot;
	if (bpf_map_delete_elem(&smc_pending, &cookie))
		return false;
	smc_pending_count(slot, -1);
	smc_pending_count(SMC_SLOT_NODE, -1);
	return true;
}

/* smc_ration_take - An SMC socket has been made. @sk: the outer one. */
static __always_inline void smc_ration_take(struct sock *sk)
{
	struct smc_whose w;

	if (!smc_uses(SMC_USE_PENDING))
		return;
	w = smc_pod_of_sock(sk);
	smc_pending_put(bpf_get_socket_cookie(sk), smc_ration_slot(w.pod),
			sk->__sk_common.skc_net.net->net_cookie);
}

/* smc_ration_give - The socket uses no worker any more, and never will. If it
 * has no cookie it was not counted. */
static __always_inline void smc_ration_give(const struct sock *sk)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;

	if (cookie)
		smc_pending_drop(cookie);
}

/*
 * smc_ration_left - May one more SMC socket be made that @slot counts?
 * A limit of 0 allows none. The last quarter of the node's limit is for slots
 * that hold few, so that a greedy pod does not keep the others out.
 */
static __always_inline bool smc_ration_left(__u32 slot)
{
	const struct smc_usage *own, *all;
	const struct smc_config *config;
	__u32 zero = 0, bound, node;

	config = bpf_map_lookup_elem(&smc_config, &zero);
	own = bpf_map_lookup_elem(&smc_usage, &slot);
	all = bpf_map_lookup_elem(&smc_usage, &zero);
	if (!config || !own || !all)
		return false;
	if (!(config->uses & SMC_USE_PENDING))
		return true;
	bound = slot == SMC_SLOT_STRANGERS ? SMC_PENDING_STRANGERS
					   : config->limits.pending_pod;
	if (own->pending_max && own->pending_max < bound)
		bound = own->pending_max;
	node = config->limits.pending_node;
	if (own->pending >= SMC_PENDING_FEW)
		node -= node / 4;
	return own->pending < bound && all->pending < node;
}

_Static_assert(SMC_SLOT_NODE == 0, "the same key as smc_config's");

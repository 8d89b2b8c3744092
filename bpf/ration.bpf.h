/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ration of what is under way.
 *
 * A non-blocking connect() of an SMC socket sleeps in a worker of the kernel's
 * smc_hs_wq until its SYN is answered, and every accept() of an SMC listener,
 * plain clients too, needs one of the same 1,024 of a CPU. So SMC sockets are
 * counted, whoever made them, from the moment they are made until they listen,
 * are connected, have fallen back or are closed; beyond the bounds none is
 * made. The node's bound does not grow with its CPUs: whoever wants to do harm
 * stays on one.
 *
 * Each has one row in smc_pending. Of all that put a row one succeeds, and of
 * all that delete it one, and these two count: so do two threads, or two
 * generations of these programs, in whatever order they come by. What is put
 * where nothing would delete it again would be there for ever: so nothing is
 * counted unless the agent has attached the whole (SMC_USE_PENDING).
 *
 * Not counted: accepted sockets (they come with a connection), and what was
 * made before we were there, which is gone with its connect() time-out. Too
 * many can come through by as many as are inside socket() at one moment.
 */
#pragma once

#include "count.bpf.h"
#include "pod.bpf.h"

/* smc_ration_slot - Where SMC sockets of @pod count; NULL, or one that is not
 * armed (any more): strangers', for its number may be another's by then. */
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

/* smc_pending_drop - Take it off again, once. Return: true for who did it. */
static __always_inline bool smc_pending_drop(__u64 cookie)
{
	const struct smc_pending *row;
	__u32 slot;

	row = bpf_map_lookup_elem(&smc_pending, &cookie);
	if (!row)
		return false;
	/* If somebody else deletes it now this may be read from another's row,
	 * and then there is nothing left for us to delete. */
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

/* smc_ration_give - It holds no worker any more, and never will. Without a
 * cookie it is none of those that were counted. */
static __always_inline void smc_ration_give(const struct sock *sk)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;

	if (cookie)
		smc_pending_drop(cookie);
}

/*
 * smc_ration_left - May one more SMC socket be made that counts at @slot?
 * A limit of 0 allows none. Of the node's, the last quarter is for those that
 * hold few, so that nobody who takes all he can get keeps the others out.
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

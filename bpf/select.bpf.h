/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What both selectors do: hs_ctrl (handshake.bpf.c), which the kernel asks
 * before it builds a SYN or SYN-ACK, and synfilter (synfilter.bpf.c), which
 * meets them as packets. handshake.bpf.c says why a handshake has one verdict.
 */
#pragma once

#include "answers.bpf.h"
#include "flow.bpf.h"
#include "listener.bpf.h"

/* smc_repeat - Did this handshake get a "yes" before? If so count it. */
static __always_inline bool smc_repeat(const struct smc_handshake *h,
				       __u32 counter)
{
	const struct smc_flow *flow = bpf_map_lookup_elem(&smc_flow, h);

	if (!flow || flow->verdict != SMC_VERDICT_ACCELERATE)
		return false;
	smc_count(flow->pod_id, SMC_COUNTER_VERDICTS_REPEATED);
	smc_count(flow->pod_id, counter);
	return true;
}

/*
 * smc_remember - Keep a "yes", so that it can be repeated; if that fails the
 * answer must be "no". sockops may have made a client's record: then write the
 * verdict into it. A server's exists when its SYN-ACK is repeated.
 * Return: 1: made; 0: it was there; a negative errno: there is no room.
 */
static __always_inline int smc_remember(const struct smc_handshake *h,
					const struct smc_flow *flow)
{
	struct smc_flow *old;
	int err = smc_flow_put(h, flow);

	if (!err)
		return 1;
	old = err == -EEXIST ? bpf_map_lookup_elem(&smc_flow, h) : NULL;
	if (!old)
		return err;
	if (flow->role == SMC_ROLE_SERVER)
		smc_count(flow->pod_id, SMC_COUNTER_VERDICTS_REPEATED);
	old->reason = flow->reason;
	old->transports = flow->transports;
	old->flags |= flow->flags;
	if (old->verdict == SMC_VERDICT_BYPASS)
		smc_hold_for(old->pod_id, 1, 0);
	old->verdict = flow->verdict;
	return 0;
}

/* smc_note - Write a "no" into the record that sockops made. */
static __always_inline void smc_note(const struct smc_handshake *h,
				     const struct smc_answer *a)
{
	struct smc_flow *flow = bpf_map_lookup_elem(&smc_flow, h);

	if (flow)
		smc_flow_answer(flow, a);
}

/*
 * smc_over_rdma - Turn a "yes" that would go over RDMA into a "no" if the path
 * does not allow it, and have the agent probe that path. A server's handshake
 * that has a record was let through before.
 */
static __always_inline void smc_over_rdma(const struct smc_handshake *h,
					  const struct smc_conn *c,
					  struct smc_answer *a,
					  struct smc_crossing *x)
{
	bool yes = a->verdict == SMC_VERDICT_ACCELERATE && smc_needs_path(a);

	if (!yes && !smc_lacks_path(a->reason))
		return;
	if (x->role == SMC_ROLE_SERVER && bpf_map_lookup_elem(&smc_flow, h))
		return;
	if (yes)
		a->reason = smc_path_enter(c, x);
	if (!a->reason)
		return;
	a->verdict = SMC_VERDICT_BYPASS;
	smc_path_wish(c);
}

/* smc_offer_first - The answer to the first SYN of a handshake. */
static __always_inline bool smc_offer_first(const struct sock *sk,
					    const struct smc_pod *pod,
					    const struct smc_conn *c,
					    const struct smc_handshake *h)
{
	struct smc_crossing x = {.since_ns = bpf_ktime_get_ns(),
				 .role = SMC_ROLE_CLIENT};
	struct smc_answer a;
	struct smc_flow flow;
	bool kept;

	smc_judge(pod, c, SMC_ROLE_CLIENT, &a);
	smc_over_rdma(h, c, &a, &x);
	kept = a.reason == SMC_REASON_QUARANTINED || smc_lacks_path(a.reason);
	if (a.verdict == SMC_VERDICT_ACCELERATE || kept) {
		smc_flow_fill(&flow, pod, c, sk, SMC_ROLE_CLIENT);
		smc_flow_answer(&flow, &a);
		flow.flags = x.flags;
	}
	if (a.verdict == SMC_VERDICT_ACCELERATE) {
		if (smc_remember(h, &flow) >= 0)
			return true;
		smc_path_leave(&x);
		a.verdict = SMC_VERDICT_BYPASS;
		a.reason = SMC_REASON_MAP_FULL;
	} else if (kept) {
		smc_flow_put(h, &flow); /* if there is room */
	}
	smc_note(h, &a);
	return false;
}

/*
 * smc_cannot_keep - Why the node could not keep the promise of a "yes" now, or
 * NONE.
 * @tp:     the listener
 * @coming: 1 if the request in question is not among the listener's yet, else 0
 */
static __always_inline __u32 smc_cannot_keep(const struct tcp_sock *tp,
					     const struct smc_answer_rows *rows,
					     __u64 now, __s64 coming)
{
	if (smc_listener_busy(tp, coming))
		return SMC_REASON_LISTENER_BUSY;
	return !smc_uses(SMC_USE_PENDING) || smc_answers_left(rows, now)
		       ? SMC_REASON_NONE
		       : SMC_REASON_RATIONED;
}

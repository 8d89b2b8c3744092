/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of a flow's record: made, settled once, closed. What is counted is
 * counted when a record changes, so that two generations of programs, both
 * called for one event while an upgrade is under way, count it once.
 */
#pragma once

#include "count.bpf.h"
#include "pod.bpf.h"

/* include/net/smc.h and net/smc/smc_clc.h: the peer said nothing of SMC. */
#define SMC_CLC_DECL_PEERNOSMC 0x03010000

/* The four bytes of a record that change while others look on. */
union smc_flow_state {
	struct {
		__u8 role;
		__u8 verdict;
		__u8 outcome;
		__u8 closed;
	};
	__u32 word;
};

_Static_assert(__builtin_offsetof(struct smc_flow, role) % 4 == 0 &&
		       __builtin_offsetof(struct smc_flow, closed) ==
			       __builtin_offsetof(struct smc_flow, role) + 3,
	       "the state is one aligned word");

static __always_inline void smc_flow_fill(struct smc_flow *flow,
					  const struct smc_pod *pod,
					  const struct smc_conn *c,
					  const struct sock *sk, __u32 role)
{
	__builtin_memset(flow, 0, sizeof(*flow));
	__builtin_memcpy(flow->local_ip, c->local.ip, sizeof(c->local.ip));
	__builtin_memcpy(flow->remote_ip, c->remote.ip, sizeof(c->remote.ip));
	flow->local_port = c->local.port;
	flow->remote_port = c->remote.port;
	flow->pod_id = pod->pod_id;
	flow->role = role;
	flow->opened_ns = bpf_ktime_get_ns();
	flow->netns_cookie = sk->__sk_common.skc_net.net->net_cookie;
}

static __always_inline __u32 smc_outcome_counter(__u32 role, __u32 outcome)
{
	__u32 at = 0; /* in the order of counters.h, the same for both roles */

	switch (outcome) {
	case SMC_OUTCOME_SMCR:
		at = SMC_COUNTER_FLOWS_CLIENT_SMCR;
		break;
	case SMC_OUTCOME_SMCD:
		at = SMC_COUNTER_FLOWS_CLIENT_SMCD;
		break;
	case SMC_OUTCOME_TCP:
		at = SMC_COUNTER_FLOWS_CLIENT_TCP;
		break;
	case SMC_OUTCOME_FALLBACK:
		at = SMC_COUNTER_FLOWS_CLIENT_FALLBACK;
		break;
	default:
		at = SMC_COUNTER_FLOWS_CLIENT_FAILED;
	}
	if (role == SMC_ROLE_SERVER)
		at += SMC_COUNTER_FLOWS_SERVER_SMCR -
		      SMC_COUNTER_FLOWS_CLIENT_SMCR;
	return at;
}

_Static_assert(SMC_COUNTER_FLOWS_SERVER_FAILED -
			       SMC_COUNTER_FLOWS_CLIENT_FAILED ==
		       SMC_COUNTER_FLOWS_SERVER_SMCR -
			       SMC_COUNTER_FLOWS_CLIENT_SMCR,
	       "counters.h: server rows follow in the order of the clients'");

/*
 * smc_flow_settle - Write down what became of a flow, once.
 * @code: SMC_CLC_DECL_* or a negative errno, 0: none
 * Return: true for the caller that did it.
 */
static __always_inline bool smc_flow_settle(struct smc_flow *flow, __u8 outcome,
					    __u32 code)
{
	__u32 *word = (__u32 *)&flow->role;
	union smc_flow_state old, new;

	/* again only if `closed` was set in between */
	for (int i = 0; i < 2; i++) {
		old.word = *(volatile __u32 *)word;
		if (old.outcome != SMC_OUTCOME_PENDING)
			return false;
		new = old;
		new.outcome = outcome;
		if (__sync_val_compare_and_swap(word, old.word, new.word) !=
		    old.word)
			continue;
		flow->decided_ns = bpf_ktime_get_ns();
		flow->kernel_code = code;
		smc_count(flow->pod_id,
			  smc_outcome_counter(flow->role, outcome));
		if (outcome == SMC_OUTCOME_TCP)
			smc_count(flow->pod_id,
				  SMC_COUNTER_REASON + flow->reason);
		return true;
	}
	return false;
}

/* smc_flow_ended - Settle a flow that was offered SMC, and tell. A failed one
 * is told as one that fell back: its record says the rest. */
static __always_inline void smc_flow_ended(__u64 cookie, struct smc_flow *flow,
					   __u8 outcome, __u32 code)
{
	bool smc = outcome == SMC_OUTCOME_SMCR || outcome == SMC_OUTCOME_SMCD;

	if (smc_flow_settle(flow, outcome, code))
		smc_emit(smc ? SMC_EVENT_UPGRADED : SMC_EVENT_FELL_BACK, cookie,
			 flow);
}

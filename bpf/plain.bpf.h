/* SPDX-License-Identifier: GPL-2.0-only */
/* Why a connection of an armed pod is plain TCP, where no handshake says it. */
#pragma once

#include "flow.bpf.h"

/* syn_smc: "asked for SMC", and after the handshake "agreed on SMC". A kernel
 * without SMC has no such field. */
static __always_inline bool smc_syn_smc(const struct tcp_sock *tp)
{
	if (!bpf_core_field_exists(tp->syn_smc))
		return false;
	return BPF_CORE_READ_BITFIELD(tp, syn_smc);
}

/* smc_cookie_of - SO_COOKIE of a socket, 0 where nobody has asked for it. */
static __always_inline __u64 smc_cookie_of(const struct sock *sk)
{
	return sk->__sk_common.skc_cookie.counter;
}

/* smc_owns_sock - smc_owns() of the credentials that opened a plain socket. An
 * accepted one that nobody has taken yet has no file: there the user is that of
 * its listener (sk_clone()), and the group is not known. */
static __always_inline bool smc_owns_sock(const struct smc_pod *pod,
					  const struct sock *sk)
{
	struct socket *sock = BPF_CORE_READ(sk, sk_socket);
	struct file *file = sock ? BPF_CORE_READ(sock, file) : NULL;
	const struct cred *cred = file ? BPF_CORE_READ(file, f_cred) : NULL;

	if (!cred)
		return smc_owns(pod, sk->sk_uid.val, SMC_ID_ANY);
	return smc_owns(pod, BPF_CORE_READ(cred, fsuid.val),
			BPF_CORE_READ(cred, fsgid.val));
}

/* Why a socket is plain TCP that would have been offered SMC. Of a connection
 * that was accepted the listener tells more: see above. */
static __always_inline __u32 smc_plain_reason(const struct smc_pod *pod,
					      const struct sock *sk)
{
	return smc_owns_sock(pod, sk) ? SMC_REASON_NOT_CONVERTED
				      : SMC_REASON_OTHER_UID;
}

/* smc_judge_plain - The verdict as if the socket were SMC's: a reason that
 * stands against SMC anyway is the one to tell. */
static __always_inline void smc_judge_plain(struct smc_flow *flow,
					    const struct smc_pod *pod,
					    const struct smc_conn *c,
					    __u32 role)
{
	struct smc_answer a;

	smc_judge(pod, c, role, &a);
	smc_flow_answer(flow, &a);
}

/*
 * smc_flow_plain - What @flow became that never was SMC's: @reason, unless
 * another stands against SMC; or a fall-back, where the socket that it belongs
 * to fell back before it connected or listened.
 * @early: the kernel's code for that, or NULL
 */
static __always_inline void smc_flow_plain(struct smc_flow *flow,
					   const struct smc_pod *pod,
					   const struct smc_conn *c,
					   __u32 reason, const __u32 *early)
{
	smc_judge_plain(flow, pod, c, flow->role);
	flow->outcome = SMC_OUTCOME_TCP;
	if (early)
		flow->kernel_code = *early;
	if (flow->verdict == SMC_VERDICT_BYPASS)
		return;
	if (early) {
		flow->outcome = SMC_OUTCOME_FALLBACK;
		return;
	}
	flow->verdict = SMC_VERDICT_BYPASS;
	flow->reason = reason;
}

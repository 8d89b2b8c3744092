/* SPDX-License-Identifier: GPL-2.0-only */
/* Why a connection of an armed pod is plain TCP, where no SMC handshake
 * tells. */
#pragma once

#include "flow.bpf.h"

/* syn_smc means "asked for SMC", and after the handshake "agreed on SMC". A
 * kernel without SMC has no such field. */
static __always_inline bool smc_syn_smc(const struct tcp_sock *tp)
{
	if (!bpf_core_field_exists(tp->syn_smc))
		return false;
	return BPF_CORE_READ_BITFIELD(tp, syn_smc);
}

/* smc_cookie_of - SO_COOKIE of a socket; 0 if nobody has asked for it yet. */
static __always_inline __u64 smc_cookie_of(const struct sock *sk)
{
	return sk->__sk_common.skc_cookie.counter;
}

/* smc_owns_sock - smc_owns() with the credentials that opened a plain socket. A
 * connection before accept() has no file: it has its listener's user
 * (sk_clone()), and its group is not known. */
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

/* Why a socket that could have offered SMC is plain TCP. Of an accepted
 * connection the caller passes the listener, which tells more. */
static __always_inline __u32 smc_plain_reason(const struct smc_pod *pod,
					      const struct sock *sk)
{
	return smc_owns_sock(pod, sk) ? SMC_REASON_NOT_CONVERTED
				      : SMC_REASON_OTHER_UID;
}

/* smc_unoffered_reason - Why an SMC listener saw no offer from the client of
 * the connection @tp at @key: synfilter took it out of the SYN, or there was
 * none. The sequence number of that SYN is all that was received below rcv_nxt.
 */
static __always_inline __u32
smc_unoffered_reason(const struct tcp_sock *tp, const struct smc_handshake *key)
{
	struct smc_handshake syn = *key;
	const struct smc_refusal *no;

	if (smc_has_hs_ctrl())
		return SMC_REASON_NOT_OFFERED;
	syn.isn = (__u32)tp->rcv_nxt - (__u32)tp->bytes_received - 1;
	no = bpf_map_lookup_elem(&smc_refused, &syn);
	return no ? no->reason : SMC_REASON_NOT_OFFERED;
}

/* smc_judge_plain - The verdict as if the socket were SMC's: if it is "no"
 * anyway its reason is the one to report. */
static __always_inline void smc_judge_plain(struct smc_flow *flow,
					    const struct smc_pod *pod,
					    const struct smc_conn *c,
					    __u32 role)
{
	struct smc_answer a;

	smc_judge(pod, c, role, &a);
	smc_flow_answer(flow, &a);
}

/* A path has two ends, and at connect() a plain socket has no address of its
 * own yet: then the verdict found no path, which says nothing. An SMC socket is
 * asked at its SYN, when it has one. */
static __always_inline bool smc_path_untold(const struct smc_flow *flow,
					    const struct smc_conn *c)
{
	return smc_lacks_path(flow->reason) &&
	       !*(const __u32 *)(c->local.ip + 12);
}

/*
 * smc_flow_plain - The outcome of @flow, which never was SMC: TCP, for the
 * verdict's reason if it says no, else for @reason; or a fall-back, if its
 * socket fell back before it connected or listened.
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
	if (flow->verdict == SMC_VERDICT_BYPASS && !smc_path_untold(flow, c))
		return;
	if (early) {
		flow->verdict = SMC_VERDICT_ACCELERATE;
		flow->reason = SMC_REASON_NONE;
		flow->outcome = SMC_OUTCOME_FALLBACK;
		return;
	}
	flow->verdict = SMC_VERDICT_BYPASS;
	flow->reason = reason;
}

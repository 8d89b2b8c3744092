// SPDX-License-Identifier: GPL-2.0-only
/*
 * The selector: the kernel asks it before each SYN and SYN-ACK of an SMC
 * socket whether the option may go out.
 *
 * | program       | section                    | needs                        |
 * |---------------|----------------------------|------------------------------|
 * | syn_option    | struct_ops/syn_option      | SMC_HS_CTRL_BPF (>= 6.19)    |
 * | synack_option | struct_ops/synack_option   | SMC_HS_CTRL_BPF (>= 6.19)    |
 * | smcmesh_ctrl  | the struct_ops map         | SMC_HS_CTRL_BPF (>= 6.19)    |
 *
 * Without it: bpf_map__set_autocreate(smcmesh_ctrl, false), and autoload off
 * for both programs.
 *
 * The kernel rejects links for this struct_ops (hence SEC(".struct_ops")): it
 * is registered by bpf_map__attach_struct_ops() and stays after the loader.
 * The name is unique for each generation; the loader writes it into the
 * initial value at SMC_CTRL_NAME_OFFSET.
 *
 * One handshake, one verdict. tcp_output.c asks again for every SYN and
 * SYN-ACK it builds, and a change of mind half-way leaves one end SMC and the
 * other TCP. So a "yes" is remembered (maps.bpf.h) and repeated. A "no" needs
 * no memory on a server: the kernel clears ireq->smc_ok and never asks again.
 * On a client it sticks only until the next connect() of a non-blocking
 * socket, which sets syn_smc anew: there a retransmission (total_retrans is
 * raised before its options are made; at a first SYN it is 0) that finds no
 * "yes" means "no".
 *
 * Client hook: the caller's task, or a timer. Server hook: softirq, on
 * whatever task runs. Neither may use `current`.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "count.bpf.h"
#include "pod.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* smc_repeat - Was this handshake answered "yes" before? Counts, if so. */
static __always_inline bool smc_repeat(const struct smc_handshake *h,
				       __u32 counter)
{
	const struct smc_answered *a = bpf_map_lookup_elem(&smc_answered, h);

	if (!a)
		return false;
	smc_count(a->pod_id, SMC_COUNTER_VERDICTS_REPEATED);
	smc_count(a->pod_id, counter);
	return true;
}

/* smc_remember - Keep a "yes"; turns it into a "no" if that fails, for it
 * could not be repeated. */
static __always_inline void smc_remember(const struct smc_handshake *h,
					 __u32 pod_id, struct smc_answer *a)
{
	struct smc_answered value = {.transports = a->transports,
				     .pod_id = pod_id};

	if (!bpf_map_update_elem(&smc_answered, h, &value, BPF_ANY))
		return;
	a->verdict = SMC_VERDICT_BYPASS;
	a->reason = SMC_REASON_MAP_FULL;
}

/* smc_note - Write the answer into the flow's record, which flow_sockops made
 * at TCP_CONNECT_CB, just before this SYN. */
static __always_inline void smc_note(const struct sock *sk,
				     const struct smc_answer *a)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;
	struct smc_flow *flow = bpf_map_lookup_elem(&smc_flow, &cookie);

	if (!flow)
		return;
	flow->verdict = a->verdict;
	flow->reason = a->reason;
	flow->transports = a->transports;
}

/* smc_offer - The answer to one SYN that asks for the first time. */
static __always_inline int smc_offer(const struct sock *sk,
				     const struct smc_pod *pod,
				     const struct smc_conn *c,
				     const struct smc_handshake *h)
{
	struct smc_answer a;

	smc_judge(pod, c, SMC_ROLE_CLIENT, &a);
	if (a.verdict == SMC_VERDICT_ACCELERATE)
		smc_remember(h, pod->pod_id, &a);
	if (a.verdict == SMC_VERDICT_ACCELERATE)
		smc_count(pod->pod_id, SMC_COUNTER_OFFERS);
	smc_note(sk, &a);
	return a.verdict == SMC_VERDICT_ACCELERATE;
}

SEC("struct_ops/syn_option")
int BPF_PROG(syn_option, struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct smc_handshake h;
	struct smc_whose w;
	struct smc_conn c;

	smc_read_conn(&c, &sk->__sk_common);
	smc_handshake_of(&h, &c, sk, tp->snd_una, SMC_ROLE_CLIENT);
	if (smc_repeat(&h, SMC_COUNTER_OFFERS))
		return 1;
	w = smc_pod_of_sock(sk);
	if (!w.pod)
		return w.shared; /* beside a hostNetwork pod, and not ours */
	if (tp->total_retrans) {
		smc_count(w.pod->pod_id, SMC_COUNTER_VERDICTS_REPEATED);
		return 0;
	}
	return smc_offer(sk, w.pod, &c, &h);
}

SEC("struct_ops/synack_option")
int BPF_PROG(synack_option, const struct tcp_sock *tp,
	     struct inet_request_sock *ireq)
{
	/* the listener: cgroup and namespace are its */
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	const struct tcp_request_sock *treq;
	struct smc_handshake h;
	struct smc_whose w;
	struct smc_answer a;
	struct smc_conn c;

	treq = bpf_core_cast(ireq, struct tcp_request_sock);
	smc_read_conn(&c, &ireq->req.__req_common);
	smc_handshake_of(&h, &c, sk, treq->snt_isn, SMC_ROLE_SERVER);
	if (smc_repeat(&h, SMC_COUNTER_ANSWERS))
		return 1;
	w = smc_pod_of_sock(sk);
	if (!w.pod)
		return w.shared;
	smc_judge(w.pod, &c, SMC_ROLE_SERVER, &a);
	if (a.verdict == SMC_VERDICT_ACCELERATE)
		smc_remember(&h, w.pod->pod_id, &a);
	smc_count(w.pod->pod_id, a.verdict == SMC_VERDICT_ACCELERATE
					 ? SMC_COUNTER_ANSWERS
					 : SMC_COUNTER_ANSWERS_DENIED);
	return a.verdict == SMC_VERDICT_ACCELERATE;
}

_Static_assert(__builtin_offsetof(struct smc_hs_ctrl, name) ==
		       SMC_CTRL_NAME_OFFSET,
	       "the loader writes the name there");

/* flags 0: SMC_HS_CTRL_FLAG_INHERITABLE would hand it to every namespace made
 * from now on, whoever makes it. */
SEC(".struct_ops")
struct smc_hs_ctrl smcmesh_ctrl = {
	.name = SMC_CTRL_PREFIX "0",
	.syn_option = (void *)syn_option,
	.synack_option = (void *)synack_option,
};

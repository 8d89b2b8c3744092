// SPDX-License-Identifier: GPL-2.0-only
/*
 * The selector: the kernel asks it before each SYN and SYN-ACK of an SMC
 * socket whether the option may go out. And what lets a SYN wait.
 *
 * | program       | section                    | needs                        |
 * |---------------|----------------------------|------------------------------|
 * | syn_option    | struct_ops/syn_option      | SMC_HS_CTRL_BPF (>= 6.19)    |
 * | synack_option | struct_ops/synack_option   | SMC_HS_CTRL_BPF (>= 6.19)    |
 * | smcmesh_ctrl  | the struct_ops map         | SMC_HS_CTRL_BPF (>= 6.19)    |
 * | syn_waits     | fmod_ret/security_inet_conn_request | SECURITY_NETWORK    |
 *
 * Without it: bpf_map__set_autocreate(smcmesh_ctrl, false), and autoload off
 * for the first two programs.
 *
 * The kernel rejects links for this struct_ops (hence SEC(".struct_ops")): it
 * is registered by bpf_map__attach_struct_ops() and stays after the loader.
 * The name is unique for each generation; the loader writes it into the
 * initial value at SMC_CTRL_NAME_OFFSET.
 *
 * One handshake, one verdict. tcp_output.c asks again for every SYN and
 * SYN-ACK it builds, and a change of mind half-way leaves one end SMC and the
 * other TCP. So a "yes" is remembered, by the flow's own record, and repeated.
 * A "no" needs no memory on a server: the kernel clears ireq->smc_ok and never
 * asks again. On a client it sticks only until the next connect() of a
 * non-blocking socket, which sets syn_smc anew: there a retransmission
 * (total_retrans is raised before its options are made; at a first SYN it is 0)
 * that finds no "yes" means "no".
 *
 * The record is made here, and of a "yes" only: strangers who are answered "no"
 * take nobody's place. (The recorder `sockops` has made a client's before.) But
 * for two: what becomes of a connect() to a peer in quarantine is to be seen to
 * its end, for it may tell why the peer did not answer (quarantine.bpf.h); and
 * a "no" to an endpoint that only this moment explains, of a listener that is
 * busy, a ration that is used up or a path that is not proven: nobody could say
 * why afterwards.
 *
 * Client hook: the caller's task, or a timer. Server hook, and syn_waits:
 * softirq, on whatever task runs. None may use `current`.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "answers.bpf.h"
#include "flow.bpf.h"
#include "listener.bpf.h"
#include "plain.bpf.h"

#define ENOBUFS 105

char LICENSE[] SEC("license") = "GPL";

/* smc_has_room - Will the option fit? tcp_output.c asks before it looks. Of all
 * that may be in a SYN or SYN-ACK of a socket that can be SMC's, TCP-AO alone
 * leaves less than the eight bytes (its 16 or more, MSS, timestamps, window
 * scale); TCP-MD5 leaves just them, and Fast Open makes a socket fall back. */
static __always_inline bool smc_has_room(const struct tcp_sock *tp)
{
	return !bpf_core_field_exists(tp->ao_info) || !tp->ao_info;
}

/* smc_repeat - Was this handshake answered "yes" before? Counts, if so. */
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
 * smc_remember - Keep a "yes": it is a "no" without, for it could not be
 * repeated. A client's record may be there already, made by sockops: it is
 * given the verdict. A server's is there when its SYN-ACK is repeated.
 * Return: 1 made; 0 it was there; a negative errno, there is no room.
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

/* smc_note - Write a "no" into the record that sockops has made. */
static __always_inline void smc_note(const struct smc_handshake *h,
				     const struct smc_answer *a)
{
	struct smc_flow *flow = bpf_map_lookup_elem(&smc_flow, h);

	if (flow)
		smc_flow_answer(flow, a);
}

/*
 * smc_over_rdma - What is left of a "yes" if it would go over RDMA. A "no" for
 * the lack of a path is a wish for one. A server's that was answered before is
 * under way.
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

/* ---- clients ---- */

/* smc_offer_first - The answer to a SYN that is the first of its handshake. */
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
		smc_flow_put(h, &flow); /* where there is room */
	}
	smc_note(h, &a);
	return false;
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
	if (tp->total_retrans && smc_repeat(&h, SMC_COUNTER_OFFERS))
		return 1;
	w = smc_pod_of_sock(sk);
	if (!w.pod)
		return w.shared; /* beside a hostNetwork pod, and not ours */
	if (tp->total_retrans) {
		smc_count(w.pod->pod_id, SMC_COUNTER_VERDICTS_REPEATED);
		return 0;
	}
	if (!smc_offer_first(sk, w.pod, &c, &h))
		return 0;
	if (smc_has_room(tp))
		smc_count(w.pod->pod_id, SMC_COUNTER_OFFERS);
	return 1;
}

/* ---- servers ---- */

/* smc_cannot_keep - Why a "yes" that nothing else stands against could not be
 * kept now; or NONE. @tp: the listener. */
static __always_inline __u32 smc_cannot_keep(const struct tcp_sock *tp,
					     const struct smc_answer_rows *rows,
					     __u64 now)
{
	if (smc_listener_busy(tp))
		return SMC_REASON_LISTENER_BUSY;
	return !smc_uses(SMC_USE_PENDING) || smc_answers_left(rows, now)
		       ? SMC_REASON_NONE
		       : SMC_REASON_RATIONED;
}

/*
 * smc_answer_now - The answer to a SYN, as of now: whether it was given before,
 * @h's record knows, of which a new "no" takes no place.
 * @tp: the listener
 */
static __always_inline bool smc_answer_now(const struct tcp_sock *tp,
					   const struct smc_pod *pod,
					   const struct smc_conn *c,
					   const struct smc_handshake *h)
{
	struct smc_answer_rows rows;
	struct smc_answer a;
	struct smc_crossing x;
	struct smc_flow flow;
	int made;

	smc_judge(pod, c, SMC_ROLE_SERVER, &a);
	if (a.verdict != SMC_VERDICT_ACCELERATE && !smc_lacks_path(a.reason))
		return false;
	smc_flow_fill(&flow, pod, c, &tp->inet_conn.icsk_inet.sk,
		      SMC_ROLE_SERVER);
	smc_answer_rows_of(&rows, c->remote.ip);
	if (!a.reason)
		a.reason = smc_cannot_keep(tp, &rows, flow.opened_ns);
	if (a.reason)
		a.verdict = SMC_VERDICT_BYPASS;
	x = smc_crossing_of(&flow);
	smc_over_rdma(h, c, &a, &x);
	smc_flow_answer(&flow, &a);
	if (a.verdict != SMC_VERDICT_ACCELERATE) {
		(void)smc_flow_put(h, &flow);
		return false;
	}
	flow.flags = x.flags;
	made = smc_remember(h, &flow);
	if (made > 0)
		smc_answers_take(&rows, flow.opened_ns);
	else
		smc_path_leave(&x);
	return made >= 0;
}

/* A first SYN-ACK cannot be told from a repeated one (num_retrans is raised
 * after it was sent): a "yes" finds its record there when it makes it, a "no"
 * looks for one. */
SEC("struct_ops/synack_option")
int BPF_PROG(synack_option, const struct tcp_sock *tp,
	     struct inet_request_sock *ireq)
{
	/* the listener: cgroup and namespace are its */
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	const struct tcp_request_sock *treq;
	struct smc_handshake h;
	struct smc_whose w;
	struct smc_conn c;

	treq = bpf_core_cast(ireq, struct tcp_request_sock);
	smc_read_conn(&c, &ireq->req.__req_common);
	smc_handshake_of(&h, &c, sk, treq->snt_isn, SMC_ROLE_SERVER);
	w = smc_pod_of_sock(sk);
	if (w.pod)
		smc_pod_listens(w.pod);
	if (!w.pod || !smc_answer_now(tp, w.pod, &c, &h)) {
		if (smc_repeat(&h, SMC_COUNTER_ANSWERS))
			return 1;
		if (!w.pod)
			return w.shared;
		smc_count(w.pod->pod_id, SMC_COUNTER_ANSWERS_DENIED);
		return 0;
	}
	if (smc_has_room(tp))
		smc_count(w.pod->pod_id, SMC_COUNTER_ANSWERS);
	return 1;
}

/* A SYN to an SMC listener. Those of programs that are none of our business, in
 * a namespace that armed pods share with them, are left as they are; of a pod
 * that was disarmed there may be no row any more. */
static __noinline int smc_syn_waits(const struct sock *sk)
{
	const struct tcp_sock *tp = bpf_core_cast(sk, struct tcp_sock);
	struct smc_whose w;

	if (!bpf_core_field_exists(struct netns_smc, hs_ctrl) ||
	    !sk->__sk_common.skc_net.net->smc.hs_ctrl || !smc_syn_smc(tp) ||
	    !smc_listener_full(sk))
		return 0;
	w = smc_pod_of_sock(sk);
	if (!w.pod && w.shared)
		return 0;
	smc_count(w.pod ? w.pod->pod_id : 0, SMC_COUNTER_SYNS_WAITED);
	return -ENOBUFS;
}

/*
 * Each SYN that this machine gets comes here: one word says that the listener
 * is not SMC's. What is refused here is dropped without an answer
 * (tcp_conn_request()), as TCP drops a SYN to a listener whose queue is full;
 * an ACK with a SYN cookie, which comes here too, would find no room either.
 */
SEC("fmod_ret/security_inet_conn_request")
int BPF_PROG(syn_waits, const struct sock *sk)
{
	return smc_outer_of(sk) ? smc_syn_waits(sk) : 0;
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

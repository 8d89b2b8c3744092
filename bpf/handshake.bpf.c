// SPDX-License-Identifier: GPL-2.0-only
/*
 * The selector: the kernel asks it before each SYN and SYN-ACK of an SMC
 * socket whether the option may go out. And syn_waits, which lets a SYN wait.
 *
 * | program       | section                    | needs                        |
 * |---------------|----------------------------|------------------------------|
 * | syn_option    | struct_ops/syn_option      | SMC_HS_CTRL_BPF (>= 6.19)    |
 * | synack_option | struct_ops/synack_option   | SMC_HS_CTRL_BPF (>= 6.19)    |
 * | smcmesh_ctrl  | the struct_ops map         | SMC_HS_CTRL_BPF (>= 6.19)    |
 * | syn_waits     | fmod_ret/security_inet_conn_request | SECURITY_NETWORK    |
 *
 * On older kernels: bpf_map__set_autocreate(smcmesh_ctrl, false), and autoload
 * off for the first two programs.
 *
 * The kernel rejects links for this struct_ops (hence SEC(".struct_ops")): it
 * is registered by bpf_map__attach_struct_ops() and stays when the loader
 * exits.
 * The name is unique for each generation; the loader writes it into the
 * initial value at SMC_CTRL_NAME_OFFSET.
 *
 * A handshake has one verdict. tcp_output.c asks again for every SYN and
 * SYN-ACK it builds, and a different answer half-way would leave one end SMC
 * and the other TCP. So the flow's record keeps a "yes", and the selector
 * repeats it. A server's "no" needs no record: the kernel clears ireq->smc_ok
 * and never asks again. A client's "no" holds only until the next connect() of
 * a non-blocking socket, which sets syn_smc anew: there a retransmission
 * (total_retrans is raised before its options are made; at a first SYN it is 0)
 * that finds no "yes" means "no".
 *
 * The selector makes a record only for a "yes": strangers that get a "no" take
 * no room. (The recorder `sockops` has made a client's before.) With two
 * exceptions: a connect() to a peer in quarantine, for its end may tell why the
 * peer did not answer (quarantine.bpf.h); and a "no" to an endpoint because a
 * listener is busy, a ration used up or a path not proven: later nobody could
 * find out why.
 *
 * The client hook runs in the caller's task, or in a timer; the server hook and
 * syn_waits in softirq, on top of any task. None may use `current`.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "plain.bpf.h"
#include "select.bpf.h"

#define ENOBUFS 105

char LICENSE[] SEC("license") = "GPL";

/* smc_has_room - Will the option fit? tcp_output.c asks the selector before it
 * looks. Of all options of a SYN or SYN-ACK of a socket that can be SMC's, only
 * TCP-AO leaves less than the eight bytes (its 16 or more, MSS, timestamps,
 * window scale); TCP-MD5 leaves just eight, and Fast Open makes a socket fall
 * back. */
static __always_inline bool smc_has_room(const struct tcp_sock *tp)
{
	return !bpf_core_field_exists(tp->ao_info) || !tp->ao_info;
}

/* ---- clients ---- */

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
		return w.shared; /* not a pod's, in a shared namespace */
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

/*
 * smc_answer_now - The answer to a SYN as of now. A "yes" before stands in @h's
 * record, which a "no" does not change.
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
		a.reason = smc_cannot_keep(tp, &rows, flow.opened_ns, 0);
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

/* The program cannot tell a first SYN-ACK from a repeated one (the kernel
 * raises num_retrans after it sent one). So a "yes" that finds the record there
 * is a repetition, and a "no" looks for a record. */
SEC("struct_ops/synack_option")
int BPF_PROG(synack_option, const struct tcp_sock *tp,
	     struct inet_request_sock *ireq)
{
	/* the listener, for its cgroup and namespace */
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

/* Would TCP let this SYN to an SMC listener wait? SYNs to other programs in a
 * namespace that they share with armed pods pass; a disarmed pod's listeners
 * have no row any more, and count for pod 0. */
static __noinline int smc_syn_waits(const struct sock *sk)
{
	const struct tcp_sock *tp = bpf_core_cast(sk, struct tcp_sock);
	struct smc_whose w;

	if (!smc_selected(sk->__sk_common.skc_net.net) || !smc_syn_smc(tp) ||
	    !smc_listener_full(sk))
		return 0;
	w = smc_pod_of_sock(sk);
	if (!w.pod && w.shared)
		return 0;
	smc_count(w.pod ? w.pod->pod_id : 0, SMC_COUNTER_SYNS_WAITED);
	return -ENOBUFS;
}

/*
 * Runs for each SYN to this machine; one word tells that the listener is not
 * SMC's. The kernel drops a refused SYN without an answer (tcp_conn_request()),
 * as TCP drops a SYN to a listener whose queue is full. An ACK with a SYN
 * cookie comes here too, and would find no room either.
 */
SEC("fmod_ret/security_inet_conn_request")
int BPF_PROG(syn_waits, const struct sock *sk)
{
	return smc_outer_of(sk) ? smc_syn_waits(sk) : 0;
}

_Static_assert(__builtin_offsetof(struct smc_hs_ctrl, name) ==
		       SMC_CTRL_NAME_OFFSET,
	       "the loader writes the name there");

/* flags 0: with SMC_HS_CTRL_FLAG_INHERITABLE every namespace made from now on
 * would inherit it, whoever makes it. */
SEC(".struct_ops")
struct smc_hs_ctrl smcmesh_ctrl = {
	.name = SMC_CTRL_PREFIX "0",
	.syn_option = (void *)syn_option,
	.synack_option = (void *)synack_option,
};

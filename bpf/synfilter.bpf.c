// SPDX-License-Identifier: GPL-2.0-only
/*
 * The selector of kernels without smc_hs_ctrl: two tc programs on every device
 * of a pod's namespace take SMC's option out of handshakes that are to be TCP.
 *
 * | program     | section      | needs                                        |
 * |-------------|--------------|----------------------------------------------|
 * | syn_egress  | tcx/egress   | bpf_cast_to_kern_ctx (>= 6.2)                |
 * | syn_ingress | tcx/ingress  | the same                                     |
 *
 * The same bytes attach to clsact where the kernel has no tcx (>= 6.6). All
 * return -1 always: the next program is asked, and decides about the packet.
 * Each is there twice, as syn_egress_2 and syn_ingress_2: the kernel does not
 * attach one program to a device a second time, and when somebody has put
 * another in front the new one must be there before the old one goes.
 *
 * | packet                     | what is done                                 |
 * |----------------------------|----------------------------------------------|
 * | a client's SYN leaves      | the verdict, once; "no": blanked             |
 * | a SYN-ACK comes for it     | blanked if our own "no" is remembered [1]    |
 * | a SYN comes to a server    | the verdict; "no": blanked                   |
 * | its SYN-ACK leaves         | untouched, recorded: the kernel has promised |
 *
 * [1] who answers what was not asked echoes, and breaks: that peer is struck.
 *
 * One handshake, one verdict: a client's "yes" is its row of smc_flow, its "no"
 * is in smc_refused, or is known by total_retrans, as with hs_ctrl. A server
 * needs no memory: the kernel reads the options of a SYN once
 * (tcp_check_req() reads of a repeated one only the timestamps).
 *
 * Which pod it is the namespace of the device says, and where pods share that
 * the socket: the packet's own at a client, the listener that the packet finds
 * at a server. There, what is no armed pod's passes untouched. In a namespace
 * that a pod has to itself what is not told to pass is blanked.
 *
 * It cannot see: an option in the second fragment of a SYN, and a socket that
 * gets a SYN while it sends one (simultaneous open), which answers for itself.
 */
/* The linker of Debian 12's bpftool cannot join two objects that both name this
 * kfunc; libbpf ignores the part of the name from ___ on. */
#define bpf_rdonly_cast bpf_rdonly_cast___syn
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "plain.bpf.h"
#include "quarantine.bpf.h"
#include "select.bpf.h"
#include "syn.bpf.h"

#define TCX_NEXT (-1) /* TC_ACT_UNSPEC, for clsact */
#define EPROTO 71

char LICENSE[] SEC("license") = "GPL";

/* weak: where it is missing the others of the object load all the same */
extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;

/* smc_ends - Both ends of the packet as seen from the end that has @local. */
static __always_inline struct smc_conn
smc_ends(const struct smc_addr_port *local, const struct smc_addr_port *remote)
{
	return (struct smc_conn){.remote = *remote, .local = *local};
}

/* ---- clients ---- */

/* smc_own_socket - The TCP socket that sends the packet, if it is of this
 * namespace: at the port of a bridge it may be another's. */
static __always_inline struct tcp_sock *smc_own_socket(struct __sk_buff *ctx,
						       __u64 netns)
{
	struct bpf_sock *sk = ctx->sk;
	struct tcp_sock *tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	const struct sock *full;

	if (!tp)
		return NULL;
	full = &tp->inet_conn.icsk_inet.sk;
	return full->__sk_common.skc_net.net->net_cookie == netns ? tp : NULL;
}

/* smc_refusal_key - The name of a client's SYN by what the packet itself says:
 * address translation may have given it another port than the socket has. */
static __always_inline void smc_refusal_key(struct smc_handshake *h,
					    __u64 netns, __u32 isn, __u16 port)
{
	*h = (struct smc_handshake){.isn = isn,
				    .netns = netns,
				    .local_port = port,
				    .kind = SMC_ROLE_CLIENT};
}

/* smc_refuse_offer - Remember the "no" to the first SYN of a handshake. Not of
 * a later one: the first may have left with the option, before we came, and
 * then its answer has to pass. */
static __always_inline void smc_refuse_offer(const struct smc_syn *s,
					     const struct smc_pod *pod,
					     __u64 netns)
{
	struct smc_refusal no = {.pod_id = pod ? pod->pod_id : 0};
	struct smc_handshake h;

	smc_refusal_key(&h, netns, s->seq, s->src.port);
	bpf_map_update_elem(&smc_refused, &h, &no, BPF_ANY);
}

/* smc_offers - May this SYN of a socket carry the option? */
static __always_inline bool smc_offers(const struct tcp_sock *tp,
				       const struct smc_pod *pod,
				       const struct smc_syn *s, __u64 netns)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct smc_conn c = smc_ends(&s->src, &s->dst);
	const struct smc_flow *flow;
	struct smc_handshake h;

	smc_handshake_of(&h, &c, sk, s->seq, SMC_ROLE_CLIENT);
	h.local_port = sk->__sk_common.skc_num;
	if (tp->total_retrans) {
		if (smc_repeat(&h, SMC_COUNTER_OFFERS))
			return true;
		smc_count(pod->pod_id, SMC_COUNTER_VERDICTS_REPEATED);
		return false;
	}
	/* seen before, on a device above this one */
	flow = bpf_map_lookup_elem(&smc_flow, &h);
	if (flow && flow->verdict == SMC_VERDICT_ACCELERATE)
		return true;
	if (smc_offer_first(sk, pod, &c, &h)) {
		smc_count(pod->pod_id, SMC_COUNTER_OFFERS);
		return true;
	}
	smc_refuse_offer(s, pod, netns);
	return false;
}

/* A SYN without a socket of this namespace (made by hand, or of a namespace
 * inside of this one) is nobody's who could keep a verdict. */
static __noinline bool smc_syn_leaves(struct __sk_buff *ctx,
				      const struct smc_syn *s, __u64 netns)
{
	struct smc_pod *row = bpf_map_lookup_elem(&smc_netns, &netns);
	struct tcp_sock *tp = smc_own_socket(ctx, netns);
	struct smc_whose w;

	if (!tp) {
		if (row && row->flags & SMC_POD_SHARED)
			return true;
		smc_refuse_offer(s, NULL, netns);
		return false;
	}
	w = smc_pod_in(row, tp->inet_conn.icsk_inet.sk.sk_cgrp_data.cgroup);
	if (w.pod)
		return smc_offers(tp, w.pod, s, netns);
	if (!w.shared && !tp->total_retrans)
		smc_refuse_offer(s, NULL, netns);
	return w.shared;
}

/* A SYN-ACK with the option. If ours was blanked its sender repeats what it is
 * sent, or answers everybody: the option says nothing, and a handshake of SMC
 * would meet a program that speaks another language. */
static __noinline bool smc_synack_comes(const struct smc_syn *s, __u64 netns)
{
	const struct smc_refusal *no;
	struct smc_handshake h;
	struct smc_seen seen;

	smc_refusal_key(&h, netns, s->ack - 1, s->dst.port);
	no = bpf_map_lookup_elem(&smc_refused, &h);
	if (!no)
		return true;
	seen = (struct smc_seen){no->pod_id, -EPROTO, &s->src,
				 bpf_ktime_get_ns()};
	if (seen.pod_id)
		smc_strike(&seen);
	return false;
}

/* ---- servers ---- */

/* smc_find_listener - The listener that this connection meets; release it. The
 * first look-up may find the connection itself, or a former one of the same
 * name: the second goes by port 0, which no connection has. (Of several
 * listeners at a port that one may be another than the kernel takes.) */
static __always_inline struct bpf_sock *
smc_find_listener(struct __sk_buff *ctx, const struct smc_conn *c, bool is_v4)
{
	struct bpf_sock_tuple t = {};
	__u16 port = bpf_htons(c->remote.port);
	struct bpf_sock *sk;

	for (int i = 0; i < 2; i++, port = 0) {
		if (is_v4) {
			t.ipv4.saddr = *(const __u32 *)(c->remote.ip + 12);
			t.ipv4.daddr = *(const __u32 *)(c->local.ip + 12);
			t.ipv4.sport = port;
			t.ipv4.dport = bpf_htons(c->local.port);
		} else {
			__builtin_memcpy(t.ipv6.saddr, c->remote.ip, 16);
			__builtin_memcpy(t.ipv6.daddr, c->local.ip, 16);
			t.ipv6.sport = port;
			t.ipv6.dport = bpf_htons(c->local.port);
		}
		sk = bpf_skc_lookup_tcp(ctx, &t,
					is_v4 ? sizeof(t.ipv4) : sizeof(t.ipv6),
					BPF_F_CURRENT_NETNS, 0);
		if (!sk || sk->state == BPF_TCP_LISTEN)
			return sk;
		bpf_sk_release(sk);
	}
	return NULL;
}

/* smc_may_promise - Why the listener cannot keep a "yes" to this connection, or
 * NONE. Counts nothing yet: there may never be a SYN-ACK. */
static __always_inline __u32 smc_may_promise(const struct tcp_sock *tp,
					     const struct smc_conn *c,
					     const struct smc_answer *a)
{
	struct smc_crossing x = {.since_ns = bpf_ktime_get_ns(),
				 .role = SMC_ROLE_SERVER,
				 .peer = *(const __u32 *)(c->remote.ip + 12)};
	struct smc_answer_rows rows;
	__u32 reason;

	smc_answer_rows_of(&rows, c->remote.ip);
	reason = smc_cannot_keep(tp, &rows, x.since_ns, 1);
	if (reason || !smc_needs_path(a))
		return reason;
	reason = smc_path_enter(c, &x);
	smc_path_undo(&x);
	return reason;
}

/* smc_deny_answer - Remember why a SYN gets no "yes" where the state of the
 * listener or of the path is the cause: for smc_accepted (flows.bpf.c). */
static __always_inline void smc_deny_answer(const struct smc_syn *s,
					    const struct smc_pod *pod,
					    __u32 reason, __u64 netns)
{
	struct smc_refusal no = {.pod_id = pod->pod_id, .reason = reason};
	struct smc_handshake h = {.isn = s->seq,
				  .netns = netns,
				  .local_port = s->dst.port,
				  .remote_port = s->src.port,
				  .kind = SMC_ROLE_SERVER};

	bpf_map_update_elem(&smc_refused, &h, &no, BPF_ANY);
}

/* smc_answers - May the listener @tp see the option of this SYN? A listener
 * that is not SMC's would not answer it. */
static __always_inline bool smc_answers(const struct tcp_sock *tp,
					struct smc_pod *pod,
					const struct smc_syn *s, __u64 netns)
{
	struct smc_conn c = smc_ends(&s->dst, &s->src);
	struct smc_answer a;

	if (!smc_syn_smc(tp))
		return false;
	smc_pod_listens(pod);
	smc_judge(pod, &c, SMC_ROLE_SERVER, &a);
	if (!a.reason)
		a.reason = smc_may_promise(tp, &c, &a);
	else if (!smc_lacks_path(a.reason))
		return false;
	if (!a.reason)
		return true;
	if (smc_lacks_path(a.reason))
		smc_path_wish(&c);
	smc_deny_answer(s, pod, a.reason, netns);
	return false;
}

static __noinline bool smc_syn_comes(struct __sk_buff *ctx,
				     const struct smc_syn *s, __u64 netns)
{
	struct smc_pod *row = bpf_map_lookup_elem(&smc_netns, &netns);
	struct smc_conn c = smc_ends(&s->dst, &s->src);
	struct smc_whose w = {.shared = row && row->flags & SMC_POD_SHARED};
	struct bpf_sock *listener;
	struct tcp_sock *tp;
	bool yes = false;

	listener = smc_find_listener(ctx, &c, s->is_v4);
	if (!listener)
		return w.shared;
	tp = bpf_skc_to_tcp_sock(listener);
	if (tp) {
		w = smc_pod_in(row,
			       tp->inet_conn.icsk_inet.sk.sk_cgrp_data.cgroup);
		if (w.pod)
			yes = smc_answers(tp, w.pod, s, netns);
	}
	bpf_sk_release(listener);
	if (!w.pod)
		return w.shared;
	if (!yes)
		smc_count(w.pod->pod_id, SMC_COUNTER_ANSWERS_DENIED);
	return yes;
}

/* smc_promised - The kernel sends a "yes": record it. What the verdict would
 * say by now does not matter any more. If there is no room for the record,
 * smc_accepted makes one when it is over. */
static __always_inline void smc_promised(const struct tcp_sock *tp,
					 const struct smc_pod *pod,
					 const struct smc_syn *s)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct smc_conn c = smc_ends(&s->src, &s->dst);
	struct smc_answer_rows rows;
	struct smc_handshake h;
	struct smc_crossing x;
	struct smc_answer a;
	struct smc_flow flow;

	smc_handshake_of(&h, &c, sk, s->seq, SMC_ROLE_SERVER);
	if (smc_repeat(&h, SMC_COUNTER_ANSWERS))
		return;
	smc_judge(pod, &c, SMC_ROLE_SERVER, &a);
	a.verdict = SMC_VERDICT_ACCELERATE;
	a.reason = SMC_REASON_NONE;
	smc_flow_fill(&flow, pod, &c, sk, SMC_ROLE_SERVER);
	smc_flow_answer(&flow, &a);
	x = smc_crossing_of(&flow);
	if (smc_needs_path(&a))
		(void)smc_path_enter(&c, &x);
	flow.flags = x.flags;
	smc_answer_rows_of(&rows, c.remote.ip);
	if (smc_remember(&h, &flow) > 0)
		smc_answers_take(&rows, flow.opened_ns);
	else
		smc_path_undo(&x);
	smc_count(pod->pod_id, SMC_COUNTER_ANSWERS);
}

static __noinline int smc_synack_leaves(struct __sk_buff *ctx,
					const struct smc_syn *s, __u64 netns)
{
	struct smc_conn c = smc_ends(&s->src, &s->dst);
	struct bpf_sock *listener;
	struct tcp_sock *tp;
	struct smc_whose w;

	listener = smc_find_listener(ctx, &c, s->is_v4);
	if (!listener)
		return 0;
	tp = bpf_skc_to_tcp_sock(listener);
	if (tp) {
		w = smc_pod_of(netns,
			       tp->inet_conn.icsk_inet.sk.sk_cgrp_data.cgroup);
		if (w.pod)
			smc_promised(tp, w.pod, s);
	}
	bpf_sk_release(listener);
	return 0;
}

/* ---- packets ---- */

/* A function of its own: others' packets do not pay for its stack. @is_in: it
 * comes in. */
static __noinline int smc_meet_syn(struct __sk_buff *ctx, __u32 l3, bool is_in)
{
	struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx);
	struct smc_scratch *b;
	struct smc_syn *s;
	bool passes = true;
	__u32 zero = 0;
	__u64 netns;

	b = bpf_map_lookup_elem(&smc_scratch, &zero);
	if (!b || !smc_read_syn(ctx, l3, b))
		return 0;
	s = &b->syn;
	netns = skb->dev->nd_net.net->net_cookie;
	if (is_in)
		passes = s->is_ack ? smc_synack_comes(s, netns)
				   : smc_syn_comes(ctx, s, netns);
	else if (s->is_ack)
		smc_synack_leaves(ctx, s, netns);
	else
		passes = smc_syn_leaves(ctx, s, netns);
	if (!passes)
		smc_blank(ctx, b);
	return 0;
}

static __always_inline int smc_filter(struct __sk_buff *ctx, bool is_in)
{
	struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx);
	__u64 l3 = skb->head + skb->network_header - skb->data;

	if (l3 > L3_MAX)
		return TCX_NEXT;
	/* verifier: a comparison bounds only a copy */
	asm volatile("%0 &= 255" : "+r"(l3));
	if (smc_may_be_syn(ctx, l3))
		smc_meet_syn(ctx, l3, is_in);
	return TCX_NEXT;
}

SEC("tcx/egress")
int syn_egress(struct __sk_buff *ctx)
{
	return smc_filter(ctx, false);
}

SEC("tcx/ingress")
int syn_ingress(struct __sk_buff *ctx)
{
	return smc_filter(ctx, true);
}

SEC("tcx/egress")
int syn_egress_2(struct __sk_buff *ctx)
{
	return smc_filter(ctx, false);
}

SEC("tcx/ingress")
int syn_ingress_2(struct __sk_buff *ctx)
{
	return smc_filter(ctx, true);
}

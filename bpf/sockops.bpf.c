// SPDX-License-Identifier: GPL-2.0-only
/*
 * The recorder `sockops`: every connection of an armed pod, from its first
 * packet to the end of its TCP socket, on any kernel.
 *
 * | program       | section                             | needs              |
 * |---------------|-------------------------------------|--------------------|
 * | flow_sockops  | sockops                             | cgroup v2          |
 *
 * The kernel calls it nine times for every TCP connection of the machine: while
 * attached it costs each a thousand instructions. So the agent attaches it only
 * where the recorder `smc` (flows.bpf.c) cannot work, or where somebody wants
 * to know exactly when plain connections end.
 *
 * An SMC socket has a TCP socket inside, which does the handshake. This program
 * and the selector see the inner one.
 *
 * A client's record is made at TCP_CONNECT_CB (the addresses are final there,
 * after any load balancer in cgroup/connect), given its verdict by syn_option
 * and opened at ACTIVE_ESTABLISHED. A connect() that finds nobody leaves no
 * record. A server's record is made by synack_option, or at
 * PASSIVE_ESTABLISHED. Both are settled there when the option was not agreed
 * on, else by the programs on SMC's functions.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "plain.bpf.h"
#include "quarantine.bpf.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline void flow_watch_state(struct bpf_sock_ops *ctx)
{
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags |
					       BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* A connect() begins. syn_option gives an SMC socket its verdict a moment
 * later: until then it is "not armed", which it stays without a selector. */
static __always_inline void flow_connecting(struct bpf_sock_ops *ctx,
					    struct tcp_sock *tp,
					    struct smc_pod *row)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct smc_handshake key;
	struct smc_flow flow;
	struct smc_whose w;
	struct smc_conn c;
	__u32 *early;
	int err;

	w = smc_pod_in(row, sk->sk_cgrp_data.cgroup);
	if (!w.pod)
		return;
	smc_read_conn(&c, &sk->__sk_common);
	smc_flow_fill(&flow, w.pod, &c, sk, SMC_ROLE_CLIENT);
	flow.cookie = bpf_get_socket_cookie(ctx);
	flow.reason = SMC_REASON_NOT_ARMED;
	if (!smc_syn_smc(tp)) {
		early = bpf_map_lookup_elem(&smc_early, &flow.cookie);
		smc_flow_plain(&flow, w.pod, &c, smc_plain_reason(w.pod, sk),
			       early);
		flow.outcome = SMC_OUTCOME_PENDING; /* it is not open yet */
	}
	/* snd_una is set to write_seq a few lines later, in tcp_connect() */
	smc_handshake_of(&key, &c, sk, tp->write_seq, SMC_ROLE_CLIENT);
	err = smc_flow_put(&key, &flow);
	if (err && err != -EEXIST) {
		smc_count(w.pod->pod_id, SMC_COUNTER_FLOWS_LOST);
		return;
	}
	flow_watch_state(ctx);
}

/* The TCP connection is open, but not settled. The event is sent once, for the
 * second generation of this program comes here too. */
static __always_inline void flow_opened(const struct smc_handshake *key,
					struct smc_flow *flow)
{
	if (flow->outcome == SMC_OUTCOME_PENDING &&
	    !(__sync_fetch_and_or(&flow->flags, SMC_FLOW_OPENED) &
	      SMC_FLOW_OPENED))
		smc_tell(SMC_EVENT_OPENED, key, flow);
}

static __always_inline void flow_connected(struct tcp_sock *tp)
{
	struct smc_handshake key;
	struct smc_flow *flow;

	smc_handshake_find(&key, tp, SMC_ROLE_CLIENT);
	flow = bpf_map_lookup_elem(&smc_flow, &key);
	if (!flow)
		return;
	if (flow->verdict == SMC_VERDICT_BYPASS)
		smc_flow_ended(&key, flow, SMC_OUTCOME_TCP, flow->kernel_code);
	else if (!smc_syn_smc(tp))
		smc_flow_ended(&key, flow, SMC_OUTCOME_FALLBACK,
			       flow->kernel_code ?: SMC_CLC_DECL_PEERNOSMC);
	else
		flow_opened(&key, flow);
}

/* flow_judge_accepted - Why an accepted socket has not agreed on SMC. */
static __always_inline void flow_judge_accepted(struct smc_flow *flow,
						const struct smc_pod *pod,
						const struct smc_conn *c,
						const struct tcp_sock *tp,
						const struct smc_handshake *h)
{
	struct smc_listener_key key = {.netns_cookie = flow->netns_cookie,
				       .port = c->local.port};
	__u32 *listener = bpf_map_lookup_elem(&smc_listener, &key);

	smc_flow_plain(
		flow, pod, c,
		listener ? smc_unoffered_reason(tp, h)
			 : smc_plain_reason(pod, &tp->inet_conn.icsk_inet.sk),
		listener && *listener ? listener : NULL);
}

static __always_inline void flow_accepted(struct bpf_sock_ops *ctx,
					  struct tcp_sock *tp,
					  struct smc_pod *row)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct smc_flow flow, *made;
	struct smc_handshake key;
	struct smc_whose w;
	struct smc_conn c;

	w = smc_pod_in(row, sk->sk_cgrp_data.cgroup);
	if (!w.pod)
		return;
	flow_watch_state(ctx);
	smc_handshake_find(&key, tp, SMC_ROLE_SERVER);
	made = bpf_map_lookup_elem(&smc_flow, &key);
	if (made) { /* answered by synack_option; or the second generation */
		flow_opened(&key, made);
		return;
	}
	smc_read_conn(&c, &sk->__sk_common);
	smc_flow_fill(&flow, w.pod, &c, sk, SMC_ROLE_SERVER);
	flow.cookie = bpf_get_socket_cookie(ctx);
	if (smc_syn_smc(tp)) {
		/* The selector of another ABI has answered it. */
		flow.verdict = SMC_VERDICT_ACCELERATE;
		if (smc_flow_put(&key, &flow))
			smc_count(w.pod->pod_id, SMC_COUNTER_FLOWS_LOST);
		return;
	}
	flow_judge_accepted(&flow, w.pod, &c, tp, &key);
	smc_flow_put_settled(&key, &flow);
}

/* Remember whether the newest listener of a port is SMC's. */
static __always_inline void flow_listening(struct bpf_sock_ops *ctx,
					   struct tcp_sock *tp,
					   struct smc_pod *row)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct smc_listener_key key = {};
	__u32 none = 0, *early;
	struct smc_whose w;
	__u64 cookie;

	w = smc_pod_in(row, sk->sk_cgrp_data.cgroup);
	if (!w.pod)
		return;
	key.netns_cookie = sk->__sk_common.skc_net.net->net_cookie;
	key.port = sk->__sk_common.skc_num;
	cookie = bpf_get_socket_cookie(ctx);
	early = bpf_map_lookup_elem(&smc_early, &cookie);
	if (smc_syn_smc(tp))
		bpf_map_update_elem(&smc_listener, &key, &none, BPF_ANY);
	else if (early)
		bpf_map_update_elem(&smc_listener, &key, early, BPF_ANY);
	else
		bpf_map_delete_elem(&smc_listener, &key);
}

static __always_inline void flow_closed(struct bpf_sock_ops *ctx,
					struct tcp_sock *tp)
{
	struct smc_handshake key;
	struct smc_flow *flow;

	smc_handshake_find(&key, tp, SMC_ROLE_CLIENT);
	flow = bpf_map_lookup_elem(&smc_flow, &key);
	if (!flow) {
		smc_handshake_find(&key, tp, SMC_ROLE_SERVER);
		flow = bpf_map_lookup_elem(&smc_flow, &key);
	}
	if (!flow)
		return;
	if (ctx->args[0] == BPF_TCP_SYN_SENT) {
		smc_socket_unanswered(flow, tp);
		smc_flow_drop(&key, flow);
		return;
	}
	smc_flow_bytes(flow, tp);
	smc_flow_close(&key, flow);
}

/* Not inlined, so that other sockets do not pay for its stack and registers.
 * @row: of smc_netns, where the operation needs it. */
static __noinline int flow_event(struct bpf_sock_ops *ctx, struct smc_pod *row)
{
	struct bpf_sock *sk = ctx->sk; /* verifier: reads are unchecked */
	struct tcp_sock *tp;

	if (!sk)
		return 1;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 1;
	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		flow_connecting(ctx, tp, row);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		flow_connected(tp);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		flow_accepted(ctx, tp, row);
		break;
	case BPF_SOCK_OPS_TCP_LISTEN_CB:
		flow_listening(ctx, tp, row);
		break;
	default:
		flow_closed(ctx, tp);
	}
	return 1;
}

/* Runs nine times for each TCP connection of this machine, and for each state
 * of a watched one. So it finds out fast that there is nothing to do: by the
 * operation, by a flag that only watched sockets have, by the namespace. */
SEC("sockops")
int flow_sockops(struct bpf_sock_ops *ctx)
{
	struct smc_pod *row = NULL;
	__u64 netns;

	switch (ctx->op) {
	case BPF_SOCK_OPS_STATE_CB:
		if (ctx->args[1] != BPF_TCP_CLOSE)
			return 1;
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		if (!(ctx->bpf_sock_ops_cb_flags & BPF_SOCK_OPS_STATE_CB_FLAG))
			return 1;
		break;
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_TCP_LISTEN_CB:
		netns = bpf_get_netns_cookie(ctx);
		row = bpf_map_lookup_elem(&smc_netns, &netns);
		if (!row)
			return 1;
		break;
	default:
		return 1;
	}
	return flow_event(ctx, row);
}

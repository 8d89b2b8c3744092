// SPDX-License-Identifier: GPL-2.0-only
/*
 * What became of each TCP connection of an armed pod, and why; and the two
 * things that follow from it: the mark of a sidecar's SYN, and quarantine.
 *
 * | program       | section                             | needs              |
 * |---------------|-------------------------------------|--------------------|
 * | flow_connect4 | cgroup/connect4                     | cgroup v2          |
 * | flow_connect6 | cgroup/connect6                     | cgroup v2          |
 * | flow_sockops  | sockops                             | cgroup v2          |
 * | smc_fallback  | tp_btf/smc_switch_to_fallback       | SMC (>= 5.16)      |
 * | smc_connected | fexit/__smc_connect                 | SMC, that function |
 * | smc_declined  | fexit/smc_connect_decline_fallback  | SMC, that function |
 * | smc_accepted  | fentry/smc_listen_out               | SMC, that function |
 *
 * The three functions are static in the kernel: a compiler may inline them
 * away, so each is probed for. Without one, flows that agreed on SMC stay
 * `pending` in the records and nothing else changes.
 *
 * An SMC socket is two: the application's, and inside it a TCP socket that
 * does the handshake. Everything here, and the selector, sees the inner one;
 * its cookie is the record's key (SO_COOKIE in the application gives another
 * until the socket has fallen back).
 *
 * A client's record: made at TCP_CONNECT_CB (the addresses are final there,
 * after any load balancer in cgroup/connect), given its verdict by syn_option,
 * opened at ACTIVE_ESTABLISHED. A connect() that finds nobody leaves none. A
 * server's record: made at PASSIVE_ESTABLISHED. Both are settled there when
 * the option was not agreed on, else by the programs on SMC's functions.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "flow.bpf.h"

#define IPPROTO_TCP 6
#define SOL_SOCKET 1
#define SO_MARK 36

#define EPIPE 32
#define EPROTO 71
#define ECONNRESET 104
#define ETIMEDOUT 110

#define SECOND 1000000000ULL
/* A peer that fails one connect() costs its neighbours one in a minute, then
 * one in two minutes, and so on up to one in an hour. */
#define QUARANTINE_FIRST (60 * SECOND)
#define QUARANTINE_DOUBLINGS 6

char LICENSE[] SEC("license") = "GPL";

/* syn_smc: "asked for SMC", and after the handshake "agreed on SMC". A kernel
 * without SMC has no such field. */
static __always_inline bool smc_syn_smc(const struct tcp_sock *tp)
{
	if (!bpf_core_field_exists(tp->syn_smc))
		return false;
	return BPF_CORE_READ_BITFIELD(tp, syn_smc);
}

/* Why a socket is plain TCP that would have been offered SMC. sk_uid: of the
 * one who opened it; an accepted socket has its listener's here. */
static __always_inline __u32 smc_plain_reason(const struct smc_pod *pod,
					      const struct sock *sk)
{
	if (pod->uid != SMC_UID_ANY && pod->uid != sk->sk_uid.val)
		return SMC_REASON_OTHER_UID;
	return SMC_REASON_NOT_CONVERTED;
}

/* ---- cgroup/connect: the mark ---- */

/*
 * An SMC socket's inner socket has no file before it falls back, so the owner
 * rules of a sidecar's redirect ("packets of my UID pass") never match its SYN,
 * and the proxy would be connected to itself. One rule of ours, before those,
 * lets this mark pass. The kernel copies SO_MARK from the outer socket in
 * smc_connect() before this, and again when the handshake is over: the mark is
 * on the handshake only.
 */
static __always_inline int smc_mark(struct bpf_sock_addr *ctx)
{
	const struct smc_config *config;
	struct bpf_sock *sk = ctx->sk;
	struct tcp_sock *tp;
	struct smc_whose w;
	__u32 zero = 0, mark;

	if (ctx->protocol != IPPROTO_TCP || !sk)
		return 1;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || !smc_syn_smc(tp))
		return 1;
	w = smc_pod_of_sock(&tp->inet_conn.icsk_inet.sk);
	if (!w.pod)
		return 1;
	/* The hooks see 0 unless someone asked for the cookie before. */
	bpf_get_socket_cookie(ctx);
	if (!(w.pod->flags & SMC_POD_SIDECAR))
		return 1;
	config = bpf_map_lookup_elem(&smc_config, &zero);
	if (!config || !config->mark_mask)
		return 1;
	mark = (sk->mark & ~config->mark_mask) |
	       (config->mark & config->mark_mask);
	/* On failure the proxy's flow meets the redirect, and its connect()
	 * ends at itself: nothing more can be done for it here. */
	bpf_setsockopt(ctx, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	return 1;
}

SEC("cgroup/connect4")
int flow_connect4(struct bpf_sock_addr *ctx)
{
	return smc_mark(ctx);
}

SEC("cgroup/connect6")
int flow_connect6(struct bpf_sock_addr *ctx)
{
	return smc_mark(ctx);
}

/* ---- sockops: the records ---- */

static __always_inline void flow_watch_state(struct bpf_sock_ops *ctx)
{
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags |
					       BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* flow_judge_plain - The verdict as if the socket were SMC's: a reason that
 * stands against SMC anyway is the one to tell. */
static __always_inline void flow_judge_plain(struct smc_flow *flow,
					     const struct smc_pod *pod,
					     const struct smc_conn *c,
					     __u32 role)
{
	struct smc_answer a;

	smc_judge(pod, c, role, &a);
	flow->verdict = a.verdict;
	flow->reason = a.reason;
	flow->transports = a.transports;
}

/* A connect() begins. An SMC socket gets its verdict from syn_option a moment
 * later: until then "not armed", which is what it is without a selector. */
static __always_inline void flow_connecting(struct bpf_sock_ops *ctx,
					    struct tcp_sock *tp,
					    struct smc_pod *row)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct smc_flow flow;
	struct smc_whose w;
	struct smc_conn c;
	__u32 *early;
	__u64 cookie;

	w = smc_pod_in(row, sk->sk_cgrp_data.cgroup);
	if (!w.pod)
		return;
	cookie = bpf_get_socket_cookie(ctx);
	smc_read_conn(&c, &sk->__sk_common);
	smc_flow_fill(&flow, w.pod, &c, sk, SMC_ROLE_CLIENT);
	flow.reason = SMC_REASON_NOT_ARMED;
	if (!smc_syn_smc(tp)) {
		flow_judge_plain(&flow, w.pod, &c, SMC_ROLE_CLIENT);
		early = bpf_map_lookup_elem(&smc_early, &cookie);
		if (early)
			flow.kernel_code = *early;
		if (flow.verdict && !early) {
			flow.verdict = SMC_VERDICT_BYPASS;
			flow.reason = smc_plain_reason(w.pod, sk);
		}
	}
	/* BPF_ANY: a socket may connect again after a failure. */
	if (bpf_map_update_elem(&smc_flow, &cookie, &flow, BPF_ANY)) {
		smc_count(w.pod->pod_id, SMC_COUNTER_FLOWS_LOST);
		return;
	}
	flow_watch_state(ctx);
}

/* flow_forget - The handshake is over: drop the remembered answer.
 * Return: true for the first to do it. */
static __always_inline bool flow_forget(const struct tcp_sock *tp,
					const struct smc_conn *c, __u32 isn,
					__u32 role)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct smc_handshake h;

	smc_handshake_of(&h, c, sk, isn, role);
	return !bpf_map_delete_elem(&smc_answered, &h);
}

static __always_inline void flow_connected(struct bpf_sock_ops *ctx,
					   struct tcp_sock *tp)
{
	struct smc_flow *flow;
	struct smc_conn c;
	__u64 cookie;
	bool first;

	cookie = bpf_get_socket_cookie(ctx);
	flow = bpf_map_lookup_elem(&smc_flow, &cookie);
	if (!flow || flow->role != SMC_ROLE_CLIENT)
		return;
	if (flow->verdict == SMC_VERDICT_BYPASS) {
		if (smc_flow_settle(flow, SMC_OUTCOME_TCP, flow->kernel_code))
			smc_emit(SMC_EVENT_OPENED, cookie, flow);
		return;
	}
	smc_read_conn(&c, &tp->inet_conn.icsk_inet.sk.__sk_common);
	/* the SYN-ACK moved snd_una past the SYN */
	first = flow_forget(tp, &c, tp->snd_una - 1, SMC_ROLE_CLIENT);
	if (first || flow->kernel_code)
		smc_emit(SMC_EVENT_OPENED, cookie, flow);
	if (!smc_syn_smc(tp))
		smc_flow_ended(cookie, flow, SMC_OUTCOME_FALLBACK,
			       flow->kernel_code ?: SMC_CLC_DECL_PEERNOSMC);
}

/* flow_judge_accepted - Why an accepted socket has not agreed on SMC. */
static __always_inline void flow_judge_accepted(struct smc_flow *flow,
						const struct smc_pod *pod,
						const struct smc_conn *c,
						const struct sock *sk)
{
	struct smc_listener_key key = {.netns_cookie = flow->netns_cookie,
				       .port = c->local.port};
	__u32 *listener;

	flow_judge_plain(flow, pod, c, SMC_ROLE_SERVER);
	if (flow->verdict == SMC_VERDICT_BYPASS)
		return;
	listener = bpf_map_lookup_elem(&smc_listener, &key);
	if (listener && *listener) {
		flow->kernel_code = *listener;
		return;
	}
	flow->verdict = SMC_VERDICT_BYPASS;
	flow->reason =
		listener ? SMC_REASON_NOT_OFFERED : smc_plain_reason(pod, sk);
}

static __always_inline void flow_answered(struct smc_flow *flow,
					  const struct tcp_sock *tp,
					  const struct smc_conn *c)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	const struct smc_answered *a;
	struct smc_handshake h;

	smc_handshake_of(&h, c, sk, tp->snd_una - 1, SMC_ROLE_SERVER);
	a = bpf_map_lookup_elem(&smc_answered, &h);
	flow->verdict = SMC_VERDICT_ACCELERATE;
	flow->transports = a ? a->transports : 0;
}

static __always_inline void flow_accepted(struct bpf_sock_ops *ctx,
					  struct tcp_sock *tp,
					  struct smc_pod *row)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct smc_flow flow, *made;
	struct smc_whose w;
	struct smc_conn c;
	__u64 cookie;
	int err;

	w = smc_pod_in(row, sk->sk_cgrp_data.cgroup);
	if (!w.pod)
		return;
	cookie = bpf_get_socket_cookie(ctx);
	smc_read_conn(&c, &sk->__sk_common);
	smc_flow_fill(&flow, w.pod, &c, sk, SMC_ROLE_SERVER);
	if (smc_syn_smc(tp))
		flow_answered(&flow, tp, &c);
	else
		flow_judge_accepted(&flow, w.pod, &c, sk);
	/* A cookie is never used twice: who finds it there is the second
	 * generation of this program. */
	err = bpf_map_update_elem(&smc_flow, &cookie, &flow, BPF_NOEXIST);
	made = bpf_map_lookup_elem(&smc_flow, &cookie);
	if (!made)
		smc_count(w.pod->pod_id, SMC_COUNTER_FLOWS_LOST);
	if (err || !made)
		return;
	flow_watch_state(ctx);
	if (made->verdict == SMC_VERDICT_BYPASS)
		smc_flow_settle(made, SMC_OUTCOME_TCP, 0);
	smc_emit(SMC_EVENT_OPENED, cookie, made);
	if (made->kernel_code)
		smc_flow_ended(cookie, made, SMC_OUTCOME_FALLBACK,
			       made->kernel_code);
	else if (made->verdict)
		flow_forget(tp, &c, tp->snd_una - 1, SMC_ROLE_SERVER);
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

/* Payload only: bytes_received counts the peer's FIN, bytes_acked would count
 * our SYN and FIN. Only of flows that are TCP: on others these are the bytes
 * of SMC's own handshake. */
static __always_inline void flow_bytes(struct smc_flow *flow,
				       const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__u64 done = bpf_core_enum_value(enum sock_flags, SOCK_DONE);
	__u64 fin = sk->__sk_common.skc_flags >> done & 1;

	if (flow->outcome != SMC_OUTCOME_TCP &&
	    flow->outcome != SMC_OUTCOME_FALLBACK)
		return;
	flow->rx_bytes = tp->bytes_received - (tp->bytes_received ? fin : 0);
	flow->tx_bytes = tp->bytes_sent - tp->bytes_retrans;
}

static __always_inline void flow_closed(struct bpf_sock_ops *ctx,
					struct tcp_sock *tp)
{
	struct smc_flow *flow;
	__u64 cookie;

	cookie = bpf_get_socket_cookie(ctx);
	flow = bpf_map_lookup_elem(&smc_flow, &cookie);
	if (!flow || flow->closed)
		return;
	if (ctx->args[0] == BPF_TCP_SYN_SENT) {
		struct smc_conn c;

		smc_read_conn(&c, &tp->inet_conn.icsk_inet.sk.__sk_common);
		flow_forget(tp, &c, tp->snd_una, SMC_ROLE_CLIENT);
		bpf_map_delete_elem(&smc_flow, &cookie);
		return;
	}
	flow_bytes(flow, tp);
	flow->closed_ns = bpf_ktime_get_ns();
	flow->closed = 1;
	smc_emit(SMC_EVENT_CLOSED, cookie, flow);
}

/* Not inlined, so that the sockets of everyone else do not pay for its stack
 * and registers. @row: of smc_netns, where the operation needs it. */
static __noinline int flow_event(struct bpf_sock_ops *ctx, struct smc_pod *row)
{
	struct bpf_sock *sk = ctx->sk; /* verifier: each read is unchecked */
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
		flow_connected(ctx, tp);
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

/* Called nine times for each TCP connection on this machine, and for each state
 * of a watched one, so it is quick to see that there is nothing to do: by the
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

/* ---- SMC's own functions: what became of an agreed option ---- */

static __always_inline __u8 smc_outcome_of(const struct smc_sock *smc)
{
	return smc->conn.lgr->is_smcd ? SMC_OUTCOME_SMCD : SMC_OUTCOME_SMCR;
}

/* Before a flow exists: an option was set that SMC cannot do, and the socket
 * became its inner one for good. Only armed pods' are kept. */
static __always_inline void smc_fell_back_early(const struct smc_sock *smc,
						__u64 cookie, __u32 code)
{
	struct smc_whose w;

	if (smc->sk.__sk_common.skc_state != SMC_INIT || smc->listen_smc)
		return;
	w = smc_pod_of_sock(&smc->sk);
	if (w.pod)
		bpf_map_update_elem(&smc_early, &cookie, &code, BPF_ANY);
}

/* Both roles, under the socket's lock, before the application knows. */
SEC("tp_btf/smc_switch_to_fallback")
int BPF_PROG(smc_fallback, const struct smc_sock *smc, int code)
{
	struct sock *sk = smc->clcsock->sk;
	struct smc_flow *flow;
	__u64 cookie;

	cookie = bpf_get_socket_cookie(sk);
	flow = bpf_map_lookup_elem(&smc_flow, &cookie);
	if (flow)
		smc_flow_ended(cookie, flow, SMC_OUTCOME_FALLBACK, code);
	else
		smc_fell_back_early(smc, cookie, code);
	return 0;
}

/* A quarantined peer that was tried again, and did well, is forgiven. */
static __always_inline void smc_forgive(const struct smc_flow *flow)
{
	struct smc_addr_port peer = {.port = flow->remote_port};

	__builtin_memcpy(peer.ip, flow->remote_ip, sizeof(peer.ip));
	if (bpf_map_lookup_elem(&smc_quarantine, &peer))
		bpf_map_delete_elem(&smc_quarantine, &peer);
}

/* 0 is also what a fall-back returns; smc_fallback has told that one. */
SEC("fexit/__smc_connect")
int BPF_PROG(smc_connected, struct smc_sock *smc, int ret)
{
	struct smc_flow *flow;
	__u64 cookie;

	if (smc->use_fallback)
		return 0;
	cookie = smc->clcsock->sk->__sk_common.skc_cookie.counter;
	flow = bpf_map_lookup_elem(&smc_flow, &cookie);
	if (!flow)
		return 0;
	if (ret) {
		smc_flow_ended(cookie, flow, SMC_OUTCOME_FAILED, ret);
		return 0;
	}
	smc_flow_ended(cookie, flow, smc_outcome_of(smc), 0);
	smc_forgive(flow);
	return 0;
}

/* What only a peer can cause. A signal (EINTR), an abort of our own
 * (ECONNABORTED) and a lack of memory say nothing about it. */
static __always_inline bool smc_peer_failed(int code)
{
	return code == -ETIMEDOUT || code == -EPROTO || code == -ECONNRESET ||
	       code == -EPIPE;
}

static __always_inline __u64 smc_sentence(__u32 strikes)
{
	__u32 doublings = strikes - 1;

	if (doublings > QUARANTINE_DOUBLINGS)
		doublings = QUARANTINE_DOUBLINGS;
	return QUARANTINE_FIRST << doublings;
}

/* smc_strike - Quarantine a peer, for twice as long as the last time; who did
 * nothing for the longest time begins anew. Connections that fail together,
 * and the second generation of this program, are one strike.
 * Return: true if this was it. */
static __always_inline bool smc_strike(const struct smc_addr_port *peer,
				       int code)
{
	__u64 now = bpf_ktime_get_ns(), until;
	struct smc_quarantine q = {.strikes = 1, .reason = code};
	struct smc_quarantine *old;

	old = bpf_map_lookup_elem(&smc_quarantine, peer);
	if (!old) {
		q.until_ns = now + smc_sentence(1);
		return !bpf_map_update_elem(&smc_quarantine, peer, &q,
					    BPF_NOEXIST);
	}
	until = old->until_ns;
	if (until > now)
		return false;
	if (now - until < smc_sentence(-1U))
		q.strikes = old->strikes + 1;
	q.until_ns = now + smc_sentence(q.strikes);
	if (__sync_val_compare_and_swap(&old->until_ns, until, q.until_ns) !=
	    until)
		return false;
	old->strikes = q.strikes;
	old->reason = code;
	return true;
}

/* A negative reason is a handshake that can neither go on nor fall back: the
 * application's connect() fails. The next one must not. */
SEC("fexit/smc_connect_decline_fallback")
int BPF_PROG(smc_declined, struct smc_sock *smc, int reason)
{
	struct sock *sk = smc->clcsock->sk;
	struct smc_whose w;
	struct smc_conn c;

	if (!smc_peer_failed(reason))
		return 0;
	w = smc_pod_of_sock(sk);
	if (!w.pod)
		return 0; /* a program's own SMC socket */
	smc_read_conn(&c, &sk->__sk_common);
	if (smc_strike(&c.remote, reason))
		smc_count(w.pod->pod_id, SMC_COUNTER_QUARANTINES);
	return 0;
}

/* Every connection of an SMC listener, when its handshake has ended in one way
 * or another and before accept() can see it. */
SEC("fentry/smc_listen_out")
int BPF_PROG(smc_accepted, struct smc_sock *smc)
{
	__u64 cookie = smc->clcsock->sk->__sk_common.skc_cookie.counter;
	struct smc_flow *flow;

	flow = bpf_map_lookup_elem(&smc_flow, &cookie);
	if (!flow)
		return 0;
	if (smc->sk.__sk_common.skc_state == SMC_CLOSED)
		smc_flow_ended(cookie, flow, SMC_OUTCOME_FAILED,
			       -smc->sk.sk_err);
	else if (smc->use_fallback)
		smc_flow_ended(cookie, flow, SMC_OUTCOME_FALLBACK,
			       smc->fallback_rsn);
	else
		smc_flow_ended(cookie, flow, smc_outcome_of(smc), 0);
	return 0;
}

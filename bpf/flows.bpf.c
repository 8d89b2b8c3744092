// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records the outcome of each connection of an armed pod, from SMC's own
 * functions. For a process without SMC sockets only flow_passive costs
 * anything.
 *
 * | program       | section                             | needs              |
 * |---------------|-------------------------------------|--------------------|
 * | smc_fallback  | tp_btf/smc_switch_to_fallback       | SMC (>= 5.16)      |
 * | smc_connected | fexit/__smc_connect                 | SMC, that function |
 * | smc_declined  | fexit/smc_connect_decline_fallback  | SMC, that function |
 * | smc_accepted  | fentry/smc_listen_out               | SMC, that function |
 * | smc_closed    | fentry/smc_clcsock_release          | SMC, that function |
 * | flow_passive  | fentry/inet_csk_complete_hashdance  | a selector         |
 * | flow_put, flow_drop, counter_add | syscall          | run by the agent   |
 *
 * Three of the functions are static in the kernel: a compiler may inline them,
 * so the agent probes for each. Without one, flows that agreed on SMC stay
 * `pending` in the records and nothing else changes.
 *
 * The recorder `smc`: the selector writes the record of a "yes" at the SYN or
 * SYN-ACK; smc_connected and smc_accepted settle it, and make that of a "no";
 * smc_closed closes it. flow_passive and connect_guard see plain connections.
 * The recorder `sockops` does without smc_closed and flow_passive. Both
 * recorders use the same keys.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "answers.bpf.h"
#include "listener.bpf.h"
#include "plain.bpf.h"
#include "quarantine.bpf.h"
#include "ration.bpf.h"

#define EPIPE 32
#define EPROTO 71
#define ECONNRESET 104
#define ETIMEDOUT 110

char LICENSE[] SEC("license") = "GPL";

static __always_inline __u8 smc_outcome_of(const struct smc_sock *smc)
{
	if (smc->use_fallback)
		return SMC_OUTCOME_FALLBACK;
	return smc->conn.lgr->is_smcd ? SMC_OUTCOME_SMCD : SMC_OUTCOME_SMCR;
}

/* The send buffer of an SMC-D connection inside one node is its peer's receive
 * buffer, which counts for the peer (smcd_buf_attach(), net/smc/smc_core.c).
 * The verifier takes the field for the first member of its union, which is
 * SMC-R's: so the probing reader reads it. */
static __always_inline bool smc_is_attached(const struct smc_sock *smc,
					    const struct smc_buf_desc *send)
{
	return bpf_core_field_exists(send->is_attached) &&
	       smc->conn.lgr->is_smcd && BPF_CORE_READ(send, is_attached);
}

/* smc_buffers - The memory that an SMC connection has pinned for itself, bytes.
 * The link group keeps it for its next connections. */
static __always_inline __u32 smc_buffers(const struct smc_sock *smc)
{
	const struct smc_buf_desc *send = smc->conn.sndbuf_desc;
	const struct smc_buf_desc *receive = smc->conn.rmb_desc;
	__u32 bytes;

	if (smc->use_fallback || !receive)
		return 0;
	bytes = receive->len;
	return send && !smc_is_attached(smc, send) ? bytes + send->len : bytes;
}

/* smc_flow_of - The open record of an SMC connection; sets @key. @tp: the
 * connection's inner socket. */
static __always_inline struct smc_flow *smc_flow_of(const struct smc_sock *smc,
						    const struct tcp_sock *tp,
						    struct smc_handshake *key)
{
	smc_handshake_find(key, tp,
			   smc->listen_smc ? SMC_ROLE_SERVER : SMC_ROLE_CLIENT);
	return bpf_map_lookup_elem(&smc_flow, key);
}

/* smc_agreed_ended - As smc_flow_ended(), for a handshake that the selector
 * said "yes" to: a server's also gives its answer back to the ration. */
static __always_inline void smc_agreed_ended(const struct smc_handshake *key,
					     struct smc_flow *flow,
					     __u8 outcome, __u32 code)
{
	struct smc_answer_rows rows;

	if (!smc_flow_ended(key, flow, outcome, code) ||
	    flow->role != SMC_ROLE_SERVER)
		return;
	smc_answer_rows_of(&rows, flow->remote_ip);
	smc_answers_give_back(&rows, flow->opened_ns, flow->decided_ns);
}

/* ---- fall-backs ---- */

/* An application set an option that SMC cannot do before there was a flow, so
 * the socket fell back to its inner one for good. Only armed pods' are kept. */
static __always_inline void smc_fell_back_early(const struct smc_sock *smc,
						struct sock *inner, __u32 code)
{
	struct smc_whose w;
	__u64 cookie;

	if (smc->sk.__sk_common.skc_state != SMC_INIT || smc->listen_smc ||
	    inner->__sk_common.skc_state != BPF_TCP_CLOSE)
		return;
	w = smc_pod_of_sock(&smc->sk);
	if (!w.pod)
		return;
	cookie = bpf_get_socket_cookie(inner);
	bpf_map_update_elem(&smc_early, &cookie, &code, BPF_ANY);
}

/* Called for both roles, under the socket's lock, before the application knows.
 * @smc: where SMC is a module the verifier assumes that it may be NULL, as an
 *       argument of a tracepoint. */
SEC("tp_btf/smc_switch_to_fallback")
int BPF_PROG(smc_fallback, const struct smc_sock *smc, int code)
{
	struct smc_handshake key;
	struct smc_flow *flow;
	struct tcp_sock *tp;
	struct sock *sk;

	if (!smc)
		return 0;
	smc_ration_give(&smc->sk);
	sk = smc->clcsock->sk;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	flow = smc_flow_of(smc, tp, &key);
	if (!flow) {
		smc_fell_back_early(smc, sk, code);
	} else if (flow->verdict == SMC_VERDICT_ACCELERATE) {
		if (smc_is_path_code(code, smc->peer_diagnosis))
			smc_path_failed(flow);
		smc_agreed_ended(&key, flow, SMC_OUTCOME_FALLBACK, code);
	}
	return 0;
}

/* ---- clients ---- */

/*
 * A connect() ended without a record: the selector said "no" to its SYN. The
 * selector keeps no reason, for a pod that dials many strangers would fill the
 * map with handshakes that end as TCP; so ask the verdict again. (Where another
 * ABI's selector said "yes" there is no record either.)
 */
static __always_inline void smc_connected_plain(const struct smc_sock *smc,
						const struct tcp_sock *tp,
						const struct smc_handshake *key)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct smc_flow flow;
	struct smc_whose w;
	struct smc_conn c;

	w = smc_pod_of_sock(sk);
	if (!w.pod || !smc_uses(SMC_USE_PLAIN))
		return;
	smc_read_conn(&c, &sk->__sk_common);
	smc_flow_fill(&flow, w.pod, &c, sk, SMC_ROLE_CLIENT);
	if (smc->use_fallback) {
		smc_flow_plain(&flow, w.pod, &c, SMC_REASON_CHANGED, NULL);
		flow.kernel_code = smc->fallback_rsn;
	} else {
		flow.verdict = SMC_VERDICT_ACCELERATE;
		flow.outcome = smc_outcome_of(smc);
		flow.buffers = smc_buffers(smc);
	}
	smc_flow_put_settled(key, &flow);
}

/* smc_is_open - Is the inner socket connected? It is not where a blocking
 * connect() outlasted SO_SNDTIMEO: the kernel goes on as if it were. */
static __always_inline bool smc_is_open(const struct tcp_sock *tp)
{
	__u8 state = tp->inet_conn.icsk_inet.sk.__sk_common.skc_state;

	return state == BPF_TCP_ESTABLISHED || state == BPF_TCP_CLOSE_WAIT;
}

/* smc_syn_sent - Is the inner socket still waiting for a SYN-ACK? */
static __always_inline bool smc_syn_sent(const struct tcp_sock *tp)
{
	return tp->inet_conn.icsk_inet.sk.__sk_common.skc_state ==
	       BPF_TCP_SYN_SENT;
}

/* A connect() that did not offer SMC, but has a record: its peer is in
 * quarantine, or sockops made the record. */
static __always_inline void
smc_connected_denied(const struct smc_sock *smc, const struct tcp_sock *tp,
		     const struct smc_handshake *key, struct smc_flow *flow)
{
	struct smc_addr_port peer;
	struct smc_seen s;

	smc_flow_ended(key, flow, SMC_OUTCOME_TCP, smc->fallback_rsn);
	if (flow->reason != SMC_REASON_QUARANTINED || !smc_is_open(tp))
		return;
	smc_seen_of(&s, &peer, flow);
	smc_tried(&s, true);
}

/* __smc_connect() returns 0 for a fall-back, too; smc_fallback has settled that
 * flow if SMC was offered. */
SEC("fexit/__smc_connect")
int BPF_PROG(smc_connected, struct smc_sock *smc, int ret)
{
	struct smc_addr_port peer;
	struct smc_handshake key;
	struct smc_flow *flow;
	struct tcp_sock *tp;
	struct smc_seen s;

	if (!ret && !smc->use_fallback)
		smc_ration_give(&smc->sk);
	tp = bpf_skc_to_tcp_sock(smc->clcsock->sk);
	if (!tp)
		return 0;
	smc_handshake_find(&key, tp, SMC_ROLE_CLIENT);
	flow = bpf_map_lookup_elem(&smc_flow, &key);
	if (!flow) {
		if (!ret)
			smc_connected_plain(smc, tp, &key);
		return 0;
	}
	if (ret) {
		smc_flow_ended(&key, flow, SMC_OUTCOME_FAILED, ret);
		/* The socket may connect again, with another handshake, and
		 * nothing would lead to this record. */
		if (!smc_syn_sent(tp))
			smc_flow_close(&key, flow);
		return 0;
	}
	if (smc->use_fallback) {
		if (flow->verdict == SMC_VERDICT_BYPASS)
			smc_connected_denied(smc, tp, &key, flow);
		return 0;
	}
	flow->buffers = smc_buffers(smc);
	smc_flow_ended(&key, flow, smc_outcome_of(smc), 0);
	smc_seen_of(&s, &peer, flow);
	smc_forgive(&s);
	return 0;
}

/* Errors that only a peer can cause. A signal (EINTR), an abort of our own
 * (ECONNABORTED) and a lack of memory say nothing about the peer. */
static __always_inline bool smc_peer_failed(int code)
{
	return code == -ETIMEDOUT || code == -EPROTO || code == -ECONNRESET ||
	       code == -EPIPE;
}

/* The errors of a connect() whose server is being stopped. */
static __always_inline bool smc_peer_went(int code)
{
	return code == -ECONNRESET || code == -EPIPE;
}

/*
 * smc_path_blamed - A handshake that went over RDMA has failed. @waited: it
 * ends as one does that took too long. Return: false if that was because it
 * waited for others' handshakes, and neither its path nor its peer is to blame.
 */
static __always_inline bool smc_path_blamed(const struct smc_flow *flow,
					    int code, bool waited)
{
	if (waited && !smc_was_alone(flow))
		return false;
	if (code == -ETIMEDOUT || code == -EPROTO)
		smc_path_failed(flow);
	return true;
}

/* With which error of its peer a handshake failed, or 0: what could not be sent
 * to a peer that has gone is -EPROTO, whatever it was (smc_clc_send_decline(),
 * net/smc/smc_clc.c). */
static __always_inline int smc_decline_failed(int reason, int err)
{
	if (reason >= 0)
		return err == -EPROTO ? -ECONNRESET : 0;
	return smc_peer_failed(reason) ? reason : 0;
}

/* Where this returns an error the handshake can neither go on nor fall back,
 * and the application's connect() fails: with a negative reason, or because the
 * peer has gone before it was told that this end declines. This keeps the next
 * one from failing. */
SEC("fexit/smc_connect_decline_fallback")
int BPF_PROG(smc_declined, struct smc_sock *smc, int reason, __u8 version,
	     int err)
{
	struct smc_handshake key;
	struct smc_flow *flow;
	struct tcp_sock *tp;
	struct smc_seen s;
	struct smc_whose w;
	struct smc_conn c;
	bool waited;
	int code;

	tp = bpf_skc_to_tcp_sock(smc->clcsock->sk);
	code = smc_decline_failed(reason, err);
	if (!tp || !code)
		return 0;
	w = smc_pod_of_sock(&tp->inet_conn.icsk_inet.sk);
	if (!w.pod)
		return 0; /* a program's own SMC socket */
	flow = smc_flow_of(smc, tp, &key);
	if (smc_syn_sent(tp)) { /* smc_is_open() */
		if (flow)
			smc_socket_unanswered(flow, tp);
		return 0;
	}
	/* a peer that had to wait has gone when this end declines at last */
	waited = code == -ETIMEDOUT || reason >= 0;
	if (flow && !smc_path_blamed(flow, code, waited))
		return 0;
	smc_read_conn(&c, &tp->inet_conn.icsk_inet.sk.__sk_common);
	s = (struct smc_seen){w.pod->pod_id, code, &c.remote,
			      bpf_ktime_get_ns()};
	if (smc_peer_went(code))
		smc_mark(&s, flow ? flow->opened_ns : 0);
	else
		smc_strike(&s);
	return 0;
}

/* ---- servers ---- */

/* An accepted connection for which the kernel did not ask the selector, or the
 * selector said "no" for a reason that still stands. */
static __always_inline void smc_accepted_plain(const struct smc_sock *smc,
					       const struct tcp_sock *tp,
					       const struct smc_handshake *key,
					       __u32 outcome, __u32 code)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct smc_flow flow;
	struct smc_whose w;
	struct smc_conn c;

	w = smc_pod_of_sock(sk);
	if (!w.pod || !smc_uses(SMC_USE_PLAIN))
		return;
	smc_pod_listens(w.pod);
	smc_read_conn(&c, &sk->__sk_common);
	smc_flow_fill(&flow, w.pod, &c, sk, SMC_ROLE_SERVER);
	if (smc_syn_smc(tp)) {
		flow.verdict = SMC_VERDICT_ACCELERATE;
		flow.outcome = outcome;
		flow.kernel_code = code;
		flow.buffers = smc_buffers(smc);
	} else {
		smc_flow_plain(&flow, w.pod, &c, smc_unoffered_reason(tp, key),
			       NULL);
	}
	smc_flow_put_settled(key, &flow);
}

/* Runs for every connection of an SMC listener when the handshake has ended,
 * well or not, before accept() can see it. */
SEC("fentry/smc_listen_out")
int BPF_PROG(smc_accepted, struct smc_sock *smc)
{
	bool failed = smc->sk.__sk_common.skc_state == SMC_CLOSED;
	struct smc_handshake key;
	struct smc_flow *flow;
	struct tcp_sock *tp;
	__u32 code = 0;
	__u8 outcome;

	tp = bpf_skc_to_tcp_sock(smc->clcsock->sk);
	if (!tp)
		return 0;
	outcome = failed ? SMC_OUTCOME_FAILED : smc_outcome_of(smc);
	if (failed)
		code = -smc->sk.sk_err;
	else if (smc->use_fallback)
		code = smc->fallback_rsn;
	smc_handshake_find(&key, tp, SMC_ROLE_SERVER);
	flow = bpf_map_lookup_elem(&smc_flow, &key);
	if (!flow) {
		/* or two generations of this program would count a failed one
		 * twice */
		if (!failed)
			smc_accepted_plain(smc, tp, &key, outcome, code);
		return 0;
	}
	if (flow->verdict == SMC_VERDICT_ACCELERATE) {
		if (failed)
			smc_path_blamed(flow, code, (int)code == -ETIMEDOUT);
		else
			flow->buffers = smc_buffers(smc);
		smc_agreed_ended(&key, flow, outcome, code);
	} else { /* the selector's "no" */
		smc_flow_ended(&key, flow, failed ? outcome : SMC_OUTCOME_TCP,
			       failed ? code : 0);
	}
	if (failed) /* smc_accept_dequeue() releases the inner socket itself */
		smc_flow_close(&key, flow);
	return 0;
}

/* ---- recorder `smc`: plain connections of listeners, and ends ---- */

static __noinline int flow_passive_of(struct sock *listener, struct sock *child)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(listener);
	struct smc_handshake key;
	struct smc_flow flow;
	struct smc_whose w;
	struct smc_conn c;
	__u64 cookie;

	/* an SMC listener's: smc_accepted records it */
	if (!tp || smc_syn_smc(tp))
		return 0;
	tp = bpf_skc_to_tcp_sock(child);
	if (!tp)
		return 0;
	w = smc_pod_of_sock(child);
	if (!w.pod)
		return 0;
	smc_read_conn(&c, &child->__sk_common);
	smc_flow_fill(&flow, w.pod, &c, child, SMC_ROLE_SERVER);
	flow.flags = SMC_FLOW_DIAGNOSED;
	cookie = smc_cookie_of(listener);
	smc_flow_plain(&flow, w.pod, &c, smc_plain_reason(w.pod, listener),
		       bpf_map_lookup_elem(&smc_early, &cookie));
	smc_handshake_find(&key, tp, SMC_ROLE_SERVER);
	smc_flow_put_settled(&key, &flow);
	return 0;
}

/* Runs for each connection that a listener of this machine gets: those in
 * namespaces without a selector cost one pointer. @own_req: false if another
 * CPU finished the same handshake first. */
SEC("fentry/inet_csk_complete_hashdance")
int BPF_PROG(flow_passive, struct sock *sk, struct sock *child,
	     struct request_sock *req, bool own_req)
{
	if (!smc_selected(sk->__sk_common.skc_net.net) || !own_req)
		return 0;
	return flow_passive_of(sk, child);
}

/* smc_drop_unsettled - Delete the record of a connection that ended before it
 * was settled. Where someone detached smc_accepted this gives a server's "yes"
 * back to the ration. */
static __always_inline void smc_drop_unsettled(const struct smc_handshake *key,
					       struct smc_flow *flow)
{
	bool answered = flow->role == SMC_ROLE_SERVER &&
			flow->verdict == SMC_VERDICT_ACCELERATE;
	__u64 given = flow->opened_ns;
	struct smc_answer_rows rows;

	smc_answer_rows_of(&rows, flow->remote_ip);
	if (smc_flow_drop(key, flow) && answered)
		smc_answers_give_back(&rows, given, bpf_ktime_get_ns());
}

/*
 * The kernel releases the inner socket: the connection has ended for both
 * sides, or has fallen back and is closed here, or its connect() found nobody.
 * smc_release() would be too late, for the kernel releases the inner socket of
 * a lost link before.
 */
SEC("fentry/smc_clcsock_release")
int BPF_PROG(smc_closed, struct smc_sock *smc)
{
	struct socket *inner = smc->clcsock;
	struct smc_handshake key;
	struct smc_flow *flow;
	struct tcp_sock *tp;

	if (!inner)
		return 0; /* it was released before */
	tp = bpf_skc_to_tcp_sock(inner->sk);
	if (!tp)
		return 0;
	flow = smc_flow_of(smc, tp, &key);
	if (!flow)
		return 0;
	if (flow->outcome == SMC_OUTCOME_PENDING) {
		smc_socket_unanswered(flow, tp);
		smc_drop_unsettled(&key, flow);
		return 0;
	}
	smc_flow_bytes(flow, tp);
	smc_flow_close(&key, flow);
	return 0;
}

/* ---- run by the agent: abi.h says what they do ---- */

SEC("syscall")
int flow_put(struct smc_flow_job *job)
{
	struct smc_handshake key = job->key;
	struct smc_flow flow = job->flow;

	job->result = smc_flow_put(&key, &flow);
	return 0;
}

SEC("syscall")
int flow_drop(struct smc_flow_job *job)
{
	struct smc_handshake key = job->key;
	struct smc_flow flow = job->flow;
	struct smc_flow *row = bpf_map_lookup_elem(&smc_flow, &key);

	if (!row || !smc_flow_drop(&key, row)) {
		job->result = -ENOENT;
		return 0;
	}
	job->result = 0;
	if (flow.outcome == SMC_OUTCOME_PENDING)
		return 0;
	smc_flow_keep(&key, &flow);
	smc_tell(SMC_EVENT_CLOSED, &key, &flow);
	return 0;
}

/* Unrolled: offsets into a context must be constants. */
SEC("syscall")
int counter_add(struct smc_counter_job *job)
{
	__u32 slot = smc_slot(job->slot);
	__u64 *n = bpf_map_lookup_elem(&smc_counter, &slot);

	if (!n)
		return 0;
#pragma clang loop unroll(full)
	for (int i = 0; i < SMC_COUNTERS_ROOM; i++)
		__sync_fetch_and_add(&n[i], job->values[i]);
	return 0;
}

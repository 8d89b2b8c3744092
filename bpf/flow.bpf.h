/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of a flow's record: made, settled once, closed. The programs count
 * when a record changes: so two generations of them, or two recorders, called
 * for one event count it once.
 */
#pragma once

#include "count.bpf.h"
#include "path.bpf.h"
#include "pod.bpf.h"

/* include/net/smc.h and net/smc/smc_clc.h: the peer said nothing of SMC. */
#define SMC_CLC_DECL_PEERNOSMC 0x03010000

#define ENOENT 2
#define E2BIG 7
#define EEXIST 17

#define SEND_SHUTDOWN 2 /* include/net/sock.h */

/* The four bytes of a record that one CPU changes while others read them. */
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

/* ---- made ---- */

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

static __always_inline void smc_flow_answer(struct smc_flow *flow,
					    const struct smc_answer *a)
{
	flow->verdict = a->verdict;
	flow->reason = a->reason;
	flow->transports = a->transports;
}

/*
 * ---- what a flow holds ----
 *
 * A connection that is SMC, or may become so, counts for its pod and its node
 * from the "yes" on. Its buffers, once they are made, are pinned memory that
 * the kernel charges to no cgroup. It gives both back when it ends as TCP, or
 * when its record is deleted.
 */

static __always_inline bool smc_state_holds(union smc_flow_state s)
{
	return s.verdict == SMC_VERDICT_ACCELERATE &&
	       (s.outcome == SMC_OUTCOME_PENDING ||
		s.outcome == SMC_OUTCOME_SMCR || s.outcome == SMC_OUTCOME_SMCD);
}

static __always_inline union smc_flow_state
smc_flow_state_of(const struct smc_flow *flow)
{
	union smc_flow_state s = {.word = *(volatile const __u32 *)&flow->role};

	return s;
}

/* Both numbers may be negative. */
static __always_inline void smc_hold(struct smc_usage *usage, __s32 connections,
				     __s64 bytes)
{
	if (connections)
		__sync_fetch_and_add(&usage->connections, connections);
	if (bytes)
		__sync_fetch_and_add(&usage->bytes, bytes);
}

static __always_inline void smc_hold_for(__u32 pod_id, __s32 connections,
					 __s64 bytes)
{
	__u32 slot = smc_slot(pod_id), node = SMC_SLOT_NODE;
	struct smc_usage *usage;

	usage = bpf_map_lookup_elem(&smc_usage, &slot);
	if (usage)
		smc_hold(usage, connections, bytes);
	usage = bpf_map_lookup_elem(&smc_usage, &node);
	if (usage)
		smc_hold(usage, connections, bytes);
}

/* A pod has its share. When the map fills up, the rest is for pods with few
 * records, so that no pod's flows leave the others without. */
static __always_inline bool smc_flow_room(const struct smc_usage *pod,
					  const struct smc_usage *node)
{
	return pod->flows < SMC_FLOW_SHARE &&
	       (node->flows < SMC_FLOW_FREE || pod->flows < SMC_FLOW_SMALL);
}

/*
 * smc_flow_put - Make a record of @flow at @key.
 * Return: 0; -EEXIST: there is one; another negative errno: there is no room
 * (the caller counts that).
 */
static __always_inline int smc_flow_put(const struct smc_handshake *key,
					const struct smc_flow *flow)
{
	__u32 slot = smc_slot(flow->pod_id), zero = 0;
	struct smc_usage *pod = bpf_map_lookup_elem(&smc_usage, &slot);
	struct smc_usage *node = bpf_map_lookup_elem(&smc_usage, &zero);
	int err;

	if (!pod || !node)
		return -ENOENT;
	if (!smc_flow_room(pod, node))
		return -E2BIG;
	err = bpf_map_update_elem(&smc_flow, key, flow, BPF_NOEXIST);
	if (err)
		return err;
	__sync_fetch_and_add(&pod->flows, 1);
	__sync_fetch_and_add(&node->flows, 1);
	if (smc_state_holds(smc_flow_state_of(flow))) {
		smc_hold(pod, 1, flow->buffers);
		smc_hold(node, 1, flow->buffers);
	}
	return 0;
}

static __always_inline void smc_flow_let_go(__u32 slot, bool held,
					    __s64 buffers)
{
	struct smc_usage *usage = bpf_map_lookup_elem(&smc_usage, &slot);

	if (!usage)
		return;
	__sync_fetch_and_sub(&usage->flows, 1);
	if (held)
		smc_hold(usage, -1, -buffers);
}

/* smc_flow_seal - Mark the flow closed, so that nobody settles it any more.
 * Return: its state before. */
static __always_inline union smc_flow_state smc_flow_seal(struct smc_flow *flow)
{
	const union smc_flow_state closed = {.closed = 1};
	union smc_flow_state last;

	last.word = __sync_fetch_and_or((__u32 *)&flow->role, closed.word);
	return last;
}

/* smc_flow_drop - Delete the record. Return: true for the one caller that
 * deleted it. @flow must not be touched after: the map may give its place to
 * another. */
static __always_inline bool smc_flow_drop(const struct smc_handshake *key,
					  struct smc_flow *flow)
{
	union smc_flow_state last = smc_flow_seal(flow);
	__u32 slot = smc_slot(flow->pod_id), buffers = flow->buffers;
	struct smc_crossing crossing = smc_crossing_of(flow);
	bool held = smc_state_holds(last);

	if (bpf_map_delete_elem(&smc_flow, key))
		return false;
	if (last.outcome == SMC_OUTCOME_PENDING)
		smc_path_leave(&crossing);
	smc_flow_let_go(slot, held, buffers);
	smc_flow_let_go(SMC_SLOT_NODE, held, buffers);
	return true;
}

/* ---- settled ---- */

static __always_inline __u32 smc_outcome_counter(__u32 role, __u32 outcome)
{
	__u32 at = 0; /* the order of counters.h, the same for both roles */

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

static __always_inline void smc_flow_count(const struct smc_flow *flow)
{
	smc_count(flow->pod_id, smc_outcome_counter(flow->role, flow->outcome));
	if (flow->outcome == SMC_OUTCOME_TCP)
		smc_count(flow->pod_id, SMC_COUNTER_REASON + flow->reason);
}

/* Adjust what a flow holds when it is settled. */
static __always_inline void smc_flow_held(const struct smc_flow *flow,
					  bool before, bool after)
{
	if (before && !after)
		smc_hold_for(flow->pod_id, -1, 0);
	else if (after && flow->buffers)
		smc_hold_for(flow->pod_id, 0, flow->buffers);
}

/*
 * smc_flow_settle - Record the outcome of a flow, once.
 * @code: SMC_CLC_DECL_* or a negative errno, 0: none
 * If it became SMC the caller has written flow->buffers.
 * Return: true for the caller that did it.
 */
static __always_inline bool smc_flow_settle(struct smc_flow *flow, __u8 outcome,
					    __u32 code)
{
	__u32 *word = (__u32 *)&flow->role;
	union smc_flow_state old, new;
	struct smc_crossing crossing;

	/* repeats only if a verdict was written in between */
	for (int i = 0; i < 2; i++) {
		old.word = *(volatile __u32 *)word;
		if (old.outcome != SMC_OUTCOME_PENDING || old.closed)
			return false;
		new = old;
		new.outcome = outcome;
		if (__sync_val_compare_and_swap(word, old.word, new.word) !=
		    old.word)
			continue;
		flow->decided_ns = bpf_ktime_get_ns();
		flow->kernel_code = code;
		smc_flow_held(flow, smc_state_holds(old), smc_state_holds(new));
		crossing = smc_crossing_of(flow);
		smc_path_leave(&crossing);
		if (outcome == SMC_OUTCOME_SMCR && new.role == SMC_ROLE_SERVER)
			smc_path_lives(flow);
		smc_flow_count(flow);
		return true;
	}
	return false;
}

/* smc_flow_tell - Send the event of a flow that was just settled. A failed flow
 * is sent as one that fell back: its record says the rest. These two are always
 * sent, for the agent counts them by the kernel's code. */
static __always_inline void smc_flow_tell(const struct smc_handshake *key,
					  const struct smc_flow *flow)
{
	if (flow->outcome == SMC_OUTCOME_FALLBACK ||
	    flow->outcome == SMC_OUTCOME_FAILED)
		smc_emit(SMC_EVENT_FELL_BACK, key, flow);
	else if (flow->outcome == SMC_OUTCOME_TCP)
		smc_tell(SMC_EVENT_OPENED, key, flow);
	else
		smc_tell(SMC_EVENT_UPGRADED, key, flow);
}

/* smc_flow_ended - Settle the flow at @key and send the event. Return: true for
 * the one caller that settled it. */
static __always_inline bool smc_flow_ended(const struct smc_handshake *key,
					   struct smc_flow *flow, __u8 outcome,
					   __u32 code)
{
	if (!smc_flow_settle(flow, outcome, code))
		return false;
	smc_flow_tell(key, flow);
	return true;
}

/*
 * smc_flow_put_settled - Make the record of a flow with a known outcome (in
 * @flow) and send the event.
 * If there is a record, settle it. If there is no room, count the flow all the
 * same, and as a lost one.
 */
static __always_inline void
smc_flow_put_settled(const struct smc_handshake *key, struct smc_flow *flow)
{
	struct smc_flow *old;
	int err;

	flow->decided_ns = flow->opened_ns;
	err = smc_flow_put(key, flow);
	if (!err) {
		smc_flow_count(flow);
		smc_flow_tell(key, flow);
		return;
	}
	old = err == -EEXIST ? bpf_map_lookup_elem(&smc_flow, key) : NULL;
	if (old) {
		smc_flow_ended(key, old, flow->outcome, flow->kernel_code);
		return;
	}
	if (flow->reason == SMC_REASON_CHANGED)
		flow->reason = SMC_REASON_MAP_FULL;
	smc_flow_count(flow);
	smc_count(flow->pod_id, SMC_COUNTER_FLOWS_LOST);
}

/* ---- closed ---- */

/*
 * smc_flow_bytes - Payload of a TCP flow; of others these would be the bytes of
 * SMC's own handshake.
 *
 * Sent: what the program wrote, acknowledged or not; bytes_acked counts a
 * client's SYN, write_seq the FIN if one was sent. Received: bytes_received
 * counts the peer's FIN.
 */
static __always_inline void smc_flow_bytes(struct smc_flow *flow,
					   const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__u64 done = bpf_core_enum_value(enum sock_flags, SOCK_DONE);
	__u64 fin = sk->__sk_common.skc_flags >> done & 1;
	__u64 unacked = (__u32)(tp->write_seq - tp->snd_una);
	__u64 sent = tp->bytes_acked + unacked;

	if (flow->outcome != SMC_OUTCOME_TCP &&
	    flow->outcome != SMC_OUTCOME_FALLBACK)
		return;
	flow->rx_bytes = tp->bytes_received - (tp->bytes_received ? fin : 0);
	if (flow->role == SMC_ROLE_CLIENT && sent)
		sent--;
	if (sk->sk_shutdown & SEND_SHUTDOWN && sent)
		sent--;
	flow->tx_bytes = sent;
}

_Static_assert((SMC_FLOW_CLOSED_ENTRIES & (SMC_FLOW_CLOSED_ENTRIES - 1)) == 0,
	       "the number of rows is a mask");

/* smc_flow_keep - Copy the record of an ended flow to smc_flow_closed. A reader
 * that meets a half-written row sees serial 0. */
static __always_inline void smc_flow_keep(const struct smc_handshake *key,
					  const struct smc_flow *flow)
{
	struct smc_usage *node;
	struct smc_closed *to;
	__u32 row = 0;
	__u64 serial;

	node = bpf_map_lookup_elem(&smc_usage, &row);
	if (!node)
		return;
	serial = __sync_fetch_and_add(&node->closed, 1);
	row = serial & (SMC_FLOW_CLOSED_ENTRIES - 1);
	to = bpf_map_lookup_elem(&smc_flow_closed, &row);
	if (!to)
		return;
	*(volatile __u64 *)&to->serial = 0;
	to->key = *key;
	__builtin_memcpy(&to->flow, flow, sizeof(*flow));
	*(volatile __u64 *)&to->serial = serial + 1;
}

/* smc_flow_close - The connection has ended: move its record to
 * smc_flow_closed. @flow must not be touched any more. */
static __always_inline void smc_flow_close(const struct smc_handshake *key,
					   struct smc_flow *flow)
{
	flow->closed_ns = bpf_ktime_get_ns();
	smc_flow_seal(flow);
	smc_flow_keep(key, flow);
	smc_tell(SMC_EVENT_CLOSED, key, flow);
	smc_flow_drop(key, flow);
}

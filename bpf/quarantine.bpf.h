/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Peers that make a pod's connect() fail: the pod uses TCP to them for a while.
 *
 * What one pod has seen counts against the peer for that pod alone: any program
 * can make its own connect() fail, and must not take SMC from others. When two
 * pods saw it within ten minutes it counts for all.
 *
 *   strike     it agreed to SMC and then fell silent, or spoke something else:
 *              quarantine, which doubles each time
 *   mark       it agreed and then reset the connection, as a server does that
 *              is stopped: a strike only when a connect() that began after it,
 *              within a minute and without a success between, ends so again
 *   suspicion  it did not answer SYNs with the option. Dead peers do not, and
 *              some paths drop what they do not know. So the pod's next
 *              connect() goes without: answered, it is a strike; not answered,
 *              the peer is dead, and the suspicion ends
 *
 * The programs replace a row as a whole and never write in place, for the LRU
 * gives an evicted row to another key at once. Two connections that end at the
 * same moment may count one strike as two.
 */
#pragma once

#include "count.bpf.h"
#include "pod.bpf.h"

#define SECOND 1000000000ULL
/* A peer that fails one connect() costs the pod one in a minute, then one in
 * two minutes, and so on up to one in an hour. */
#define QUARANTINE_FIRST (60 * SECOND)
#define QUARANTINE_DOUBLINGS 6
#define QUARANTINE_MARKED (60 * SECOND)
/* A first pod's strike waits so long for that of a second. */
#define QUARANTINE_WITNESS (600 * SECOND)
/* Only after so many repeated SYNs does a failed connect() tell of the path. */
#define QUARANTINE_REPEATS 2

static __always_inline __u64 smc_sentence(__u32 strikes)
{
	__u32 doublings = strikes - 1;

	if (doublings > QUARANTINE_DOUBLINGS)
		doublings = QUARANTINE_DOUBLINGS;
	return QUARANTINE_FIRST << doublings;
}

#define QUARANTINE_LONGEST smc_sentence(-1U)

/* What a pod has seen of a peer, and when. */
struct smc_seen {
	__u32 pod_id;
	int code; /* struct smc_quarantine.reason */
	const struct smc_addr_port *peer;
	__u64 now;
};

/* smc_row_of - The row of @pod_id against the peer, or NULL; sets @key in any
 * case. */
static __always_inline struct smc_quarantine *
smc_row_of(struct smc_quarantine_key *key, const struct smc_seen *s,
	   __u32 pod_id)
{
	key->pod_id = pod_id;
	__builtin_memcpy(key->ip, s->peer->ip, sizeof(key->ip));
	key->port = s->peer->port;
	key->_pad = 0;
	return bpf_map_lookup_elem(&smc_quarantine, key);
}

/* Is @row in this state now? */
static __always_inline bool smc_row_is(const struct smc_quarantine *row,
				       __u32 state, __u64 now)
{
	return row && row->state == state && row->until_ns > now;
}

/* After the longest time without a strike the count starts again at 0. */
static __always_inline __u32 smc_strikes(const struct smc_quarantine *row,
					 __u64 now)
{
	return row && now < row->until_ns + QUARANTINE_LONGEST ? row->strikes
							       : 0;
}

/* ---- writing rows ---- */

/* The verdict looks rows up until then: see smc_quarantined(). The caller has
 * written the row before it raises this; many may raise it at once. */
static __always_inline void smc_rows_until(__u64 until)
{
	struct smc_usage *node;
	__u32 zero = 0;
	__u64 old;

	node = bpf_map_lookup_elem(&smc_usage, &zero);
	for (int i = 0; node && i < 8; i++) {
		old = *(volatile __u64 *)&node->quarantined_until;
		if (old >= until ||
		    __sync_val_compare_and_swap(&node->quarantined_until, old,
						until) == old)
			return;
	}
}

/* smc_quarantine_began - Count it. */
static __always_inline void smc_quarantine_began(void)
{
	struct smc_usage *node;
	__u32 zero = 0;

	node = bpf_map_lookup_elem(&smc_usage, &zero);
	if (node)
		__sync_fetch_and_add(&node->quarantines, 1);
}

/* smc_row_allowed - May the pod make one more row? If it has used up its share
 * the row is not made, rather than another pod's evicted. */
static __always_inline bool smc_row_allowed(const struct smc_seen *s)
{
	__u32 period = (__u32)(s->now >> SMC_QUARANTINE_PERIOD) << 16, made;
	__u32 slot = smc_slot(s->pod_id);
	struct smc_usage *pod = bpf_map_lookup_elem(&smc_usage, &slot);

	if (!pod)
		return false;
	made = pod->quarantine_rows;
	if (made >> 16 != period >> 16)
		pod->quarantine_rows = made = period;
	if ((made & 0xffff) >= SMC_QUARANTINE_SHARE) {
		smc_count(s->pod_id, SMC_COUNTER_QUARANTINES_LOST);
		return false;
	}
	__sync_fetch_and_add(&pod->quarantine_rows, 1);
	return true;
}

/* smc_row_put - Put @row in place of @old, or NULL. Return: true: done. */
static __always_inline bool smc_row_put(const struct smc_seen *s,
					const struct smc_quarantine_key *key,
					const struct smc_quarantine *old,
					const struct smc_quarantine *row)
{
	if (!old && !smc_row_allowed(s))
		return false;
	if (bpf_map_update_elem(&smc_quarantine, key, row, BPF_ANY))
		return false;
	smc_rows_until(row->until_ns);
	return true;
}

/* ---- strikes ---- */

/* smc_witness - A pod's strike counts for all others, too: with a second pod's
 * the peer is in quarantine for the node. */
static __always_inline void smc_witness(const struct smc_seen *s)
{
	struct smc_quarantine row = {.since_ns = s->now,
				     .until_ns = s->now + QUARANTINE_WITNESS,
				     .state = SMC_QUARANTINE_MARK,
				     .reason = s->code,
				     .pods = {s->pod_id}};
	struct smc_quarantine_key key;
	struct smc_quarantine *old;

	old = smc_row_of(&key, s, 0);
	if (smc_row_is(old, SMC_QUARANTINE_STRUCK, s->now))
		return;
	row.strikes = smc_strikes(old, s->now);
	if (smc_row_is(old, SMC_QUARANTINE_MARK, s->now) &&
	    old->pods[0] != s->pod_id) {
		row.state = SMC_QUARANTINE_STRUCK;
		row.until_ns = s->now + smc_sentence(++row.strikes);
		row.pods[1] = old->pods[0];
	}
	smc_row_put(s, &key, old, &row);
}

/* smc_strike - Quarantine a peer for the pod, for twice as long as the last
 * time. Connections that fail together, and the same failure seen by a second
 * generation of this program, are one strike. */
static __always_inline void smc_strike(const struct smc_seen *s)
{
	struct smc_quarantine row = {.since_ns = s->now,
				     .state = SMC_QUARANTINE_STRUCK,
				     .reason = s->code};
	struct smc_quarantine_key key;
	struct smc_quarantine *old;

	old = smc_row_of(&key, s, s->pod_id);
	if (smc_row_is(old, SMC_QUARANTINE_STRUCK, s->now))
		return;
	row.strikes = smc_strikes(old, s->now) + 1;
	row.until_ns = s->now + smc_sentence(row.strikes);
	if (!smc_row_put(s, &key, old, &row))
		return;
	smc_count(s->pod_id, SMC_COUNTER_QUARANTINES);
	smc_quarantine_began();
	smc_witness(s);
}

/* smc_mark - The peer reset the connection after it agreed to SMC.
 * @began: when that connect() began; 0: not known */
static __always_inline void smc_mark(const struct smc_seen *s, __u64 began)
{
	struct smc_quarantine row = {.since_ns = s->now,
				     .until_ns = s->now + QUARANTINE_MARKED,
				     .state = SMC_QUARANTINE_MARK,
				     .reason = s->code};
	struct smc_quarantine_key key;
	struct smc_quarantine *old;

	old = smc_row_of(&key, s, s->pod_id);
	if (smc_row_is(old, SMC_QUARANTINE_STRUCK, s->now))
		return;
	if (smc_row_is(old, SMC_QUARANTINE_MARK, began) &&
	    began > old->since_ns) {
		smc_strike(s);
		return;
	}
	if (smc_row_is(old, SMC_QUARANTINE_MARK, s->now))
		return; /* this one failed together with the last */
	row.strikes = smc_strikes(old, s->now);
	smc_row_put(s, &key, old, &row);
}

/* ---- suspicions ---- */

static __always_inline void smc_suspect(const struct smc_seen *s)
{
	struct smc_quarantine row = {.since_ns = s->now,
				     .until_ns = s->now + QUARANTINE_LONGEST,
				     .state = SMC_QUARANTINE_SUSPICION};
	struct smc_quarantine_key key;
	struct smc_quarantine *old;

	old = smc_row_of(&key, s, s->pod_id);
	if (smc_row_is(old, SMC_QUARANTINE_STRUCK, s->now))
		return;
	row.strikes = smc_strikes(old, s->now);
	smc_row_put(s, &key, old, &row);
}

/* smc_tried - A connect() without the option has ended: settle a suspicion, if
 * there is one. @answered: then the path drops SYNs with the option. */
static __always_inline void smc_tried(const struct smc_seen *s, bool answered)
{
	struct smc_quarantine_key key;
	struct smc_quarantine *old;
	struct smc_quarantine row;

	old = smc_row_of(&key, s, s->pod_id);
	if (!smc_row_is(old, SMC_QUARANTINE_SUSPICION, s->now))
		return;
	if (answered) {
		smc_strike(s);
		return;
	}
	__builtin_memcpy(&row, old, sizeof(row));
	row.until_ns = s->now;
	smc_row_put(s, &key, old, &row);
}

static __always_inline void smc_seen_of(struct smc_seen *s,
					struct smc_addr_port *peer,
					const struct smc_flow *flow)
{
	__builtin_memcpy(peer->ip, flow->remote_ip, sizeof(peer->ip));
	peer->port = flow->remote_port;
	peer->_pad = 0;
	s->pod_id = flow->pod_id;
	s->code = 0;
	s->peer = peer;
	s->now = bpf_ktime_get_ns();
}

/*
 * smc_unanswered - The connect() of @flow has ended before its TCP handshake.
 * @repeats: icsk_retransmits of its socket, which tcp_disconnect() leaves alone
 *           (it clears total_retrans, after a blocking connect() that failed)
 * @cpu:     skc_incoming_cpu: -1 as long as the socket received nothing
 *
 * A refusal (RST) is an answer. An ICMP error counts as silence: the kernel
 * does not keep it anywhere.
 */
static __always_inline void smc_unanswered(const struct smc_flow *flow,
					   __u8 repeats, int cpu)
{
	struct smc_addr_port peer;
	struct smc_seen s;

	if (flow->role != SMC_ROLE_CLIENT || repeats < QUARANTINE_REPEATS ||
	    cpu >= 0)
		return;
	smc_seen_of(&s, &peer, flow);
	if (flow->verdict == SMC_VERDICT_ACCELERATE)
		smc_suspect(&s);
	else if (flow->reason == SMC_REASON_QUARANTINED)
		smc_tried(&s, false);
}

/* smc_socket_unanswered - The same, for a socket that can be read directly. */
static __always_inline void smc_socket_unanswered(const struct smc_flow *flow,
						  const struct tcp_sock *tp)
{
	const struct inet_connection_sock *icsk = &tp->inet_conn;

	smc_unanswered(flow, icsk->icsk_retransmits,
		       icsk->icsk_inet.sk.__sk_common.skc_incoming_cpu);
}

/* ---- a success ---- */

/* smc_withdraw - Remove the pod from the witnesses against the peer. */
static __always_inline void smc_withdraw(const struct smc_seen *s)
{
	struct smc_quarantine_key key;
	struct smc_quarantine *old;
	struct smc_quarantine row;
	__u32 other;

	old = smc_row_of(&key, s, 0);
	if (!old || (old->pods[0] != s->pod_id && old->pods[1] != s->pod_id))
		return;
	other = old->pods[0] == s->pod_id ? old->pods[1] : old->pods[0];
	if (!other) {
		bpf_map_delete_elem(&smc_quarantine, &key);
		return;
	}
	__builtin_memcpy(&row, old, sizeof(row));
	row.state = SMC_QUARANTINE_MARK;
	row.until_ns = row.since_ns + QUARANTINE_WITNESS;
	row.pods[0] = other;
	row.pods[1] = 0;
	smc_row_put(s, &key, old, &row);
}

/* smc_forgive - The pod's connect() to the peer became SMC: delete this pod's
 * rows against it; other pods' stay. */
static __always_inline void smc_forgive(const struct smc_seen *s)
{
	struct smc_quarantine_key key;
	const struct smc_usage *node;
	__u32 zero = 0;

	node = bpf_map_lookup_elem(&smc_usage, &zero);
	if (!node || !node->quarantined_until ||
	    node->quarantined_until + QUARANTINE_LONGEST <= s->now)
		return;
	if (smc_row_of(&key, s, s->pod_id))
		bpf_map_delete_elem(&smc_quarantine, &key);
	smc_withdraw(s);
}

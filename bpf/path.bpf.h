/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RDMA paths (struct smc_path), as handshakes come by.
 *
 * A first contact over a dead path ends broken, after seconds in which it holds
 * a lock of the whole kernel, one for clients and one for servers, that every
 * other SMC-R handshake needs (smc_client_lgr_pending and
 * smc_server_lgr_pending, net/smc/af_smc.c), at a server those of SMC-D, too. A
 * connection over a link that has just died holds it for 2 s. Whoever waits for
 * longer than 6 s has failed. So:
 * - an application's connection is never what finds out whether a path is
 *   whole: the agent's probes are, which need none of those locks;
 * - between two probes a path may die: where its last sign of life is older
 *   than PATH_FRESH, only one first contact of a role, or two connections over
 *   links, are under way at a time. The others stay TCP;
 * - a client that agrees and then says nothing holds the server's lock for 6 s,
 *   over a path that is whole: who has four handshakes that are older than
 *   PATH_SLOW gets no further one, and its path is struck.
 *
 * A handshake that is to go over RDMA is noted in its flow's flags while it is
 * under way (SMC_FLOW_RDMA), and that it is one of those few (SMC_FLOW_DOUBT).
 */
#pragma once

#include "count.bpf.h"
#include "verdict.bpf.h"

#define PATH_SECOND 1000000000ULL
#define PATH_FRESH (2 * PATH_SECOND)
/* The kernel's CLC_WAIT_TIME: who waited for longer has failed. */
#define PATH_WAITED (6 * PATH_SECOND)
/* A doubt ends by itself: the longest handshake is 6 s for the proposal, 5 s
 * for the link, and what it waited for the lock. */
#define PATH_DOUBT_MS 17000
#define PATH_HANGS (PATH_DOUBT_MS * 1000000ULL)
#define PATH_SLOW (3 * PATH_SECOND)
#define PATH_BAD_FIRST (20 * PATH_SECOND)
#define PATH_BAD_LONGEST (3600 * PATH_SECOND)
#define PATH_BAD_DOUBLINGS 8

/* net/smc/smc_clc.h */
#define SMC_CLC_DECL_TIMEOUT_CL 0x02010000
#define SMC_CLC_DECL_PEERDECL 0x05000000
#define SMC_CLC_DECL_INTERR 0x0999 /* the upper half of several */

/* ---- under way ---- */

/* A role's doubts: how many (bits 0 to 3), whether that is a first contact (bit
 * 4), and since when the last one (ms, from bit 8 on). One word, so that two
 * CPUs agree on who is let through. */
#define DOUBT_COUNT 0xfULL
#define DOUBT_FIRST 0x10ULL
#define DOUBT_SHIFT 8

static __always_inline struct smc_rdma *smc_rdma_now(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&smc_rdma, &zero);
}

/* @word: struct smc_rdma.doubts of a role. Return: is there room for one more?
 */
static __always_inline bool smc_doubt_take(__u64 *word, bool linked, __u64 now)
{
	__u64 ms = now / 1000000, old, new;

	for (int i = 0; i < 4; i++) {
		old = *(volatile __u64 *)word;
		new = old &DOUBT_COUNT;
		/* whoever did not come back is forgotten */
		if (new && ms - (old >> DOUBT_SHIFT) > PATH_DOUBT_MS)
			new = 0;
		if (new && (!linked || old & DOUBT_FIRST || new > 1))
			return false;
		new = (new + 1) | (linked ? 0 : DOUBT_FIRST) |
		      ms << DOUBT_SHIFT;
		if (__sync_val_compare_and_swap(word, old, new) == old)
			return true;
	}
	return false;
}

static __always_inline void smc_doubt_end(__u64 *word)
{
	__u64 old, new;

	for (int i = 0; i < 8; i++) {
		old = *(volatile __u64 *)word;
		if (!(old & DOUBT_COUNT))
			return;
		new = (old & ~DOUBT_FIRST) - 1;
		if (__sync_val_compare_and_swap(word, old, new) == old)
			return;
	}
}

static __always_inline __u64 *smc_doubts(struct smc_rdma *rdma, __u32 role)
{
	return role == SMC_ROLE_SERVER ? &rdma->doubts[1] : &rdma->doubts[0];
}

/* ---- slow ones ---- */

/* smc_crossing - What of a flow tells how its handshake crosses to the peer: it
 * outlives the record. */
struct smc_crossing {
	__u64 since_ns;
	__u32 role, flags;
	__u32 peer;
};

static __always_inline struct smc_crossing
smc_crossing_of(const struct smc_flow *flow)
{
	return (struct smc_crossing){flow->opened_ns, flow->role, flow->flags,
				     *(const __u32 *)(flow->remote_ip + 12)};
}

/* 1 if @ns is at least @bound, else 0. verifier: without a branch, of which a
 * loop would double the states that it goes through. */
static __always_inline __u32 smc_is_past(__u64 ns, __u64 bound)
{
	return (bound - 1 - ns) >> 63;
}

/* The same for "it is 0": a machine that has just booted is younger than any
 * bound. */
static __always_inline __u32 smc_is_zero(__u64 ns)
{
	return ~(ns | -ns) >> 63;
}

/*
 * smc_slow_take - A server's handshake with @peer begins at @now. Of those that
 * are under way the four oldest have a place; what has one for longer than it
 * can last is forgotten.
 * Return: false: all four are slow, and no other may begin.
 */
static __always_inline bool smc_slow_take(__u32 peer, __u64 now)
{
	struct smc_slow made = {.since_ns = {now}}, *s;
	__u32 slow = 0, place = SMC_SLOW_MOST, gone;
	__u64 since, age;

	s = bpf_map_lookup_elem(&smc_slow, &peer);
	if (!s) {
		bpf_map_update_elem(&smc_slow, &peer, &made, BPF_NOEXIST);
		return true;
	}
	for (__u32 i = 0; i < SMC_SLOW_MOST; i++) {
		since = *(volatile __u64 *)&s->since_ns[i];
		age = now - since;
		gone = smc_is_past(age, PATH_HANGS) | smc_is_zero(since);
		slow += smc_is_past(age, PATH_SLOW) & ~gone;
		place ^= (place ^ i) & -gone;
	}
	if (place < SMC_SLOW_MOST)
		s->since_ns[place] = now;
	return slow < SMC_SLOW_MOST;
}

/* smc_slow_end - The one that began then is under way no more. */
static __always_inline void smc_slow_end(const struct smc_crossing *x)
{
	__u32 peer = x->peer;
	struct smc_slow *s = bpf_map_lookup_elem(&smc_slow, &peer);

	for (int i = 0; s && i < SMC_SLOW_MOST; i++)
		__sync_val_compare_and_swap(&s->since_ns[i], x->since_ns, 0);
}

/* smc_needs_path - Will it go over RDMA, if it becomes SMC? Inside a node the
 * kernel takes shared memory first. */
static __always_inline bool smc_needs_path(const struct smc_answer *a)
{
	return a->transports && !(a->transports & SMC_TRANSPORT_SMCD) &&
	       smc_uses(SMC_USE_PATHS);
}

static __always_inline bool smc_lacks_path(__u32 reason)
{
	return reason == SMC_REASON_PATH_UNPROVEN ||
	       reason == SMC_REASON_PATH_BAD;
}

/* smc_path_wish - A handshake stays TCP for the lack of a path: the agent is to
 * probe it. */
static __always_inline void smc_path_wish(const struct smc_conn *c)
{
	struct smc_path made = {.wished_ns = bpf_ktime_get_ns()};
	struct smc_path_key key;
	struct smc_path *path;

	smc_path_key_of(&key, c->local.ip, c->remote.ip);
	path = bpf_map_lookup_elem(&smc_path, &key);
	if (path)
		path->wished_ns = made.wished_ns;
	else /* where there is room */
		bpf_map_update_elem(&smc_path, &key, &made, BPF_NOEXIST);
}

/* ---- a sentence ---- */

static __always_inline __u64 smc_path_sentence(__u32 strikes)
{
	__u32 doublings = strikes - 1;
	__u64 time;

	if (doublings > PATH_BAD_DOUBLINGS)
		doublings = PATH_BAD_DOUBLINGS;
	time = PATH_BAD_FIRST << doublings;
	return time < PATH_BAD_LONGEST ? time : PATH_BAD_LONGEST;
}

/* smc_path_strike - From now on it is bad. Those that fail together are one
 * strike; who was good for the longest time begins anew. */
static __always_inline void smc_path_strike(struct smc_path *path, __u64 now)
{
	struct smc_rdma *rdma = smc_rdma_now();
	__u32 strikes = 1;

	if (path->bad_ns)
		return;
	if (path->bad_until_ns && now < path->bad_until_ns + PATH_BAD_LONGEST)
		strikes = path->strikes + 1;
	/* Two of these at once write the same; the last word is what counts. */
	path->bad_until_ns = now + smc_path_sentence(strikes);
	if (__sync_val_compare_and_swap(&path->bad_ns, 0, now))
		return;
	path->strikes = strikes;
	path->seen_ns = 0;
	if (rdma)
		rdma->bad_ns = now;
}

/* Nobody is struck that may only have waited for whom it was. */
static __always_inline __u32 smc_path_hangs(struct smc_path *path, __u64 now)
{
	const struct smc_rdma *rdma = smc_rdma_now();

	if (!rdma || (rdma->bad_ns && rdma->bad_ns + PATH_HANGS > now))
		return SMC_REASON_PATH_UNPROVEN;
	smc_path_strike(path, now);
	return SMC_REASON_PATH_BAD;
}

/* ---- handshakes come and go ---- */

/*
 * smc_path_enter - A handshake begins that the verdict has nothing against.
 * @x:     of its flow; flags are set
 * Return: NONE, and it is under way until smc_path_leave(); or why not.
 */
static __always_inline __u32 smc_path_enter(const struct smc_conn *c,
					    struct smc_crossing *x)
{
	struct smc_rdma *rdma = smc_rdma_now();
	bool server = x->role == SMC_ROLE_SERVER;
	__u64 now = x->since_ns;
	struct smc_path_key key;
	struct smc_path *path;

	smc_path_key_of(&key, c->local.ip, c->remote.ip);
	path = bpf_map_lookup_elem(&smc_path, &key);
	if (!path || !rdma)
		return SMC_REASON_PATH_UNPROVEN;
	path->used_ns = now;
	if (server && !smc_slow_take(x->peer, now))
		return smc_path_hangs(path, now);
	if (path->seen_ns + PATH_FRESH <= now) {
		if (!smc_doubt_take(smc_doubts(rdma, x->role),
				    server ? path->links[1] : path->links[0],
				    now)) {
			if (server)
				smc_slow_end(x);
			return SMC_REASON_PATH_UNPROVEN;
		}
		x->flags |= SMC_FLOW_DOUBT;
	}
	x->flags |= SMC_FLOW_RDMA;
	__sync_fetch_and_add(&rdma->under_way, 1);
	return SMC_REASON_NONE;
}

/* smc_path_leave - It is not under way any more, whatever it became. */
static __always_inline void smc_path_leave(const struct smc_crossing *x)
{
	struct smc_rdma *rdma;

	if (!(x->flags & SMC_FLOW_RDMA))
		return;
	rdma = smc_rdma_now();
	if (!rdma)
		return;
	__sync_fetch_and_sub(&rdma->under_way, 1);
	rdma->left_ns = bpf_ktime_get_ns();
	if (x->flags & SMC_FLOW_DOUBT)
		smc_doubt_end(smc_doubts(rdma, x->role));
	if (x->role == SMC_ROLE_SERVER)
		smc_slow_end(x);
}

/* ---- signs ---- */

static __always_inline struct smc_path *smc_path_of(const __u8 *own,
						    const __u8 *peer)
{
	struct smc_path_key key;

	smc_path_key_of(&key, own, peer);
	return bpf_map_lookup_elem(&smc_path, &key);
}

/* smc_path_lives - The peer has said so over the path itself: at a server, for
 * a client goes on with SMC even where its last message was lost. */
static __always_inline void smc_path_lives(const struct smc_flow *flow)
{
	struct smc_path *path = smc_path_of(flow->local_ip, flow->remote_ip);

	if (path && !path->bad_ns)
		path->seen_ns = bpf_ktime_get_ns();
}

/* smc_path_failed - The handshake of @flow has met a path that is broken. */
static __always_inline void smc_path_failed(const struct smc_flow *flow)
{
	struct smc_path *path;

	if (!(flow->flags & SMC_FLOW_RDMA))
		return;
	path = smc_path_of(flow->local_ip, flow->remote_ip);
	if (path)
		smc_path_strike(path, bpf_ktime_get_ns());
}

/* smc_is_path_code - Does a handshake fall back with it because messages over
 * RDMA did not arrive? @peer: what the peer said, where it was the peer. */
static __always_inline bool smc_is_path_code(__u32 code, __u32 peer)
{
	if (code == SMC_CLC_DECL_PEERDECL)
		code = peer;
	return code == SMC_CLC_DECL_TIMEOUT_CL ||
	       code >> 16 == SMC_CLC_DECL_INTERR;
}

/*
 * smc_was_alone - Nobody else's handshake can be what this one waited for: no
 * other was under way in the 6 s before, and no path became bad. Else its
 * ETIMEDOUT says nothing about its peer. @flow: it is under way.
 */
static __always_inline bool smc_was_alone(const struct smc_flow *flow)
{
	const struct smc_rdma *rdma = smc_rdma_now();
	__u64 now = bpf_ktime_get_ns();

	if (!(flow->flags & SMC_FLOW_RDMA))
		return true;
	return rdma && rdma->under_way <= 1 &&
	       (!rdma->left_ns || rdma->left_ns + PATH_WAITED <= now) &&
	       (!rdma->bad_ns || rdma->bad_ns + PATH_WAITED <= now);
}

/* ---- what the agent's probes say ---- */

#define PATH_E2BIG 7

/* smc_path_answer - What a probe says of a path that is known. Return: did it
 * make it bad? One that never was proven has nothing to lose. */
static __always_inline bool smc_path_answer(struct smc_path *path,
					    const struct smc_path_job *job,
					    __u64 now)
{
	if (!job->until_ns) {
		if (path->bad_ns || path->proven_until_ns <= now)
			return false;
		smc_path_strike(path, now);
		return true;
	}
	/* also what it proves was before the sign that made it bad */
	if (path->bad_ns && job->asked_ns < path->bad_until_ns)
		return false;
	path->proven_until_ns = job->until_ns;
	if (path->seen_ns < job->asked_ns)
		path->seen_ns = job->asked_ns;
	path->bad_ns = 0;
	return false;
}

/* smc_path_told - The same of one that there may be no row of. */
static __always_inline void smc_path_told(struct smc_path_job *job)
{
	struct smc_path made = {.proven_until_ns = job->until_ns,
				.seen_ns = job->asked_ns};
	struct smc_path_key key = job->key;
	struct smc_path *path;

	job->made = 0;
	job->result = 0;
	path = bpf_map_lookup_elem(&smc_path, &key);
	if (!path && job->until_ns) {
		if (!bpf_map_update_elem(&smc_path, &key, &made, BPF_NOEXIST))
			return;
		path = bpf_map_lookup_elem(&smc_path, &key);
		if (!path)
			job->result = -PATH_E2BIG;
	}
	if (path)
		job->made = smc_path_answer(path, job, bpf_ktime_get_ns());
}

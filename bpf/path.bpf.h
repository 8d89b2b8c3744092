/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RDMA paths (struct smc_path), as handshakes use them.
 *
 * A first contact over a dead path fails, and until then holds for seconds one
 * of two locks of the whole kernel (net/smc/af_smc.c): smc_client_lgr_pending,
 * which every SMC-R handshake of a client needs, or smc_server_lgr_pending,
 * which every one of a server needs, and SMC-D's at both ends. A connection
 * over a link that has just died holds it for 2 s. A handshake that waits
 * longer than 6 s fails. So:
 * - no application's connection has to find out whether a path works: the
 *   agent's probes do, which need none of those locks;
 * - between two probes a path may die. Over paths whose last sign of life is
 *   older than PATH_FRESH only one first contact of a role, or two connections
 *   over links, may be under way at a time. The others stay TCP;
 * - a client that agrees and then sends nothing holds the server's lock for 6 s
 *   over a good path: a peer with four handshakes older than PATH_SLOW gets no
 *   further one, and its path becomes bad.
 *
 * The flags of a flow say that its handshake goes over RDMA (SMC_FLOW_RDMA),
 * and that it is one of those few (SMC_FLOW_DOUBT).
 */
#pragma once

#include "count.bpf.h"
#include "verdict.bpf.h"

#define PATH_SECOND 1000000000ULL
#define PATH_FRESH (2 * PATH_SECOND)
/* The kernel's CLC_WAIT_TIME: a handshake that waits longer fails. */
#define PATH_WAITED (6 * PATH_SECOND)
/* A doubt expires: the longest handshake takes 6 s for the proposal, 5 s for
 * the link, and its wait for the lock. */
#define PATH_DOUBT_MS 17000
#define PATH_HANGS (PATH_DOUBT_MS * 1000000ULL)
#define PATH_SLOW (3 * PATH_SECOND)
#define PATH_BAD_FIRST (20 * PATH_SECOND)
#define PATH_BAD_LONGEST (3600 * PATH_SECOND)
#define PATH_BAD_DOUBLINGS 8

/* net/smc/smc_clc.h */
#define SMC_CLC_DECL_TIMEOUT_CL 0x02010000
#define SMC_CLC_DECL_PEERDECL 0x05000000
#define SMC_CLC_DECL_INTERR 0x0999 /* in the upper half of several codes */

/* ---- under way ---- */

/* Handshakes of a role over paths in doubt: how many (bits 0 to 3), whether it
 * is a first contact (bit 4), and when the last one began (ms, from bit 8 on).
 * One word, so that two CPUs agree which handshakes may go on. */
#define DOUBT_COUNT 0xfULL
#define DOUBT_FIRST 0x10ULL
#define DOUBT_SHIFT 8

static __always_inline struct smc_rdma *smc_rdma_now(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&smc_rdma, &zero);
}

/* @word: struct smc_rdma.doubts of a role. Return: whether one more may go on;
 *        then it is counted. */
static __always_inline bool smc_doubt_take(__u64 *word, bool linked, __u64 now)
{
	__u64 ms = now / 1000000, old, new;

	for (int i = 0; i < 4; i++) {
		old = *(volatile __u64 *)word;
		new = old &DOUBT_COUNT;
		/* forget those that never ended */
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

/* smc_crossing - The facts of a flow that tell which counters its handshake is
 * in; a copy, for the record may be gone. */
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

/* 1 if @ns is at least @bound, else 0. verifier: a branch would double the
 * states of the loop around it. */
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
 * smc_slow_take - A server's handshake with @peer begins at @now. The four
 * oldest under way have a place each; one that is older than a handshake can
 * last loses it.
 * Return: false if all four are slow: no other may begin.
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

/* smc_slow_end - The handshake with this start time has ended. */
static __always_inline void smc_slow_end(const struct smc_crossing *x)
{
	__u32 peer = x->peer;
	struct smc_slow *s = bpf_map_lookup_elem(&smc_slow, &peer);

	for (int i = 0; s && i < SMC_SLOW_MOST; i++)
		__sync_val_compare_and_swap(&s->since_ns[i], x->since_ns, 0);
}

/* smc_needs_path - Would it go over RDMA, if it becomes SMC? Inside a node the
 * kernel prefers shared memory. */
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

/* smc_path_wish - A handshake stays TCP for the lack of a path: ask the agent
 * to probe it. */
static __always_inline void smc_path_wish(const struct smc_conn *c)
{
	struct smc_path made = {.wished_ns = bpf_ktime_get_ns()};
	struct smc_path_key key;
	struct smc_path *path;

	smc_path_key_of(&key, c->local.ip, c->remote.ip);
	path = bpf_map_lookup_elem(&smc_path, &key);
	if (path)
		path->wished_ns = made.wished_ns;
	else /* if there is room */
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

/* smc_path_strike - The path is bad from now on. Handshakes that fail together
 * are one strike; a path that was good for PATH_BAD_LONGEST starts again with
 * one. */
static __always_inline void smc_path_strike(struct smc_path *path, __u64 now)
{
	struct smc_rdma *rdma = smc_rdma_now();
	__u32 strikes = 1;

	if (path->bad_ns)
		return;
	if (path->bad_until_ns && now < path->bad_until_ns + PATH_BAD_LONGEST)
		strikes = path->strikes + 1;
	/* If two CPUs do this at once both write nearly the same time. */
	path->bad_until_ns = now + smc_path_sentence(strikes);
	if (__sync_val_compare_and_swap(&path->bad_ns, 0, now))
		return;
	path->strikes = strikes;
	path->seen_ns = 0;
	if (rdma)
		rdma->bad_ns = now;
}

/* Do not blame a path for slow handshakes that may only have waited for those
 * over another, bad one. */
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
 * smc_path_enter - A handshake begins to which the verdict says yes.
 * @x:     of its flow; flags are set
 * Return: NONE: it is under way until smc_path_leave(); or the reason why it
 * may not go on.
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

static __always_inline void smc_path_uncount(struct smc_rdma *rdma,
					     const struct smc_crossing *x)
{
	__sync_fetch_and_sub(&rdma->under_way, 1);
	if (x->flags & SMC_FLOW_DOUBT)
		smc_doubt_end(smc_doubts(rdma, x->role));
	if (x->role == SMC_ROLE_SERVER)
		smc_slow_end(x);
}

/* smc_path_leave - The handshake has ended, with whatever outcome. */
static __always_inline void smc_path_leave(const struct smc_crossing *x)
{
	__u64 now = bpf_ktime_get_ns();
	struct smc_rdma *rdma;

	if (!(x->flags & SMC_FLOW_RDMA))
		return;
	rdma = smc_rdma_now();
	if (!rdma)
		return;
	rdma->left_ns = now;
	if (now - x->since_ns >= PATH_SECOND)
		rdma->slow_left_ns = now;
	smc_path_uncount(rdma, x);
}

/* smc_path_undo - The handshake has not begun: smc_path_enter() was to find out
 * whether it may. */
static __always_inline void smc_path_undo(const struct smc_crossing *x)
{
	struct smc_rdma *rdma = smc_rdma_now();

	if (rdma && x->flags & SMC_FLOW_RDMA)
		smc_path_uncount(rdma, x);
}

/* ---- signs ---- */

static __always_inline struct smc_path *smc_path_of(const __u8 *own,
						    const __u8 *peer)
{
	struct smc_path_key key;

	smc_path_key_of(&key, own, peer);
	return bpf_map_lookup_elem(&smc_path, &key);
}

/* smc_path_lives - The peer has answered over the path itself. Only a server
 * knows: a client goes on with SMC even if its last message was lost. */
static __always_inline void smc_path_lives(const struct smc_flow *flow)
{
	struct smc_path *path = smc_path_of(flow->local_ip, flow->remote_ip);

	if (path && !path->bad_ns)
		path->seen_ns = bpf_ktime_get_ns();
}

/* smc_path_failed - The handshake of @flow failed because its path is
 * broken. */
static __always_inline void smc_path_failed(const struct smc_flow *flow)
{
	struct smc_path *path;

	if (!(flow->flags & SMC_FLOW_RDMA))
		return;
	path = smc_path_of(flow->local_ip, flow->remote_ip);
	if (path)
		smc_path_strike(path, bpf_ktime_get_ns());
}

/* smc_is_path_code - Is @code a fall-back because messages over RDMA did not
 * arrive? @peer: the peer's code, where the peer declined. */
static __always_inline bool smc_is_path_code(__u32 code, __u32 peer)
{
	if (code == SMC_CLC_DECL_PEERDECL)
		code = peer;
	return code == SMC_CLC_DECL_TIMEOUT_CL ||
	       code >> 16 == SMC_CLC_DECL_INTERR;
}

/*
 * smc_was_alone - This handshake cannot have waited for another one over RDMA:
 * in the 6 s before no other was under way, and no path became bad. Otherwise
 * its ETIMEDOUT says nothing about its peer. @flow: under way.
 *
 * A handshake over shared memory takes the lock of SMC-R's servers, at both
 * ends (smc_connect_ism(), smc_listen_work(), net/smc/af_smc.c). Only a slow
 * one over RDMA holds that for long: it can have waited for one that is under
 * way, or that was slow and ended in those 6 s.
 */
static __always_inline bool smc_was_alone(const struct smc_flow *flow)
{
	const struct smc_rdma *rdma = smc_rdma_now();
	bool over_rdma = flow->flags & SMC_FLOW_RDMA;
	__u64 now = bpf_ktime_get_ns(), left;

	if (!rdma)
		return false;
	left = over_rdma ? rdma->left_ns : rdma->slow_left_ns;
	return rdma->under_way <= over_rdma &&
	       (!left || left + PATH_WAITED <= now) &&
	       (!rdma->bad_ns || rdma->bad_ns + PATH_WAITED <= now);
}

/* ---- what the agent's probes say ---- */

#define PATH_E2BIG 7

/* smc_path_answer - Apply the result of a probe to a known path. Return: did it
 * make the path bad? One that was never proven cannot become bad. */
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
	/* only a probe that began after the path's sentence ends that */
	if (path->bad_ns && job->asked_ns < path->bad_until_ns)
		return false;
	path->proven_until_ns = job->until_ns;
	if (path->seen_ns < job->asked_ns)
		path->seen_ns = job->asked_ns;
	path->bad_ns = 0;
	return false;
}

/* smc_path_told - Apply the result of a probe; the path may have no row. */
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

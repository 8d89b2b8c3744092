/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ration of answers: how many "yes" of this node may be unfinished at once.
 * Each of them, once its client is back, takes one of the kernel's workers, for
 * six seconds if that client then says nothing.
 *
 * They cannot be counted exactly: a client that never comes back is seen by no
 * hook, and sweeping needs an agent that lives. So they are counted by the time
 * they were given. A finished one is taken from the slot of its time; what is
 * not finished leaves the sum with its slot. Nothing leaks.
 *
 * The sum is kept, and made anew only when a slot has passed. Where two CPUs
 * see that at the same moment it may be wrong by what the other did meanwhile,
 * until the next slot.
 */
#pragma once

#include "verdict.bpf.h"

_Static_assert((SMC_ANSWER_SLOTS & (SMC_ANSWER_SLOTS - 1)) == 0,
	       "the place of a slot is a mask");

static __always_inline __u32 smc_answer_slot(__u64 ns)
{
	return ns >> SMC_ANSWER_SHIFT;
}

/*
 * smc_answers_turn - From slot @last on to @slot: what has begun since is
 * empty, and what was in its place is over. verifier: a branch in the loop
 * would double the states it goes through, once for each slot. So a mask: all
 * ones for a slot that is not over.
 */
static __always_inline void smc_answers_turn(struct smc_answers *a, __u32 last,
					     __u32 slot)
{
	__s32 passed =
		slot - last < SMC_ANSWER_SLOTS ? slot - last : SMC_ANSWER_SLOTS;
	__s32 sum = 0;

	for (__s32 ago = 0; ago < SMC_ANSWER_SLOTS; ago++) {
		__s32 *n = &a->given[(slot - ago) & (SMC_ANSWER_SLOTS - 1)];

		*n &= ~((ago - passed) >> 31);
		sum += *n;
	}
	a->open = sum;
}

/* smc_answers_open - How many are not finished, as of @slot. A CPU whose clock
 * is a little behind turns nothing back. */
static __always_inline __s32 smc_answers_open(struct smc_answers *a, __u32 slot)
{
	__u32 last = *(volatile __u32 *)&a->slot;

	if ((__s32)(slot - last) > 0 &&
	    __sync_val_compare_and_swap(&a->slot, last, slot) == last)
		smc_answers_turn(a, last, slot);
	return *(volatile __s32 *)&a->open;
}

/* smc_answers_add - @n more of those that were given in slot @given; now it is
 * @slot. What is over already is in no sum. */
static __always_inline void smc_answers_add(struct smc_answers *a, __u32 given,
					    __u32 slot, __s32 n)
{
	(void)smc_answers_open(a, slot);
	if (*(volatile __u32 *)&a->slot - given >= SMC_ANSWER_SLOTS)
		return;
	__sync_fetch_and_add(&a->given[given & (SMC_ANSWER_SLOTS - 1)], n);
	__sync_fetch_and_add(&a->open, n);
}

/* The two rows that an answer counts in. */
struct smc_answer_rows {
	struct smc_answers *node, *peer;
};

/* smc_answer_rows_of - The ration that answers to @ip are of. Multiplying by
 * the golden ratio spreads addresses that follow each other, into the high
 * bits: the last byte of an address is the highest of its word, and reaches no
 * lower one.
 */
static __always_inline void smc_answer_rows_of(struct smc_answer_rows *r,
					       const __u8 ip[16])
{
	const __u32 *word = (const __u32 *)ip;
	__u32 hash = 0, row = 0;

	r->node = bpf_map_lookup_elem(&smc_answering, &row);
	for (int i = 0; i < 4; i++)
		hash = (hash ^ word[i]) * 0x9e3779b1U;
	row = 1 + (hash >> (32 - SMC_ANSWER_PEER_BITS));
	r->peer = bpf_map_lookup_elem(&smc_answering, &row);
}

/* smc_answers_left - May one more be given at @now? */
static __always_inline bool smc_answers_left(const struct smc_answer_rows *r,
					     __u64 now)
{
	__u32 slot = smc_answer_slot(now);

	return r->node && r->peer &&
	       smc_answers_open(r->peer, slot) < SMC_ANSWERS_PEER &&
	       smc_answers_open(r->node, slot) < SMC_ANSWERS_NODE;
}

/* smc_answers_take - One was given at @now. */
static __always_inline void smc_answers_take(const struct smc_answer_rows *r,
					     __u64 now)
{
	__u32 slot = smc_answer_slot(now);

	if (!r->node || !r->peer)
		return;
	smc_answers_add(r->node, slot, slot, 1);
	smc_answers_add(r->peer, slot, slot, 1);
}

/* smc_answers_give_back - What was given at @given is finished at @now. Called
 * once for each. */
static __always_inline void
smc_answers_give_back(const struct smc_answer_rows *r, __u64 given, __u64 now)
{
	__u32 slot = smc_answer_slot(now);

	if (!r->node || !r->peer)
		return;
	smc_answers_add(r->node, smc_answer_slot(given), slot, -1);
	smc_answers_add(r->peer, smc_answer_slot(given), slot, -1);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ration of answers: how many "yes" of this node may be unfinished at once.
 * Each takes a worker of the kernel's from its client's ACK on: for six seconds
 * if the client then sends nothing.
 *
 * The programs cannot count them exactly: no hook sees a client that never
 * comes back, and sweeping needs a running agent. So they count them in slots
 * of time. A finished one is subtracted from the slot in which it was given; an
 * unfinished one leaves the sum with its slot. Nothing leaks.
 *
 * They add the slots up only when one has passed. Where two CPUs see that at
 * the same moment the sum may lack what the other counted meanwhile, until the
 * next slot.
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
 * smc_answers_turn - Move from slot @last to @slot: clear the slots that began
 * since, and add up the rest. verifier: a branch in the loop would double the
 * states once for each slot. So a mask: all ones for a slot that stays.
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

/* smc_answers_open - How many answers are unfinished in @slot. A CPU whose
 * clock is a little behind does not turn the slots back. */
static __always_inline __s32 smc_answers_open(struct smc_answers *a, __u32 slot)
{
	__u32 last = *(volatile __u32 *)&a->slot;

	if ((__s32)(slot - last) > 0 &&
	    __sync_val_compare_and_swap(&a->slot, last, slot) == last)
		smc_answers_turn(a, last, slot);
	return *(volatile __s32 *)&a->open;
}

/* smc_answers_add - Add @n to the answers that were given in slot @given; now
 * it is @slot. If @given is over the sum does not have them any more. */
static __always_inline void smc_answers_add(struct smc_answers *a, __u32 given,
					    __u32 slot, __s32 n)
{
	(void)smc_answers_open(a, slot);
	if (*(volatile __u32 *)&a->slot - given >= SMC_ANSWER_SLOTS)
		return;
	__sync_fetch_and_add(&a->given[given & (SMC_ANSWER_SLOTS - 1)], n);
	__sync_fetch_and_add(&a->open, n);
}

/* The two rows that count an answer. */
struct smc_answer_rows {
	struct smc_answers *node, *peer;
};

/* smc_answer_rows_of - The rows that count answers to @ip. Multiplying by the
 * golden ratio spreads consecutive addresses in the high bits; not in the low
 * ones, for the last byte of an address is the highest of its word. */
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

/* smc_answers_left - May the node give one more answer at @now? */
static __always_inline bool smc_answers_left(const struct smc_answer_rows *r,
					     __u64 now)
{
	__u32 slot = smc_answer_slot(now);

	return r->node && r->peer &&
	       smc_answers_open(r->peer, slot) < SMC_ANSWERS_PEER &&
	       smc_answers_open(r->node, slot) < SMC_ANSWERS_NODE;
}

/* smc_answers_take - Count an answer given at @now. */
static __always_inline void smc_answers_take(const struct smc_answer_rows *r,
					     __u64 now)
{
	__u32 slot = smc_answer_slot(now);

	if (!r->node || !r->peer)
		return;
	smc_answers_add(r->node, slot, slot, 1);
	smc_answers_add(r->peer, slot, slot, 1);
}

/* smc_answers_give_back - Uncount an answer given at @given, which is finished
 * at @now. Once for each: the caller sees to that. */
static __always_inline void
smc_answers_give_back(const struct smc_answer_rows *r, __u64 given, __u64 now)
{
	__u32 slot = smc_answer_slot(now);

	if (!r->node || !r->peer)
		return;
	smc_answers_add(r->node, smc_answer_slot(given), slot, -1);
	smc_answers_add(r->peer, smc_answer_slot(given), slot, -1);
}

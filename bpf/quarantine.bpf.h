/* SPDX-License-Identifier: GPL-2.0-only */
/* Peers that fail the connect() of a pod, and are spoken to in TCP for a while.
 */
#pragma once

#include "count.bpf.h"
#include "pod.bpf.h"

#define SECOND 1000000000ULL
/* A peer that fails one connect() costs its neighbours one in a minute, then
 * one in two minutes, and so on up to one in an hour. */
#define QUARANTINE_FIRST (60 * SECOND)
#define QUARANTINE_DOUBLINGS 6

static __always_inline __u64 smc_sentence(__u32 strikes)
{
	__u32 doublings = strikes - 1;

	if (doublings > QUARANTINE_DOUBLINGS)
		doublings = QUARANTINE_DOUBLINGS;
	return QUARANTINE_FIRST << doublings;
}

/* From now on the verdict looks peers up: see smc_quarantined(). The row is
 * there before this is raised. */
static __always_inline void smc_quarantine_used(void)
{
	struct smc_usage *node;
	__u32 zero = 0;

	node = bpf_map_lookup_elem(&smc_usage, &zero);
	if (node)
		__sync_fetch_and_add(&node->quarantines, 1);
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
		if (bpf_map_update_elem(&smc_quarantine, peer, &q, BPF_NOEXIST))
			return false;
		smc_quarantine_used();
		return true;
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
	smc_quarantine_used();
	return true;
}

/* smc_forgive - A quarantined peer that was tried again, and did well. */
static __always_inline void smc_forgive(const struct smc_flow *flow)
{
	struct smc_addr_port peer = {.port = flow->remote_port};
	const struct smc_usage *node;
	__u32 zero = 0;

	node = bpf_map_lookup_elem(&smc_usage, &zero);
	if (!node || !node->quarantines)
		return;
	__builtin_memcpy(peer.ip, flow->remote_ip, sizeof(peer.ip));
	if (bpf_map_lookup_elem(&smc_quarantine, &peer))
		bpf_map_delete_elem(&smc_quarantine, &peer);
}

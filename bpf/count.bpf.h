/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters and events: what the programs tell the agent. */
#pragma once

#include "maps.bpf.h"
#include <smcmesh/reasons.h>

/*
 * smc_count_add - Raise a counter of a pod.
 * @counter: enum smc_counter_id, or SMC_COUNTER_REASON + enum smc_reason
 *
 * Atomic: a softirq of this CPU may come between a load and a store, and its
 * count would be lost; or a reader would see the counter step down, which
 * Prometheus takes for a restart. It costs one instruction more.
 */
static __always_inline void smc_count_add(__u32 pod_id, __u32 counter, __u64 n)
{
	__u32 slot = smc_slot(pod_id);
	struct smc_counters *c = bpf_map_lookup_elem(&smc_counter, &slot);

	if (c && counter < SMC_COUNTERS_ROOM)
		__sync_fetch_and_add((__u64 *)c + counter, n);
}

static __always_inline void smc_count(__u32 pod_id, __u32 counter)
{
	smc_count_add(pod_id, counter, 1);
}

/* smc_uses - Is one of these enum smc_use bits set? */
static __always_inline bool smc_uses(__u32 bits)
{
	const struct smc_config *config;
	__u32 zero = 0;

	config = bpf_map_lookup_elem(&smc_config, &zero);
	return config && config->uses & bits;
}

/* smc_emit - Send an event with a copy of @flow. If the ring buffer is full,
 * count the loss. */
static __always_inline void smc_emit(__u32 type,
				     const struct smc_handshake *key,
				     const struct smc_flow *flow)
{
	struct smc_event *e;

	e = bpf_ringbuf_reserve(&smc_event, sizeof(*e), 0);
	if (!e) {
		smc_count(flow->pod_id, SMC_COUNTER_EVENTS_LOST);
		return;
	}
	e->type = type;
	e->_pad = 0;
	e->key = *key;
	e->time_ns = bpf_ktime_get_ns();
	__builtin_memcpy(&e->flow, flow, sizeof(e->flow));
	bpf_ringbuf_submit(e, 0);
}

/* smc_tell - smc_emit() for events that only a client following flows wants:
 * copying one and waking the reader costs 4,000 instructions. */
static __always_inline void smc_tell(__u32 type,
				     const struct smc_handshake *key,
				     const struct smc_flow *flow)
{
	if (smc_uses(SMC_USE_FOLLOWED))
		smc_emit(type, key, flow);
}

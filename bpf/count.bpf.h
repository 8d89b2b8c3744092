/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters and events: what the programs tell the agent. */
#pragma once

#include "maps.bpf.h"
#include <smcmesh/counters.h>
#include <smcmesh/reasons.h>

static __always_inline void smc_count(__u32 pod_id, __u32 counter)
{
	struct smc_counter_key key = {.pod_id = pod_id, .counter = counter};
	__u64 one = 1, *n;

	n = bpf_map_lookup_elem(&smc_counter, &key);
	if (!n) {
		/* Of two CPUs that get here at once one makes the row, with
		 * its own 1; the other finds it below. */
		if (!bpf_map_update_elem(&smc_counter, &key, &one, BPF_NOEXIST))
			return;
		n = bpf_map_lookup_elem(&smc_counter, &key);
		if (!n)
			return; /* the map is full: nowhere to say so */
	}
	*n += 1;
}

/* smc_emit - Send an event; @flow is copied. A full buffer is counted. */
static __always_inline void smc_emit(__u32 type, __u64 cookie,
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
	e->cookie = cookie;
	e->time_ns = bpf_ktime_get_ns();
	__builtin_memcpy(&e->flow, flow, sizeof(e->flow));
	bpf_ringbuf_submit(e, 0);
}

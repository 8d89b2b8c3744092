// SPDX-License-Identifier: GPL-2.0-only
/* The rules of the quarantine alone, for test_quarantine.c: one thing that a
 * pod sees, in a map, at a time that the test chooses. */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "quarantine.bpf.h"
#include "quarantine_case.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct quarantine_case);
} quarantine_case SEC(".maps");

static __always_inline void unanswered(const struct quarantine_case *q)
{
	struct smc_flow flow = {.pod_id = q->pod_id,
				.remote_port = q->peer.port,
				.role = q->role,
				.verdict = q->verdict,
				.reason = q->reason};

	__builtin_memcpy(flow.remote_ip, q->peer.ip, sizeof(flow.remote_ip));
	smc_unanswered(&flow, q->repeats, q->cpu);
}

static __always_inline void ask(struct quarantine_case *q)
{
	struct smc_conn c = {.remote = q->peer};

	q->quarantined = smc_quarantined(q->pod_id, &c);
}

SEC("tc")
int quarantine(void *ctx)
{
	struct quarantine_case *q;
	struct smc_addr_port peer;
	struct smc_seen s;
	__u32 zero = 0;

	q = bpf_map_lookup_elem(&quarantine_case, &zero);
	if (!q)
		return 1;
	peer = q->peer;
	s = (struct smc_seen){q->pod_id, q->code, &peer, q->now};
	switch (q->what) {
	case WHAT_STRIKE:
		smc_strike(&s);
		break;
	case WHAT_MARK:
		smc_mark(&s, q->began);
		break;
	case WHAT_SUSPECT:
		smc_suspect(&s);
		break;
	case WHAT_ANSWERED:
		smc_tried(&s, true);
		break;
	case WHAT_FORGIVE:
		smc_forgive(&s);
		break;
	case WHAT_UNANSWERED:
		unanswered(q);
		break;
	default:
		ask(q);
	}
	return 0;
}

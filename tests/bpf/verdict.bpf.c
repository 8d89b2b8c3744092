// SPDX-License-Identifier: GPL-2.0-only
/* The verdict alone, for test_verdict.c: one question and its answer in a map,
 * answered by bpf_prog_test_run(). */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "verdict.bpf.h"
#include "verdict_case.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct verdict_case);
} verdict_case SEC(".maps");

SEC("tc")
int verdict(void *ctx)
{
	struct verdict_case *v;
	struct smc_answer a;
	struct smc_conn c;
	__u32 zero = 0;

	v = bpf_map_lookup_elem(&verdict_case, &zero);
	if (!v)
		return 1;
	/* map keys are built on the stack, as in the hooks */
	c.remote = v->remote;
	c.local = v->local;
	smc_judge(v->has_pod ? &v->pod : NULL, &c, v->role, &a);
	v->verdict = a.verdict;
	v->reason = a.reason;
	v->transports = a.transports;
	return 0;
}

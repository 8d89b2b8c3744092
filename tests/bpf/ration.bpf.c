// SPDX-License-Identifier: GPL-2.0-only
/* The ration alone, for test_ration.c: one question and its answer in a map,
 * answered by bpf_prog_test_run(). */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "ration.bpf.h"
#include "ration_case.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ration_case);
} ration_case SEC(".maps");

SEC("tc")
int ration(void *ctx)
{
	struct ration_case *v;
	__u32 zero = 0;

	v = bpf_map_lookup_elem(&ration_case, &zero);
	if (!v)
		return 1;
	if (v->op == RATION_LEFT)
		v->yes = smc_ration_left(v->slot);
	else if (v->op == RATION_PUT)
		smc_pending_put(v->cookie, v->slot, 77);
	else if (v->op == RATION_DROP)
		v->yes = smc_pending_drop(v->cookie);
	else
		v->slot = smc_ration_slot(v->has_pod ? &v->pod : NULL);
	return 0;
}

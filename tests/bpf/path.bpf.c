// SPDX-License-Identifier: GPL-2.0-only
/* RDMA paths alone, for test_path.c: one question and its answer in a map,
 * answered by bpf_prog_test_run(). */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include "path.bpf.h"
#include "path_case.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct path_case);
} path_case SEC(".maps");

static __always_inline void ask(struct path_case *v, const struct smc_conn *c,
				const struct smc_flow *flow)
{
	struct smc_crossing x = smc_crossing_of(flow);

	x.role = v->role;
	switch (v->op) {
	case PATH_ENTER:
		v->reason = smc_path_enter(c, &x);
		v->flags = x.flags;
		break;
	case PATH_LEAVE:
		smc_path_leave(&x);
		break;
	case PATH_WISH:
		smc_path_wish(c);
		break;
	case PATH_FAILED:
		smc_path_failed(flow);
		break;
	case PATH_LIVES:
		smc_path_lives(flow);
		break;
	case PATH_CODE:
		v->yes = smc_is_path_code(v->code, v->peer);
		break;
	case PATH_ALONE:
		v->yes = smc_was_alone(flow);
		break;
	case PATH_TOLD:
		smc_path_told(&v->job);
		break;
	}
}

SEC("tc")
int path(void *ctx)
{
	struct smc_flow flow = {};
	struct path_case *v;
	struct smc_conn c;
	__u32 zero = 0;

	v = bpf_map_lookup_elem(&path_case, &zero);
	if (!v)
		return 1;
	c.remote = v->remote;
	c.local = v->local;
	__builtin_memcpy(flow.local_ip, v->local.ip, sizeof(flow.local_ip));
	__builtin_memcpy(flow.remote_ip, v->remote.ip, sizeof(flow.remote_ip));
	flow.flags = v->op == PATH_ENTER ? 0 : v->flags;
	flow.opened_ns = v->since_ns;
	ask(v, &c, &flow);
	return 0;
}

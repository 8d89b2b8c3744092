// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is every device of a namespace covered by synfilter? Only then sockets there
 * are converted: SMC_POD_GUARDED in the namespace's row says so.
 *
 * | program    | section                            | needs               |
 * |------------|------------------------------------|---------------------|
 * | dev_made   | fentry/register_netdevice          | (BTF and ftrace)    |
 * | dev_moved  | fentry/__dev_change_net_namespace  | that function       |
 * | guard_turn | syscall                            | run by the agent    |
 *
 * A new device has no filter: before it can send a packet these take the flag
 * away, and tell the agent, which covers it. Its look at the devices takes
 * time, so it begins with GUARDING and ends by turning that into GUARDED, which
 * fails if a device came in between.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "count.bpf.h"

#define EAGAIN 11
#define ENOENT 2

#define GUARD_FLAGS (SMC_POD_GUARDED | SMC_POD_GUARDING)

char LICENSE[] SEC("license") = "GPL";

/* A device is about to appear in @net. */
static __always_inline void smc_unguard(const struct net *net)
{
	__u64 cookie = net->net_cookie;
	struct smc_handshake none = {};
	struct smc_flow flow = {};
	struct smc_pod *row;

	row = bpf_map_lookup_elem(&smc_netns, &cookie);
	if (!row ||
	    !(__sync_fetch_and_and(&row->flags, ~GUARD_FLAGS) & GUARD_FLAGS))
		return;
	flow.pod_id = row->pod_id;
	flow.netns_cookie = cookie;
	smc_emit(SMC_EVENT_DEVICE, &none, &flow);
}

SEC("fentry/register_netdevice")
int BPF_PROG(dev_made, struct net_device *dev)
{
	smc_unguard(dev->nd_net.net);
	return 0;
}

SEC("fentry/__dev_change_net_namespace")
int BPF_PROG(dev_moved, struct net_device *dev, struct net *net)
{
	smc_unguard(net);
	return 0;
}

static __always_inline int smc_guard_end(struct smc_pod *row)
{
	__u32 old, new;

	/* another program may set a flag of its own meanwhile */
	for (int i = 0; i < 8; i++) {
		old = *(volatile __u32 *)&row->flags;
		if (!(old & SMC_POD_GUARDING))
			return -EAGAIN;
		new = (old & ~SMC_POD_GUARDING) | SMC_POD_GUARDED;
		if (__sync_val_compare_and_swap(&row->flags, old, new) == old)
			return 0;
	}
	return -EAGAIN;
}

SEC("syscall")
int guard_turn(struct smc_guard_job *job)
{
	__u64 cookie = job->netns_cookie;
	struct smc_pod *row = bpf_map_lookup_elem(&smc_netns, &cookie);

	if (!row) {
		job->result = -ENOENT;
		return 0;
	}
	switch (job->turn) {
	case SMC_GUARD_BEGIN:
		__sync_fetch_and_or(&row->flags, SMC_POD_GUARDING);
		job->result = 0;
		break;
	case SMC_GUARD_END:
		job->result = smc_guard_end(row);
		break;
	default: /* not guarded */
		__sync_fetch_and_and(&row->flags, ~GUARD_FLAGS);
		job->result = 0;
	}
	return 0;
}

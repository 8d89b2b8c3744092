// SPDX-License-Identifier: GPL-2.0-only
/*
 * RDMA paths: programs that see links come, break and go, and the one that
 * takes the results of the agent's probes. flows.bpf.c sees handshakes.
 *
 * | program       | section                   | needs                |
 * |---------------|---------------------------|----------------------|
 * | smc_link_up   | fentry/smc_llc_link_active | SMC, that function  |
 * | smc_link_down | tp_btf/smcr_link_down     | SMC (>= 5.16)        |
 * | smc_link_gone | fentry/smcr_link_clear    | SMC, that function   |
 * | path_told     | syscall                   | run by the agent     |
 *
 * The GIDs of a link's two ends, with RoCEv2 IPv4 addresses, tell its path. Its
 * network namespace does not: where devices are shared, every device is in
 * init_net (smc_ib_net(), net/smc/smc_core.c). A link with other GIDs is
 * ignored.
 */
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "path.bpf.h"
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "GPL";

static __always_inline bool smc_is_mapped(const __u8 gid[16])
{
	const __u32 *word = (const __u32 *)gid;

	return !word[0] && !word[1] && word[2] == bpf_htonl(0xffff);
}

/* The verifier does not allow to read four bytes of an array of bytes at
 * once. */
static __always_inline bool smc_link_path(const struct smc_link *link,
					  struct smc_path_key *key)
{
	__u32 own[4], peer[4];

	if (bpf_core_read(own, sizeof(own), &link->gid) ||
	    bpf_core_read(peer, sizeof(peer), &link->peer_gid))
		return false;
	smc_path_key_of(key, (const __u8 *)own, (const __u8 *)peer);
	return smc_is_mapped((const __u8 *)own) &&
	       smc_is_mapped((const __u8 *)peer);
}

/* Runs in a kernel worker, or in the task that connects. */
SEC("fentry/smc_llc_link_active")
int BPF_PROG(smc_link_up, const struct smc_link *link)
{
	struct smc_link_up up = {};
	struct smc_path *path;
	__u64 key = (__u64)link;

	if (!smc_link_path(link, &up.path))
		return 0;
	up.role = BPF_CORE_READ(link, lgr, role) == SMC_SERV;
	path = bpf_map_lookup_elem(&smc_path, &up.path);
	if (path && !bpf_map_update_elem(&smc_links, &key, &up, BPF_NOEXIST))
		__sync_fetch_and_add(&path->links[up.role & 1], 1);
	return 0;
}

SEC("fentry/smcr_link_clear")
int BPF_PROG(smc_link_gone, const struct smc_link *link)
{
	struct smc_link_up up, *row;
	struct smc_path *path;
	__u64 key = (__u64)link;

	row = bpf_map_lookup_elem(&smc_links, &key);
	if (!row)
		return 0;
	up = *row;
	if (bpf_map_delete_elem(&smc_links, &key))
		return 0; /* another was faster */
	path = bpf_map_lookup_elem(&smc_path, &up.path);
	if (path && path->links[up.role & 1])
		__sync_fetch_and_sub(&path->links[up.role & 1], 1);
	return 0;
}

/* @link: where SMC is a module the verifier assumes that it may be NULL. */
SEC("tp_btf/smcr_link_down")
int BPF_PROG(smc_link_down, const struct smc_link *link)
{
	struct smc_path_key key;
	struct smc_path *path;

	if (!link || !smc_link_path(link, &key))
		return 0;
	path = bpf_map_lookup_elem(&smc_path, &key);
	if (path)
		smc_path_strike(path, bpf_ktime_get_ns());
	return 0;
}

/* ---- run by the agent: abi.h says what it does ---- */

SEC("syscall")
int path_told(struct smc_path_job *job)
{
	smc_path_told(job);
	return 0;
}

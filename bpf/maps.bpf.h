/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every map. The first eleven are the public ABI (include/smcmesh/abi.h); the
 * last four are between our own programs. The loader pins them all under
 * their names, so that an agent that is restarted, or two generations of
 * programs that run side by side during an upgrade, share them.
 *
 * __weak: each object file defines them, and `bpftool gen object` keeps one
 * of each after it has compared the definitions.
 *
 * BPF_F_NO_PREALLOC: memory grows with what is in the map, not with its limit.
 */
#pragma once

#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <smcmesh/abi.h>

/* Written by the agent; read by every program. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct smc_config);
} smc_config SEC(".maps") __weak;

/* Written by the agent, and by sock_refused (one flag); read by every program
 * with the cookie of a socket's or task's namespace. A node has hundreds of
 * pods at most, and a disarmed one leaves its row. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct smc_pod);
} smc_netns SEC(".maps") __weak;

/* The same for hostNetwork pods; looked at only in namespaces whose row of
 * smc_netns has SMC_POD_SHARED. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct smc_pod);
} smc_cgroup SEC(".maps") __weak;

/* Written by the agent; read by the verdict. 150,000 pods in the largest
 * clusters, two addresses each at times. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, struct smc_addr);
	__type(value, struct smc_endpoint);
} smc_endpoint SEC(".maps") __weak;

/* Written by the agent; read by the verdict of clients. 10,000 services with
 * a few ports and two addresses each. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct smc_addr_port);
	__type(value, struct smc_service);
} smc_service SEC(".maps") __weak;

/* Written by the agent; read by the verdict. People write these by hand. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* the only way a trie exists */
	__uint(max_entries, 4096);
	__type(key, struct smc_cidr_key);
	__type(value, struct smc_cidr);
} smc_cidr SEC(".maps") __weak;

/* Written by the agent; read by the verdict. A few ports for each pod. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct smc_port_key);
	__type(value, struct smc_port);
} smc_port SEC(".maps") __weak;

/* Written by smc_declined, cleared by smc_connected; read by the verdict of
 * clients. An LRU: when thousands of peers misbehave at once the oldest is
 * forgotten, and may fail one more connect(). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct smc_addr_port);
	__type(value, struct smc_quarantine);
} smc_quarantine SEC(".maps") __weak;

/* Written by the flow programs and syn_option; read by the agent. Closed flows
 * stay until their place is needed. About 12 MB. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct smc_flow);
} smc_flow SEC(".maps") __weak;

/* Written by every program; read by the agent, which deletes the rows of pods
 * that are gone. 30 counters of hundreds of pods. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 32768);
	__type(key, struct smc_counter_key);
	__type(value, __u64);
} smc_counter SEC(".maps") __weak;

/* Written by the flow programs and sock_refused; drained by the agent. 7,000
 * events: a third of a second at 10,000 connections in a second. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} smc_event SEC(".maps") __weak;

/* ---- between our own programs ---- */

/*
 * One handshake, named by what stays the same from its first packet to its
 * last retransmission and is known at both ends of its life: the request and
 * the child that comes of it, the SYN_SENT socket and the established one.
 * (A pointer to the kernel's object would be re-used by its slab.)
 */
struct smc_handshake {
	struct smc_addr_port remote;
	__u32 isn;   /* of the own SYN or SYN-ACK: random for each handshake */
	__u32 netns; /* low half of the cookie; they are counted up from 1 */
	__u16 local_port;
	__u16 role; /* enum smc_role */
};

struct smc_answered {
	__u32 transports;
	__u32 pod_id;
};

/*
 * The handshakes that were answered "yes" and are still under way: written and
 * read by syn_option and synack_option, removed by flow_sockops once they are
 * established. Only those towards endpoints get in, so a SYN flood of
 * strangers cannot push one out.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct smc_handshake);
	__type(value, struct smc_answered);
} smc_answered SEC(".maps") __weak;

/* Tasks between sockproto's "yes" and the end of their __sock_create(): tells
 * sock_refused a refused conversion from a program's own IPPROTO_SMC socket. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* the only way these exist */
	__type(key, int);
	__type(value, __u32);
} smc_converting SEC(".maps") __weak;

struct smc_listener_key {
	__u64 netns_cookie;
	__u16 port;
	__u16 _pad[3];
};

/* Ports of armed pods where an SMC listener was opened last: 0, or the
 * kernel's code for why that listener fell back as a whole. Written and read
 * by flow_sockops, to tell "the client did not offer" from "our listener is
 * plain TCP". */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct smc_listener_key);
	__type(value, __u32);
} smc_listener SEC(".maps") __weak;

/* Converted sockets that fell back before they connected or listened (an
 * option that SMC cannot do was set): cookie -> the kernel's code. Written by
 * smc_fallback, taken over by flow_sockops. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u32);
} smc_early SEC(".maps") __weak;

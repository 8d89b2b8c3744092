/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every map. The first fifteen are the public ABI (include/smcmesh/abi.h); the
 * last seven are between our own programs. The loader pins them all under
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
#include <smcmesh/counters.h>

/* Written by the agent; read by every program. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct smc_config);
} smc_config SEC(".maps") __weak;

/* Written by the agent, and by what sees a refused conversion (one flag); read
 * by every program with the cookie of a socket's or task's namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SMC_NETNS_ENTRIES);
	__type(key, __u64);
	__type(value, struct smc_pod);
} smc_netns SEC(".maps") __weak;

/* The same for hostNetwork pods; looked at only in namespaces whose row of
 * smc_netns has SMC_POD_SHARED. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SMC_CGROUP_ENTRIES);
	__type(key, __u64);
	__type(value, struct smc_pod);
} smc_cgroup SEC(".maps") __weak;

/* Written by the agent; read by the verdict. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SMC_ENDPOINT_ENTRIES);
	__type(key, struct smc_addr);
	__type(value, struct smc_endpoint);
} smc_endpoint SEC(".maps") __weak;

/* Written by the agent; read by the verdict of clients. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SMC_SERVICE_ENTRIES);
	__type(key, struct smc_addr_port);
	__type(value, struct smc_service);
} smc_service SEC(".maps") __weak;

/* Written by the agent; read by the verdict. People write these by hand. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* the only way a trie exists */
	__uint(max_entries, SMC_CIDR_ENTRIES);
	__type(key, struct smc_cidr_key);
	__type(value, struct smc_cidr);
} smc_cidr SEC(".maps") __weak;

/* Written by the agent, before it arms the pod; read by the verdict. Blocks of
 * ports: of a few ports and ranges for each pod. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SMC_PORT_ENTRIES);
	__type(key, struct smc_port_key);
	__type(value, struct smc_port);
} smc_port SEC(".maps") __weak;

/* Written by what sees a client's connect() end (quarantine.bpf.h), cleared by
 * smc_connected; read by the verdict of clients. An LRU: when thousands of
 * peers misbehave towards many pods the oldest is forgotten, and may fail one
 * more connect(). One pod alone makes too few rows for that
 * (SMC_QUARANTINE_SHARE).
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SMC_QUARANTINE_ENTRIES);
	__type(key, struct smc_quarantine_key);
	__type(value, struct smc_quarantine);
} smc_quarantine SEC(".maps") __weak;

/*
 * The open flows: written by the selector and the recorders, read by the agent.
 * A row that says "yes" is the remembered answer of its handshake, too, so no
 * row is ever pushed out: it goes when its flow ends, and smc_usage counts it.
 * Preallocated: an update is a quarter cheaper, and no lack of memory turns a
 * "yes" into a "no".
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SMC_FLOW_ENTRIES);
	__type(key, struct smc_handshake);
	__type(value, struct smc_flow);
} smc_flow SEC(".maps") __weak;

/* The closed ones: the newest of them, for the oldest is written over. Nobody
 * looks one up, and an array's row is had for a tenth of what an LRU's costs.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SMC_FLOW_CLOSED_ENTRIES);
	__type(key, __u32);
	__type(value, struct smc_closed);
} smc_flow_closed SEC(".maps") __weak;

/* Written by every program; read by the agent, which clears the slots of pods
 * that are gone. 640 KiB for each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SMC_PODS);
	__type(key, __u32);
	__type(value, struct smc_counters);
} smc_counter SEC(".maps") __weak;

/* What a pod, and the node, hold at once: written by the programs alone. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SMC_PODS);
	__type(key, __u32);
	__type(value, struct smc_usage);
} smc_usage SEC(".maps") __weak;

/* Written by the flow programs and the converter's; drained by the agent. 6,000
 * events. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SMC_EVENT_BYTES);
} smc_event SEC(".maps") __weak;

/* SMC sockets under way: put by what sees one made, deleted by what sees it
 * listen, connected, fallen back or closed (ration.bpf.h), and by the agent
 * where that was missed. Preallocated: no lack of memory loses a row. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SMC_PENDING_ENTRIES);
	__type(key, __u64);
	__type(value, struct smc_pending);
} smc_pending SEC(".maps") __weak;

/* RDMA paths: made by whoever needs one or has probed one, settled by what sees
 * handshakes and links end (path.bpf.h, paths.bpf.c) and by the agent's probes;
 * read by the verdict. Not preallocated: a node has tens, rarely thousands. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SMC_PATH_ENTRIES);
	__type(key, struct smc_path_key);
	__type(value, struct smc_path);
} smc_path SEC(".maps") __weak;

/* ---- between our own programs ---- */

/* Handshakes over RDMA that are under way; see path.bpf.h. */
struct smc_rdma {
	__u64 doubts[2]; /* of clients, of servers */
	__u64 left_ns;	 /* when one ended last */
	__u64 bad_ns;	 /* when a path became bad last */
	__s32 under_way;
	__u32 _pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct smc_rdma);
} smc_rdma SEC(".maps") __weak;

/* RDMA links that are up: the kernel's struct smc_link -> its path. Written and
 * read by paths.bpf.c. A link group has three at most. */
struct smc_link_up {
	struct smc_path_key path;
	__u32 role; /* 0: we made it; 1: the peer */
	__u32 _pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SMC_PATH_ENTRIES);
	__type(key, __u64);
	__type(value, struct smc_link_up);
} smc_links SEC(".maps") __weak;

/* When the oldest handshakes over RDMA began that a peer, an IPv4 address, has
 * not finished with this node as its server; see path.bpf.h. 0: a free place.
 */
#define SMC_SLOW_MOST 4

struct smc_slow {
	__u64 since_ns[SMC_SLOW_MOST];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct smc_slow);
} smc_slow SEC(".maps") __weak;

/* How far a task's conversion has come; see sockproto.bpf.c. */
struct smc_converting {
	__u32 step;
	__u32 failed; /* one of its conversions ended for no known reason */
	__u32 pod_id; /* whose it was */
	/* Of a process' first task alone: sockets of it that were not converted
	 * for want of room, and have not been connected yet. */
	__s32 rationed;
	__u64 sock; /* the sock that was made: only compared */
};

/* Tasks between sockproto's "yes" and the end of their socket(). */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* the only way these exist */
	__type(key, int);
	__type(value, struct smc_converting);
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
 * option that SMC cannot do was set): cookie of the TCP socket -> the kernel's
 * code. Written by smc_fallback, read by the recorders. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u32);
} smc_early SEC(".maps") __weak;

/* Answers that are not finished, of the node or of peers; see answers.bpf.h. */
struct smc_answers {
	__u32 slot; /* in which `open` was last made anew */
	__s32 open; /* the sum of `given` */
	__s32 given[SMC_ANSWER_SLOTS];
};

/* Row 0: the node's; then the peers', by a hash of their address. 290 KiB; an
 * array's row is had for a tenth of what a hash's costs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 + SMC_ANSWER_PEERS);
	__type(key, __u32);
	__type(value, struct smc_answers);
} smc_answering SEC(".maps") __weak;

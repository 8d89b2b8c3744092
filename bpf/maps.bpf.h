/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every map. The first fifteen are the public ABI (include/smcmesh/abi.h); the
 * last nine are between our own programs. The loader pins them all under
 * their names, so that an agent that is restarted, or two generations of
 * programs that run side by side during an upgrade, share them.
 *
 * __weak: each object file defines them; `bpftool gen object` compares the
 * definitions and keeps one of each.
 *
 * BPF_F_NO_PREALLOC: memory grows with the number of rows, not with the limit.
 */
#pragma once

#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <smcmesh/abi.h>
#include <smcmesh/converting.h>
#include <smcmesh/counters.h>

/* Written by the agent; read by every program. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct smc_config);
} smc_config SEC(".maps") __weak;

/* Written by the agent, and by the programs that see a refused conversion or an
 * SMC listener (one flag each); read by every program, by the cookie of a
 * socket's or task's namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SMC_NETNS_ENTRIES);
	__type(key, __u64);
	__type(value, struct smc_pod);
} smc_netns SEC(".maps") __weak;

/* The same for hostNetwork pods; read only for namespaces whose row of
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

/* Written by the agent, from what people configured; read by the verdict. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* a trie must have it */
	__uint(max_entries, SMC_CIDR_ENTRIES);
	__type(key, struct smc_cidr_key);
	__type(value, struct smc_cidr);
} smc_cidr SEC(".maps") __weak;

/* Written by the agent, before it arms the pod; read by the verdict. Blocks of
 * ports: each pod has a few ports and ranges. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SMC_PORT_ENTRIES);
	__type(key, struct smc_port_key);
	__type(value, struct smc_port);
} smc_port SEC(".maps") __weak;

/* Written by the programs that see a client's connect() end (quarantine.bpf.h),
 * cleared by smc_connected, and filled by quarantine_put during an upgrade;
 * read by the verdict of clients. An LRU: when thousands of peers misbehave
 * towards many pods the kernel drops the oldest row, and that peer may fail one
 * more connect(). One pod alone makes too few rows for that
 * (SMC_QUARANTINE_SHARE). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SMC_QUARANTINE_ENTRIES);
	__type(key, struct smc_quarantine_key);
	__type(value, struct smc_quarantine);
} smc_quarantine SEC(".maps") __weak;

/*
 * The open flows: written by the selector and the recorders, read by the agent.
 * A row with a "yes" is also the answer that the selector repeats, so the
 * kernel must not evict rows: a row goes when its flow ends, and smc_usage
 * counts it. Preallocated: an update is a quarter cheaper, and a lack of memory
 * does not turn a "yes" into a "no".
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SMC_FLOW_ENTRIES);
	__type(key, struct smc_handshake);
	__type(value, struct smc_flow);
} smc_flow SEC(".maps") __weak;

/* The newest of the closed flows; a new one overwrites the oldest. Nobody looks
 * a row up, and an array's row costs a tenth of an LRU's. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SMC_FLOW_CLOSED_ENTRIES);
	__type(key, __u32);
	__type(value, struct smc_closed);
} smc_flow_closed SEC(".maps") __weak;

/* Written by every program; read by the agent, which clears the slots of
 * deleted pods. 640 KiB for each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SMC_PODS);
	__type(key, __u32);
	__type(value, struct smc_counters);
} smc_counter SEC(".maps") __weak;

/* What each pod, and the node, holds at this time: written by the programs
 * alone, also for the agent (ration.bpf.c, quarantine.bpf.c). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SMC_PODS);
	__type(key, __u32);
	__type(value, struct smc_usage);
} smc_usage SEC(".maps") __weak;

/* Written by the flow programs and the converter's; read by the agent. Room for
 * 6,000 events. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SMC_EVENT_BYTES);
} smc_event SEC(".maps") __weak;

/* SMC sockets under way: a program puts a row when it sees one made, and
 * deletes it when the socket listens, is connected, has fallen back or is
 * closed (ration.bpf.h); the agent deletes rows where the programs missed that.
 * Preallocated: no lack of memory loses a row. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SMC_PENDING_ENTRIES);
	__type(key, __u64);
	__type(value, struct smc_pending);
} smc_pending SEC(".maps") __weak;

/* RDMA paths: a row is made when a handshake needs the path or a probe proved
 * it, and changed by programs that see handshakes and links end (path.bpf.h,
 * paths.bpf.c) and by the agent's probes; the verdict reads it. Not
 * preallocated: a node has tens, rarely thousands. */
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
	__u64 doubts[2];    /* of clients, of servers */
	__u64 left_ns;	    /* when the last one ended */
	__u64 slow_left_ns; /* that had taken a second or more */
	__u64 bad_ns;	    /* when a path last became bad */
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
 * read by paths.bpf.c. A link group has three links at most. */
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

/* When the oldest unfinished RDMA handshakes of a peer, an IPv4 address, with
 * this node as server began; see path.bpf.h. 0: a free place. */
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

/* Tasks that have had a socket converted, processes that have had one left to
 * TCP by the ration, and `smcmesh syncheck`, which writes its own row. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* task storage must have it */
	__type(key, int);
	__type(value, struct smc_converting);
} smc_converting SEC(".maps") __weak;

struct smc_listener_key {
	__u64 netns_cookie;
	__u16 port;
	__u16 _pad[3];
};

/* Ports of armed pods where an SMC listener was opened last: 0, or the kernel's
 * code for why that listener fell back as a whole. flow_sockops writes and
 * reads it to tell "the client did not offer" from "our listener is plain
 * TCP". */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct smc_listener_key);
	__type(value, __u32);
} smc_listener SEC(".maps") __weak;

/* Converted sockets that fell back before they connected or listened (the
 * program set an option that SMC cannot do): cookie of the TCP socket -> the
 * kernel's code. Written by smc_fallback, read by the recorders. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u32);
} smc_early SEC(".maps") __weak;

/* Unfinished answers, of the node or of a group of peers; see answers.bpf.h. */
struct smc_answers {
	__u32 slot; /* the slot in which `open` was last added up */
	__s32 open; /* the sum of `given` */
	__s32 given[SMC_ANSWER_SLOTS];
};

/* Row 0: the node's; the others: peers', by a hash of their address. 290 KiB;
 * an array's row costs a tenth of a hash's. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 + SMC_ANSWER_PEERS);
	__type(key, __u32);
	__type(value, struct smc_answers);
} smc_answering SEC(".maps") __weak;

/*
 * SYNs that synfilter took the option out of, and why. Of a client's, by the
 * packet's own port: if its SYN-ACK carries the option its peer echoes. Of a
 * server's, by the client's sequence number and both ports: only where later
 * nobody could find out why.
 *
 * A map of its own, an LRU: any program can cause a "no", but none that pushes
 * out a "yes", which is a row of smc_flow. A SYN-ACK without a row here passes,
 * so a "no" that was pushed out, or a SYN that left past us, does not break a
 * peer that keeps to the rules.
 */
struct smc_refusal {
	__u32 pod_id; /* 0: no armed pod's */
	__u32 reason; /* enum smc_reason */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct smc_handshake);
	__type(value, struct smc_refusal);
} smc_refused SEC(".maps") __weak;

/* A SYN or SYN-ACK with SMC's option. */
struct smc_syn {
	struct smc_addr_port src, dst;
	__u32 seq, ack;
	__u32 tcp;     /* offset of its header from skb->data */
	__u32 options; /* their length */
	bool is_ack, is_v4;
};

/* What synfilter works on: the options of one SYN, and how far it has come.
 * verifier: what a loop reads from a map is unknown to it, so the paths of each
 * round meet again; in registers they would multiply. */
struct smc_scratch {
	struct smc_syn syn;
	__u8 old[64], new[64];
	__u64 mask; /* of the bytes to be blanked */
	__u32 next; /* option */
	__u32 at;   /* header of IPv6 */
	__u32 kind; /* of that header */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct smc_scratch);
} smc_scratch SEC(".maps") __weak;

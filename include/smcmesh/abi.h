/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * The public ABI of smcmesh: what the BPF programs and everything that reads
 * the pinned maps agree on. Structs, enums and constants, nothing else.
 *
 * Conventions
 * - An address is 16 bytes in network order; IPv4 is written ::ffff:a.b.c.d.
 * - A port is in host order, so that `bpftool map dump` shows what a person
 *   would type.
 * - A time is CLOCK_MONOTONIC in nanoseconds (bpf_ktime_get_ns()).
 * - Every padding byte has a name and is zero: hash keys compare them.
 * - A field is only ever added at the end of a value, together with a new
 *   SMC_ABI_VERSION; an agent refuses pins of another version and leaves them
 *   as they are.
 */
#pragma once

#ifndef __VMLINUX_H__ /* BPF programs have these from vmlinux/ */
#include <linux/types.h>
#endif

#define SMC_ABI_VERSION 1

/* Where the maps and links are pinned, below the bpffs mount. */
#define SMC_PIN_DIR "smcmesh"

/* Every struct smc_hs_ctrl of ours is called SMC_CTRL_PREFIX + generation. */
#define SMC_CTRL_PREFIX "smcmesh_"
#define SMC_CTRL_PREFIX_LEN 8
#define SMC_CTRL_NAME_MAX 16 /* the kernel's SMC_HS_CTRL_NAME_MAX */
/* Where the name lies in bpf_map__initial_value() of the map smcmesh_ctrl. */
#define SMC_CTRL_NAME_OFFSET 0

/* Transports, a bit set. */
enum smc_transport {
	SMC_TRANSPORT_SMCR = 1, /* RDMA */
	SMC_TRANSPORT_SMCD = 2, /* shared memory, same node only */
};

/* ---- smc_config: array of one ------------------------------------------ */

struct smc_config {
	__u32 abi_version; /* SMC_ABI_VERSION */
	__u32 enabled;	   /* the mesh switch: 0 or 1 */
	__u32 transports;  /* of this node, enum smc_transport bits */
	__u32 mark;	   /* socket mark of a converted sidecar's SYN */
	__u32 mark_mask;   /* the bits of the mark that are ours */
	__u32 node_id;	   /* this node, as in smc_endpoint.node_id */
};

/* ---- smc_netns, smc_cgroup: who is armed -------------------------------- */

enum smc_pod_flag {
	SMC_POD_SIDECAR = 1, /* only the UID's sockets, and mark their SYNs */
	SMC_POD_DENY = 2,    /* disarmed, but its SMC sockets may live: deny */
	SMC_POD_REFUSED = 4, /* set by BPF: the kernel refused a conversion */
	/* A namespace that armed hostNetwork pods share with others: its row
	 * of smc_netns only says "judge by smc_cgroup, and let pass whatever
	 * has no row there". Without this row nothing there is converted. */
	SMC_POD_SHARED = 8,
};

#define SMC_UID_ANY 0xffffffffU

/* Key of smc_netns: the namespace's cookie (SO_NETNS_COOKIE), __u64.
 * Key of smc_cgroup: the cgroup v2 id, __u64. */
struct smc_pod {
	__u32 pod_id;	  /* this node's number of the pod, never 0 */
	__u32 flags;	  /* enum smc_pod_flag */
	__u32 transports; /* what this very namespace can use */
	__u32 uid;	  /* convert this UID only (init user namespace) */
};

/* ---- smc_endpoint -------------------------------------------------------- */

struct smc_addr {
	__u8 ip[16];
};

enum smc_endpoint_flag {
	/* A node's own address: its offers may be answered, but it is offered
	 * SMC only at the ports that smc_service lists. */
	SMC_ENDPOINT_ANSWER_ONLY = 1,
};

struct smc_endpoint {
	__u32 transports; /* as reachable from this node */
	__u32 node_id;	  /* which node, this node's own numbering, never 0 */
	__u32 flags;	  /* enum smc_endpoint_flag */
	__u32 _pad;
};

/* ---- smc_service --------------------------------------------------------- */

struct smc_addr_port {
	__u8 ip[16];
	__u16 port;
	__u16 _pad;
};

struct smc_service {
	__u32 transports; /* shared by every backend */
	__u32 _pad;
	__u64 expires_ns; /* bypass from then on; the agent keeps moving it */
};

/* ---- exclusions ---------------------------------------------------------- */

struct smc_cidr_key {
	__u32 prefixlen; /* of the 128 bits: an IPv4 /16 is 112 */
	__u8 ip[16];
};

struct smc_cidr {
	__u32 exclude; /* 1 */
};

struct smc_port_key {
	__u32 pod_id; /* 0: every pod of the mesh */
	__u16 port;
	__u16 _pad;
};

struct smc_port {
	__u8 exclude_in;  /* offers to this local port are not answered */
	__u8 exclude_out; /* nothing is offered to this remote port */
	__u8 _pad[2];
};

/* ---- smc_quarantine: LRU, key struct smc_addr_port ----------------------- */

struct smc_quarantine {
	__u64 until_ns;
	__u32 strikes; /* how often it misbehaved: each doubles the time */
	__u32 reason;  /* the kernel's code or negative errno, as __u32 */
};

/* ---- smc_flow: LRU, key: cookie of the inner TCP socket ------------------ */

enum smc_role {
	SMC_ROLE_CLIENT = 1,
	SMC_ROLE_SERVER = 2,
};

enum smc_verdict {
	SMC_VERDICT_BYPASS = 0,
	SMC_VERDICT_ACCELERATE = 1,
};

enum smc_outcome {
	SMC_OUTCOME_PENDING = 0, /* the handshake is under way */
	SMC_OUTCOME_TCP = 1,	 /* plain TCP, because of the verdict */
	SMC_OUTCOME_SMCR = 2,
	SMC_OUTCOME_SMCD = 3,
	SMC_OUTCOME_FALLBACK = 4, /* offered, ended as TCP: kernel_code */
	SMC_OUTCOME_FAILED = 5,	  /* ended as neither: kernel_code */
};

struct smc_flow {
	__u8 local_ip[16];
	__u8 remote_ip[16];
	__u16 local_port;
	__u16 remote_port;
	__u32 pod_id;
	__u8 role;	   /* enum smc_role */
	__u8 verdict;	   /* enum smc_verdict */
	__u8 outcome;	   /* enum smc_outcome */
	__u8 closed;	   /* 1 once the socket is gone */
	__u32 reason;	   /* enum smc_reason: why bypassed */
	__u32 kernel_code; /* SMC_CLC_DECL_* or negative errno, 0: none */
	__u32 transports;  /* what both ends had in common */
	__u64 opened_ns;
	__u64 decided_ns; /* when the outcome was known, 0: not yet */
	__u64 closed_ns;
	__u64 rx_bytes; /* of a flow that is TCP; SMC bytes are per namespace */
	__u64 tx_bytes;
	__u64 netns_cookie;
};

/* ---- smc_counter: per-CPU hash ------------------------------------------- */

struct smc_counter_key {
	__u32 pod_id;
	__u32 counter; /* enum smc_counter_id, or SMC_COUNTER_REASON + reason */
};

/* ---- smc_event: ring buffer ---------------------------------------------- */

enum smc_event_type {
	SMC_EVENT_OPENED = 1,
	SMC_EVENT_UPGRADED = 2,
	SMC_EVENT_FELL_BACK = 3,
	SMC_EVENT_CLOSED = 4,
	SMC_EVENT_REFUSED = 5, /* a conversion: pod_id and kernel_code only */
};

struct smc_event {
	__u32 type; /* enum smc_event_type */
	__u32 _pad;
	__u64 cookie; /* key into smc_flow */
	__u64 time_ns;
	struct smc_flow flow; /* as it was at that time */
};

/* ---- sizes: the same for gcc and for clang -target bpf ------------------- */

_Static_assert(sizeof(struct smc_config) == 24, "ABI");
_Static_assert(sizeof(struct smc_pod) == 16, "ABI");
_Static_assert(sizeof(struct smc_endpoint) == 16, "ABI");
_Static_assert(sizeof(struct smc_addr_port) == 20, "ABI");
_Static_assert(sizeof(struct smc_service) == 16, "ABI");
_Static_assert(sizeof(struct smc_cidr_key) == 20, "ABI");
_Static_assert(sizeof(struct smc_port_key) == 8, "ABI");
_Static_assert(sizeof(struct smc_port) == 4, "ABI");
_Static_assert(sizeof(struct smc_quarantine) == 16, "ABI");
_Static_assert(sizeof(struct smc_flow) == 104, "ABI");
_Static_assert(sizeof(struct smc_counter_key) == 8, "ABI");
_Static_assert(sizeof(struct smc_event) == 128, "ABI");

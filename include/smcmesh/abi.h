/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * The public ABI of smcmesh: shared by the BPF programs and all readers of the
 * pinned maps. Structs, enums and constants, and one sum.
 *
 * Conventions
 * - An address is 16 bytes in network order; IPv4 is written ::ffff:a.b.c.d.
 * - A port is in host order, so that `bpftool map dump` shows what a person
 *   would type.
 * - A time is CLOCK_MONOTONIC in nanoseconds (bpf_ktime_get_ns()).
 * - Every padding byte has a name and is zero: hash keys compare them.
 * - A change of a key or of a meaning needs a new SMC_ABI_VERSION. A new map, a
 *   field in room that was left for it (_room), or another number of entries
 *   does not.
 *
 * Each ABI has its own pins, so that two may run side by side while an agent of
 * one takes over from the other: ABI 1 in SMC_PIN_DIR itself, every later one
 * in SMC_PIN_DIR/vN.
 */
#pragma once

#ifndef __VMLINUX_H__ /* BPF programs have these from vmlinux/ */
#include <linux/types.h>
#endif

#ifndef SMC_ABI_VERSION /* a test builds the tree with another one */
#define SMC_ABI_VERSION 2
#endif
/* The oldest ABI whose agent can take over from this one: it understands
 * smc_config's first words, and every map but smc_usage, smc_flow_closed,
 * smc_event and smc_pending. */
#define SMC_ABI_READABLE 2

/* Where the maps and links are pinned, below the bpffs mount. */
#define SMC_PIN_DIR "smcmesh"

/* ---- sizes: how many entries each map has -------------------------------- */

/* Pods of this node that are known at once: pod_id % SMC_PODS is the pod's
 * slot in smc_counter and smc_usage. */
#define SMC_PODS 1024
/* Slots of no pod: the node's, and that of all that is outside of armed pods
 * (other pods, processes of the host). The latter is the last slot, for ABI 1
 * numbered pods from 1 on, and pods keep their numbers. */
#define SMC_SLOT_NODE 0
#define SMC_SLOT_STRANGERS (SMC_PODS - 1)
#define SMC_POD_SLOTS (SMC_PODS - 2)
/* A node has hundreds of pods at most, and the rows of disarmed ones stay. */
#define SMC_NETNS_ENTRIES 4096
#define SMC_CGROUP_ENTRIES 4096
/* 150,000 pods in the largest clusters, some with two addresses each. */
#define SMC_ENDPOINT_ENTRIES 262144
/* 10,000 services with a few ports and two addresses each. */
#define SMC_SERVICE_ENTRIES 65536
#define SMC_CIDR_ENTRIES 4096
/*
 * Blocks of excluded ports. Each pod has its own share, so that its exclusions
 * do not keep another's out: room for 256 ports in each direction twice over,
 * or for 34 of the worst ranges (30 blocks: 1-65534). The mesh's (SmcMesh) have
 * room for any set: every other port of 65,536, in two directions. The kernel
 * allocates a trie's rows when they are put, 64 or 128 bytes each: 134 MB at
 * most for all pods, 128 KiB for one.
 */
#define SMC_PORT_SHARE 1024
#define SMC_PORT_MESH 65536
#define SMC_PORT_ENTRIES (SMC_PORT_MESH + SMC_POD_SLOTS * SMC_PORT_SHARE)
#define SMC_QUARANTINE_ENTRIES 4096
/* Rows that one pod may make in 2^42 ns (73 minutes): no row is of use for
 * longer than two hours, so one pod has a fifth of the map at most. */
#define SMC_QUARANTINE_SHARE 256
#define SMC_QUARANTINE_PERIOD 42
/* Open flows of the node, about 13 MB. */
#define SMC_FLOW_ENTRIES 65536
/* One pod's share of them; when the node has FLOW_FREE open flows only pods
 * with fewer than FLOW_SMALL get more. */
#define SMC_FLOW_SHARE 16384
#define SMC_FLOW_FREE (SMC_FLOW_ENTRIES / 4 * 3)
#define SMC_FLOW_SMALL 512
/* Closed flows that are still shown, about 5 MB. A power of two. */
#define SMC_FLOW_CLOSED_ENTRIES 32768
#define SMC_EVENT_BYTES (1 << 20)
/* Pairs of RDMA ports. A pair without a row is unproven, so if there is no room
 * connections stay TCP. 6 MB. */
#define SMC_PATH_ENTRIES 32768
/* The most SMC sockets under way that can be counted: no limit may be
 * higher. */
#define SMC_PENDING_ENTRIES 4096

/* Unfinished answers of this node: it sent the "yes", and does not know the
 * outcome. The most to one peer address, and to all. */
#define SMC_ANSWERS_PEER 64
#define SMC_ANSWERS_NODE 256
/* Each counts at most as long as the kernel repeats a SYN-ACK (63 s): by the
 * slot of 2^SHIFT ns in which it was given, for 64 to 69 s. */
#define SMC_ANSWER_SHIFT 32
#define SMC_ANSWER_SLOTS 16
/* Rows that count answers to peers; peers in one row share its ration. */
#define SMC_ANSWER_PEER_BITS 12
#define SMC_ANSWER_PEERS (1 << SMC_ANSWER_PEER_BITS)

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

/* Which look-ups of the verdict can hit, and who reads what the programs
 * write. */
enum smc_use {
	SMC_USE_PORTS = 1,    /* smc_port has rows */
	SMC_USE_CIDRS = 2,    /* smc_cidr has rows */
	SMC_USE_FOLLOWED = 4, /* somebody reads every event of a flow */
	/* The recorder `smc` is attached completely: its programs make the
	 * records of connections that have none yet. */
	SMC_USE_PLAIN = 8,
	/* All programs are attached that count SMC sockets under way, answers
	 * and connections, and that uncount them. Without this there are no
	 * rations and no budgets. */
	SMC_USE_PENDING = 16,
	/* A row of smc_netns has SMC_POD_SIDECAR. */
	SMC_USE_SIDECARS = 32,
	/* The agent probes RDMA paths: handshakes go over RDMA only on proven
	 * paths (smc_path), and else stay TCP. */
	SMC_USE_PATHS = 64,
};

/* Limits of what all pods share in the kernel's SMC (SmcMesh.spec.limits;
 * smc_usage has a pod's own, lower ones). */
struct smc_limits {
	__u32 pending_pod;     /* SMC sockets under way, of a pod */
	__u32 pending_node;    /* of all, whatever the number of CPUs */
	__u32 connections_pod; /* open SMC connections of a pod */
	__u32 buffers_node;    /* receive buffers (DMBs) of all */
	__u64 bytes_pod;       /* memory of the buffers of a pod */
	__u64 bytes_node;      /* of all */
};

/* SMC sockets under way outside of armed pods, all together. This is no
 * setting, for their owners did not ask for smcmesh. */
#define SMC_PENDING_STRANGERS 128
/* The last quarter of pending_node is for slots that hold fewer than this. */
#define SMC_PENDING_FEW 8

/* Two during a change, and two more that agents left which died in one. */
#define SMC_SELECTORS 4

struct smc_config {
	__u32 abi_version;  /* SMC_ABI_VERSION */
	__u32 abi_readable; /* SMC_ABI_READABLE */
	__u32 enabled;	    /* the mesh switch: 0 or 1 */
	__u32 transports;   /* of this node, enum smc_transport bits */
	__u32 node_id;	    /* this node, as in smc_endpoint.node_id */
	__u32 uses;	    /* enum smc_use bits */
	struct smc_limits limits;
	/* The lease: from then on clients offer nothing; or SMC_NO_END. The
	 * agent moves it on as long as what it knows is fresh. */
	__u64 offers_until_ns;
	/* Ids of the struct_ops maps that the namespaces of our pods choose:
	 * where net.smc.hs_ctrl has another one nothing is converted. The first
	 * is the agent's; while it replaces another the rest are those that
	 * namespaces still have. 0: none. */
	__u32 selectors[SMC_SELECTORS];
	/* This kernel's number of the protocol SMC, as the agent has probed it;
	 * 0: not known, nothing is converted. */
	__u32 ipproto;
	__u32 _pad;
	__u64 _room[5];
};

#define SMC_NO_END 0xffffffffffffffffULL

/* ---- smc_netns, smc_cgroup: who is armed -------------------------------- */

enum smc_pod_flag {
	SMC_POD_SIDECAR = 1, /* only sockets of its owners are converted */
	SMC_POD_DENY = 2,    /* disarmed, but its SMC sockets may live: deny */
	SMC_POD_REFUSED = 4, /* set by BPF: the kernel refused a conversion */
	/* A namespace that armed hostNetwork pods share with others: its row of
	 * smc_netns says only "judge by smc_cgroup, and let sockets without a
	 * row there pass". Without this row nothing there is converted. */
	SMC_POD_SHARED = 8,
	SMC_POD_LISTENS = 16, /* set by BPF: it opened an SMC listener */
	/* A row of smc_cgroup that arms: its addresses are the machine's, so
	 * who has the same one may be another program. */
	SMC_POD_CGROUP = 32,
	/* With the selector synfilter, in smc_netns alone: every device of the
	 * namespace has our filters. BPF clears it when a device appears; the
	 * agent sets it after it has read the filters back. Without it nothing
	 * there is converted. */
	SMC_POD_GUARDED = 64,
	SMC_POD_GUARDING = 128, /* the agent is about to read them back */
};

/* No user or group has it: the kernel's INVALID_UID and INVALID_GID. */
#define SMC_ID_ANY 0xffffffffU

/* Owners of sockets: both must match. The IDs are those of the init user
 * namespace, and of the credentials that opened the socket: fsuid and fsgid,
 * which the kernel's own owner match compares (net/netfilter/xt_owner.c,
 * nft_meta.c). */
struct smc_owner {
	__u32 uid; /* or SMC_ID_ANY */
	__u32 gid; /* or SMC_ID_ANY */
};

/* A mesh has one or two: its proxy's UID, or its UID and its GID; or the UIDs
 * of its proxy and of the program that sets it up. */
#define SMC_OWNERS 4

/* Key of smc_netns: the namespace's cookie (SO_NETNS_COOKIE), __u64.
 * Key of smc_cgroup: the cgroup v2 id, __u64. */
struct smc_pod {
	__u32 pod_id; /* this node's number of the pod, see smc_is_pod_slot() */
	__u32 flags;  /* enum smc_pod_flag */
	__u32 transports; /* what this very namespace can use */
	__u32 n_owners;	  /* SMC_POD_SIDECAR: convert only theirs */
	struct smc_owner owners[SMC_OWNERS];
};

/* smc_slot - The slot of the pod with this number. */
static inline __u32 smc_slot(__u32 pod_id)
{
	return pod_id % SMC_PODS;
}

static inline int smc_is_pod_slot(__u32 slot)
{
	return slot != SMC_SLOT_NODE && slot != SMC_SLOT_STRANGERS;
}

/* ---- smc_endpoint -------------------------------------------------------- */

struct smc_addr {
	__u8 ip[16];
};

enum smc_endpoint_flag {
	/* A node's own address: servers answer its offers, but clients offer to
	 * it only at the ports that smc_service lists. */
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
	__u32 transports; /* shared by every backend; 0: never */
	__u32 _room;
};

/* ---- smc_path: hash -------------------------------------------------------
 */

/*
 * The RDMA path between a port of this node or of its pods and one elsewhere. A
 * port's name is the IPv4 address in its RoCEv2 GID: all connections through
 * the port share the path. Only the agent knows the backends of a Service, so
 * the row of a Service's address says what holds for all paths there.
 */
struct smc_path_key {
	__u8 own[4];
	__u8 peer[4];
};

/*
 * bad_ns set: bad. Else proven_until_ns in the future: proven. Else unproven.
 *
 * An answer to the agent's probe (without SMC) proves it. The kernel's signs of
 * a broken path make it bad at once, and so does an unanswered probe after an
 * answered one. Only a probe that began after bad_until_ns ends that.
 */
struct smc_path {
	__u64 proven_until_ns;
	__u64 seen_ns; /* the last sign of life: when that probe began */
	__u64 bad_ns;
	__u64 bad_until_ns;
	__u64 used_ns;	 /* the last handshake that was to go over it */
	__u64 wished_ns; /* the last one that stayed TCP for it */
	__u32 strikes;	 /* how often it became bad: each doubles the time */
	__u32 links[2];	 /* up now: made by us, by the peer */
	__u32 _room;
};

/* A probe proves a path for so long. */
#define SMC_PATH_PROVEN_NS 30000000000ULL

/* ---- exclusions ---------------------------------------------------------- */

struct smc_cidr_key {
	__u32 prefixlen; /* of the 128 bits: an IPv4 /16 is 112 */
	__u8 ip[16];
};

struct smc_cidr {
	__u32 exclude; /* 1 */
};

/*
 * smc_port: LPM trie. A row excludes a block of 2^n ports; the first is a
 * multiple of that, so that they share their leading bits. Each direction has
 * its own rows: so a row can only deny, whatever row is beside it, and the
 * agent can write a change row by row.
 */
struct smc_port_key {
	__u32 prefixlen; /* SMC_PORT_PREFIX + the leading bits of the port */
	__u32 pod_id;	 /* 0: every pod of the mesh */
	/* enum smc_role. A client offers nothing to such a port; a server
	 * answers no offers at such a port of its own. */
	__u16 role;
	/* In network order, unlike other ports: a trie compares bits from the
	 * highest one of the first byte on. */
	__u8 port[2];
};

#define SMC_PORT_PREFIX 48 /* pod_id and role, whole */

struct smc_port {
	__u16 first, last; /* the same block, for people */
};

/* ---- smc_quarantine: LRU ------------------------------------------------- */

struct smc_quarantine_key {
	__u32 pod_id; /* which pod saw the failure; 0: two did, it is for all */
	__u8 ip[16];
	__u16 port;
	__u16 _pad;
};

enum smc_quarantine_state {
	/* It failed once, as a server that restarts does; of pod 0: one pod has
	 * it in quarantine. Clients offer it SMC. */
	SMC_QUARANTINE_MARK = 1,
	/* The peer did not answer SYNs with the option: is it dead, or does the
	 * path drop them? The next connect() goes without, to find out. */
	SMC_QUARANTINE_SUSPICION = 2,
	SMC_QUARANTINE_STRUCK = 3, /* clients do not offer it SMC */
};

struct smc_quarantine {
	__u64 since_ns; /* when the state began */
	__u64 until_ns; /* when it ends */
	__u32 state;	/* enum smc_quarantine_state */
	__u32 strikes;	/* how often it misbehaved: each doubles the time */
	/* The kernel's code or negative errno, as __u32; 0: no answer to SYNs
	 * with the option. */
	__u32 reason;
	__u32 pods[2]; /* of pod 0: the pods that saw it; 0: none */
	__u32 _pad;
};

/* ---- smc_flow: hash of the open ones ------------------------------------- */

/*
 * The name of a handshake, of facts that are known from its first packet to the
 * end of the connection, and in the kernel's own functions: in the SYN_SENT
 * socket, the request, and the socket that comes of either. The initial
 * sequence number is random for each handshake. A client's remote port is not
 * in it: the kernel forgets that when a blocking connect() fails, and the local
 * port is the client's alone.
 *
 * If no program of ours saw the handshake the name is the socket's cookie: its
 * low half in isn, its high half in the two ports.
 */
struct smc_handshake {
	__u32 isn;   /* of the own SYN or SYN-ACK */
	__u32 netns; /* low half of the cookie; they are counted up from 1 */
	__u16 local_port;  /* host order */
	__u16 remote_port; /* of a server's; 0 of a client's */
	__u16 kind;	   /* enum smc_role, or SMC_KIND_SOCKET */
	__u16 _pad;
};

#define SMC_KIND_SOCKET 3

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

enum smc_flow_flag {
	/* A plain TCP connection, recorded at connect(), with the remote
	 * address that connect() got. Socket diagnosis finds out whether it was
	 * established, if it lives so long. */
	SMC_FLOW_ATTEMPT = 1,
	/* Socket diagnosis finds its end and bytes, some time after. */
	SMC_FLOW_DIAGNOSED = 2,
	/* It was opened under another ABI: its outcome is known, and socket
	 * diagnosis finds its end. */
	SMC_FLOW_UPGRADED = 4,
	/* Its TCP connection is open, while its outcome is still pending. */
	SMC_FLOW_OPENED = 8,
	/* Its handshake was to go over RDMA, and was counted as under way. */
	SMC_FLOW_RDMA = 16,
	/* Of those: the last sign of life of its path was old, so that only one
	 * or two such handshakes could go on at that time. */
	SMC_FLOW_DOUBT = 32,
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
	__u32 flags;	   /* enum smc_flow_flag */
	__u32 buffers;	   /* bytes of its own SMC buffers */
	__u64 opened_ns;
	__u64 decided_ns; /* when the outcome was known, 0: not yet */
	__u64 closed_ns;
	__u64 rx_bytes; /* of a flow that is TCP; SMC bytes are per namespace */
	__u64 tx_bytes;
	__u64 netns_cookie;
	__u64 cookie; /* SO_COOKIE of the TCP socket, 0: nobody asked for it */
};

/* ---- smc_flow_closed: array, written round and round --------------------- */

/* A program that closes a flow takes the next row: smc_usage.closed of slot
 * 0. */
struct smc_closed {
	__u64 serial; /* counted up from 1; 0: empty, or being written */
	struct smc_handshake key; /* what it had in smc_flow */
	struct smc_flow flow;
};

/* ---- smc_counter: per-CPU array, key: slot of the pod -------------------- */

/* The value is struct smc_counters of counters.h: so many numbers, in two
 * parts, which do not change without a new ABI. */
/* enum smc_counter_id; the last one marks a slot that a take over works on */
#define SMC_COUNTER_ROOM 48
#define SMC_BYPASSED_ROOM 32 /* bypassed flows, by enum smc_reason */
#define SMC_COUNTERS_ROOM (SMC_COUNTER_ROOM + SMC_BYPASSED_ROOM)

/* ---- smc_usage: array, slot of the pod, 0: the node ---------------------- */

struct smc_usage {
	__u32 flows;	   /* rows of smc_flow */
	__u32 quarantines; /* of slot 0: how often one began */
	__u64 closed;	   /* of slot 0: how many flows closed */
	__u32 unexplained; /* conversions in a row that failed unseen */
	__u32 pending;	   /* SMC sockets under way */
	__s64 bytes;	   /* of the buffers of SMC; below 0 for a moment */
	__u32 connections; /* of SMC, open or agreed on */
	/* This pod's own bounds, which only the agent writes; 0: the mesh's. */
	__u32 pending_max;
	__u32 connections_max;
	/* Rows of smc_quarantine that the pod has made: in the low half their
	 * number, in the high half the period it is of. */
	__u32 quarantine_rows;
	/* Of slot 0: from then on no row of smc_quarantine counts; 0: there
	 * never was one. */
	__u64 quarantined_until;
	__u64 _room[1];
};

/* ---- smc_pending: hash, key: cookie of the SMC socket, __u64 --------------
 */

/* An SMC socket, converted or a program's own, that neither listens nor is
 * connected, has not fallen back and is not closed. The cookie is SO_COOKIE of
 * the outer socket, the one that the program has. */
struct smc_pending {
	__u32 slot;  /* where it is counted in smc_usage, besides the node's */
	__u32 netns; /* low half of its namespace's cookie */
	__u64 since_ns;
};

/* ---- smc_event: ring buffer ---------------------------------------------- */

enum smc_event_type {
	SMC_EVENT_OPENED = 1,
	SMC_EVENT_UPGRADED = 2,
	SMC_EVENT_FELL_BACK = 3,
	SMC_EVENT_CLOSED = 4,
	SMC_EVENT_REFUSED = 5, /* a conversion: pod_id and kernel_code only */
	SMC_EVENT_LISTENS = 6, /* a pod's first SMC listener: pod_id only */
	/* A namespace is not guarded any more, for a device has appeared:
	 * pod_id (0: armed pods share it) and netns_cookie only. */
	SMC_EVENT_DEVICE = 7,
};

struct smc_event {
	__u32 type; /* enum smc_event_type */
	__u32 _pad;
	struct smc_handshake key; /* in smc_flow */
	__u64 time_ns;
	struct smc_flow flow; /* as it was at that time */
};

/* ---- contexts of the agent's own programs (BPF_PROG_TYPE_SYSCALL) ---------
 */

/* Many change a row of smc_usage at once, and user space cannot add to a word,
 * but only replace the row: so the agent puts and drops what is counted there
 * by programs. */

/* path_told: the agent's findings about the path at @key, or about all paths to
 * a Service's address. */
struct smc_path_job {
	struct smc_path_key key;
	__u64 asked_ns; /* when the probe began, the oldest of several */
	__u64 until_ns; /* proven until then; 0: there was no answer */
	__u32 made;	/* out: 1: this made it bad */
	__s32 result;	/* 0; -E2BIG: there is no room for a row */
};

/* flow_put: insert @flow at @key, if nothing is there. flow_drop: delete the
 * row at @key, and keep @flow among the closed ones unless its outcome is
 * SMC_OUTCOME_PENDING. */
struct smc_flow_job {
	struct smc_handshake key;
	struct smc_flow flow;
	__s32 result; /* 0; -ENOENT, -EEXIST, -E2BIG: nothing was done */
	__u32 _pad;
};

/* counter_add: add @values to the counters of a slot, all in one run: an agent
 * that is killed has added all or none. */
struct smc_counter_job {
	__u32 slot;
	__u32 _pad;
	__u64 values[SMC_COUNTERS_ROOM]; /* at struct smc_counter_key.counter */
};

/* guard_turn: how far the agent is with the devices of a namespace. END gives
 * SMC_POD_GUARDED, unless a device has appeared since BEGIN; LOST takes it. */
enum smc_guard {
	SMC_GUARD_BEGIN = 1,
	SMC_GUARD_END = 2,
	SMC_GUARD_LOST = 3,
};

struct smc_guard_job {
	__u64 netns_cookie;
	__u32 turn;   /* enum smc_guard */
	__s32 result; /* 0; -EAGAIN: a device has appeared; -ENOENT: no row */
};

/* usage_limit: a pod's own bounds (struct smc_usage). */
struct smc_limit_job {
	__u32 slot;
	__u32 pending_max, connections_max;
	__u32 _pad;
};

/* pending_drop: delete the row at @cookie, and uncount it. */
struct smc_pending_job {
	__u64 cookie;
	__s32 result; /* 0; -ENOENT: there was none */
	__u32 _pad;
};

/* pending_mend: add @n, which may be negative, to a slot's SMC sockets under
 * way, and to no other's. */
struct smc_mend_job {
	__u32 slot;
	__s32 n;
};

/* quarantine_put: insert @row at @key, if nothing is there, and have the
 * verdict look rows up until it ends. */
struct smc_quarantine_job {
	struct smc_quarantine_key key;
	struct smc_quarantine row;
	__s32 result; /* 0; -EEXIST: nothing was done; or another errno */
	__u32 _pad;
};

/* verdict_ask: what the verdict says now to such a connection; changes nothing.
 * It returns its reason (enum smc_reason, 0: accelerate), and the transports
 * that both ends share, times 2^SMC_VERDICT_SHIFT. (This one is a raw
 * tracepoint, whose context has at most 96 bytes.) */
struct smc_verdict_job {
	__u64 pod;	 /* the key of its row */
	__u32 in_cgroup; /* 1: in smc_cgroup, 0: in smc_netns */
	__u32 role;	 /* of the pod, enum smc_role */
	struct smc_addr_port remote, local;
};

#define SMC_VERDICT_SHIFT 16

/* ---- sizes: the same for gcc and for clang -target bpf ------------------- */

_Static_assert(sizeof(struct smc_limits) == 32, "ABI");
_Static_assert(sizeof(struct smc_config) == 128, "ABI");
_Static_assert(sizeof(struct smc_pod) == 48, "ABI");
_Static_assert(sizeof(struct smc_endpoint) == 16, "ABI");
_Static_assert(sizeof(struct smc_addr_port) == 20, "ABI");
_Static_assert(sizeof(struct smc_service) == 8, "ABI");
_Static_assert(sizeof(struct smc_path_key) == 8, "ABI");
_Static_assert(sizeof(struct smc_path) == 64, "ABI");
_Static_assert(sizeof(struct smc_cidr_key) == 20, "ABI");
_Static_assert(sizeof(struct smc_port_key) == 12, "ABI");
_Static_assert(sizeof(struct smc_port) == 4, "ABI");
_Static_assert(sizeof(struct smc_quarantine_key) == 24, "ABI");
_Static_assert(sizeof(struct smc_quarantine) == 40, "ABI");
_Static_assert(sizeof(struct smc_handshake) == 16, "ABI");
_Static_assert(sizeof(struct smc_flow) == 120, "ABI");
_Static_assert(sizeof(struct smc_closed) == 144, "ABI");
_Static_assert(sizeof(struct smc_usage) == 64, "ABI");
_Static_assert(sizeof(struct smc_event) == 152, "ABI");
_Static_assert(sizeof(struct smc_pending) == 16, "ABI");
_Static_assert(sizeof(struct smc_verdict_job) == 56, "ABI");

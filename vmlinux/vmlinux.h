/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel types that smcmesh's BPF programs read: only the fields they
 * read, relocated against the running kernel's BTF when the object is loaded
 * (CO-RE). README.md says where each comes from; `make check-bpf` compares
 * every field with the BTF of a kernel.
 *
 * The guard's name is the one that bpftool's generated header has: libbpf's
 * bpf_tracing.h and include/smcmesh/abi.h test it.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

typedef unsigned char __u8;
typedef signed short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;

#define true 1
#define false 0
#define NULL ((void *)0)

/* ---- include/uapi: numbers that never change ---- */
/* (the kernel has no names for the enums uapi_*) */

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

enum uapi_map_flags {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
	BPF_F_CURRENT_NETNS = -1,
};

/* struct bpf_sock_ops.op */
enum uapi_sock_ops {
	BPF_SOCK_OPS_TCP_CONNECT_CB = 3,
	BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB = 4,
	BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB = 5,
	BPF_SOCK_OPS_STATE_CB = 10,
	BPF_SOCK_OPS_TCP_LISTEN_CB = 11,
	BPF_SOCK_OPS_HDR_OPT_LEN_CB = 14,
	BPF_SOCK_OPS_WRITE_HDR_OPT_CB = 15,
};

enum uapi_sock_ops_flags {
	BPF_SOCK_OPS_STATE_CB_FLAG = 4,
	BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG = 64,
};

enum uapi_tcp_state {
	BPF_TCP_ESTABLISHED = 1,
	BPF_TCP_SYN_SENT = 2,
	BPF_TCP_CLOSE = 7,
	BPF_TCP_CLOSE_WAIT = 8,
	BPF_TCP_LISTEN = 10,
};

/* Contexts of programs: the verifier translates each access, so that the
 * fields' places are those of the kernel's include/uapi/linux/bpf.h. */
#pragma clang attribute push(__attribute__((preserve_access_index)), \
			     apply_to = record)

struct bpf_sock_ops {
	__u32 op;
	union {
		__u32 args[4];
	};
	__u32 bpf_sock_ops_cb_flags;
	union {
		struct bpf_sock *sk;
	};
	union {
		void *skb_data;
	};
	union {
		void *skb_data_end;
	};
	__u32 skb_tcp_flags;
};

struct __sk_buff {
	__u32 protocol;
	__u32 data;
	__u32 data_end;
	union {
		struct bpf_sock *sk;
	};
};

struct bpf_sock {
	__u32 state;
};

struct bpf_sock_tuple {
	union {
		struct {
			__be32 saddr;
			__be32 daddr;
			__be16 sport;
			__be16 dport;
		} ipv4;
		struct {
			__be32 saddr[4];
			__be32 daddr[4];
			__be16 sport;
			__be16 dport;
		} ipv6;
	};
};

/* ---- sockets ---- */

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

typedef struct {
	struct net *net;
} possible_net_t;

typedef struct {
	__s64 counter;
} atomic64_t;

typedef struct {
	int counter;
} atomic_t;

typedef struct refcount_struct {
	atomic_t refs;
} refcount_t;

typedef struct {
	__u32 val;
} kuid_t;

typedef struct {
	__u32 val;
} kgid_t;

struct sock_common {
	union {
		struct {
			__be32 skc_daddr;
			__be32 skc_rcv_saddr;
		};
	};
	union {
		struct {
			__be16 skc_dport;
			__u16 skc_num;
		};
	};
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	refcount_t skc_refcnt;
	union {
		unsigned long skc_flags;
	};
	union {
		int skc_incoming_cpu;
	};
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct sock {
	struct sock_common __sk_common;
	__u8 sk_shutdown;
	int sk_err;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	void *sk_user_data;
	__u16 sk_protocol;
	struct socket *sk_socket;
	kuid_t sk_uid;
	struct sock_cgroup_data sk_cgrp_data;
};

enum sock_flags {
	SOCK_DONE = 1,
};

typedef enum {
	SS_FREE = 0,
	SS_UNCONNECTED,
	SS_CONNECTING,
} socket_state;

struct cred {
	kuid_t fsuid;
	kgid_t fsgid;
};

struct file {
	const struct cred *f_cred;
};

struct socket {
	socket_state state;
	struct file *file;
	struct sock *sk;
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

struct request_sock_queue {
	atomic_t qlen;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	__u8 icsk_retransmits;
	struct request_sock_queue icsk_accept_queue;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 rcv_nxt;
	__u32 snd_una;
	__u32 write_seq;
	__u32 total_retrans;
	__u64 bytes_acked;
	__u64 bytes_received;
	bool syn_smc;
	struct tcp_ao_info *ao_info;
};

struct request_sock {
	struct sock_common __req_common;
};

struct inet_request_sock {
	struct request_sock req;
};

struct tcp_request_sock {
	struct inet_request_sock req;
	__u32 snt_isn;
};

/* ---- packets ---- */

struct net_device {
	possible_net_t nd_net;
};

struct sk_buff {
	union {
		struct {
			union {
				struct net_device *dev;
			};
		};
	};
	__u16 network_header;
	unsigned char *head;
	unsigned char *data;
};

/* ---- whose task, which namespace, which cgroup ---- */

struct kernfs_node {
	__u64 id;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
	unsigned int flags;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct netns_smc {
	struct smc_hs_ctrl *hs_ctrl;
};

struct net {
	__u64 net_cookie;
	struct netns_smc smc;
};

struct nsproxy {
	struct net *net_ns;
};

struct task_struct {
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
	struct task_struct *group_leader;
	const struct cred *cred;
};

/* ---- SMC ---- */

enum smc_lgr_role {
	SMC_CLNT,
	SMC_SERV,
};

struct smc_link_group {
	bool is_smcd;
	enum smc_lgr_role role;
};

struct smc_link {
	__u8 gid[16];
	__u8 peer_gid[16];
	struct smc_link_group *lgr;
};

struct smc_buf_desc {
	int len;
	bool is_attached;
};

struct smc_connection {
	struct smc_link_group *lgr;
	struct smc_buf_desc *sndbuf_desc;
	struct smc_buf_desc *rmb_desc;
};

struct smc_sock {
	union {
		struct sock sk;
	};
	struct socket *clcsock;
	struct smc_connection conn;
	struct smc_sock *listen_smc;
	bool use_fallback;
	int fallback_rsn;
	__u32 peer_diagnosis;
	atomic_t queued_smc_hs;
	__u8 connect_nonblock : 1;
};

/* ---- struct_ops ---- */

struct bpf_map {
	__u32 id;
};

struct bpf_struct_ops_value {
	char data[0]; /* what the kernel calls: a struct smc_hs_ctrl */
};

struct bpf_struct_ops_map {
	struct bpf_map map;
	struct bpf_struct_ops_value kvalue;
};

#pragma clang attribute pop

enum smc_state {
	SMC_ACTIVE = 1,
	SMC_INIT = 2,
	SMC_CLOSED = 7,
};

/*
 * Not relocated: struct_ops maps carry the program's own layout, which libbpf
 * matches with the kernel's by the members' names. The name comes first
 * (SMC_CTRL_NAME_OFFSET), for the loader writes it into the initial value.
 */
struct smc_hs_ctrl {
	char name[16];
	int flags;
	int (*syn_option)(struct tcp_sock *tp);
	int (*synack_option)(const struct tcp_sock *tp,
			     struct inet_request_sock *ireq);
};

/* The kernel's own view of the same, for reading. */
struct smc_hs_ctrl___kernel {
	struct module *owner;
} __attribute__((preserve_access_index));

#endif /* __VMLINUX_H__ */

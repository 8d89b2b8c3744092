// SPDX-License-Identifier: GPL-2.0-only
/*
 * Puts TCP options of kind 254 into the SYNs of one cgroup, and keeps the
 * header of the SYN-ACK: for `smcmesh syncheck`, an object of its own that no
 * agent loads.
 *
 * | program  | section | needs                    |
 * |----------|---------|--------------------------|
 * | syncheck | sockops | Linux >= 5.10, cgroup v2 |
 *
 * The cgroup has one process, which connects one socket at a time: so plain
 * variables tell the program what to send, and user space what came.
 */
#include <vmlinux.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define KIND_EXPERIMENT 254 /* RFC 6994 */
#define OPTIONS_MAX 2
#define TCP_SYN 0x02	  /* of the flags in the header */
#define TCP_HEADER_MAX 60 /* bytes, with all options */

char LICENSE[] SEC("license") = "GPL";

/* The experiments whose options the SYN is to have, in this order, as numbers;
 * 0: no more. Written by user space. */
__u32 experiments[OPTIONS_MAX];

/* Written by the program; user space clears them before each connect(). */
__u32 syns;   /* with the options */
__s32 failed; /* the first error of a helper */
__u8 synack[TCP_HEADER_MAX];
__u32 synack_len;

struct experiment_option {
	__u8 kind, len;
	__be32 experiment;
} __attribute__((packed));

static __always_inline void note(long err)
{
	if (err && !failed)
		failed = err;
}

/* The kernel rounds the sum up to 4 bytes, and fills it with NOPs. */
static __always_inline void reserve(struct bpf_sock_ops *ctx)
{
	for (int i = 0; i < OPTIONS_MAX; i++)
		if (experiments[i])
			note(bpf_reserve_hdr_opt(
				ctx, sizeof(struct experiment_option), 0));
}

static __always_inline void write(struct bpf_sock_ops *ctx)
{
	for (int i = 0; i < OPTIONS_MAX; i++) {
		struct experiment_option o = {
			.kind = KIND_EXPERIMENT,
			.len = sizeof(o),
			.experiment = bpf_htonl(experiments[i]),
		};

		if (experiments[i])
			note(bpf_store_hdr_opt(ctx, &o, sizeof(o), 0));
	}
	syns++;
}

/* At this moment skb_data is the header of the SYN-ACK (bpf_skops_established()
 * in the kernel's net/ipv4/tcp_input.c). */
static __always_inline void keep(struct bpf_sock_ops *ctx)
{
	const __u8 *p = ctx->skb_data, *end = ctx->skb_data_end;
	__u32 n = 0;

	for (int i = 0; i < TCP_HEADER_MAX; i++) {
		if (p + i + 1 > end)
			break;
		synack[i] = p[i];
		n++;
	}
	synack_len = n;
}

static __always_inline void set_flags(struct bpf_sock_ops *ctx, bool on)
{
	__u32 flags = ctx->bpf_sock_ops_cb_flags;

	if (on)
		flags |= BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG;
	else
		flags &= ~BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG;
	note(bpf_sock_ops_cb_flags_set(ctx, flags));
}

SEC("sockops")
int syncheck(struct bpf_sock_ops *ctx)
{
	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		if (experiments[0])
			set_flags(ctx, true);
		break;
	case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
		if (ctx->skb_tcp_flags & TCP_SYN)
			reserve(ctx);
		break;
	case BPF_SOCK_OPS_WRITE_HDR_OPT_CB:
		if (ctx->skb_tcp_flags & TCP_SYN)
			write(ctx);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		keep(ctx);
		/* before the first ACK is made: only SYNs have the options */
		set_flags(ctx, false);
		break;
	}
	return 1;
}

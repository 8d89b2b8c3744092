/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A SYN as a packet: found in it, read, and its SMC option blanked. Knows no
 * pod and no verdict.
 *
 * The option is what the kernel takes for it (smc_parse_options(),
 * net/ipv4/tcp_input.c): kind 254, an even length of six or more, SMC's magic
 * first; at any place, and each one, up to the end of options or to one that
 * cannot be right. Blanked means: every byte of it becomes a NOP. So no length
 * changes, nothing moves, and the checksum is mended by the difference.
 */
#pragma once

#include "maps.bpf.h"
#include "pod.bpf.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8

#define IPPROTO_HOPOPTS 0
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_AH 51
#define IPPROTO_ICMPV6 58
#define IPPROTO_DSTOPTS 60
#define IPPROTO_MH 135
#define IPPROTO_HIP 139
#define IPPROTO_SHIM6 140

#define IP_OFFSET 0x1fff /* of the fragment; IPv6: the bits above the third */
#define IP6_OFFSET 0xfff8
#define IP6_HEADERS_MAX 8

#define TCP_SYN 0x02
#define TCP_ACK 0x10
#define TCP_HEADER 20 /* without options */
#define TCP_CHECKSUM 16
#define TCP_OPTIONS_MAX 40

#define TCPOPT_EOL 0
#define TCPOPT_NOP 1
#define TCPOPT_EXP 254
#define TCPOPT_SMC_MAGIC 0xe2d4c3d9
#define TCPOLEN_SMC 6

/* Where the IP header is at most; the verifier wants a bound. */
#define L3_MAX 255

struct smc_ipv4 {
	__u8 version_ihl, tos;
	__be16 len, id, frag;
	__u8 ttl, protocol;
	__be16 check;
	__be32 src, dst;
};

struct smc_ipv6 {
	__be32 version_class_flow;
	__be16 len;
	__u8 next, hops;
	__u8 src[16], dst[16];
};

struct smc_tcp {
	__be16 src, dst;
	__be32 seq, ack;
	__u8 doff, flags;
	__be16 window, check, urgent;
};

/* ---- is it one? ---- */

/* Ordinary packets are read directly: these few lines are all that they pay.
 * What cannot be told from them (options or headers between, a tag, a packet
 * that is not linear) is looked at as if it were a SYN. */
static __always_inline bool smc_may_be_syn(struct __sk_buff *ctx, __u64 l3)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u16 protocol = ctx->protocol;
	struct smc_tcp *tcp;

	if (protocol == bpf_htons(ETH_P_IP)) {
		struct smc_ipv4 *ip = data + l3;

		tcp = (void *)(ip + 1);
		if ((void *)(tcp + 1) > end)
			return true;
		if (ip->protocol != IPPROTO_TCP)
			return false;
		return ip->version_ihl != 0x45 || tcp->flags & TCP_SYN;
	}
	if (protocol == bpf_htons(ETH_P_IPV6)) {
		struct smc_ipv6 *ip = data + l3;

		tcp = (void *)(ip + 1);
		if ((void *)(tcp + 1) > end)
			return true;
		if (ip->next != IPPROTO_TCP)
			return ip->next != IPPROTO_UDP &&
			       ip->next != IPPROTO_ICMPV6;
		return tcp->flags & TCP_SYN;
	}
	return protocol == bpf_htons(ETH_P_8021Q) ||
	       protocol == bpf_htons(ETH_P_8021AD);
}

/* ---- headers ---- */

/* smc_skip_tags - A tag in the payload: go by the link layer's header, where
 * both directions look alike. Return: false: it is too short. */
static __always_inline bool smc_skip_tags(struct __sk_buff *ctx, __u32 *l3,
					  __u16 *protocol)
{
	__u32 at = 12;

	for (int i = 0; i < 3; i++) {
		if (bpf_skb_load_bytes(ctx, at, protocol, 2))
			return false;
		at += 2;
		if (*protocol != bpf_htons(ETH_P_8021Q) &&
		    *protocol != bpf_htons(ETH_P_8021AD))
			break;
		at += 2;
	}
	*l3 = at;
	return true;
}

/* Each returns false: it is no TCP, or not its first fragment. */
static __always_inline bool smc_read_v4(struct __sk_buff *ctx, __u32 l3,
					struct smc_syn *s)
{
	struct smc_ipv4 ip;
	__u32 len;

	if (bpf_skb_load_bytes(ctx, l3, &ip, sizeof(ip)))
		return false;
	len = (ip.version_ihl & 15) * 4;
	if (ip.protocol != IPPROTO_TCP || ip.frag & bpf_htons(IP_OFFSET) ||
	    len < sizeof(ip))
		return false;
	__builtin_memset(s->src.ip, 0, sizeof(s->src.ip));
	__builtin_memset(s->dst.ip, 0, sizeof(s->dst.ip));
	smc_map_ip(s->src.ip, ip.src);
	smc_map_ip(s->dst.ip, ip.dst);
	s->tcp = l3 + len;
	s->is_v4 = true;
	return true;
}

/* smc_next_header - Move over one header of IPv6 that may stand before TCP's.
 * Return: false: it is none, or a fragment without its beginning. */
static __always_inline bool smc_next_header(struct smc_scratch *b,
					    const __u8 head[4])
{
	switch (b->kind) {
	case IPPROTO_FRAGMENT:
		if ((head[2] << 8 | head[3]) & IP6_OFFSET)
			return false;
		b->at += 8;
		break;
	case IPPROTO_AH:
		b->at += (head[1] + 2) * 4;
		break;
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
	case IPPROTO_HIP:
	case IPPROTO_SHIM6:
		b->at += (head[1] + 1) * 8;
		break;
	default:
		return false;
	}
	b->kind = head[0];
	return true;
}

static __always_inline bool smc_read_v6(struct __sk_buff *ctx, __u32 l3,
					struct smc_scratch *b)
{
	struct smc_syn *s = &b->syn;
	struct smc_ipv6 ip;
	__u8 head[4];

	if (bpf_skb_load_bytes(ctx, l3, &ip, sizeof(ip)))
		return false;
	__builtin_memcpy(s->src.ip, ip.src, sizeof(ip.src));
	__builtin_memcpy(s->dst.ip, ip.dst, sizeof(ip.dst));
	b->kind = ip.next;
	b->at = l3 + sizeof(ip);
	for (int i = 0; i < IP6_HEADERS_MAX && b->kind != IPPROTO_TCP; i++)
		if (bpf_skb_load_bytes(ctx, b->at, head, sizeof(head)) ||
		    !smc_next_header(b, head))
			return false;
	s->tcp = b->at;
	s->is_v4 = false;
	return b->kind == IPPROTO_TCP;
}

static __always_inline bool smc_read_ip_header(struct __sk_buff *ctx, __u32 l3,
					       struct smc_scratch *b)
{
	__u16 protocol = ctx->protocol;

	if ((protocol == bpf_htons(ETH_P_8021Q) ||
	     protocol == bpf_htons(ETH_P_8021AD)) &&
	    !smc_skip_tags(ctx, &l3, &protocol))
		return false;
	if (protocol == bpf_htons(ETH_P_IP))
		return smc_read_v4(ctx, l3, &b->syn);
	return protocol == bpf_htons(ETH_P_IPV6) && smc_read_v6(ctx, l3, b);
}

/* ---- options ---- */

static __always_inline bool smc_is_option(const __u8 *option, __u32 size)
{
	return option[0] == TCPOPT_EXP && size >= TCPOLEN_SMC && !(size & 1) &&
	       option[2] == TCPOPT_SMC_MAGIC >> 24 &&
	       option[3] == (TCPOPT_SMC_MAGIC >> 16 & 0xff) &&
	       option[4] == (TCPOPT_SMC_MAGIC >> 8 & 0xff) &&
	       option[5] == (TCPOPT_SMC_MAGIC & 0xff);
}

/* smc_find_options - Mark in b->mask the bytes of SMC's options among the @len
 * of b->old. Where fewer bytes are left than it has, none can follow. */
static __always_inline bool smc_find_options(struct smc_scratch *b, __u32 len)
{
	__u32 at, size;

	b->next = 0;
	b->mask = 0;
	for (int i = 0; i < TCP_OPTIONS_MAX; i++) {
		at = b->next & 63;
		if (at + TCPOLEN_SMC > len || b->old[at] == TCPOPT_EOL)
			break;
		if (b->old[at] == TCPOPT_NOP) {
			b->next = at + 1;
			continue;
		}
		size = b->old[at + 1];
		if (size < 2 || at + size > len)
			break;
		if (smc_is_option(b->old + at, size))
			b->mask |= ((1ULL << size) - 1) << at;
		b->next = at + size;
	}
	return b->mask != 0;
}

/* smc_read_syn - Read the packet into @b, if it is a SYN or SYN-ACK with SMC's
 * option. Return: is it? */
static __always_inline bool smc_read_syn(struct __sk_buff *ctx, __u32 l3,
					 struct smc_scratch *b)
{
	struct smc_syn *s = &b->syn;
	struct smc_tcp tcp;
	__u32 len;

	if (!smc_read_ip_header(ctx, l3, b) ||
	    bpf_skb_load_bytes(ctx, s->tcp, &tcp, sizeof(tcp)) ||
	    !(tcp.flags & TCP_SYN))
		return false;
	len = (tcp.doff >> 4) * 4;
	if (len < TCP_HEADER + TCPOLEN_SMC)
		return false;
	len -= TCP_HEADER;
	/* verifier: it knows len <= 40, but forgets it at the spill */
	if (len > TCP_OPTIONS_MAX ||
	    bpf_skb_load_bytes(ctx, s->tcp + TCP_HEADER, b->old, len) ||
	    !smc_find_options(b, len))
		return false;
	s->src.port = bpf_ntohs(tcp.src);
	s->dst.port = bpf_ntohs(tcp.dst);
	s->seq = bpf_ntohl(tcp.seq);
	s->ack = bpf_ntohl(tcp.ack);
	s->options = len;
	s->is_ack = tcp.flags & TCP_ACK;
	return true;
}

/*
 * smc_blank - Take SMC's options out of the packet.
 *
 * The whole area of options is written: it begins and ends at a multiple of
 * four bytes of TCP's header, so that the difference is right wherever in it an
 * option lies. Neither helper touches skb->csum, and need not: what the bytes
 * add to the sum of the whole packet the checksum's field takes off again.
 */
static __always_inline void smc_blank(struct __sk_buff *ctx,
				      struct smc_scratch *b)
{
	const struct smc_syn *s = &b->syn;
	__u32 len = s->options;
	__u64 mask = b->mask;
	__s64 diff;
	__u8 gone;

	if (len < 4 || len > TCP_OPTIONS_MAX)
		return;
	for (__u32 i = 0; i < TCP_OPTIONS_MAX; i++) {
		if (i >= len)
			break;
		gone = -(mask & 1);
		mask >>= 1;
		b->new[i] = (b->old[i] & ~gone) | (TCPOPT_NOP & gone);
	}
	len &= ~3U;
	diff = bpf_csum_diff((__be32 *)b->old, len, (__be32 *)b->new, len, 0);
	bpf_skb_store_bytes(ctx, s->tcp + TCP_HEADER, b->new, len, 0);
	bpf_l4_csum_replace(ctx, s->tcp + TCP_CHECKSUM, 0, diff, 0);
}
